import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Commit } from '../domain/ids.ts';
import { absent } from './containment.ts';
import type { Core } from './core.ts';
import type { Place } from './git-environment.ts';
import { checkOut } from './lease.ts';
import { leasePath } from './lease-check.ts';
import { isAncestor } from './merge.ts';
import { isMoving, moving, settle } from './moving.ts';
import type { AdoptOptions, Lease, MayMove, Saved } from './port.ts';
import { pin, publish } from './refs.ts';
import { changedPaths, indexPlace } from './snapshot.ts';
import { commitBeside, stageEntries } from './stage.ts';
import { readStatus, type Status } from './status.ts';

/**
 * Takes over a worktree that was left: its branch is at the commit. When its index is, too, and nothing was cut, then what
 * differs on disk was changed by hand, and stays. Otherwise what nobody has committed is taken out, and told.
 */
export const adopt = (core: Core, lease: Lease, commit: Commit, options: AdoptOptions, mayMove?: MayMove) =>
  core.perAgent.run(lease.agent, async (): Promise<void> => {
    await publish(core, lease.branch, commit, mayMove);
    if (!(await lstat(leasePath(core, lease)).catch(absent))) return checkOut(core, lease, commit);
    const place = await indexPlace(core, lease);
    const status = await readStatus(core.git, place, 'files');
    const wasCut = options.cut || (await isMoving(place));
    if (stands(status, lease, commit) && (!wasCut || status.entries.length === 0)) return settle(place);
    await moving(place, async () => {
      const saved = await save(core, lease, place, commit, status, options);
      if (saved) await options.onSaved(saved);
      if (status.branch !== lease.branch)
        await core.git.exec(place, ['symbolic-ref', 'HEAD', `refs/heads/${lease.branch}`]);
      await stageEntries(core, place, status.entries, { what: 'all' });
      await core.git.exec(place, ['read-tree', '--reset', '-u', commit]);
    });
  });

/** Branch and index are where they should be. */
const stands = ({ branch, head, entries }: Status, lease: Lease, commit: Commit): boolean =>
  branch === lease.branch && head === commit && entries.every(({ staged, kind }) => !staged && kind !== 'unmerged');

/**
 * A commit, on no branch, of these files as they are on disk; null when the commit has them like that. On top of a commit
 * that somebody made on no branch: that one would be lost, too.
 */
const save = async (
  core: Core,
  lease: Lease,
  place: Place,
  commit: Commit,
  { branch, head, entries }: Status,
  { author }: AdoptOptions,
): Promise<Saved | null> => {
  const astray = branch === null && head !== null && !(await isAncestor(core, head, commit)) ? head : null;
  const parent = astray ?? commit;
  const message = `What lay uncommitted in the worktree\n\nAgent: ${lease.agent}\n`;
  // Without an index the worktree was never whole.
  const isWhole = entries.length > 0 && (await lstat(join(place.gitDir, 'index')).catch(absent)) !== null;
  const made = isWhole ? await commitBeside(core, place, parent, entries, { what: 'all', message, author }) : null;
  const kept = made?.commit ?? astray;
  if (kept === null) return null;
  await pin(core, `${lease.agent}-${kept.slice(0, 12)}`, kept);
  return { commit: kept, files: astray ? await changedPaths(core, commit, kept) : (made?.files ?? []) };
};
