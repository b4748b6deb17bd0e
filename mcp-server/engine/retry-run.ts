import { type Agent, cutShort } from '../domain/agent.ts';
import { UserError } from '../domain/errors.ts';
import type { AccountId, AgentId, RunId } from '../domain/ids.ts';
import type { PlanStep, Step } from '../domain/plan.ts';
import type { Run } from '../domain/run.ts';
import { isSettled } from '../domain/transitions.ts';
import { shareBudget } from '../planning/share-budget.ts';
import { asPlanned } from '../planning/sub-plan.ts';
import type { NewAgent, Tx } from '../store/port.ts';
import type { Core } from './core.ts';
import { notify } from './missing.ts';
import { isOver } from './retire.ts';
import { sagasWithFailure } from './saga.ts';
import { considerStep } from './settle.ts';
import { asAgent, createdEvent, givenRole, newAgent } from './spawn.ts';
import { sendReports, wordsOf } from './try-again.ts';

/** Fewer tokens in the pool are not worth a new beginning. */
const LEAST_BUDGET = 1000;

/**
 * A run that has ended with steps that failed or are incomplete goes on: they, those that never began and all that needs
 * them get fresh agents; what was done is kept. What a saga took back is done again. `budget`: tokens granted on top of what is left. Throws
 * UserError when there is nothing to try again, or nothing to pay for it with.
 */
export const retryFailedSteps = async (core: Core, id: RunId, budget = 0): Promise<void> => {
  const { store, clock } = core.parts;
  await store.transaction(async (tx) => {
    const run = await tx.run(id);
    if (!run) throw new UserError('not-found', `There is no run ${id} in this repository.`);
    const steps = await tx.steps(id);
    const anew = await stepsAnew(tx, run, steps);
    if (budget > 0) await tx.raiseBudget(id, budget, clock.now());
    const available = (await tx.account(id))?.available ?? 0;
    if (available < LEAST_BUDGET)
      throw new UserError(
        'budget-too-small',
        `The run has ${available} tokens left, which is not enough to try again: grant more.`,
      );
    await tx.moveRun(id, 'running', { report: null, error: null, review: 'none', endedAt: null });
    const current: Run = { ...run, state: 'running', report: null, error: null, review: 'none', endedAt: null };
    await tx.emit(clock.now(), [{ type: 'run.retried', run: id, agent: null, steps: anew.length, budget }]);
    const cut = await cutAmong(tx, anew, await undoneOf(tx, id));
    const agents = await freshAgents(core, tx, current, withMore(anew, cut), available);
    for (const { step, agent } of cut) await handOver(core, tx, current, agent, agents.get(step.key));
    for (const step of anew)
      await sendReports(core.parts, tx, current, { ...step, agent: agents.get(step.key)?.id ?? step.agent });
    for (const { id: step } of anew) {
      const fresh = await tx.step(step);
      if (fresh?.state === 'pending') await considerStep(core.parts, tx, current, fresh);
    }
  });
  core.wake();
};

/** In the plan's order: parents before their children. */
const stepsAnew = async (tx: Tx, run: Run, steps: readonly Step[]): Promise<readonly Step[]> => {
  if (run.state !== 'partial' && run.state !== 'failed')
    throw new UserError(
      'wrong-state',
      `Only a run that has ended with failed steps, or with incomplete ones, can try them again; it is ${run.state}.`,
    );
  if (run.review === 'landed' || run.review === 'discarded')
    throw new UserError('wrong-state', `The run was ${run.review}: start a new one instead.`);
  const undone = await undoneOf(tx, run.id);
  // What an agent has added is its own affair: it goes on, or not, with that agent's step.
  const planned = asPlanned({ steps }).steps;
  const again = new Set([
    ...planned
      .filter(({ state, agent }) => state === 'failed' || state === 'skipped' || undone.has(agent))
      .map(({ key }) => key),
    ...(await cutAmong(tx, planned, undone)).map(({ step }) => step.key),
    ...(await stoppedIn(tx, [...sagasWithFailure(planned).values()].flat())),
  ]);
  if (again.size === 0)
    throw new UserError(
      'wrong-state',
      'No step of the run has failed or is incomplete; there is nothing to try again.',
    );
  for (let before = -1; before !== again.size; ) {
    before = again.size;
    for (const step of steps) if (step.needs.some((need) => again.has(need))) again.add(step.key);
  }
  const anew = steps.filter(({ key }) => again.has(key));
  if (anew.some(({ state }) => !isSettled(state))) throw new Error('A run has ended with a step that has not.');
  return anew;
};

