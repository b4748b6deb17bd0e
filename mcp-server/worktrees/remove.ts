import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../domain/errors.ts';
import type { AgentId, Commit } from '../domain/ids.ts';
import { absent } from './containment.ts';
import type { Core } from './core.ts';
import { adminPath, checkedPlace, findTampering, leasePath, placeOf } from './lease-check.ts';
import { assertCommit } from './objects.ts';
import type { Lease } from './port.ts';
import { readStatus } from './status.ts';
import { dropAdminEntry, emptyTrash, finishDrops, moveToTrash, ourAdminEntries } from './trash.ts';

type Removal = { readonly kind: 'removed' } | { readonly kind: 'kept'; readonly reason: string };

/** Removes a worktree in which nothing would be lost, and keeps any other. Its branch stays. */
export const removeLease = (
  core: Core,
  lease: Lease,
  safe: { readonly commits: readonly Commit[]; readonly discarded: boolean },
): Promise<Removal> =>
  core.perAgent.run(lease.agent, async () => {
    const reason = await whyKeep(core, lease, safe).catch(
      (error: unknown) => `it could not be checked: ${messageOf(error)}`,
    );
    if (reason) return { kind: 'kept', reason };
    await discardFolder(core, lease);
    return { kind: 'removed' };
  });

/** The one rule for deleting: null means that nothing would be lost. */
const whyKeep = async (
  core: Core,
  lease: Lease,
  safe: { readonly commits: readonly Commit[]; readonly discarded: boolean },
): Promise<string | null> => {
  const folder = await lstat(leasePath(core, lease)).catch(absent);
  if (!folder) return null;
  if (!folder.isDirectory()) return 'its folder is not a folder any more';
  if (safe.discarded || (await isHalfMade(core, lease))) return null;
  const place = await checkedPlace(core, lease);
  const status = await readStatus(core.git, place, 'files');
  if (status.head === null) return 'its branch is gone';
  const names = status.entries.map(({ path }) => path);
  if (names.length > 0)
    return `it has uncommitted changes: ${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}`;
  if (safe.commits.includes(status.head)) return null;
  // Git itself is asked, of what lies on the disk now: nothing that is remembered decides what is deleted.
  const unknown = [
    'rev-list',
    '--max-count=1',
    status.head,
    ...safe.commits.map((commit) => `^${assertCommit(commit)}`),
    '--',
  ];
  return (await core.git.text(core.store, unknown)) === '' ? null : 'its commits are not merged';
};

/** Its first checkout never ended, which is when the index is written: no agent has worked in it. */
const isHalfMade = async (core: Core, lease: Lease): Promise<boolean> => {
  const admin = adminPath(core, lease.admin);
  return (await lstat(admin).catch(absent)) !== null && (await lstat(join(admin, 'index')).catch(absent)) === null;
};

/** The folder goes first, in one step: what is left after a kill in between is an entry without a folder. */
const discardFolder = async (core: Core, lease: Lease): Promise<void> => {
  await core.metadata.run(async () => {
    await moveToTrash(core, leasePath(core, lease), lease.agent);
    await dropAdminEntry(core, lease.admin);
  });
  emptyTrash(core);
};

/**
 * Empties the trash, and removes worktrees of ours that no known lease names, if nothing in them would be lost: they
 * are clean, and a branch has their commit.
 */
export const sweep = async (core: Core, known: readonly Lease[]): Promise<void> => {
  emptyTrash(core);
  await core.metadata.run(() => finishDrops(core));
  const live = new Set<string>(known.map(({ agent }) => agent));
  const folders = await readdir(join(core.stateDir, 'worktrees'));
  const names = new Set([...folders, ...(await ourAdminEntries(core))]);
  for (const name of names) {
    if (live.has(name) || !/^[a-z0-9][a-z0-9-]{0,63}$/i.test(name)) continue;
    const lease: Lease = {
      agent: name as AgentId,
      path: join(core.stateDir, 'worktrees', name),
      admin: name,
      branch: '',
    };
    await core.perAgent.run(name, () => sweepOne(core, lease));
  }
};

const sweepOne = async (core: Core, lease: Lease): Promise<void> => {
  if (await holdsNothing(core, lease).catch(() => false)) await discardFolder(core, lease);
};

const holdsNothing = async (core: Core, lease: Lease): Promise<boolean> => {
  const path = leasePath(core, lease);
  const folder = await lstat(path).catch(absent);
  if (!folder) return (await lstat(adminPath(core, lease.admin)).catch(absent)) !== null;
  if (!folder.isDirectory()) return false;
  if ((await readdir(path)).length === 0 || (await isHalfMade(core, lease))) return true;
  if (await findTampering(core, lease)) return false;
  const status = await readStatus(core.git, placeOf(core, lease), 'files');
  if (status.entries.length > 0 || status.head === null) return false;
  const branches = ['for-each-ref', '--count=1', `--contains=${status.head}`, 'refs/heads'];
  return (await core.git.text(core.store, branches)) !== '';
};
