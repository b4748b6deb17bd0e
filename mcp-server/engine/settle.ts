import type { Agent, WrapUpWhy } from '../domain/agent.ts';
import type { AgentId, JobId, Makes } from '../domain/ids.ts';
import { newId } from '../domain/ids.ts';
import type { Step } from '../domain/plan.ts';
import type { Run } from '../domain/run.ts';
import { oneLine } from '../domain/text.ts';
import { isSettled } from '../domain/transitions.ts';
import { holds, inWords, type StepResult, stepsAsked } from '../planning/conditions.ts';
import type { Tx } from '../store/port.ts';
import { answerCaller, answerParent } from './answers.ts';
import { bringsWork } from './brings-work.ts';
import { withdrawMessages } from './inbox.ts';
import { tellMissing } from './missing.ts';
import { continueAgent } from './pause.ts';
import { readiness, waitsForAll } from './readiness.ts';
import { releaseParent } from './release-after-merge.ts';
import { resumeAgent } from './resume-agent.ts';
import { type Ending, heir, isOver, retire } from './retire.ts';
import { isToBeUndone, undoSettled, waitsForUndo } from './saga.ts';
import { mergeJob, startStep, undoJob } from './spawn.ts';
import { reportOf, secondChance, tryAgain } from './try-again.ts';
import { unneeded } from './unneeded.ts';

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
  const step = await stepOf(tx, agent);
  const chance = await secondChance(tx, run, step, agent, ending);
  await retire(makes, tx, run, agent, ending, step);
  if (step && chance) {
    const payer = (await heir(tx, agent)) ?? run.id;
    return tryAgain(makes, tx, run, step, agent, ending, payer, chance);
  }
  if (await bringsWork(tx, agent, ending)) {
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
  if (agent.role === 'undo') await undoSettled(makes, tx, run, agent, ok);
  if (agent.role === 'resolver' && !ok) await releaseParent(makes, tx, run, agent);
  const step = await stepOf(tx, agent);
  if (step && !isSettled(step.state)) {
    const unwanted = agent.endReason === 'omitted' || agent.wrapUpWhy === 'not-needed';
    if (unwanted) await tx.moveStep(step.id, 'omitted');
    else if (step.state === 'pending') await tx.moveStep(step.id, 'skipped');
    else await tx.moveStep(step.id, ok && (await isWhole(tx, step, agent)) ? 'done' : 'failed');
    if (await isToBeUndone(tx, run, step)) await tx.enqueue([undoJob(makes, run.id)], makes.clock.now());
    // Before others settle because of it, so that the last one of them, and nobody else, finds all of them settled.
    if (step.subPlan) await answerCaller(makes, tx, run, step.subPlan);
    await releaseDependents(makes, tx, run, step, agent, current);
  }
  await endStopped(makes, tx, run, agent, current);
  await closeIfDone(makes, tx, run, current);
};

/** An agent that was asked to stop before it began ends when the last of its children has. */
const endStopped = async (makes: Makes, tx: Tx, run: Run, child: Agent, current?: JobId): Promise<void> => {
  const agent = child.parent ? await tx.agent(child.parent) : undefined;
  if (agent?.state !== 'pending' || !agent.wrapUp) return;
  if ((await tx.children(agent.id)).some((other) => !isOver(other))) return;
  const open = await tx.jobs({ run: run.id, states: ['queued', 'running', 'parked'] });
  if (open.some((job) => job.kind === 'merge' && job.agent === agent.id && job.id !== current)) return;
  await endAgent(makes, tx, run, agent, isUnwanted(agent) ? OMITTED : STOPPED, current);
};

/** A resolver that has joined the work of an agent which was stopped does not make its step done. */
const isWhole = async (tx: Tx, step: Step, agent: Agent): Promise<boolean> =>
  step.agent === agent.id || (await tx.agent(step.agent))?.state === 'completed';

const releaseDependents = async (
  makes: Makes,
  tx: Tx,
  run: Run,
  settled: Step,
  agent: Agent,
  current?: JobId,
): Promise<void> => {
  const author = settled.agent === agent.id ? agent : ((await tx.agent(settled.agent)) ?? agent);
  for (const dependent of await tx.dependents(settled.id)) {
    if (dependent.state !== 'pending') continue;
    if (dependent.work?.kind !== 'compute' && !isUnwanted(author))
      await tx.send({
        id: newId('message', makes),
        run: run.id,
        to: dependent.agent,
        from: author.id,
        kind: 'report',
        priority: 0,
        body: reportOf(author, author.state === 'completed'),
        createdAt: makes.clock.now(),
      });
    // What waits for hundreds is looked at as a whole once, when the last of them has settled.
    if (waitsForAll(dependent) && (await tx.hasOpenNeed(dependent.id))) continue;
    const step = await tx.step(dependent.id);
    // One before it in this list may have settled, and have started or ended it already.
    if (step?.state === 'pending') await considerStep(makes, tx, run, step, false, current);
  }
};

const isUnwanted = (agent: Agent): boolean => agent.endReason === 'omitted' || agent.wrapUpWhy === 'not-needed';

