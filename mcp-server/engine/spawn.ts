import { prefixKey } from '../agent/roles.ts';
import { type Agent, NOTHING_YET, type Tier } from '../domain/agent.ts';
import type { NewEvent } from '../domain/event.ts';
import type { AccountId, AgentId, Commit, Makes, RunId, StepId } from '../domain/ids.ts';
import { newId } from '../domain/ids.ts';
import type { Priority } from '../domain/job.ts';
import type { Plan, Step } from '../domain/plan.ts';
import { planningOf, type Run } from '../domain/run.ts';
import { commonPermissions, serverOf } from '../domain/run-of-agent.ts';
import { oneLine } from '../domain/text.ts';
import { AGENT_STATES, isFinal } from '../domain/transitions.ts';
import { shareBudget } from '../planning/share-budget.ts';
import type { NewAgent, NewJob, Tx } from '../store/port.ts';
import { pauseIfAsked } from './pausing.ts';

export const branchOf = (run: Pick<Run, 'branch'>, agent: AgentId): string => `${run.branch}.${agent}`;

/**
 * Critical: nothing of its run goes on without it. A synthesizer is not: while workers wait, the way from the last of
 * them to the end of the run is the longer one.
 */
export const priorityOf = ({ tier, role }: Pick<Agent, 'tier' | 'role'>): Priority =>
  (tier === 'worker' || tier === 'synthesizer') && role !== 'resolver' ? 'batch' : 'critical';

export const turnJob = (makes: Makes, run: Run, agent: Agent, priority = priorityOf(agent), runAt = 0): NewJob => ({
  ...(agent.urgency ? { urgency: agent.urgency } : {}),
  id: newId('job', makes),
  run: run.id,
  agent: agent.id,
  kind: 'turn',
  source: null,
  priority,
  server: serverOf(run, agent),
  prefix: prefixKey({ run, agent }),
  runAt,
});

export const mergeJob = (makes: Makes, run: RunId, into: AgentId | null, source: AgentId): NewJob => ({
  id: newId('job', makes),
  run,
  agent: into,
  kind: 'merge',
  source,
  priority: 'critical',
  server: '',
  prefix: '',
  runAt: 0,
});

/** The agent's processor is run. */
export const computeJob = (makes: Makes, run: Run, agent: Agent, runAt = 0): NewJob => ({
  ...turnJob(makes, run, agent, 'critical', runAt),
  kind: 'compute',
  server: '',
  prefix: '',
});

/** What is to be undone in the run is looked at; or, with a source, what that one did is taken out of `agent`'s branch. */
export const undoJob = (
  makes: Makes,
  run: RunId,
  agent: AgentId | null = null,
  source: AgentId | null = null,
): NewJob => ({
  id: newId('job', makes),
  run,
  agent,
  kind: 'undo',
  source,
  priority: 'critical',
  server: '',
  prefix: '',
  runAt: 0,
});

/** What an agent has of its own; the run's where nothing is said. */
type Own = Partial<Pick<Agent, 'server' | 'model' | 'permissions' | 'skills' | 'timeoutMs' | 'urgency' | 'pause'>>;

export interface ChildSpec extends Own {
  readonly parent: Agent | null;
  readonly tier: Agent['tier'];
  readonly role: string;
  readonly name: string;
  readonly task: string;
  readonly temperature: number;
  readonly step: StepId | null;
  readonly start: Commit;
}

/** Roles that the engine itself gives and treats in a way of their own. */
const OWN_ROLES: ReadonlySet<string> = new Set(['planner', 'resolver', 'undo']);

/** A role that a model made up. */
export const givenRole = (role: string): string => (OWN_ROLES.has(role) ? 'worker' : role);

