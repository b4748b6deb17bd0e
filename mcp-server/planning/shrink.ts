import type { ForecastFacts, ShrinkWay, ShrunkPlan } from '../domain/forecast.ts';
import type { Plan, PlanStep } from '../domain/plan.ts';
import { counted, oneLine } from '../domain/text.ts';
import { stepsAsked } from './conditions.ts';
import { estimator, isByAgent } from './estimate.ts';
import { forecast, type History } from './forecast.ts';
import { isWhole } from './split-step.ts';
import { inOrder, joinNeighbours } from './steps.ts';
import { whySmaller } from './why-smaller.ts';

/** What a shrunk plan is reckoned with, as in `forecast`. */
export interface ShrinkKnowledge {
  readonly history: History;
  readonly facts: ForecastFacts;
}

/** Steps that another step names outside its needs: renaming or dropping them would change what that means. */
const namedElsewhere = (steps: readonly PlanStep[]): ReadonlySet<string> =>
  new Set(
    steps.flatMap((step) => [
      ...(step.when ? stepsAsked(step.when) : []),
      ...Object.keys(step.onFailure ?? {}),
      ...(step.join ? step.needs : []),
    ]),
  );

/** Patterns whose agents only join work that is merged already: without them, there is one report less. */
const JOINED_PATTERNS: readonly Plan['pattern'][] = ['single', 'fork-join', 'pipeline'];

const isJoiner = (step: PlanStep, plan: Plan): boolean =>
  (step.tier === 'executive' || step.tier === 'synthesizer') &&
  step.role === step.tier &&
  isByAgent(step) &&
  step.join === undefined &&
  step.needs.length > 0 &&
  JOINED_PATTERNS.includes(step.pattern ?? plan.pattern);

/** Without the step: whoever needed it needs what it needed, and what hung from it hangs from where it hung. */
const without = (steps: readonly PlanStep[], gone: PlanStep): readonly PlanStep[] =>
  steps.flatMap((step) => {
    if (step.key === gone.key) return [];
    const needs = step.needs.includes(gone.key)
      ? [...new Set(step.needs.flatMap((need) => (need === gone.key ? gone.needs : [need])))]
      : step.needs;
    return [{ ...step, needs, parent: step.parent === gone.key ? gone.parent : step.parent }];
  });

/** Joiners that have only one left to join, or none. */
const withoutIdleJoiners = (steps: readonly PlanStep[], plan: Plan): readonly PlanStep[] => {
  let current = steps;
  for (let again = true; again; ) {
    const idle = current.find((step) => isJoiner(step, plan) && step.needs.length < 2);
    again = idle !== undefined;
    if (idle) current = without(current, idle);
  }
  return current;
};

