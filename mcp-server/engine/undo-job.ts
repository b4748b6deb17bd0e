import type { Agent } from '../domain/agent.ts';
import type { Commit } from '../domain/ids.ts';
import type { Job } from '../domain/job.ts';
import type { Run } from '../domain/run.ts';
import { oneLine } from '../domain/text.ts';
import { isSettled } from '../domain/transitions.ts';
import type { UndoRecord } from '../domain/undo.ts';
import type { Tx } from '../store/port.ts';
import { changeHead } from './by-hand.ts';
import { COMMITTER, type Core } from './core.ts';
import { isOver } from './retire.ts';
import { endUndo, type FailedSaga, failedSagas } from './saga.ts';
import { askToStop, closeIfDone, considerStep, endAgent } from './settle.ts';
import { undoJob } from './spawn.ts';
import { runUndoCommand, startUndoAgent, startUndoCommand } from './undo-worker.ts';

/**
 * Takes the next thing back that a failed saga did, the last one first. Everything is in rows, so it goes on where it was
 * after a kill: a revert that was not stored is made again, a command is run again.
 */
export const runUndoJob = async (core: Core, job: Job, signal: AbortSignal): Promise<void> => {
  const { store } = core.parts;
  const run = await store.run(job.run);
  if (!run) throw new Error('An undo job without its run.');
  if (job.source) return revertIn(core, job, run, job.source);
  const sagas = await failedSagas(store, run);
  const going = sagas.find(({ members }) => members.some(({ state }) => !isSettled(state)));
  const next = going ? undefined : sagas.flatMap(({ open }) => open).sort((a, b) => b.position - a.position)[0];
  if (!next) return store.transaction((tx) => rest(core, tx, job, going));
  if (next.state === 'running') return goOn(core, job, next, signal);
  switch (next.undo.kind) {
    case 'none': {
      const { reason } = next.undo;
      return end(core, job, next, 'impossible', reason);
    }
    case 'revert':
      return store.transaction((tx) => whereToRevert(core, tx, job, next));
    case 'agent':
      return store.transaction((tx) => startUndoAgent(core, tx, job, next));
    case 'command':
      if (await startUndoCommand(core, job, next)) await runUndoCommand(core, job, next.agent, signal);
  }
};

/** Nothing can be taken back now: those that still work are stopped, and what waited for the end of it goes on. */
const rest = async (core: Core, tx: Tx, job: Job, going: FailedSaga | undefined): Promise<void> => {
  const run = await tx.run(job.run);
  await tx.finishJob(job.id, 'done');
  if (!run) return;
  if (run.cancelRequested !== 'no') await endCommands(core, tx, run, job);
  if (going) {
    for (const step of going.members.toReversed())
      if (!isSettled(step.state) && step.state !== 'merging')
        await askToStop(core.parts, tx, run, step.agent, 'not-needed', job.id);
    return closeIfDone(core.parts, tx, run, job.id);
  }
  const sagas = await failedSagas(tx, run);
  const members = new Set(sagas.flatMap((saga) => saga.members.map(({ id }) => id)));
  for (const id of members)
    for (const dependent of await tx.dependents(id)) {
      const fresh = members.has(dependent.id) ? undefined : await tx.step(dependent.id);
      if (fresh?.state === 'pending') await considerStep(core.parts, tx, run, fresh, false, job.id);
    }
  await closeIfDone(core.parts, tx, run, job.id);
};

/** Commands of a run that has been cancelled are not run again. */
const endCommands = async (core: Core, tx: Tx, run: Run, job: Job): Promise<void> => {
  for (const { state, worker, undo } of await tx.undos(run.id)) {
    const agent = state === 'running' && undo.kind === 'command' && worker ? await tx.agent(worker) : undefined;
    const ending = { state: 'cancelled', reason: 'cancelled', report: null, error: 'The run was cancelled.' } as const;
    if (agent && !isOver(agent)) await endAgent(core.parts, tx, run, agent, ending, job.id);
  }
};

