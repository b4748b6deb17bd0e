import type { Agent } from '../domain/agent.ts';
import type { JobId } from '../domain/ids.ts';
import { newId } from '../domain/ids.ts';
import type { Plan, PlanFault } from '../domain/plan.ts';
import { planningOf, type Run } from '../domain/run.ts';
import { counted } from '../domain/text.ts';
import type { Answer, Turn } from '../domain/turn.ts';
import { checkSteps } from '../planning/check-steps.ts';
import { parsePlan } from '../planning/parse-plan.ts';
import { rulePlan } from '../planning/rule-plan.ts';
import { chooseStrategy } from '../planning/strategies/choose.ts';
import type { Tx } from '../store/port.ts';
import { baseFiles } from './base-files.ts';
import { asAskedFor, type Conversation, mostSteps, skillNames } from './conversation.ts';
import type { Core } from './core.ts';
import { offerPlan } from './gate.ts';
import { cacheKeyOf, complexityOf, makePlan, type Stats } from './make-plan.ts';
import { adoptSubPlan } from './nested.ts';
import { pauseIfAsked } from './pausing.ts';
import { planScope } from './plan-scope.ts';
import { type Ending, isOver, retire } from './retire.ts';
import { closeIfDone, endAgent } from './settle.ts';
import { turnJob } from './spawn.ts';

/** The plan by rule, for a task that needs no model to plan it, or a model that could not. */
export const planByRule = async (core: Core, run: Run, reason: string): Promise<Plan> => {
  const files = await baseFiles(core, run.baseCommit);
  const { domain, workers } = planningOf(run.options);
  const { level } = await complexityOf(core, run);
  const { strategy } = chooseStrategy(run.task, domain);
  const least = run.options.team?.least ?? 1;
  const steps = rulePlan({ task: run.task, files, maxSteps: mostSteps(run), strategy, level, workers, least });
  return makePlan(core, run, steps, { by: 'rules', reason });
};

/**
 * What a planner's answer leads to: its plan is accepted, or its faults are named to it once, or the rules plan instead.
 * Returns the work of the transaction that stores the answer. `stats`: read when they are not given.
 */
export const planOutcome = async (
  core: Core,
  conversation: Conversation,
  turn: Turn & { readonly answer: Answer },
  stats?: Promise<Stats>,
): Promise<(tx: Tx, job: JobId) => Promise<void>> => {
  const { run, agent, scope } = conversation;
  const parsed = parsePlan(turn.answer.content, {
    maxSteps: mostSteps(scope),
    permissions: scope.options.permissions,
    skills: skillNames(run),
  });
  const files = await baseFiles(core, scope.baseCommit);
  const checked = parsed.ok ? checkSteps(parsed.steps, { task: scope.task, files }) : null;
  const doubts = checked ? [...checked.faults, ...checked.doubts] : parsed.faults;
  const mended = [...conversation.delivered, ...conversation.pending].some(({ from }) => from === 'engine');
  if (doubts.length > 0 && !mended) return (tx, job) => repair(core, tx, run, agent, turn, job, faultText(doubts));
  if (!parsed.ok) {
    const plan = await planByRule(core, scope, `The model's plan had faults:\n${faultText(parsed.faults)}`);
    return accept(core, run, agent, turn, plan);
  }
  const hints = { hint: parsed.pattern, stats, checked };
  const plan = await makePlan(core, asAskedFor(conversation), parsed.steps, { by: 'model' }, hints);
  return accept(core, run, agent, turn, plan);
};

const faultText = (faults: readonly PlanFault[]): string =>
  faults.map((fault) => `- ${fault.step ? `${fault.step}: ` : ''}${fault.message}`).join('\n');

const repair = async (
  core: Core,
  tx: Tx,
  run: Run,
  agent: Agent,
  turn: Turn,
  job: JobId,
  faults: string,
): Promise<void> => {
  const { clock } = core.parts;
  const now = clock.now();
  await tx.closeTurn(turn.id, { commit: null, endedAt: now });
  await tx.finishJob(job, 'done');
  await tx.send({
    id: newId('message', core.parts),
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
  await pauseIfAsked(core.parts, tx, planner.id);
};

/** Keeps the model's plan for the next run of the same task, and lets its agents begin, or wait. */
const accept = async (
  core: Core,
  run: Run,
  agent: Agent,
  turn: Turn,
  plan: Plan,
): Promise<(tx: Tx, job: JobId) => Promise<void>> => {
  const offer = await offerOf(core, run, agent, plan);
  const report = plan.source.by === 'rules' ? plan.source.reason : `Planned ${counted(plan.steps.length, 'step')}.`;
  return async (tx, job) => {
    const now = core.parts.clock.now();
    await tx.closeTurn(turn.id, { commit: null, endedAt: now });
    await tx.finishJob(job, 'done');
    if (plan.source.by === 'model' && agent.parent === null) await tx.cachePlan(cacheKeyOf(run), plan, now);
    await adopt(core, tx, run, agent, job, { state: 'completed', reason: 'finished', report, error: null }, offer);
  };
};

/** Ends the planner with its ending, in the transaction of this job, and lets its plan begin where it belongs. */
type Offer = (tx: Tx, run: Run, planner: Agent, ending: Ending, job: JobId) => Promise<void>;

const offerOf = async (core: Core, run: Run, planner: Agent, plan: Plan): Promise<Offer> => {
  if (planner.parent !== null)
    return (tx, current, agent, ending, job) => adoptSubPlan(core.parts, tx, current, agent, plan, ending, job);
  const offer = await offerPlan(core, run, plan);
  return async (tx, current, agent, ending) => {
    await retire(core.parts, tx, current, agent, ending);
    await offer(tx);
  };
};

/** The planner ends, and the plan's agents begin; or the run has been cancelled meanwhile, and nothing begins. */
const adopt = async (
  core: Core,
  tx: Tx,
  run: Run,
  agent: Agent,
  job: JobId,
  ending: Ending,
  offer: Offer,
): Promise<void> => {
  const current = await tx.run(run.id);
  const planner = await tx.agent(agent.id);
  if (!current || !planner || isOver(planner)) return closeIfDone(core.parts, tx, run, job);
  const cancelled = current.cancelRequested !== 'no';
  if (!cancelled && ending.state === 'completed' && (await tx.inbox(agent.id, 1))[0]?.from === 'person')
    return planAgain(core, tx, current, planner, 'reads your message');
  if (cancelled) return endAgent(core.parts, tx, current, planner, CANCELLED, job);
  await offer(tx, current, planner, ending, job);
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
  const scope = await planScope(core.parts.store, run, agent);
  const offer = await offerOf(core, run, agent, await planByRule(core, scope, ending.error));
  return (tx, job) => adopt(core, tx, run, agent, job, ending, offer);
};