/** Two workers as one, in the place of the first. */
const joinedWorker = (a: PlanStep, b: PlanStep): PlanStep | null => {
  const [joined] = joinNeighbours([[a, b]]);
  if (!joined) return null;
  const { timeoutMs: _timeout, ...rest } = a;
  const timeoutMs = a.timeoutMs !== undefined && b.timeoutMs !== undefined ? a.timeoutMs + b.timeoutMs : undefined;
  const { temperature = a.temperature } = joined;
  return {
    ...dropWishes(rest),
    ...joined,
    temperature,
    needs: joined.needs.filter((need) => need !== b.key),
    weight: a.weight + b.weight,
    toleratesFailure: a.toleratesFailure && b.toleratesFailure,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
};

/** Joining says these anew. */
const dropWishes = ({
  files: _files,
  skills: _skills,
  capabilities: _capabilities,
  permissions: _permissions,
  ...rest
}: PlanStep): PlanStep => rest;

/** The list of parts in a joiner's task, with the new title in the place of the two. */
const retold = (step: PlanStep, a: PlanStep, b: PlanStep, joined: PlanStep): string => {
  const lines = step.task.split('\n');
  if (!lines.includes(`- ${a.title}`) || !lines.includes(`- ${b.title}`)) return step.task;
  return lines
    .filter((line) => line !== `- ${b.title}`)
    .map((line) => (line === `- ${a.title}` ? `- ${joined.title}` : line))
    .join('\n')
    .replace(/\bthe work of (\d+) agents?\b/, (_whole, count: string) => {
      const left = Number(count) - 1;
      return `the work of ${counted(left, 'agent')}`;
    });
};

/** Null when the two cannot be one without a circle. */
const joinPair = (steps: readonly PlanStep[], a: PlanStep, b: PlanStep): readonly PlanStep[] | null => {
  const joined = joinedWorker(a, b);
  if (!joined) return null;
  const rest = steps.flatMap((step) => {
    if (step.key === b.key) return [];
    if (step.key === a.key) return [joined];
    if (!step.needs.includes(b.key) && !step.needs.includes(a.key)) return [step];
    const needs = [...new Set(step.needs.map((need) => (need === b.key ? a.key : need)))];
    return [{ ...step, needs, task: step.tier === 'worker' ? step.task : retold(step, a, b, joined) }];
  });
  return inOrder(rest) ? rest : null;
};

const sizeOf = (step: PlanStep): number => step.parts ?? 1;

interface Pair {
  readonly a: PlanStep;
  readonly b: PlanStep;
  /** Workers under the same joiner: where there are many, joining two of them hurts least. */
  readonly among: number;
}

/** Pairs of workers that could be one, smallest first: under one parent, of one pattern, on one server. */
const pairsOf = (steps: readonly PlanStep[]): readonly Pair[] => {
  const named = namedElsewhere(steps);
  const parents = new Set(steps.map((step) => step.parent));
  const open = (inOrder(steps) ?? []).filter(
    (step) =>
      step.tier === 'worker' &&
      !isWhole(step) &&
      !named.has(step.key) &&
      !parents.has(step.key) &&
      step.pattern !== 'scatter-gather',
  );
  const groups = Map.groupBy(open, ({ parent, pattern, server, model }) =>
    JSON.stringify([parent, pattern, server, model]),
  );
  const pairs: Pair[] = [];
  for (const group of groups.values())
    for (const [index, b] of group.entries()) {
      const a = group[index - 1];
      if (a) pairs.push({ a, b, among: group.length });
    }
  const cost = ({ a, b }: Pair): number => (sizeOf(a) + sizeOf(b)) * (a.role === b.role ? 1 : 1.5);
  return pairs.sort((one, other) => cost(one) - cost(other) || other.among - one.among);
};

const workersIn = (steps: readonly PlanStep[]): number =>
  steps.filter((step) => step.tier === 'worker' && isByAgent(step)).length;

/** A third of the workers goes with each call. */
const fewerAgents = (plan: Plan): ShrunkPlan => {
  const before = workersIn(plan.steps);
  const target = Math.max(1, before - Math.max(1, Math.floor(before / 3)));
  let steps = plan.pattern === 'scatter-gather' ? plan.steps : joinedDownTo(plan.steps, target);
  if (steps !== plan.steps) steps = withoutIdleJoiners(steps, plan);
  const after = workersIn(steps);
  if (after === before) return { plan, budget: null, changes: [] };
  const joiners = plan.steps.length - before - (steps.length - after);
  return {
    plan: { ...plan, steps, pattern: steps.length === 1 ? 'single' : plan.pattern },
    budget: null,
    changes: [
      `${counted(before, 'worker')} became ${after}: each does more, one part after another.`,
      ...(joiners > 0
        ? [`${counted(joiners, 'agent')} that joined their work ${joiners === 1 ? 'is' : 'are'} not needed any more.`]
        : []),
    ],
  };
};

const joinedDownTo = (steps: readonly PlanStep[], target: number): readonly PlanStep[] => {
  let current = steps;
  while (workersIn(current) > target) {
    let next: readonly PlanStep[] | null = null;
    for (const { a, b } of pairsOf(current)) {
      next = joinPair(current, a, b);
      if (next) break;
    }
    if (!next) return current;
    current = next;
  }
  return current;
};

/** The uppermost tier that only joins goes: first the executive, with the next call the synthesizers. */
const cheaperTiers = (plan: Plan): ShrunkPlan => {
  const named = namedElsewhere(plan.steps);
  const joiners = plan.steps.filter((step) => isJoiner(step, plan) && !named.has(step.key));
  const tier = joiners.some((step) => step.tier === 'executive') ? 'executive' : 'synthesizer';
  const gone = joiners.filter((step) => step.tier === tier);
  if (gone.length === 0 || gone.length === plan.steps.length) return { plan, budget: null, changes: [] };
  let steps = plan.steps;
  for (const { key } of gone) {
    const step = steps.find((one) => one.key === key);
    if (step) steps = without(steps, step);
  }
  const what = `${counted(gone.length, tier)} (${oneLine(gone.map((step) => step.title).join(', '), 80)})`;
  return {
    plan: { ...plan, steps },
    budget: null,
    changes: [`Without ${what}: the work is merged, but nobody looks at the whole of it.`],
  };
};

/** A usual agent is done by then; who needs much longer is stopped. */
const PATIENCE = 1.5;
const STEP_MS = 10_000;
/** What the budget has beyond the most likely cost. */
const SPARE = 1.15;

const inWords = (ms: number): string =>
  ms < 120_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`;

/** Shorter limits of time, no second tries, and a budget for what is likely instead of what is possible. */
const tighterSteps = (plan: Plan, { history, facts }: ShrinkKnowledge): ShrunkPlan => {
  const estimate = estimator(history.observations, facts, plan.pattern);
  const changes: string[] = [];
  const limits: number[] = [];
  let retried = 0;
  const steps = plan.steps.map((step) => {
    if (!isByAgent(step)) return step;
    const { wallMs, timeoutMs } = estimate(step);
    const limit = Math.ceil((PATIENCE * Math.exp(wallMs.mu)) / STEP_MS) * STEP_MS;
    const isLonger = timeoutMs === null || timeoutMs > limit;
    const retries = step.retries ?? facts.retries;
    if (isLonger) limits.push(limit);
    if (retries > 0) retried += 1;
    return { ...step, ...(isLonger ? { timeoutMs: limit } : {}), ...(retries > 0 ? { retries: 0 } : {}) };
  });
  if (limits.length > 0)
    changes.push(
      `${counted(limits.length, 'step')} must wrap up after ${[...new Set([Math.min(...limits), Math.max(...limits)])].map(inWords).join(' to ')}, and report what there is by then.`,
    );
  if (retried > 0) changes.push(`${counted(retried, 'step')} will not be tried again after a failure.`);
  const tighter = { ...plan, steps };
  const needed = Math.ceil((SPARE * forecast(tighter, history, { ...facts, budget: null }).tokens.p50) / 1000) * 1000;
  const budget = facts.budget === null || needed < facts.budget ? needed : null;
  if (budget !== null)
    changes.push(
      `The run gets ${budget.toLocaleString('en-US')} tokens${facts.budget === null ? '' : ` in place of ${facts.budget.toLocaleString('en-US')}`}.`,
    );
  return changes.length === 0 ? { plan, budget: null, changes } : { plan: tighter, budget, changes };
};

const shrunk = (plan: Plan, way: ShrinkWay, knowledge: ShrinkKnowledge): ShrunkPlan => {
  switch (way) {
    case 'fewer-agents':
      return fewerAgents(plan);
    case 'cheaper-tiers':
      return cheaperTiers(plan);
    case 'tighter-steps':
      return tighterSteps(plan, knowledge);
  }
};

/**
 * The plan with less of what a person is ready to give up; its `because` says what is true of it now. Each call goes one step further; `changes` is empty when there
 * is nothing left to give. No task is lost. Fewer agents mean less disk and fewer to join, yet one long conversation can
 * cost more tokens than two short ones: the forecast tells. Reckon its cost with `forecast`, with `budget` as the facts' where it is given.
 * Throws when the steps need each other in a circle.
 */
export const shrinkPlan = (plan: Plan, way: ShrinkWay, knowledge: ShrinkKnowledge): ShrunkPlan => {
  if (!inOrder(plan.steps)) throw new Error('The steps need each other in a circle.');
  const less = shrunk(plan, way, knowledge);
  if (less.changes.length === 0) return less;
  const because = whySmaller(less.plan, less.budget ?? plan.budget ?? null);
  return { ...less, plan: { ...less.plan, because } };
};
