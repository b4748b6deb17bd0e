import type { Agent } from '../domain/agent.ts';
import { type AgentId, type Makes, newId, type StepId } from '../domain/ids.ts';
import type { Plan, PlanStep, Step, SubPlan } from '../domain/plan.ts';
import type { Run } from '../domain/run.ts';
import { commonPermissions } from '../domain/run-of-agent.ts';
import { shareBudget } from '../planning/share-budget.ts';
import { slug } from '../planning/steps.ts';
import { below } from '../planning/sub-plan.ts';
import type { NewAgent, Tx } from '../store/port.ts';
import { asAgent, createdEvent, givenRole, newAgent, startStep, topDown } from './spawn.ts';

interface SubPlanOf {
  readonly by: SubPlan['by'];
  /** Null: the id of the first step. */
  readonly id: AgentId | null;
  /** Out of the caller's account. */
  readonly tokens: number;
}

/**
 * Adds a plan below an agent, with rows, grants and first turns, in the transaction in hand. The limits have been looked
 * at before. Returns the id of the sub-plan, which a call may wait for.
 */
export const addSubPlan = async (
  makes: Makes,
  tx: Tx,
  run: Run,
  caller: Agent,
  local: Plan,
  { by, id, tokens }: SubPlanOf,
): Promise<StepId | AgentId> => {
  const plan = await tx.plan(run.id);
  if (!plan) throw new Error('A sub-plan without a plan.');
  const place = await placeOf(tx, caller);
  const taken = new Set(plan.steps.map(({ key }) => key));
  const ids = local.steps.map(() => newId('step', makes));
  const subPlan: SubPlan = { by, id: id ?? firstOf(ids), caller: caller.id };
  const steps = below(local.steps, place.base, place.parent, taken).map((step) => ({
    ...place.retries,
    ...bounded(step, run, caller),
    pattern: step.pattern ?? local.pattern,
    subPlan,
  }));
  const now = makes.clock.now();
  // The first agents begin where the caller is at the end of this very turn.
  await tx.patchAgent(caller.id, { headCommit: caller.headCommit });
  const { rows, agents } = newRows(makes, run, caller, steps, ids);
  await tx.insertAgents([...agents.values()]);
  await tx.extendPlan(run.id, { ...plan, steps: [...plan.steps, ...steps] }, rows);
  await tx.emit(now, [
    {
      type: 'run.replanned',
      run: run.id,
      agent: caller.id,
      by,
      step: place.base,
      steps: steps.length,
      pattern: local.pattern,
    },
    ...[...agents.values()].map(createdEvent),
  ]);
  const shares = shareBudget({ steps: underNobody(steps, agents) }, tokens);
  for (const step of topDown(underNobody(steps, agents))) {
    const from = agents.get(step.parent ?? '')?.id ?? caller.id;
    const to = agents.get(step.key);
    const share = shares.get(step.key)?.subtree ?? 0;
    if (!to || !(await tx.grant(from, to.id, share, now)))
      throw new Error('A sub-plan that its caller cannot pay for.');
  }
  for (const row of rows) if (row.needs.length === 0) await startStep(makes, tx, run, row);
  return subPlan.id;
};

const firstOf = (ids: readonly StepId[]): StepId => {
  const [first] = ids;
  if (!first) throw new Error('A sub-plan without steps.');
  return first;
};

/** What hangs from the caller hangs from nobody here. */
const underNobody = (steps: readonly PlanStep[], agents: ReadonlyMap<string, unknown>): readonly PlanStep[] =>
  steps.map((step) => ({ ...step, parent: agents.has(step.parent ?? '') ? step.parent : null }));

/** May do no more than the caller, and asks the same server where nothing else is said. */
const bounded = (step: PlanStep, run: Run, caller: Agent): PlanStep => {
  const own = caller.permissions ?? run.options.permissions;
  const permissions = step.permissions ? commonPermissions(own, step.permissions) : caller.permissions;
  const server = step.server ?? caller.server;
  const model = step.model ?? (step.server === undefined ? caller.model : null);
  return {
    ...step,
    ...(permissions ? { permissions } : {}),
    ...(server ? { server } : {}),
    ...(model ? { model } : {}),
  };
};

const newRows = (
  makes: Makes,
  run: Run,
  caller: Agent,
  steps: readonly PlanStep[],
  ids: readonly StepId[],
): { readonly rows: readonly Step[]; readonly agents: ReadonlyMap<string, NewAgent> } => {
  const places = new Map(steps.map(({ key }, index) => [key, ids[index]]));
  const agents = new Map<string, NewAgent>();
  const keys = new Map(steps.map(({ key }) => [key, true]));
  for (const step of topDown(underNobody(steps, keys))) {
    const above = agents.get(step.parent ?? '');
    const spec = {
      ...step,
      name: step.title,
      role: givenRole(step.role),
      step: places.get(step.key) ?? null,
      parent: above ? asAgent(above) : caller,
      start: caller.headCommit ?? run.headCommit,
    };
    agents.set(step.key, newAgent(makes, run, spec, 'pending'));
  }
  const rows = steps.flatMap((step): Step[] => {
    const [id, agent] = [places.get(step.key), agents.get(step.key)];
    return id && agent ? [{ ...step, id, run: run.id, agent: agent.id, state: 'pending', attempt: 1 }] : [];
  });
  return { rows, agents };
};

interface Place {
  readonly base: string;
  readonly parent: string | null;
  /** A part of a step may be tried again as often as the step; empty where that says nothing. */
  readonly retries: Pick<PlanStep, 'retries'>;
}

/** Where an agent stands in the plan: its own step, or below the step of the nearest agent above that has one. */
const placeOf = async (tx: Tx, agent: Agent): Promise<Place> => {
  const names: string[] = [];
  for (let at: Agent | undefined = agent; at; at = at.parent ? await tx.agent(at.parent) : undefined) {
    const step = at.step ? await tx.step(at.step) : undefined;
    if (step) {
      const { key, retries } = step;
      return { base: [key, ...names].join('.'), parent: key, retries: retries === undefined ? {} : { retries } };
    }
    names.unshift(slug(at.name, 'agent'));
  }
  return { base: names.join('.'), parent: null, retries: {} };
};