/** Steps of failed sagas that were stopped because of that: a saga is done as a whole. */
const stoppedIn = async (tx: Tx, members: readonly Step[]): Promise<readonly string[]> => {
  const keys: string[] = [];
  for (const { key, state, agent } of members)
    if (state === 'omitted' && (await tx.agent(agent))?.wrapUpWhy === 'not-needed') keys.push(key);
  return keys;
};

/** Whose work was taken back. */
const undoneOf = async (tx: Tx, run: RunId): Promise<ReadonlySet<AgentId>> =>
  new Set((await tx.undos(run)).filter(({ state }) => state === 'done').map(({ agent }) => agent));

interface CutStep {
  readonly step: Step;
  /** Who has done it in part. */
  readonly agent: Agent;
}

/** Steps that are done in part only, and whose part is still there. */
const cutAmong = async (tx: Tx, steps: readonly Step[], undone: ReadonlySet<AgentId>): Promise<readonly CutStep[]> => {
  const found: CutStep[] = [];
  for (const step of steps) {
    const agent = step.state === 'done' && !undone.has(step.agent) ? await tx.agent(step.agent) : undefined;
    if (agent && cutShort(agent) !== null) found.push({ step, agent });
  }
  return found;
};

/** What was too little once would be so again: such a step weighs twice, and no less than the others do on average. */
const withMore = (anew: readonly Step[], cut: readonly CutStep[]): readonly Step[] => {
  const keys = new Set(cut.map(({ step }) => step.key));
  const mean = anew.reduce((sum, { weight }) => sum + weight, 0) / anew.length;
  return anew.map((step) => (keys.has(step.key) ? { ...step, weight: Math.max(2 * step.weight, mean) } : step));
};

/** Whoever goes on with a step that is done in part is told of that part. */
const handOver = async (core: Core, tx: Tx, run: Run, old: Agent, fresh: Agent | undefined): Promise<void> => {
  if (!fresh) return;
  const body =
    `An agent before you was ${cutShort(old)} when it was at this task. What it did is in your copy: do not do it again, ` +
    `do what is left. Its report: ${wordsOf(old, true)}`;
  await notify(core.parts, tx, run, fresh.id, body);
};

/** Pending agents for the steps, which are pending again, with the tokens that are there. */
const freshAgents = async (
  core: Core,
  tx: Tx,
  run: Run,
  anew: readonly Step[],
  available: number,
): Promise<ReadonlyMap<string, Agent>> => {
  const keys = new Set(anew.map(({ key }) => key));
  const parentOf = ({ parent }: PlanStep): string | null => (parent !== null && keys.has(parent) ? parent : null);
  const shares = shareBudget({ steps: anew.map((step) => ({ ...step, parent: parentOf(step) })) }, available);
  const agents = new Map<string, Agent>();
  const rows: NewAgent[] = [];
  for (const step of anew) {
    const old = await tx.agent(step.agent);
    const parent = agents.get(parentOf(step) ?? '') ?? (await aliveParent(tx, old));
    const name = `${step.title} (again)`;
    const spec = { ...step, name, role: givenRole(step.role), step: step.id, parent, start: run.headCommit };
    const row = newAgent(core.parts, run, spec, 'pending');
    rows.push(row);
    agents.set(step.key, asAgent(row));
  }
  await tx.insertAgents(rows);
  await tx.emit(core.parts.clock.now(), rows.map(createdEvent));
  for (const step of anew) {
    const agent = agents.get(step.key);
    if (!agent) continue;
    await tx.renewStep(step.id, agent.id, 1);
    const from: AccountId = agents.get(parentOf(step) ?? '')?.id ?? run.id;
    await tx.grant(from, agent.id, shares.get(step.key)?.subtree ?? 0, core.parts.clock.now());
  }
  return agents;
};

const aliveParent = async (tx: Tx, old: Agent | undefined): Promise<Agent | null> => {
  const parent = old?.parent ? await tx.agent(old.parent) : undefined;
  return parent && !isOver(parent) ? parent : null;
};
