import { type Agent, cutShort } from '../domain/agent.ts';
import type { AgentId } from '../domain/ids.ts';
import type { Plan, PlanSource, PlanStep, Step, Undo } from '../domain/plan.ts';
import { planningOf, type Run } from '../domain/run.ts';
import type { UndoRecord } from '../domain/undo.ts';
import { inWords } from '../planning/conditions.ts';
import { shareBudget } from '../planning/share-budget.ts';
import { asPlanned } from '../planning/sub-plan.ts';
import { planToYaml } from '../planning/workflows/plan-yaml.ts';
import type { Core } from './core.ts';
import { forecastOfRun } from './forecasts.ts';
import { cannotUndo, noPlan } from './gate.ts';
import type { PlanView, StepView } from './planning-facade.ts';

/** The plan of a run as it stands. Throws UserError `wrong-state` while there is none. */
export const planView = async (core: Core, run: Run): Promise<PlanView> => {
  const { store } = core.parts;
  const plan = await store.plan(run.id);
  if (!plan) throw noPlan(run);
  const rows = new Map((await store.steps(run.id)).map((step) => [step.key, step]));
  const granted = new Map((await store.accounts(run.id)).map((account) => [account.id as string, account.granted]));
  const pool = await store.account(run.id);
  const shares = shareBudget(plan, Math.min(pool?.available ?? 0, plan.budget ?? Number.POSITIVE_INFINITY));
  const agents = new Map((await store.agents(run.id)).map((agent) => [agent.id, agent]));
  const inPlan = levels(plan);
  const levelOf = ({ key }: PlanStep): number =>
    agents.get(rows.get(key)?.agent as AgentId)?.depth ?? inPlan.get(key) ?? 1;
  const undos = new Map((await store.undos(run.id)).map((record) => [record.agent, record]));
  const tokens = (step: PlanStep, agent: AgentId | null): number =>
    (agent === null ? undefined : granted.get(agent)) ?? shares.get(step.key)?.subtree ?? 0;
  return {
    run: run.id,
    task: run.task,
    state: run.state,
    pattern: plan.pattern,
    because: plan.because ?? '',
    by: madeBy(plan.source),
    complexity: plan.complexity ?? null,
    cachedAt: plan.cachedAt ?? null,
    steps: plan.steps.map((step) => ({
      ...stepView(plan, run, step, rows.get(step.key), levelOf(step), tokens),
      incomplete: incompleteOf(rows.get(step.key), agents),
      undone: undoneOf(undos.get(rows.get(step.key)?.agent as AgentId)),
    })),
    cannotUndo: cannotUndo(plan),
    forecast: await forecastOfRun(core, run, plan),
    yaml: planToYaml(asPlanned(plan)),
  };
};

const stepView = (
  plan: Plan,
  run: Run,
  step: PlanStep,
  row: Step | undefined,
  level: number,
  tokens: (step: PlanStep, agent: AgentId | null) => number,
): Omit<StepView, 'undone' | 'incomplete'> => ({
  key: step.key,
  title: step.title,
  task: step.task,
  role: step.role,
  tier: step.tier,
  needs: step.needs,
  parent: step.parent,
  temperature: step.temperature,
  level,
  state: row?.state ?? 'pending',
  agent: row?.agent ?? null,
  attempt: row?.attempt ?? 1,
  tokens: tokens(step, row?.agent ?? null),
  pattern: step.pattern ?? plan.pattern,
  when: startsWhen(step, run),
  server: step.server ?? null,
  model: step.model ?? null,
  skills: step.skills ?? [],
  undo: step.saga === undefined ? null : undoInWords(step.undo ?? { kind: 'revert' }),
});

const incompleteOf = (row: Step | undefined, agents: ReadonlyMap<AgentId, Agent>): string | null => {
  const agent = row?.state === 'done' ? agents.get(row.agent) : undefined;
  return agent ? cutShort(agent) : null;
};

/** Every step of a saga is written down before it begins; that alone is no news. */
const undoneOf = (record: UndoRecord | undefined): StepView['undone'] =>
  record && record.state !== 'recorded' ? { state: record.state, result: record.result ?? '' } : null;

const startsWhen = (step: PlanStep, run: Run): string | null => {
  const parts = [
    step.when && `if ${inWords(step.when)}`,
    step.join?.quorum && `when ${step.join.quorum} of ${step.needs.length} are done`,
    step.join?.withinMs && `after ${Math.round(step.join.withinMs / 1000)} s at the latest`,
    (step.retries ?? planningOf(run.options).retries) > 1 && `up to ${step.retries} fresh tries`,
  ].filter((part) => typeof part === 'string');
  return parts.length > 0 ? parts.join(', ') : null;
};

const undoInWords = (undo: Undo): string => {
  switch (undo.kind) {
    case 'revert':
      return 'its commits are taken back';
    case 'command':
      return `runs ${undo.argv.join(' ')}`;
    case 'agent':
      return `an agent: ${undo.task}`;
    case 'none':
      return `cannot be undone: ${undo.reason}`;
  }
};

const madeBy = (source: PlanSource): string => {
  switch (source.by) {
    case 'model':
      return 'the model';
    case 'rules':
      return `rules (${source.reason})`;
    case 'workflow':
      return `the workflow ${source.workflow}`;
    case 'person':
      return 'you';
  }
};

/** 1 hangs from the run. */
const levels = (plan: Plan): ReadonlyMap<string, number> => {
  const parents = new Map(plan.steps.map((step) => [step.key, step.parent]));
  const depthOf = (key: string): number => {
    let depth = 0;
    for (let at: string | null = key; at !== null; at = parents.get(at) ?? null) depth += 1;
    return depth;
  };
  return new Map(plan.steps.map((step) => [step.key, depthOf(step.key)]));
};