/** A row for a new agent; its branch starts at `start`. */
export const newAgent = (makes: Makes, run: Run, spec: ChildSpec, state: NewAgent['state']): NewAgent => {
  const id = newId('agent', makes);
  return {
    id,
    run: run.id,
    parent: spec.parent?.id ?? null,
    step: spec.step,
    depth: (spec.parent?.depth ?? 0) + 1,
    tier: spec.tier,
    role: spec.role,
    name: oneLine(spec.name, 60),
    task: spec.task,
    temperature: spec.temperature,
    state,
    branch: branchOf(run, id),
    baseCommit: spec.start,
    headCommit: spec.start,
    createdAt: makes.clock.now(),
    server: spec.server ?? null,
    model: spec.model ?? null,
    permissions: spec.permissions ? commonPermissions(run.options.permissions, spec.permissions) : null,
    skills: spec.skills ?? null,
    timeoutMs: spec.timeoutMs ?? timeoutOf(run, spec.tier),
    urgency: spec.urgency ?? 0,
    ...(spec.pause ? { pause: spec.pause } : {}),
  };
};

const timeoutOf = (run: Run, tier: Tier): number | null =>
  tier === 'planner' ? null : planningOf(run.options).timeouts[tier];

export const createdEvent = (agent: NewAgent): NewEvent => ({
  type: 'agent.created',
  run: agent.run,
  agent: agent.id,
  parent: agent.parent,
  name: agent.name,
  tier: agent.tier,
  depth: agent.depth,
});

/** As it is right after the insert. */
export const asAgent = (agent: NewAgent): Agent => ({ ...NOTHING_YET, ...agent });

/** Parents before children, each with its own before the next. */
export const topDown = (steps: Plan['steps']): Plan['steps'] => {
  const below = Map.groupBy(steps, (step) => step.parent);
  const order: Plan['steps'][number][] = [];
  const add = (parent: string | null): void => {
    for (const step of below.get(parent) ?? []) {
      order.push(step);
      add(step.key);
    }
  };
  add(null);
  if (order.length < steps.length) throw new Error('A step hangs from a step that is not in the plan.');
  return order;
};

/**
 * Makes the plan's agents, all at once: rows, grants down the hierarchy, steps, and the first turns. Whatever is not
 * granted stays in the run's pool.
 */
export const acceptPlan = async (makes: Makes, tx: Tx, run: Run, plan: Plan): Promise<void> => {
  const now = makes.clock.now();
  const pool = await tx.account(run.id);
  const shares = shareBudget(plan, Math.min(pool?.available ?? 0, plan.budget ?? Number.POSITIVE_INFINITY));
  const agents = new Map<string, NewAgent>();
  const steps: Step[] = [];
  const order = topDown(withSagas(plan.steps));
  for (const planned of order) {
    const step = newId('step', makes);
    const parent = planned.parent === null ? null : agents.get(planned.parent);
    const spec = {
      ...planned,
      name: planned.title,
      role: givenRole(planned.role),
      step,
      parent: parent ? asAgent(parent) : null,
      start: run.headCommit,
    };
    const agent = newAgent(makes, run, spec, 'pending');
    agents.set(planned.key, agent);
    steps.push({ ...planned, id: step, run: run.id, agent: agent.id, state: 'pending', attempt: 1 });
  }
  await tx.insertAgents([...agents.values()]);
  // A plan that waited for a person's word is there already.
  if (await tx.planFacts(run.id)) await tx.extendPlan(run.id, plan, steps);
  else await tx.insertPlan(run.id, plan, steps);
  await tx.emit(now, [
    {
      type: 'run.planned',
      run: run.id,
      agent: null,
      steps: steps.length,
      pattern: plan.pattern,
      by: plan.source.by,
      reason: plan.source.by === 'rules' ? plan.source.reason : '',
    },
    ...[...agents.values()].map(createdEvent),
  ]);
  for (const planned of order) {
    const from: AccountId = planned.parent === null ? run.id : (agents.get(planned.parent)?.id ?? run.id);
    const to = agents.get(planned.key);
    const tokens = shares.get(planned.key)?.subtree ?? 0;
    if (to) await tx.grant(from, to.id, tokens, now);
  }
  for (const step of steps) if (step.needs.length === 0) await startStep(makes, tx, run, step);
};

