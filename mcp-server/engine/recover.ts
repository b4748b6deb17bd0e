import type { Job } from '../domain/job.ts';
import { counted } from '../domain/text.ts';
import { AGENT_STATES, isFinal } from '../domain/transitions.ts';
import type { Tx } from '../store/port.ts';
import type { Core } from './core.ts';
import { foreignCommit, keepForeignCommit } from './foreign-commits.ts';
import { pauseIfAsked } from './pausing.ts';

/**
 * Takes up the work of an engine that died: its running jobs are queued again, calls that gave no stored answer are
 * undone and their tokens released, stored answers stay, and git refs are brought to where the database says.
 */
export const recover = async (core: Core): Promise<void> => {
  const { store, clock, repository, version, log } = core.parts;
  const start = performance.now();
  const counts = await store.transaction(async (tx) => {
    const stale = await tx.staleJobs(clock.now());
    const turns = await takeBack(core, tx, stale, 'The engine was stopped.');
    const ms = Math.round(performance.now() - start);
    await tx.emit(clock.now(), [{ type: 'engine.started', run: null, agent: null, epoch: store.epoch, version }]);
    if (stale.length > 0)
      await tx.emit(clock.now(), [{ type: 'engine.recovered', run: null, agent: null, jobs: stale.length, turns, ms }]);
    return { jobs: stale.length, turns };
  });
  const refs = await repository.reconcile(await expectedRefs(core));
  if (counts.jobs > 0 || refs > 0)
    log(
      `recovered ${counted(counts.jobs, 'job')}, ${counted(counts.turns, 'cut call')}, ${counted(refs, 'ref')} in ${Math.round(performance.now() - start)} ms`,
    );
};

/** Queues running jobs again that nobody works on; returns how many calls without an answer were undone. */
export const takeBack = async (core: Core, tx: Tx, jobs: readonly Job[], why: string): Promise<number> => {
  let turns = 0;
  for (const job of jobs) {
    if (job.kind === 'turn' && job.agent) turns += await putBack(core, tx, job.agent);
    await tx.requeue(job.id, 0, why, true);
    if (job.agent) await pauseIfAsked(core.parts, tx, job.agent);
  }
  return turns;
};

const putBack = async (core: Core, tx: Tx, id: Parameters<Tx['agent']>[0]): Promise<number> => {
  const agent = await tx.agent(id);
  const open = await tx.openTurn(id);
  const cut = open?.state === 'calling';
  const now = core.parts.clock.now();
  if (cut) {
    await tx.settle(id, open.id, 0, now);
    await tx.dropTurn(open.id, now);
  }
  if (agent?.state === 'running') await tx.moveAgent(id, 'ready', { action: '' });
  return cut ? 1 : 0;
};

/** Branches of runs that go on, or wait for a review, and of their agents that hold unmerged work. */
const expectedRefs = async (core: Core): Promise<readonly { branch: string; commit: string }[]> => {
  const { store } = core.parts;
  const refs: { branch: string; commit: string }[] = [];
  for (const run of await store.runs(200)) {
    const active = run.endedAt === null;
    // Once a run has ended, the branch that the person has committed on is theirs, and stays where it is.
    if (!active && (run.review !== 'open' || (await foreignCommit(core, run, run.headCommit)))) continue;
    if (run.headCommit !== run.baseCommit) {
      await keepForeignCommit(core, run, run.headCommit);
      refs.push({ branch: run.branch, commit: run.headCommit });
    }
    if (!active) continue;
    for (const agent of await store.agents(run.id)) {
      const working = !isFinal(AGENT_STATES, agent.state) || agent.state === 'completed';
      if (working && agent.headCommit && agent.headCommit !== agent.baseCommit)
        refs.push({ branch: agent.branch, commit: agent.headCommit });
    }
  }
  return refs;
};
