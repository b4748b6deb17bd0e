import { lstat, readlink, realpath } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize, sep } from 'node:path';
import type { Commit } from '../domain/ids.ts';
import { absent, belongsToGit, isProtected } from './containment.ts';
import { type Core, commitTree, treeOfCommit } from './core.ts';
import type { Place } from './git-environment.ts';
import { checkOut } from './lease.ts';
import { checkedPlace, leasePath } from './lease-check.ts';
import { moving } from './moving.ts';
import { assertCommit } from './objects.ts';
import type { Author, Lease, MayMove } from './port.ts';
import { clearStaleLock, publish } from './refs.ts';
import { readStatus, type StatusEntry } from './status.ts';

/**
 * A commit of what changed in the worktree, on top of `parent`; null when nothing did. Nested repositories, links that
 * lead outside and protected files are left out: they stay in the worktree as they are. The branch does not move.
 */
export const snapshot = (core: Core, lease: Lease, parent: Commit, message: string, author: Author) =>
  core.perAgent.run(lease.agent, async () => {
    assertCommit(parent);
    const place = await indexPlace(core, lease);
    const status = await readStatus(core.git, place, 'files');
    const files = await stageEntries(core, place, status.entries);
    if (files.length === 0 && status.head === parent) return null;
    const tree = (await core.git.text(place, ['write-tree'])).trim();
    if (tree === (await treeOfCommit(core, parent))) return null;
    const commit = await commitTree(core, tree, [parent], message, author);
    // What an earlier snapshot staged may be back where it was, so git is asked.
    const asked = status.entries.some(({ staged }) => staged);
    return { commit, files: asked ? await changedPaths(core, parent, commit) : files };
  });

/**
 * Makes branch, index and files exactly the commit. Ignored files, such as installed packages, stay. A worktree whose
 * folder is gone is made anew.
 */
export const reset = (core: Core, lease: Lease, commit: Commit, mayMove?: MayMove): Promise<void> =>
  core.perAgent.run(lease.agent, async () => {
    await publish(core, lease.branch, commit, mayMove);
    if (!(await lstat(leasePath(core, lease)).catch(absent))) return checkOut(core, lease, commit);
    const place = await indexPlace(core, lease);
    await moving(place, () => bringTo(core, place, commit));
  });

/** Index and files become exactly the commit's. Call it, and what is below, in the agent's queue, and this while `moving`. */
export const bringTo = async (core: Core, place: Place, commit: Commit): Promise<void> => {
  await core.git.exec(place, ['read-tree', '--reset', '-u', commit]);
  await core.git.exec(place, ['clean', '-d', '-f', '-f', '--quiet']);
};

const changedPaths = async (core: Core, from: Commit, to: Commit): Promise<readonly string[]> => {
  const args = ['diff-tree', '-r', '-z', '--name-only', '--no-renames', '--no-ext-diff', from, to];
  return (await core.git.text(core.store, args)).split('\0').filter(Boolean).sort();
};

/** The place, with an index that can be written: its lock may be left from a command that was killed. */
export const indexPlace = async (core: Core, lease: Lease): Promise<Place> => {
  const place = await checkedPlace(core, lease);
  await clearStaleLock(join(place.gitDir, 'index.lock'), core.clock);
  return place;
};

/** Lays what may be committed of the entries into the index as it is on disk; returns those paths, sorted. */
export const stageEntries = async (
  core: Core,
  place: Place,
  entries: readonly StatusEntry[],
): Promise<readonly string[]> => {
  const { removed, added } = await sortEntries(place.workTree, entries);
  await stage(core, place, ['--force-remove'], removed);
  await stage(core, place, ['--add', '--replace'], added);
  return [...removed, ...added].sort();
};

const stage = async (core: Core, place: Place, flags: readonly string[], paths: readonly string[]): Promise<void> => {
  if (paths.length === 0) return;
  const input = paths.map((path) => `${path}\0`).join('');
  await core.git.exec(place, ['update-index', ...flags, '-z', '--stdin'], { input });
};

/** Which paths leave the index and which come into it as they are now. What may not be committed is in neither. */
const sortEntries = async (
  root: string,
  entries: readonly StatusEntry[],
): Promise<{ readonly removed: readonly string[]; readonly added: readonly string[] }> => {
  const removed: string[] = [];
  const added: string[] = [];
  for (const { path, kind } of entries) {
    // A folder that git does not look into is a repository of its own.
    if (path.endsWith('/') || isProtected(path)) continue;
    const found = await lstatInside(root, path);
    if (found?.isFile() || (found?.isSymbolicLink() && (await staysInside(root, path)))) added.push(path);
    else if ((found === null || found.isDirectory()) && kind !== 'untracked') removed.push(path);
  }
  return { removed, added };
};

/** Null when there is nothing, and also when the path goes through a link: git tracks the link and nothing behind it. */
const lstatInside = async (root: string, path: string) => {
  const folder = join(root, dirname(path));
  const real = await realpath(folder).catch(absent);
  return real === folder ? lstat(join(root, path)).catch(absent) : null;
};

const staysInside = async (root: string, path: string): Promise<boolean> => {
  const target = await readlink(join(root, path));
  const named = normalize(join(dirname(path), target));
  if (isAbsolute(target) || named === '..' || named.startsWith(`..${sep}`) || belongsToGit(named)) return false;
  const real = await realpath(join(root, named)).catch(() => null);
  return real === null || real === root || real.startsWith(root + sep);
};
