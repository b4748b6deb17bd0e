import type { Agent, EndReason } from '../domain/agent.ts';
import type { AgentId, JobId } from '../domain/ids.ts';
import { newId } from '../domain/ids.ts';
import type { Step } from '../domain/plan.ts';
import type { Run } from '../domain/run.ts';
import { AGENT_STATES, isFinal, isSettled } from '../domain/transitions.ts';
import type { Tx } from '../store/port.ts';
import type { EngineParts } from './parts.ts';
import { mergeJob, releaseAgent, startStep, turnJob } from './spawn.ts';

type Makes = Pick<EngineParts, 'random' | 'clock'>;

export interface Ending {
  readonly state: 'completed' | 'failed' | 'cancelled';
  readonly reason: EndReason;
  readonly report: string | null;
  readonly error: string | null;
}

export const isOver = (agent: Pick<Agent, 'state'>): boolean => isFinal(AGENT_STATES, agent.state);

/**
 * An agent ends: its tokens go back up, what it observed is kept, and its branch goes to its parent if it holds work that
 * may be used. `current` is the job in hand, which does not count as unfinished work.
 */
export const endAgent = async (
  makes: Makes,
  tx: Tx,
  run: Run,
  agent: Agent,
  wanted: Ending,
  current?: JobId,
): Promise<void> => {
  const ending = agent.role === 'resolver' ? resolverEnding(agent, wanted) : wanted;
  await retire(makes, tx, run, agent, ending);
  if (await bringsWork(tx, agent, ending)) {
    const step = await stepOf(tx, agent);
    if (step?.state === 'running') await tx.moveStep(step.id, 'merging');
    await tx.enqueue([mergeJob(makes, run.id, await heir(tx, agent), agent.id)], makes.clock.now());
    return;
  }
  await settleAgent(
    makes,
    tx,
    run,
    { ...agent, ...ending, endReason: ending.reason },
    ending.state === 'completed',
    current,
  );
};

/** Only a resolver that finished was checked for markers; any other end leaves the conflict as it is. */
const resolverEnding = (agent: Agent, ending: Ending): Ending => {
  if (ending.reason === 'finished' && agent.headCommit !== agent.baseCommit) return ending;
  if (ending.state !== 'completed') return ending;
  return {
    ...ending,
    state: 'failed',
    reason: 'conflict',
    error: 'The conflict was not resolved; both sides are kept on their branches.',
  };
};

/** The end of the agent alone: state, tokens, observation. What follows from it for others is `settleAgent`'s. */
export const retire = async (makes: Makes, tx: Tx, run: Run, agent: Agent, ending: Ending): Promise<void> => {
  const now = makes.clock.now();
  await tx.cancelJobs(agent.id);
  const from = await tx.moveAgent(agent.id, ending.state, {
    action: '',
    report: ending.report,
    error: ending.error,
    endReason: ending.reason,
    endedAt: now,
  });
  await tx.emit(now, [
    { type: 'agent.moved', run: run.id, agent: agent.id, from, to: ending.state, reason: ending.reason },
  ]);
  await reclaim(makes, tx, agent, ending, now);
};

const reclaim = async (makes: Makes, tx: Tx, agent: Agent, ending: Ending, now: number): Promise<void> => {
  const account = await tx.account(agent.id);
  if (account) await tx.reclaim(agent.id, (await heir(tx, agent)) ?? agent.run, now);
  await tx.observe({
    run: agent.run,
    agent: agent.id,
    role: agent.role,
    tier: agent.tier,
    ...((await tx.planFacts(agent.run)) ?? { pattern: '', complexity: '' }),
    tokens: account?.used ?? 0,
    wallMs: agent.startedAt === null ? 0 : makes.clock.now() - agent.startedAt,
    turns: 0,
    ok: ending.state === 'completed',
    at: now,
  });
};

/**
 * A failed or aborted agent's own half-done work stays on its branch; what its children finished is brought home all the
 * same, and so is the work of whoever was asked to stop and has reported.
 */
const bringsWork = async (tx: Tx, agent: Agent, ending: Ending): Promise<boolean> => {
  if (agent.headCommit === null || agent.headCommit === agent.baseCommit || agent.role === 'planner') return false;
  if (ending.state === 'completed') return true;
  if (agent.role === 'resolver' || ending.reason === 'conflict') return false;
  if (agent.startedAt === null || isWrappedUp(ending)) return true;
  return (await tx.children(agent.id)).some((child) => child.state === 'completed' || isWrappedUp(child));
};

const isWrappedUp = ({ state, report }: Pick<Agent, 'state' | 'report'>): boolean =>
  state === 'cancelled' && report !== null;

/** Who gets what an agent leaves behind, work and tokens: the nearest ancestor that still works; null: the run itself. */
export const heir = async (tx: Tx, agent: Agent): Promise<AgentId | null> => {
  for (let id = agent.parent; id !== null; ) {
    const ancestor = await tx.agent(id);
    if (!ancestor) return null;
    if (!isOver(ancestor)) return ancestor.id;
    id = ancestor.parent;
  }
  return null;
};

const stepOf = async (tx: Tx, agent: Agent): Promise<Step | undefined> =>
  agent.step ? tx.step(agent.step) : undefined;