/** A step that is undone when another one fails has a saga, though the plan may not name it. */
const withSagas = (steps: Plan['steps']): Plan['steps'] => {
  const byKey = new Map(steps.map((step) => [step.key, step]));
  const sagas = new Map<string, string>();
  for (const step of steps) {
    const compensates = step.saga === undefined && Object.values(step.onFailure ?? {}).includes('compensate');
    if (!compensates) continue;
    for (const queue = [step.key]; queue.length > 0; ) {
      const at = byKey.get(queue.pop() ?? '');
      if (!at || at.saga !== undefined || sagas.has(at.key)) continue;
      sagas.set(at.key, `before ${step.key}`);
      queue.push(...at.needs);
    }
  }
  return sagas.size === 0 ? steps : steps.map((step) => ({ ...step, ...sagaOf(sagas.get(step.key)) }));
};

const sagaOf = (saga: string | undefined): { saga?: string } => (saga === undefined ? {} : { saga });

/**
 * A step whose needs are settled begins: its agent starts from its parent's newest commit unless it already holds merged
 * work, takes in the branches of needs that its parent does not hold, and gets its first turn.
 */
export const startStep = async (makes: Makes, tx: Tx, run: Run, step: Step): Promise<void> => {
  const agent = await tx.agent(step.agent);
  if (!agent || agent.state !== 'pending') return;
  await tx.moveStep(step.id, 'running');
  await journal(makes, tx, step, agent);
  const parent = agent.parent ? await tx.agent(agent.parent) : null;
  const untouched = agent.headCommit === agent.baseCommit;
  const onParent = parent && !isFinal(AGENT_STATES, parent.state) ? parent.headCommit : null;
  const start = untouched ? (onParent ?? run.headCommit) : agent.headCommit;
  if (start !== agent.headCommit) await tx.patchAgent(agent.id, { baseCommit: start, headCommit: start });
  const merges = step.work?.kind === 'compute' ? [] : await foreignNeeds(makes, tx, run, step, agent);
  if (merges.length > 0) await tx.enqueue(merges, makes.clock.now());
  else await releaseAgent(makes, tx, run, step, { ...agent, headCommit: start });
};

/** How the step is undone is written down before it does anything. */
export const journal = async (makes: Makes, tx: Tx, step: Step, agent: Agent): Promise<void> => {
  if (step.saga === undefined || step.work?.kind === 'compute') return;
  const undo = step.undo ?? { kind: 'revert' };
  await tx.recordUndo({ run: step.run, step: step.id, agent: agent.id, undo, recordedAt: makes.clock.now() });
};

/** Needed work that hangs below another parent, and so is not in this agent's start. */
const foreignNeeds = async (makes: Makes, tx: Tx, run: Run, step: Step, agent: Agent): Promise<NewJob[]> => {
  const jobs: NewJob[] = [];
  for (const needed of step.needs.length > 0 ? await workOf(tx, step) : []) {
    const other = needed.state === 'done' ? await tx.agent(needed.agent) : undefined;
    if (!other || other.headCommit === other.baseCommit) continue;
    if (other.parent !== agent.parent && other.parent !== agent.id)
      jobs.push(mergeJob(makes, run.id, agent.id, other.id));
  }
  return jobs;
};

/** A processor changes no file: whoever needs it needs what went into it. */
const workOf = async (tx: Tx, step: Step): Promise<readonly Step[]> => {
  const found = new Map<StepId, Step>();
  for (const queue = [step]; queue.length > 0; ) {
    const at = queue.pop();
    for (const needed of at ? await tx.needs(at.id) : []) {
      if (found.has(needed.id)) continue;
      found.set(needed.id, needed);
      if (needed.work?.kind === 'compute') queue.push(needed);
    }
  }
  return [...found.values()];
};

/** pending → ready, with its first turn, or its processor, queued. */
export const releaseAgent = async (
  makes: Makes,
  tx: Tx,
  run: Run,
  step: Step,
  agent: Agent,
  runAt = 0,
): Promise<void> => {
  const now = makes.clock.now();
  await tx.moveAgent(agent.id, 'ready', { startCommit: agent.headCommit });
  const job =
    step.work?.kind === 'compute' ? computeJob(makes, run, agent, runAt) : turnJob(makes, run, agent, undefined, runAt);
  await tx.enqueue([job], now);
  await tx.emit(now, [
    { type: 'agent.moved', run: run.id, agent: agent.id, from: 'pending', to: 'ready', reason: null },
  ]);
  await pauseIfAsked(makes, tx, agent.id);
};
