import { UserError } from '../domain/errors.ts';
import type { Run } from '../domain/run.ts';
import { oneLine } from '../domain/text.ts';
import type { FileChange, LandOutcome } from '../worktrees/port.ts';
import { COMMITTER, type Core } from './core.ts';
import type { ReviewView } from './facade.ts';
import { removeWorktree } from './tidy.ts';

/** The longest diff that one answer carries, bytes. */
const PATCH_BYTES = 1_000_000;

export const reviewView = async (core: Core, run: Run): Promise<ReviewView> => summary(run, await changesOf(core, run));

const changesOf = async (core: Core, run: Run): Promise<readonly FileChange[]> =>
  run.headCommit === run.baseCommit ? [] : core.parts.repository.changes(run.baseCommit, run.headCommit);

const summary = (run: Run, files: readonly FileChange[]): ReviewView => ({
  run: run.id,
  task: run.task,
  state: run.state,
  review: run.review,
  branch: run.branch,
  base: run.baseCommit,
  head: run.headCommit,
  files: files.length,
  additions: files.reduce((n, file) => n + (file.additions ?? 0), 0),
  deletions: files.reduce((n, file) => n + (file.deletions ?? 0), 0),
});

export const listReviews = async (core: Core): Promise<readonly ReviewView[]> => {
  const runs = (await core.parts.store.runs(200)).filter((run) => run.review !== 'none');
  return Promise.all(runs.map((run) => reviewView(core, run)));
};

export const reviewDiff = async (core: Core, run: Run, path: string | undefined) => {
  const files = await changesOf(core, run);
  if (path !== undefined && !files.some((file) => file.path === path || file.oldPath === path))
    throw new UserError('not-found', `${path} is not changed by run ${run.id}.`);
  const options = { maxBytes: PATCH_BYTES, ...(path === undefined ? {} : { path }) };
  const patch = files.length > 0 ? await core.parts.repository.patch(run.baseCommit, run.headCommit, options) : '';
  return { review: summary(run, files), files, patch };
};

/** Merges the run's branch into the person's. Says what is in the way instead of forcing it. */
export const land = async (core: Core, run: Run): Promise<LandOutcome> => {
  const { store, repository, clock } = core.parts;
  if (run.endedAt === null)
    throw new UserError(
      'wrong-state',
      'The run is still going on: wait for its end, or cancel it, before you land it.',
    );
  if (run.review === 'landed') return { kind: 'landed', branch: run.baseBranch ?? 'HEAD', commit: run.headCommit };
  if (run.review === 'discarded')
    throw new UserError('wrong-state', 'The run was discarded; there is nothing to land.');
  if (run.review === 'none') throw new UserError('wrong-state', 'The run changed no file; there is nothing to land.');
  const message = `${oneLine(run.task, 72)}\n\nCoppice-Run: ${run.id}\n`;
  const outcome = await repository.land(run.headCommit, { into: run.baseBranch, message, author: COMMITTER });
  if (outcome.kind !== 'landed') return outcome;
  await store.transaction(async (tx) => {
    await tx.patchRun(run.id, { review: 'landed' });
    await tx.emit(clock.now(), [
      { type: 'run.landed', run: run.id, agent: null, branch: outcome.branch, commit: outcome.commit },
    ]);
  });
  await dropBranch(core, run);
  return outcome;
};

const dropBranch = async (core: Core, run: Run): Promise<void> => {
  try {
    await core.parts.repository.deleteBranch(run.branch, run.headCommit);
  } catch (error) {
    core.parts.log(`branch ${run.branch} is kept: ${String(error)}`);
  }
};

/** Drops the result. The commit stays reachable below refs/coppice/discarded, so that a mistake can be undone by hand. */
export const discard = async (core: Core, run: Run) => {
  const { store, repository, clock } = core.parts;
  if (run.endedAt === null)
    throw new UserError('wrong-state', 'The run is still going on: cancel it before you discard its result.');
  if (run.review === 'landed') throw new UserError('wrong-state', 'The run has landed: undo it with git revert.');
  const kept: string[] = [];
  for (const row of await store.worktrees({ run: run.id, states: ['ready', 'kept', 'creating'] })) {
    const agent = await store.agent(row.agent);
    const reason = agent ? await removeWorktree(core, run, agent, row, true) : 'its agent is unknown';
    if (reason) kept.push(`${row.path}: ${reason}`);
  }
  if (run.review === 'open') {
    await repository.pin(run.id, run.headCommit);
    await dropBranch(core, run);
  }
  await store.transaction(async (tx) => {
    await tx.patchRun(run.id, { review: 'discarded' });
    await tx.emit(clock.now(), [{ type: 'run.discarded', run: run.id, agent: null }]);
  });
  return { discarded: true as const, keptWorktrees: kept };
};
