import { lstat } from 'node:fs/promises';
import type { Commit } from '../domain/ids.ts';
import { absent } from './containment.ts';
import { type Core, commitTree, treeOfCommit } from './core.ts';
import type { Place } from './git-environment.ts';
import { checkOut } from './lease.ts';
import { leasePath } from './lease-check.ts';
import { isMoving, moving } from './moving.ts';
import type { Author, Lease, MayMove, Saved } from './port.ts';
import { pin, publish } from './refs.ts';
import { bringTo, indexPlace, stageEntries } from './snapshot.ts';
import { readStatus, type StatusEntry } from './status.ts';

export interface AdoptOptions {
  /** Work in it was cut in the middle, and will be done anew. */
  readonly cut: boolean;
  readonly author: Author;
}

/**
 * Takes over a worktree that was left: its branch is at the commit. When its index is, too, and nothing was cut, then what
 * differs on disk was changed by hand, and stays. Otherwise what nobody has committed is taken out, and returned.
 */
export const adopt = (core: Core, lease: Lease, commit: Commit, options: AdoptOptions, mayMove?: MayMove) =>
  core.perAgent.run(lease.agent, async (): Promise<Saved | null> => {
    await publish(core, lease.branch, commit, mayMove);
    if (!(await lstat(leasePath(core, lease)).catch(absent))) {
      await checkOut(core, lease, commit);
      return null;
    }
    const place = await indexPlace(core, lease);
    const { entries } = await readStatus(core.git, place, 'files');
    const isBehind = entries.some(({ staged, kind }) => staged || kind === 'unmerged');
    const stays = !isBehind && !options.cut && !(await isMoving(place));
    if (entries.length > 0 && stays) return null;
    return moving(place, async () => {
      if (entries.length === 0) return null;
      const saved = await save(core, lease, place, commit, entries, options.author);
      await bringTo(core, place, commit);
      return saved;
    });
  });

/** A commit, on no branch, of these files as they are on disk; null when the parent has them like that. */
const save = async (
  core: Core,
  lease: Lease,
  place: Place,
  parent: Commit,
  entries: readonly StatusEntry[],
  author: Author,
): Promise<Saved | null> => {
  await core.git.exec(place, ['read-tree', '--reset', parent]);
  const files = await stageEntries(core, place, entries);
  const tree = (await core.git.text(place, ['write-tree'])).trim();
  if (tree === (await treeOfCommit(core, parent))) return null;
  const message = `What lay uncommitted in the worktree\n\nAgent: ${lease.agent}\n`;
  const commit = await commitTree(core, tree, [parent], message, author);
  await pin(core, `${lease.agent}-${commit.slice(0, 12)}`, commit);
  return { commit, files };
};
