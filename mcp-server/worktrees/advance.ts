import { lstat, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Commit } from '../domain/ids.ts';
import { randomSuffix } from '../domain/ids.ts';
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
import { commitBeside, lstatInside } from './stage.ts';
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
    if (await anyDeleted(core, place, { from, to })) return false;
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

/**
 * The worktree is made anew at the commit; its folder, without its link to git, is kept as it is, and its path returned. For
 * what git can neither take in nor overwrite, such as a nested repository in the place of a file.
 */
export const setAside = (core: Core, lease: Lease, commit: Commit, mayMove?: MayMove): Promise<string> =>
  core.perAgent.run(lease.agent, async () => {
    await publish(core, lease.branch, commit, mayMove);
    const folder = join(core.stateDir, 'kept');
    await mkdir(folder, { recursive: true });
    const kept = join(folder, `${lease.agent}-${randomSuffix(core.random, 6)}`);
    await rename(leasePath(core, lease), kept);
    await rm(join(kept, '.git'), { force: true });
    await checkOut(core, lease, commit);
    return kept;
  });

/** Git would write a file again that is not there any more. */
const anyDeleted = async (core: Core, place: Place, { from, to }: Step): Promise<boolean> => {
  const args = ['diff-tree', '-r', '-z', '--name-only', '--no-renames', '--no-ext-diff', '--diff-filter=MT', from, to];
  const changed = (await core.git.text(core.store, args)).split('\0').filter(Boolean);
  for (const path of changed) if ((await lstatInside(place.workTree, path)) === null) return true;
  return false;
};

/** Git looks at all files before it changes one. */
const stepOver = async (core: Core, place: Place, step: Step): Promise<boolean> => {
  if (await twoWay(core, place, step)) return true;
  // Its index may be of an earlier commit, or not know that a file which was written again is as it was.
  await core.git.exec(place, ['read-tree', '--reset', step.from]);
  await core.git.exec(place, ['update-index', '-q', '--refresh'], { accept: [0, 1] });
  return twoWay(core, place, step);
};

/** How long somebody else, such as an editor, may hold the index of the worktree. */
const TRIES = 25;
const TRY_AGAIN_MS = 200;

const twoWay = async (core: Core, place: Place, { from, to }: Step): Promise<boolean> => {
  for (let tries = 1; ; tries += 1) {
    try {
      await core.git.exec(place, ['read-tree', '-m', '-u', from, to]);
      return true;
    } catch (error) {
      if (!(error instanceof GitError)) throw error;
      if (IN_THE_WAY.test(error.stderr)) return false;
      if (!HELD.test(error.stderr) || tries >= TRIES) throw error;
      await core.clock.sleep(TRY_AGAIN_MS);
    }
  }
};

/** Git's words for files that it will not overwrite; its messages are not translated here. */
const IN_THE_WAY = /not uptodate|would be (?:overwritten|removed)|would lose|resolve your current index/;
const HELD = /index\.lock'?: File exists/;
