import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../domain/errors.ts';
import type { AgentId, Commit } from '../domain/ids.ts';
import type { Core } from './core.ts';
import { GitError } from './git-exec.ts';
import { adminPath, assertAgentName, checkedPlace, leasePath } from './lease-check.ts';
import type { Lease } from './port.ts';
import { assertBranch, publish } from './refs.ts';
import { dropAdminEntry, emptyTrash, moveToTrash } from './trash.ts';
import { copyIncluded } from './worktree-include.ts';

/**
 * A worktree on the branch at the commit. Whatever an earlier attempt left for this agent goes to the trash first, so
 * it can be called again after a kill at any point. Only what touches git's list of worktrees waits for other leases;
 * the checkouts run in parallel.
 */
export const createLease = async (
  core: Core,
  agent: AgentId,
  branch: string,
  commit: Commit,
  onIntent: (lease: Lease) => Promise<void>,
): Promise<Lease> => {
  const admin = assertAgentName(agent);
  const lease: Lease = { agent, path: join(core.stateDir, 'worktrees', admin), admin, branch: assertBranch(branch) };
  await onIntent(lease);
  await core.perAgent.run(agent, async () => {
    await publish(core, branch, commit);
    await checkOut(core, lease, commit);
  });
  return lease;
};

/** Makes the worktree of a published branch. Call it in the agent's queue. */
export const checkOut = async (core: Core, lease: Lease, commit: Commit): Promise<void> => {
  await core.metadata.run(() => addWorktree(core, lease));
  const place = await checkedPlace(core, lease);
  await core.git.exec(place, ['read-tree', '--reset', '-u', commit]);
  await copyIncluded(core, leasePath(core, lease));
};

const addWorktree = async (core: Core, lease: Lease): Promise<void> => {
  const admin = adminPath(core, lease.admin);
  const path = leasePath(core, lease);
  await moveToTrash(core, path, lease.agent);
  await dropAdminEntry(core, lease.admin);
  const lock = ['--lock', '--reason', `in use by Coppice agent ${lease.agent}`];
  try {
    await core.git.exec(core.store, ['worktree', 'add', '--no-checkout', ...lock, '--', path, lease.branch]);
  } catch (error) {
    if (!(error instanceof GitError) || !/already (checked out|used)/.test(error.stderr)) throw error;
    const message = `The branch ${lease.branch} is checked out in another worktree: ${error.stderr.trim()}`;
    throw new UserError('wrong-state', message, { cause: error });
  }
  // Git copies the person's settings for this kind of file; ours has none, so that one that appears is not ours.
  await rm(join(admin, 'config.worktree'), { force: true });
  await rm(join(admin, 'info', 'sparse-checkout'), { force: true });
  emptyTrash(core);
};
