import type { Agent } from '../domain/agent.ts';
import type { Commit, JobId } from '../domain/ids.ts';
import { newId } from '../domain/ids.ts';
import type { Plan } from '../domain/plan.ts';
import type { Run } from '../domain/run.ts';
import type { Answer, Turn } from '../domain/turn.ts';
import { repositoryDigest } from '../planning/digest.ts';
import { forkJoin } from '../planning/fork-join.ts';
import { parsePlan } from '../planning/parse-plan.ts';
import { rulePlan } from '../planning/rule-plan.ts';
import type { PlannedStep } from '../planning/steps.ts';
import type { Tx } from '../store/port.ts';
import { type Conversation, mostSteps } from './conversation.ts';
import type { Core } from './core.ts';
import { closeIfDone, type Ending, isOver, retire } from './settle.ts';
import { acceptPlan, turnJob } from './spawn.ts';

/** Files of the run's base; the repository caches them. */
export const baseFiles = (core: Core, commit: Commit): Promise<readonly string[]> =>
  core.parts.repository.treeOf(commit).files();

export const digestOf = async (core: Core, run: Run): Promise<string> =>
  repositoryDigest(await baseFiles(core, run.baseCommit));

const toPlan = (run: Run, steps: readonly PlannedStep[], source: Plan['source']): Plan => ({
  ...forkJoin(steps, { ...run.options, maxAgents: mostSteps(run), fanIn: 5 }),
  source,
});

/** The plan by rule, for a task that needs no model to plan it, or a model that could not. */
export const planByRule = async (core: Core, run: Run, reason: string): Promise<Plan> => {
  const files = await baseFiles(core, run.baseCommit);
  return toPlan(run, rulePlan({ task: run.task, files, maxSteps: mostSteps(run) }), { by: 'rules', reason });
};

/**
 * What a planner's answer leads to: its plan is accepted, or its faults are named to it once, or the rules plan instead.
 * Returns the work of the transaction that stores the answer.
 */
export const planOutcome = async (
  core: Core,
  conversation: Conversation,
  turn: Turn & { readonly answer: Answer },
): Promise<(tx: Tx, job: JobId) => Promise<void>> => {
  const { run, agent } = conversation;
  const parsed = parsePlan(turn.answer.content, { maxSteps: mostSteps(run) });
  if (parsed.ok) {
    const plan = toPlan(run, parsed.steps, { by: 'model' });
    return (tx, job) => accept(core, tx, run, agent, turn, job, plan);
  }
  const faults = parsed.faults.map((fault) => `- ${fault.step ? `${fault.step}: ` : ''}${fault.message}`).join('\n');
  const mended = [...conversation.delivered, ...conversation.pending].some(({ from }) => from === 'engine');
  if (!mended) return (tx, job) => repair(core, tx, run, agent, turn, job, faults);
  const plan = await planByRule(core, run, `The model's plan had faults:\n${faults}`);
  return (tx, job) => accept(core, tx, run, agent, turn, job, plan);
};

const repair = async (
  core: Core,
  tx: Tx,
  run: Run,
  agent: Agent,
  turn: Turn,
  job: JobId,
  faults: string,
): Promise<void> => {
  const { clock, random } = core.parts;
  const now = clock.now();
  await tx.closeTurn(turn.id, { commit: null, endedAt: now });
  await tx.finishJob(job, 'done');
  await tx.send({
    id: newId('message', random),
    run: run.id,
    to: agent.id,
    from: 'engine',
    kind: 'notice',
    priority: 0,
    body: `Your plan cannot be used:\n${faults}\nWrite the whole plan again with these faults mended.`,
    createdAt: now,
  });
  await planAgain(core, tx, run, agent, 'mends its plan');
};

const planAgain = async (core: Core, tx: Tx, run: Run, planner: Agent, action: string): Promise<void> => {
  await tx.moveAgent(planner.id, 'ready', { action });
  await tx.enqueue([turnJob(core.parts, run, planner)], core.parts.clock.now());
};

const accept = async (
  core: Core,
  tx: Tx,
  run: Run,
  agent: Agent,
  turn: Turn,
  job: JobId,
  plan: Plan,
): Promise<void> => {
  await tx.closeTurn(turn.id, { commit: null, endedAt: core.parts.clock.now() });
  await tx.finishJob(job, 'done');
  const report = plan.source.by === 'rules' ? plan.source.reason : `Planned ${plan.steps.length} steps.`;
  await adopt(core, tx, run, agent, job, { state: 'completed', reason: 'finished', report, error: null }, plan);
};

/** The planner ends, and the plan's agents begin; or the run has been cancelled meanwhile, and nothing begins. */
const adopt = async (
  core: Core,
  tx: Tx,
  run: Run,
  agent: Agent,
  job: JobId,
  ending: Ending,
  plan: Plan,
): Promise<void> => {
  const current = await tx.run(run.id);
  const planner = await tx.agent(agent.id);
  if (!current || !planner || isOver(planner)) return closeIfDone(core.parts, tx, run, job);
  const cancelled = current.cancelRequested !== 'no';
  if (!cancelled && ending.state === 'completed' && (await tx.inbox(agent.id, 1))[0]?.from === 'person')
    return planAgain(core, tx, current, planner, 'reads your message');
  await retire(core.parts, tx, current, planner, cancelled ? CANCELLED : ending);
  if (cancelled) return closeIfDone(core.parts, tx, current, job);
  await tx.moveRun(run.id, 'running');
  await acceptPlan(core.parts, tx, current, plan);
};

const CANCELLED: Ending = { state: 'cancelled', reason: 'cancelled', report: null, error: null };

/**
 * For a planner that cannot ask its model: it fails, and the rules plan instead. Returns the work of the transaction that
 * has finished its job.
 */
export const planWithoutModel = async (
  core: Core,
  run: Run,
  agent: Agent,
  ending: Ending & { readonly error: string },
): Promise<(tx: Tx, job: JobId) => Promise<void>> => {
  const plan = await planByRule(core, run, ending.error);
  return (tx, job) => adopt(core, tx, run, agent, job, ending, plan);
};