/** Looks whether a pending step can start, and what becomes of it if it cannot. `timeUp`: its join waits no longer. */
export const considerStep = async (
  makes: Makes,
  tx: Tx,
  run: Run,
  step: Step,
  timeUp = false,
  current?: JobId,
): Promise<void> => {
  const needs = await tx.needStates(step.id);
  const ready = readiness(step, needs, timeUp);
  if (ready !== 'waits' && (await waitsForUndo(tx, run, step))) return;
  if (ready === 'waits') return timeUp ? tx.disarmJoin(step.id) : undefined;
  const stopped = run.cancelRequested !== 'no' || (await tx.agent(step.agent))?.wrapUp === true;
  if (stopped || ready === 'skips') return skip(makes, tx, run, step, stopped ? STOPPED : NEEDS_FAILED, current);
  if (!(await mayTakePlace(tx, step))) return omit(makes, tx, run, step, current);
  if (needs.some(({ state }) => state !== 'done')) await tellMissing(makes, tx, run, step, await tx.needs(step.id));
  await startStep(makes, tx, run, step);
  if (needs.some(({ state }) => !isSettled(state))) await dropOthers(makes, tx, run, step, current);
};

const STOPPED: Ending = { state: 'cancelled', reason: 'cancelled', report: null, error: null };
const NEEDS_FAILED: Ending = {
  state: 'failed',
  reason: 'needs-failed',
  report: null,
  error: 'A step that it needs has failed.',
};
const OMITTED: Ending = { state: 'cancelled', reason: 'omitted', report: null, error: null };

/** Whether its condition holds, if it has one. */
const mayTakePlace = async (tx: Tx, step: Step): Promise<boolean> => {
  if (!step.when) return true;
  const asked = new Set(stepsAsked(step.when));
  const results = new Map<string, StepResult>();
  for (const { key, state, agent } of await tx.steps(step.run))
    if (asked.has(key)) results.set(key, { state, report: (await tx.agent(agent))?.report ?? null });
  return holds(step.when, results);
};

const omit = async (makes: Makes, tx: Tx, run: Run, step: Step, current?: JobId): Promise<void> => {
  const reason = step.when ? `its condition does not hold: ${inWords(step.when)}` : 'it is not needed';
  await tx.emit(makes.clock.now(), [{ type: 'step.omitted', run: run.id, agent: step.agent, step: step.key, reason }]);
  await skip(makes, tx, run, step, OMITTED, current);
};

/** A join has begun without some of its needs: those that nobody else waits for stop. */
const dropOthers = async (makes: Makes, tx: Tx, run: Run, joined: Step, current?: JobId): Promise<void> => {
  for (const need of unneeded(await tx.steps(run.id), joined)) {
    const reason = `${oneLine(joined.title, 60)} has enough without it`;
    await tx.emit(makes.clock.now(), [
      { type: 'step.omitted', run: run.id, agent: need.agent, step: need.key, reason },
    ]);
    for (const agent of await withDescendants(tx, run, need.agent))
      await askToStop(makes, tx, run, agent, 'not-needed', current);
  }
};

/** Deepest first. */
const withDescendants = async (tx: Tx, run: Run, root: AgentId): Promise<readonly AgentId[]> => {
  const inside = new Set([root]);
  for (const agent of await tx.agents(run.id)) if (agent.parent && inside.has(agent.parent)) inside.add(agent.id);
  return [...inside].reverse();
};

/** The agent's next turn is its last; one that has not begun ends at once. */
export const askToStop = async (
  makes: Makes,
  tx: Tx,
  run: Run,
  id: AgentId,
  why: WrapUpWhy,
  current?: JobId,
  deadline: number | null = null,
): Promise<void> => {
  const found = await tx.agent(id);
  if (!found || isOver(found) || found.wrapUp) return;
  await continueAgent(makes, tx, run, id);
  const agent = (await tx.agent(id)) ?? found;
  const patch = { wrapUp: true, wrapUpWhy: why, deadline };
  await tx.patchAgent(id, patch);
  const asked = { ...agent, ...patch };
  if (agent.state === 'running') return;
  // What its children still bring goes to its heir.
  if (agent.startedAt === null)
    return endAgent(makes, tx, run, asked, why === 'not-needed' ? OMITTED : STOPPED, current);
  if (agent.state === 'ready') return tx.hastenJobs(id, makes.clock.now());
  if (agent.state !== 'waiting') return;
  const result = { ok: false, output: 'There was no answer in time.' };
  const withdrawn = await withdrawMessages(tx, id);
  const { settled, stillWaiting } = await tx.settleCalls(id, 'person', result);
  if (settled + withdrawn > 0 && stillWaiting === 0) await resumeAgent(makes, tx, run, asked, true);
};

const skip = async (makes: Makes, tx: Tx, run: Run, step: Step, ending: Ending, current?: JobId): Promise<void> => {
  const agent = await tx.agent(step.agent);
  if (agent && !isOver(agent)) await endAgent(makes, tx, run, agent, ending, current);
};

/** The last agent has settled: the run gets its closing job. */
export const closeIfDone = async (makes: Makes, tx: Tx, run: Run, current?: JobId): Promise<void> => {
  if (await tx.unsettled(run.id, current)) return;
  await tx.enqueue(
    [
      {
        id: newId('job', makes),
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
