import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Commit } from '../domain/ids.ts';
import { absent } from './containment.ts';
import type { Core } from './core.ts';
import type { Place } from './git-environment.ts';
import { checkOut } from './lease.ts';
import { leasePath } from './lease-check.ts';
import { isMoving, moving } from './moving.ts';
import type { Author, Lease, MayMove, Saved } from './port.ts';
import { pin, publish } from './refs.ts';
import { indexPlace } from './snapshot.ts';
import { commitBeside, stageEntries } from './stage.ts';
import { readStatus, type Status, type StatusEntry } from './status.ts';

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
    const status = await readStatus(core.git, place, 'files');
    const isThere = stands(status, lease, commit);
    const wasCut = options.cut || (await isMoving(place));
    if (isThere && (!wasCut || status.entries.length === 0)) return null;
    return moving(place, async () => {
      if (status.branch !== lease.branch)
        await core.git.exec(place, ['symbolic-ref', 'HEAD', `refs/heads/${lease.branch}`]);
      const saved = await save(core, lease, place, commit, status.entries, options.author);
      await stageEntries(core, place, status.entries, { what: 'all' });
      await core.git.exec(place, ['read-tree', '--reset', '-u', commit]);
      return saved;
    });
  });

/** Branch and index are where they should be. */
const stands = ({ branch, head, entries }: Status, lease: Lease, commit: Commit): boolean =>
  branch === lease.branch && head === commit && entries.every(({ staged, kind }) => !staged && kind !== 'unmerged');

/** A commit, on no branch, of these files as they are on disk; null when the commit has them like that. */
const save = async (
  core: Core,
  lease: Lease,
  place: Place,
  parent: Commit,
  entries: readonly StatusEntry[],
  author: Author,
): Promise<Saved | null> => {
  // Without an index the worktree was never whole.
  if (entries.length === 0 || !(await lstat(join(place.gitDir, 'index')).catch(absent))) return null;
  const message = `What lay uncommitted in the worktree\n\nAgent: ${lease.agent}\n`;
  const saved = await commitBeside(core, place, parent, entries, { what: 'all', message, author });
  if (saved) await pin(core, `${lease.agent}-${saved.commit.slice(0, 12)}`, saved.commit);
  return saved;
};
