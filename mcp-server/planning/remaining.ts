import type { ForecastFacts, Remaining, StepProgress } from '../domain/forecast.ts';
import type { Observation } from '../domain/observation.ts';
import type { Plan, PlanStep } from '../domain/plan.ts';
import { type Estimate, estimator, isByAgent, tokenMoments } from './estimate.ts';
import { durationOf, overallBasis } from './forecast.ts';
import { type Lognormal, type Moments, normalCdf, quantileOf, sumQuantiles } from './lognormal.ts';
import { networkOf } from './schedule.ts';
import { type Duration, wallQuantiles } from './wall-time.ts';

/** Where a run is. */
export interface RunProgress {
  /** By key; a step that is not in it has not begun. */
  readonly steps: ReadonlyMap<string, StepProgress>;
  /** Tokens that the run has spent. */
  readonly spent: number;
  /** Ms since 1970. */
  readonly now: number;
}

const GRID = 32;
/** Who has already cost more than nearly all others is not expected to stop at once for it. */
const LATEST = 0.98;
const MERGE_MS = 1000;

/** What is still to come of a quantity of which `spent` is behind, where chance comes out as `u` in (0, 1). */
const rest = (whole: Lognormal, spent: number, u: number): number => {
  const passed = spent <= 0 ? 0 : Math.min(LATEST, normalCdf((Math.log(spent) - whole.mu) / whole.sigma));
  const from = passed === LATEST ? quantileOf(whole, LATEST) : spent;
  return Math.max(0, quantileOf(whole, passed + (1 - passed) * u) - Math.max(0, from));
};

const restMoments = (whole: Lognormal, spent: number): Moments => {
  const drawn = Array.from({ length: GRID }, (_, index) => rest(whole, spent, (index + 0.5) / GRID));
  const mean = drawn.reduce((sum, value) => sum + value, 0) / GRID;
  return { mean, variance: drawn.reduce((sum, value) => sum + (value - mean) ** 2, 0) / GRID };
};

const tokensLeft = (progress: StepProgress | undefined, estimate: Estimate): Moments => {
  if (!progress || progress.state === 'pending') return tokenMoments(estimate);
  return progress.state === 'running' ? restMoments(estimate.tokens, progress.tokens) : { mean: 0, variance: 0 };
};

const underWay = (step: PlanStep, progress: StepProgress, estimate: Estimate, now: number): Duration => {
  if (progress.state === 'merging') return { key: step.key, median: MERGE_MS, isUnderWay: true, draw: () => MERGE_MS };
  const elapsed = progress.startedAt === null ? 0 : Math.max(0, now - progress.startedAt);
  const most = estimate.timeoutMs === null ? Number.POSITIVE_INFINITY : Math.max(0, estimate.timeoutMs - elapsed);
  const draw = (z: number): number => Math.min(most, rest(estimate.wallMs, elapsed, normalCdf(z)));
  return { key: step.key, median: draw(0), isUnderWay: true, draw };
};

/** The step as those that have not ended see it: needs that are settled are none, and count for its quorum. */
const waiting = (step: PlanStep, isOver: (key: string) => boolean): PlanStep => {
  const needs = step.needs.filter((need) => !isOver(need));
  const quorum = step.join?.quorum ?? null;
  if (!step.join || quorum === null) return { ...step, needs };
  const missing = quorum - (step.needs.length - needs.length);
  return missing <= 0 ? { ...step, needs: [] } : { ...step, needs, join: { ...step.join, quorum: missing } };
};

/**
 * What is left of a run: each agent under way by what it has spent and how long it has run, each that waits as in the
 * forecast. Tokens are at most what the budget still holds.
 */
export const remaining = (
  plan: Plan,
  progress: RunProgress,
  history: readonly Observation[],
  facts: ForecastFacts,
): Remaining => {
  const stateOf = (key: string): StepProgress['state'] => progress.steps.get(key)?.state ?? 'pending';
  const isOver = (key: string): boolean => !['pending', 'running', 'merging'].includes(stateOf(key));
  const estimate = estimator(history, facts, plan.pattern);
  const keys = new Set(plan.steps.map((step) => step.key));
  const steps = plan.steps
    .filter((step) => !isOver(step.key))
    .map((step) => waiting(step, (need) => !keys.has(need) || isOver(need)));
  const agents = steps.filter(isByAgent);
  const tokens = sumQuantiles(agents.map((step) => tokensLeft(progress.steps.get(step.key), estimate(step))));
  const left = facts.budget === null ? Number.POSITIVE_INFINITY : Math.max(0, facts.budget - progress.spent);
  const durations = steps.map((step) => {
    const known = progress.steps.get(step.key);
    return known && known.state !== 'pending' && isByAgent(step)
      ? underWay(step, known, estimate(step), progress.now)
      : durationOf(step, estimate);
  });
  const wall = wallQuantiles(networkOf(steps), durations, facts.slots);
  const [p50, p90] = [Math.round(wall.p50), Math.round(wall.p90)];
  return {
    agents: agents.length,
    tokens: { p50: Math.round(Math.min(left, tokens.p50)), p90: Math.round(Math.min(left, tokens.p90)) },
    wallMs: { p50, p90 },
    eta: { p50: progress.now + p50, p90: progress.now + p90 },
    basis: overallBasis(agents.map((step) => estimate(step).basis)),
  };
};
