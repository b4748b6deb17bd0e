import type { Pattern, Plan, PlanStep } from '../../domain/plan.ts';
import { counted } from '../../domain/text.ts';
import type { PlanLimits } from '../validate-plan.ts';
import { forkJoinFragment, graphFragment } from './fork-join.ts';
import type { Draft, Fragment, Scope } from './fragment.ts';
import { joinParts } from './join-parts.ts';
import { mapReduceFragment } from './map-reduce.ts';
import { pipelineFragment } from './pipeline.ts';
import { sagaFragment } from './saga.ts';
import { scatterGatherFragment } from './scatter-gather.ts';
import { asStep, mostParts, nestingOf, type Shape, shrink } from './shrink.ts';
import { type PatternOptions, type PatternSpec } from './spec.ts';

const build = (spec: PatternSpec, scope: Scope): Fragment => {
  switch (spec.pattern) {
    case 'fork-join':
      return forkJoinFragment(spec, scope);
    case 'workflow':
      return graphFragment(spec, scope);
    case 'map-reduce':
      return mapReduceFragment(atMost(spec), scope);
    case 'pipeline':
      return pipelineFragment(spec, scope);
    case 'scatter-gather':
      return scatterGatherFragment(spec, scope);
    case 'saga':
      return sagaFragment(spec, scope);
  }
};

type MapReduce = Extract<PatternSpec, { readonly pattern: 'map-reduce' }>;

const atMost = (spec: MapReduce): MapReduce =>
  spec.most === undefined ? spec : { ...spec, mappers: joinParts(spec.mappers, Math.max(1, spec.most), asStep) };

/** Falls from tier to tier, so that what is joined comes out alike each time. */
const TEMPERATURES = [0.7, 0.4, 0.2, 0.1, 0.05] as const;

/** 0 for a worker; a joiner is one above the highest that it joins or has below it, whatever processors lie between. */
const heights = (steps: readonly Draft[]): ReadonlyMap<string, number> => {
  const byKey = new Map(steps.map((step) => [step.key, step]));
  const children = Map.groupBy(steps, (step) => step.parent);
  const known = new Map<string, number>();
  const heightOf = (key: string): number => {
    const before = known.get(key);
    if (before !== undefined) return before;
    const step = byKey.get(key);
    const isJoiner = step !== undefined && step.tier !== 'worker';
    const under = isJoiner ? [...step.needs, ...(children.get(key) ?? []).map((child) => child.key)] : [];
    const passed = step && isCompute(step) ? step.needs : under;
    const height = (isJoiner ? 1 : 0) + Math.max(0, ...passed.map(heightOf));
    known.set(key, height);
    return height;
  };
  for (const step of steps) heightOf(step.key);
  return known;
};

/** Steps that lie too deep hang from the nearest ancestor that leaves them a level. */
const withinDepth = (steps: readonly Draft[], maxDepth: number): readonly Draft[] => {
  const parents = new Map(steps.map((step) => [step.key, step.parent]));
  const depthOf = (key: string | null): number => {
    let depth = 0;
    for (let at = key; at !== null; at = parents.get(at) ?? null) depth += 1;
    return depth;
  };
  return steps.map((step) => {
    let parent = step.parent;
    while (parent !== null && depthOf(parent) >= maxDepth) parent = parents.get(parent) ?? null;
    return parent === step.parent ? step : { ...step, parent };
  });
};

const isCompute = (step: Pick<Draft, 'work'>): boolean => step.work?.kind === 'compute';

/** Only who hangs from the run brings the whole to its end. */
const ranked = ({ warmest, ...step }: Draft, height: number): PlanStep => {
  const byHeight = isCompute(step) ? 0 : (TEMPERATURES[Math.min(height, TEMPERATURES.length - 1)] ?? 0);
  const demoted = step.tier === 'executive' && step.parent !== null;
  return {
    ...step,
    ...(demoted ? { tier: 'synthesizer' as const } : {}),
    ...(demoted && step.role === 'executive' ? { role: 'synthesizer' } : {}),
    temperature: step.temperature ?? Math.min(byHeight, warmest ?? byHeight),
  };
};

