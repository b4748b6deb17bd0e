import { lstat } from 'node:fs/promises';
import type { Commit } from '../domain/ids.ts';
import { absent } from './containment.ts';
import type { Core } from './core.ts';
import type { Place } from './git-environment.ts';
import { GitError } from './git-exec.ts';
import { checkOut } from './lease.ts';
import { leasePath } from './lease-check.ts';
import { moving } from './moving.ts';
import type { Author, Lease, MayMove } from './port.ts';
import { publish } from './refs.ts';
import { indexPlace } from './snapshot.ts';
import { commitBeside } from './stage.ts';
import { readStatus } from './status.ts';

export interface Step {
  readonly from: Commit;
  readonly to: Commit;
}

/**
 * Brings files and branch of a lease from one commit to another. What was changed by hand in other files stays; false, and
 * nothing has moved, when it is in the way.
 */
export const advance = (core: Core, lease: Lease, { from, to }: Step, mayMove?: MayMove): Promise<boolean> =>
  core.perAgent.run(lease.agent, async () => {
    if (!(await lstat(leasePath(core, lease)).catch(absent))) {
      await publish(core, lease.branch, to, mayMove);
      await checkOut(core, lease, to);
      return true;
    }
    const place = await indexPlace(core, lease);
    await mayMove?.();
    if (!(await moving(place, () => stepOver(core, place, { from, to })))) return false;
    await publish(core, lease.branch, to, mayMove);
    return true;
  });

/** A commit on top of `parent` of what was changed by hand; null when nothing was. The worktree stays as it is. */
export const edits = (core: Core, lease: Lease, parent: Commit, message: string, author: Author) =>
  core.perAgent.run(lease.agent, async () => {
    const place = await indexPlace(core, lease);
    const { entries } = await readStatus(core.git, place, 'files');
    return commitBeside(core, place, parent, entries, { what: 'work', message, author });
  });

/** Git looks at all files before it changes one. */
const stepOver = async (core: Core, place: Place, step: Step): Promise<boolean> => {
  if (await twoWay(core, place, step)) return true;
  // Its index may be of an earlier commit, or not know that a file which was written again is as it was.
  await core.git.exec(place, ['read-tree', '--reset', step.from]);
  await core.git.exec(place, ['update-index', '-q', '--refresh'], { accept: [0, 1] });
  return twoWay(core, place, step);
};

const twoWay = async (core: Core, place: Place, { from, to }: Step): Promise<boolean> => {
  try {
    await core.git.exec(place, ['read-tree', '-m', '-u', from, to]);
    return true;
  } catch (error) {
    if (error instanceof GitError && IN_THE_WAY.test(error.stderr)) return false;
    throw error;
  }
};

/** Git's words for files that it will not overwrite; its messages are not translated here. */
const IN_THE_WAY = /not uptodate|would be (?:overwritten|removed)|would lose/;