/** An agent's end counts from now on: its work is merged, or there is none, or it is given up. */
export const settleAgent = async (
  makes: Makes,
  tx: Tx,
  run: Run,
  agent: Agent,
  ok: boolean,
  current?: JobId,
): Promise<void> => {
  await answerParent(makes, tx, run, agent, ok);
  if (agent.role === 'resolver' && !ok) await releaseParent(makes, tx, run, agent);
  const step = await stepOf(tx, agent);
  if (step && !isSettled(step.state)) {
    if (step.state === 'pending') await tx.moveStep(step.id, 'skipped');
    else await tx.moveStep(step.id, ok ? 'done' : 'failed');
    await releaseDependents(makes, tx, run, step, agent, current);
  }
  await closeIfDone(makes, tx, run, current);
};

/** A parent that delegated gets the report as its tool's result; when it waits for nobody else, its next turn is queued. */
const answerParent = async (makes: Makes, tx: Tx, run: Run, agent: Agent, ok: boolean): Promise<void> => {
  if (!agent.parent) return;
  const parent = await tx.agent(agent.parent);
  if (!parent || isOver(parent)) return;
  const output = reportOf(agent, ok);
  const { settled, stillWaiting } = await tx.settleCalls(parent.id, agent.id, { ok, output });
  if (settled > 0 && stillWaiting === 0 && parent.state === 'waiting') await resumeAgent(makes, tx, run, parent);
};

/** waiting → ready, with the next turn queued. */
export const resumeAgent = async (makes: Makes, tx: Tx, run: Run, agent: Agent, person = false): Promise<void> => {
  const now = makes.clock.now();
  await tx.moveAgent(agent.id, 'ready');
  await tx.enqueue([turnJob(makes, run, agent, person ? 'person' : 'critical')], now);
  await tx.emit(now, [
    { type: 'agent.moved', run: run.id, agent: agent.id, from: 'waiting', to: 'ready', reason: null },
  ]);
};

export const reportOf = (agent: Agent, ok: boolean): string => {
  const text = agent.report?.trim() || agent.error || 'It gave no report.';
  return ok ? text : `It failed (${agent.endReason ?? 'unknown'}): ${text}`;
};

const releaseDependents = async (
  makes: Makes,
  tx: Tx,
  run: Run,
  settled: Step,
  agent: Agent,
  current?: JobId,
): Promise<void> => {
  const author = settled.agent === agent.id ? agent : ((await tx.agent(settled.agent)) ?? agent);
  for (const { step, needs } of await tx.dependents(settled.id)) {
    if (step.state !== 'pending') continue;
    await tx.send({
      id: newId('message', makes.random),
      run: run.id,
      to: step.agent,
      from: author.id,
      kind: 'report',
      priority: 0,
      body: reportOf(author, author.state === 'completed'),
      createdAt: makes.clock.now(),
    });
    if (needs.some((state) => !isSettled(state))) continue;
    const failed = needs.filter((state) => state !== 'done').length;
    const starts = failed === 0 || (step.toleratesFailure && failed < needs.length);
    const stopped = run.cancelRequested !== 'no' || (await tx.agent(step.agent))?.wrapUp === true;
    if (starts && !stopped) await startStep(makes, tx, run, step);
    else await skip(makes, tx, run, step, stopped, current);
  }
};

const skip = async (makes: Makes, tx: Tx, run: Run, step: Step, cancelled: boolean, current?: JobId): Promise<void> => {
  const agent = await tx.agent(step.agent);
  if (!agent || isOver(agent)) return;
  await endAgent(
    makes,
    tx,
    run,
    agent,
    {
      state: cancelled ? 'cancelled' : 'failed',
      reason: cancelled ? 'cancelled' : 'needs-failed',
      report: null,
      error: cancelled ? null : 'A step that it needs has failed.',
    },
    current,
  );
};

/** Work that was merged into a waiting agent may be the last that its own start waited for. */
export const releaseAfterMerge = async (
  makes: Makes,
  tx: Tx,
  run: Run,
  into: Agent,
  current?: JobId,
): Promise<void> => {
  if (into.state !== 'pending' || !into.step) return;
  const step = await stepOf(tx, into);
  if (step?.state !== 'running') return;
  const open = await tx.jobs({ run: run.id, states: ['queued', 'running', 'parked'] });
  if (open.some((job) => job.kind === 'merge' && job.agent === into.id && job.id !== current)) return;
  await releaseAgent(makes, tx, run, into);
};

/** An agent that was to start from both sides starts without the one that could not be joined. */
const releaseParent = async (makes: Makes, tx: Tx, run: Run, resolver: Agent): Promise<void> => {
  const parent = resolver.parent ? await tx.agent(resolver.parent) : undefined;
  if (parent) await releaseAfterMerge(makes, tx, run, parent);
};

/** The last agent has settled: the run gets its closing job. */
export const closeIfDone = async (makes: Makes, tx: Tx, run: Run, current?: JobId): Promise<void> => {
  if (await tx.unsettled(run.id, current)) return;
  await tx.enqueue(
    [
      {
        id: newId('job', makes.random),
        run: run.id,
        agent: null,
        kind: 'close',
        source: null,
        priority: 'critical',
        server: '',
        prefix: '',
        runAt: 0,
      },
    ],
    makes.clock.now(),
  );
};