/** Ends a fragment: its place in the hierarchy, tiers and temperatures. It is as big as it is; `buildPlan` makes it fit. */
export const seal = (
  fragment: Fragment,
  options: Pick<PatternOptions, 'maxDepth' | 'source' | 'because' | 'complexity'> & { readonly pattern: Pattern },
): Plan => {
  const steps = withinDepth(fragment.steps, Math.max(1, options.maxDepth));
  const heightOf = heights(steps);
  return {
    pattern: steps.length === 1 ? 'single' : options.pattern,
    source: options.source ?? { by: 'model' },
    steps: steps.map((step) => ranked(step, heightOf.get(step.key) ?? 0)),
    ...(options.because === undefined ? {} : { because: options.because }),
    ...(options.complexity === undefined ? {} : { complexity: options.complexity }),
  };
};

const wholePlan = (spec: PatternSpec, options: PatternOptions): Plan => {
  const scope: Scope = {
    pattern: spec.pattern,
    prefix: '',
    levels: Math.max(1, options.maxDepth),
    fanIn: Math.max(2, options.fanIn),
    saga: null,
    taken: new Set(),
    build,
  };
  return seal(build(spec, scope), { ...options, pattern: spec.pattern });
};

const fits = ({ steps }: Plan, limits: PlanLimits): boolean => {
  if (steps.length > limits.maxAgents) return false;
  const byKey = new Map(steps.map((step) => [step.key, step]));
  const depths = new Map<string, number>();
  const depthOf = (key: string): number => {
    const parent = byKey.get(key)?.parent ?? null;
    const depth = depths.get(key) ?? (parent === null ? 1 : depthOf(parent) + 1);
    depths.set(key, depth);
    return depth;
  };
  const levels = Map.groupBy(steps, (step) => depthOf(step.key));
  return [...levels.values()].every((members) => members.length <= limits.maxAgentsPerLevel);
};

/** The biggest plan of this nesting that fits; null when only a single step would. */
const biggest = (spec: PatternSpec, nesting: number, options: PatternOptions): Plan | null => {
  const attempt = (parts: number): Plan => wholePlan(shrink(spec, { nesting, parts } satisfies Shape), options);
  let best: Plan | null = null;
  let [low, high] = [2, mostParts(spec)];
  while (low <= high) {
    const middle = Math.floor((low + high) / 2);
    const plan = attempt(middle);
    if (fits(plan, options)) {
      best = plan;
      low = middle + 1;
    } else high = middle - 1;
  }
  return best;
};

const sized = (plan: Plan): number => plan.steps.filter((step) => step.tier === 'worker').length;

const joinedInWords = (whole: Plan, plan: Plan, limits: PlanLimits): string => {
  const agents = `${counted(limits.maxAgents, 'agent')}, ${limits.maxAgentsPerLevel} on a level`;
  return `Parts were joined to fit the limits (${agents}): ${counted(plan.steps.length, 'step')} in place of ${whole.steps.length}.`;
};

/**
 * The plan of a pattern, however deep patterns lie inside it. Where it is too big for the limits, neighbours are joined:
 * no part is lost, and `because` says so. Throws when there are no parts, or when they need each other in a circle.
 */
export const buildPlan = (spec: PatternSpec, options: PatternOptions): Plan => {
  const whole = wholePlan(spec, options);
  if (fits(whole, options)) return whole;
  let best: Plan | null = null;
  for (let nesting = nestingOf(spec); nesting >= 0; nesting -= 1) {
    const plan = biggest(spec, nesting, options);
    if (plan && (!best || sized(plan) > sized(best))) best = plan;
  }
  const plan = best ?? wholePlan(shrink(spec, { nesting: 0, parts: 1 }), options);
  const because = [options.because, joinedInWords(whole, plan, options)].filter(Boolean).join(' ');
  return { ...plan, because };
};
