import { access, constants, lstat, readlink, realpath, rm } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize, sep } from 'node:path';
import type { Commit } from '../domain/ids.ts';
import { absent, belongsToGit, isProtected } from './containment.ts';
import { type Core, commitTree, treeOfCommit } from './core.ts';
import type { Place } from './git-environment.ts';
import { GitError } from './git-exec.ts';
import type { Author } from './port.ts';
import type { StatusEntry } from './status.ts';

/** `work`: what may become a commit of the run. `all`: also what may not, for a commit that only keeps it. */
export type Stageable = 'work' | 'all';

export interface StageOptions {
  readonly what?: Stageable;
  /** Another file than the worktree's own index. */
  readonly index?: string;
}

/**
 * Lays the entries into the index as they are on disk; returns their paths, sorted. Nested repositories, and files that
 * cannot be read, are left out.
 */
export const stageEntries = async (
  core: Core,
  place: Place,
  entries: readonly StatusEntry[],
  { what = 'work', index }: StageOptions = {},
): Promise<readonly string[]> => {
  const { removed, added } = await sortEntries(place.workTree, entries, what);
  await stage(core, place, ['--force-remove'], removed, index);
  const laid = await stageReadable(core, place, added, index);
  return [...removed, ...laid].sort();
};

/** A commit of the entries on top of `parent`, with the worktree's index as it was; null when the parent has them like that. */
export const commitBeside = async (
  core: Core,
  place: Place,
  parent: Commit,
  entries: readonly StatusEntry[],
  { what, message, author }: { readonly what: Stageable; readonly message: string; readonly author: Author },
): Promise<{ readonly commit: Commit; readonly files: readonly string[] } | null> => {
  const index = join(place.gitDir, 'coppice-index');
  const variables = { GIT_INDEX_FILE: index };
  // What a command that was killed has left of an earlier one.
  await rm(index, { force: true });
  await rm(`${index}.lock`, { force: true });
  await core.git.exec(place, ['read-tree', '--reset', parent], { variables });
  const files = await stageEntries(core, place, entries, { what, index });
  const tree = (await core.git.text(place, ['write-tree'], { variables })).trim();
  if (tree === (await treeOfCommit(core, parent))) return null;
  return { commit: await commitTree(core, tree, [parent], message, author), files };
};

const stage = async (
  core: Core,
  place: Place,
  flags: readonly string[],
  paths: readonly string[],
  index: string | undefined,
): Promise<void> => {
  if (paths.length === 0) return;
  const input = paths.map((path) => `${path}\0`).join('');
  const variables = index === undefined ? {} : { GIT_INDEX_FILE: index };
  await core.git.exec(place, ['update-index', ...flags, '-z', '--stdin'], { input, variables });
};

const stageReadable = async (
  core: Core,
  place: Place,
  paths: readonly string[],
  index: string | undefined,
): Promise<readonly string[]> => {
  const flags = ['--add', '--replace'];
  try {
    await stage(core, place, flags, paths, index);
    return paths;
  } catch (error) {
    if (!(error instanceof GitError)) throw error;
    const readable = await Promise.all(paths.map((path) => isReadable(join(place.workTree, path))));
    const left = paths.filter((_, at) => readable[at]);
    if (left.length === paths.length) throw error;
    await stage(core, place, flags, left, index);
    return left;
  }
};

const isReadable = async (path: string): Promise<boolean> => {
  if ((await lstat(path).catch(absent))?.isSymbolicLink()) return true;
  return access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
};

/** Which paths leave the index and which come into it as they are now. What may not be committed is in neither. */
const sortEntries = async (
  root: string,
  entries: readonly StatusEntry[],
  what: Stageable,
): Promise<{ readonly removed: readonly string[]; readonly added: readonly string[] }> => {
  const removed = new Set<string>();
  const added = new Set<string>();
  for (const { path, kind } of entries) {
    // A folder that git does not look into is a repository of its own.
    if (path.endsWith('/') || (what === 'work' && isProtected(path))) continue;
    const found = await lstatInside(root, path);
    const isLink = found?.isSymbolicLink() && (what === 'all' || (await staysInside(root, path)));
    if (found?.isFile() || isLink) added.add(path);
    else if ((found === null || found.isDirectory()) && kind !== 'untracked') removed.add(path);
  }
  return { removed: [...removed], added: [...added] };
};

/** Null when there is nothing, and also when the path goes through a link: git tracks the link and nothing behind it. */
export const lstatInside = async (root: string, path: string) => {
  const folder = join(root, dirname(path));
  // A link that leads to itself is nothing, too.
  const real = await realpath(folder).catch((error) => (codeOf(error) === 'ELOOP' ? null : absent(error)));
  return real === folder ? lstat(join(root, path)).catch(absent) : null;
};

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

const staysInside = async (root: string, path: string): Promise<boolean> => {
  const target = await readlink(join(root, path));
  const named = normalize(join(dirname(path), target));
  if (isAbsolute(target) || named === '..' || named.startsWith(`..${sep}`) || belongsToGit(named)) return false;
  const real = await realpath(join(root, named)).catch(() => null);
  return real === null || real === root || real.startsWith(root + sep);
};
