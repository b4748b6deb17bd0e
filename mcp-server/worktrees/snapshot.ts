import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Commit } from '../domain/ids.ts';
import { absent } from './containment.ts';
import { type Core, commitTree, treeOfCommit } from './core.ts';
import type { Place } from './git-environment.ts';
import { checkOut } from './lease.ts';
import { checkedPlace, leasePath } from './lease-check.ts';
import { moving } from './moving.ts';
import { assertCommit } from './objects.ts';
import type { Author, Lease, MayMove } from './port.ts';
import { clearStaleLock, publish } from './refs.ts';
import { stageEntries } from './stage.ts';
import { readStatus } from './status.ts';

/**
 * A commit of what changed in the worktree, on top of `parent`; null when nothing did. Nested repositories, links that
 * lead outside, protected files and those that cannot be read are left out: they stay in the worktree as they are. The
 * branch does not move.
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
    await moving(place, async () => {
      await core.git.exec(place, ['read-tree', '--reset', '-u', commit]);
      await core.git.exec(place, ['clean', '-d', '-f', '-f', '--quiet']);
    });
  });

export const changedPaths = async (core: Core, from: Commit, to: Commit): Promise<readonly string[]> => {
  const args = ['diff-tree', '-r', '-z', '--name-only', '--no-renames', '--no-ext-diff', from, to];
  return (await core.git.text(core.store, args)).split('\0').filter(Boolean).sort();
};

/** The place, with an index that can be written: its lock may be left from a command that was killed. */
export const indexPlace = async (core: Core, lease: Lease): Promise<Place> => {
  const place = await checkedPlace(core, lease);
  await clearStaleLock(join(place.gitDir, 'index.lock'), core.clock);
  return place;
};
