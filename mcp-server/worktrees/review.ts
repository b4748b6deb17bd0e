import type { Commit } from '../domain/ids.ts';
import { relativePath } from './containment.ts';
import type { Core } from './core.ts';
import { assertCommit } from './objects.ts';
import type { FileChange } from './port.ts';

/** No program of the repository's configuration takes part in a diff. */
const DIFF = ['diff-tree', '-r', '--no-ext-diff', '--no-textconv', '--find-renames'];

/** What changed between two commits, by path. */
export const changes = async (core: Core, base: Commit, head: Commit): Promise<readonly FileChange[]> => {
  if (assertCommit(base) === assertCommit(head)) return [];
  return parseChanges(await core.git.text(core.store, [...DIFF, '--raw', '--numstat', '-z', base, head]));
};

const STATUSES: Readonly<Record<string, FileChange['status']>> = {
  A: 'added',
  C: 'added',
  M: 'modified',
  D: 'deleted',
  R: 'renamed',
  T: 'type-changed',
};

/** Git lists all changes first (`:modes status`, path), then all counts (`added deleted path`). */
const parseChanges = (output: string): readonly FileChange[] => {
  const fields = output.split('\0');
  const found: Omit<FileChange, 'additions' | 'deletions'>[] = [];
  const counts = new Map<string, readonly [number | null, number | null]>();
  let at = 0;
  const next = (): string => fields[at++] ?? '';
  while (at < fields.length) {
    const field = next();
    if (field.startsWith(':')) {
      const letter = field.split(' ').at(-1)?.[0] ?? '';
      const oldPath = letter === 'R' || letter === 'C' ? next() : null;
      found.push({ path: next(), oldPath, status: STATUSES[letter] ?? 'modified' });
    } else if (field !== '') {
      const [added = '-', deleted = '-', ...rest] = field.split('\t');
      const named = rest.join('\t');
      if (named === '') next();
      counts.set(named === '' ? next() : named, [countOf(added), countOf(deleted)]);
    }
  }
  return found.map((change) => {
    const [additions = null, deletions = null] = counts.get(change.path) ?? [];
    return { ...change, additions, deletions };
  });
};

const countOf = (text: string): number | null => (text === '-' ? null : Number(text));

/** A unified diff of at most `maxBytes`; when it is cut, at the end of a line, the last line says so. */
export const patch = async (
  core: Core,
  base: Commit,
  head: Commit,
  options: { readonly path?: string; readonly maxBytes: number },
): Promise<string> => {
  const paths = options.path === undefined ? [] : ['--', relativePath(options.path)];
  const args = [...DIFF, '--patch', '--no-color', '--full-index', assertCommit(base), assertCommit(head), ...paths];
  const { stdout, cut } = await core.git.exec(core.store, args, { maxBytes: options.maxBytes });
  if (!cut) return stdout.toString('utf8');
  const whole = stdout.subarray(0, stdout.lastIndexOf(10) + 1).toString('utf8');
  return `${whole}[the diff is longer than ${options.maxBytes} bytes; the rest was cut]\n`;
};
