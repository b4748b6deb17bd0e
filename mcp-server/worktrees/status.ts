import type { Commit } from '../domain/ids.ts';
import type { Place } from './git-environment.ts';
import type { Git } from './git-exec.ts';

/** One path that differs from HEAD. */
export interface StatusEntry {
  /** An untracked repository or folder ends with a slash. */
  readonly path: string;
  readonly kind: 'changed' | 'unmerged' | 'untracked';
  /** The index has it otherwise than HEAD. */
  readonly staged: boolean;
}

/** Where HEAD is, and what differs from it. */
export interface Status {
  /** Null: detached. */
  readonly branch: string | null;
  /** Null: there is no commit yet. */
  readonly head: Commit | null;
  readonly entries: readonly StatusEntry[];
}

/**
 * What differs from HEAD, in the index or on disk. Submodules are never looked into: their configuration could start
 * programs. Untracked files are listed one by one, or (`folders`) as the topmost folder that has nothing else.
 */
export const readStatus = async (git: Git, place: Place, untracked: 'files' | 'folders'): Promise<Status> => {
  const output = await git.text(place, [
    'status',
    '--porcelain=v2',
    '--branch',
    '-z',
    '--no-renames',
    '--no-ahead-behind',
    '--ignore-submodules=all',
    untracked === 'files' ? '--untracked-files=all' : '--untracked-files=normal',
  ]);
  return parseStatus(output);
};

/** Fields before the path, for each kind of line. */
const KINDS: Readonly<Record<string, readonly [StatusEntry['kind'], number]>> = {
  1: ['changed', 8],
  u: ['unmerged', 10],
  '?': ['untracked', 1],
};

const parseStatus = (output: string): Status => {
  let branch: string | null = null;
  let head: Commit | null = null;
  const entries: StatusEntry[] = [];
  for (const line of output.split('\0')) {
    if (line.startsWith('# branch.oid ')) head = line.includes('(initial)') ? null : (line.slice(13) as Commit);
    else if (line.startsWith('# branch.head ')) branch = line.slice(14) === '(detached)' ? null : line.slice(14);
    const [kind, fields] = KINDS[line[0] ?? ''] ?? [];
    if (kind && fields) {
      const staged = kind !== 'untracked' && line[2] !== '.';
      entries.push({ kind, staged, path: line.split(' ').slice(fields).join(' ') });
    }
  }
  return { branch, head, entries };
};