/** A command that was cut by the end of an engine is run again; an agent goes on by itself. */
const goOn = async (core: Core, job: Job, record: UndoRecord, signal: AbortSignal): Promise<void> => {
  const worker = record.worker ? await core.parts.store.agent(record.worker) : undefined;
  if (record.undo.kind === 'command' && worker && !isOver(worker))
    return runUndoCommand(core, job, record.agent, signal);
  await core.parts.store.transaction((tx) => tx.finishJob(job.id, 'done'));
};

const end = (
  core: Core,
  job: Job,
  record: UndoRecord,
  state: 'done' | 'failed' | 'impossible',
  result: string,
): Promise<void> =>
  core.parts.store.transaction(async (tx) => {
    const run = await tx.run(job.run);
    if (!run) throw new Error('An undo job without its run.');
    await tx.finishJob(job.id, 'done');
    await endUndo(core.parts, tx, run, record, state, result);
    await tx.enqueue([undoJob(core.parts, job.run)], core.parts.clock.now());
  });

/** The work of a step lies in its run's branch, or in that of an agent which has not begun; its keeper takes it out. */
const whereToRevert = async (core: Core, tx: Tx, job: Job, record: UndoRecord): Promise<void> => {
  const agent = await tx.agent(record.agent);
  let into: Agent | undefined;
  for (let id = agent?.parent ?? null; id !== null && !into; ) {
    const above = await tx.agent(id);
    if (above && !isOver(above)) into = above;
    id = above?.parent ?? null;
  }
  await tx.finishJob(job.id, 'done');
  await tx.moveUndo(record.agent, 'running');
  await tx.enqueue([undoJob(core.parts, job.run, into?.id ?? null, record.agent)], core.parts.clock.now());
};

/** The merge is made in the object store and published while the job keeps the branch to itself, then stored. */
const revertIn = async (core: Core, job: Job, run: Run, source: Agent['id']): Promise<void> => {
  const { store, clock } = core.parts;
  const agent = await store.agent(source);
  const found = job.agent ? ((await store.agent(job.agent)) ?? null) : null;
  if (!agent) throw new Error('An undo job without its agent.');
  const [from, to] = [agent.startCommit ?? agent.baseCommit, agent.headCommit];
  const { into, outcome } = await changeHead<Reverted>(core, run, found, (head) =>
    revertOf(core, head, from, to, agent),
  );
  await store.transaction(async (tx) => {
    await tx.finishJob(job.id, 'done');
    const now = clock.now();
    if (outcome.commit && into) await tx.patchAgent(into.id, { headCommit: outcome.commit });
    else if (outcome.commit) await tx.patchRun(run.id, { headCommit: outcome.commit });
    const current = (await tx.run(run.id)) ?? run;
    const record = (await tx.undo(source)) ?? null;
    if (record?.state === 'running') await endUndo(core.parts, tx, current, record, outcome.state, outcome.result);
    await tx.enqueue([undoJob(core.parts, run.id)], now);
  });
  core.tidy();
};

interface Reverted {
  readonly state: 'done' | 'failed';
  readonly result: string;
  readonly commit: Commit | null;
}

const revertOf = async (
  core: Core,
  head: Commit,
  from: Commit | null,
  to: Commit | null,
  agent: Agent,
): Promise<Reverted> => {
  const { repository } = core.parts;
  if (!from || !to || from === to) return { state: 'done', result: 'It had changed no file.', commit: null };
  if (!(await repository.isAncestor(to, head)))
    return { state: 'done', result: 'Its work was not in the branch.', commit: null };
  const message = `Undo ${oneLine(agent.name, 60)}\n\nUndoes-Agent: ${agent.id}\n`;
  const outcome = await repository.revert(head, { from, to }, message, COMMITTER);
  if (outcome.kind === 'conflict') {
    const result = `Others have changed the same places since, in ${outcome.files.join(', ')}; its commits are ${from.slice(0, 10)}..${to.slice(0, 10)}.`;
    return { state: 'failed', result, commit: null };
  }
  if (outcome.kind === 'up-to-date') return { state: 'done', result: 'Nothing of it was left.', commit: null };
  return {
    state: 'done',
    result: `Its commits were reverted in ${outcome.commit.slice(0, 10)}.`,
    commit: outcome.commit,
  };
};
