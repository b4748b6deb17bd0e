import { messageOf, UserError } from '../domain/errors.ts';
import type { Commit } from '../domain/ids.ts';
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
  if (run.review === 'landed') return landedBefore(core, run);
  if (run.review === 'discarded')
    throw new UserError('wrong-state', 'The run was discarded; there is nothing to land.');
  if (run.review === 'none') throw new UserError('wrong-state', 'The run changed no file; there is nothing to land.');
  const message = `${oneLine(run.task, 72)}\n\nCoppice-Run: ${run.id}\n`;
  const outcome = await repository.land(run.headCommit, { into: run.baseBranch, message, author: COMMITTER });
  if (outcome.kind !== 'landed') return outcome;
  await store.transaction(async (tx) => {
    if ((await tx.run(run.id))?.review === 'landed') return;
    await tx.patchRun(run.id, { review: 'landed' });
    await tx.emit(clock.now(), [
      { type: 'run.landed', run: run.id, agent: null, branch: outcome.branch, commit: outcome.commit },
    ]);
  });
  await dropBranch(core, run.branch, run.headCommit);
  return outcome;
};

/** What the landing said when it was made. */
const landedBefore = async (core: Core, run: Run): Promise<LandOutcome> => {
  const { store } = core.parts;
  for (let after = 0; ; ) {
    const events = await store.events(after, EVENTS_AT_ONCE, run.id);
    const landed = events.find((event) => event.type === 'run.landed');
    if (landed) return { kind: 'landed', branch: landed.branch, commit: landed.commit };
    const last = events.at(-1);
    if (!last) return { kind: 'landed', branch: run.baseBranch ?? 'HEAD', commit: run.headCommit };
    after = last.seq;
  }
};
const EVENTS_AT_ONCE = 5000;

const dropBranch = async (core: Core, branch: string, expected: Commit): Promise<void> => {
  try {
    await core.parts.repository.deleteBranch(branch, expected);
  } catch (error) {
    core.parts.log(`branch ${branch} is kept: ${messageOf(error)}`);
  }
};

/**
 * Drops the result, and what its agents left. The commits stay reachable below refs/coppice/discarded, so that a mistake
 * can be undone by hand. What could not be removed is named; to discard again takes that up.
 */
export const discard = async (core: Core, run: Run) => {
  const { store, repository, clock } = core.parts;
  if (run.endedAt === null)
    throw new UserError('wrong-state', 'The run is still going on: cancel it before you discard its result.');
  const left = await pinAll(core, run);
  await store.transaction(async (tx) => {
    const review = (await tx.run(run.id))?.review;
    if (review === 'landed') throw new UserError('wrong-state', 'The run has landed: undo it with git revert -m 1.');
    if (review === 'discarded') return;
    await tx.patchRun(run.id, { review: 'discarded' });
    await tx.emit(clock.now(), [{ type: 'run.discarded', run: run.id, agent: null }]);
  });
  const kept: string[] = [];
  for (const row of await store.worktrees({ run: run.id, states: ['ready', 'kept', 'creating'] })) {
    const agent = await store.agent(row.agent);
    const reason = agent ? await removeWorktree(core, run, agent, row, true) : 'its agent is unknown';
    if (reason) kept.push(`${row.path}: ${reason}`);
  }
  for (const [branch, commit] of left) await dropBranch(core, branch, commit);
  if (await repository.branchHead(run.branch)) await dropBranch(core, run.branch, run.headCommit);
  return { discarded: true as const, keptWorktrees: kept };
};

/** Pins the run's commit and those of its agents' branches that are left; returns these. */
const pinAll = async (core: Core, run: Run): Promise<ReadonlyMap<string, Commit>> => {
  const { repository } = core.parts;
  const own = `${run.branch}.`;
  const left = [...(await repository.branches('coppice/'))].filter(([branch]) => branch.startsWith(own));
  if (run.headCommit !== run.baseCommit) await repository.pin(run.id, run.headCommit);
  for (const [branch, commit] of left) await repository.pin(`${run.id}.${branch.slice(own.length)}`, commit);
  return new Map(left);
};
