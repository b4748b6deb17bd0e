import type {
  Forecast,
  ForecastBasis,
  ForecastFacts,
  LevelForecast,
  PastError,
  PastForecast,
  Quantiles,
} from '../domain/forecast.ts';
import type { Observation } from '../domain/observation.ts';
import type { Plan, PlanStep } from '../domain/plan.ts';
import { type Estimate, estimator, isByAgent, tokenMoments } from './estimate.ts';
import { levelName } from './levels.ts';
import { sumQuantiles, Z90 } from './lognormal.ts';
import { networkOf } from './schedule.ts';
import { type Duration, wallQuantiles, wholeDuration } from './wall-time.ts';

/** What this repository's own runs have shown. */
export interface History {
  /** Of agents, any order; a few hundred of the newest are enough. */
  readonly observations: readonly Observation[];
  /** Of runs that have ended. */
  readonly past: readonly PastForecast[];
}

/** How likely an agent is to write files, where its step does not say: by role, else by tier. */
const WRITES_BY_ROLE: ReadonlyMap<string, number> = new Map([
  ['researcher', 0.3],
  ['analyst', 0.3],
  ['architect', 0.25],
  ['reviewer', 0.4],
  ['strategist', 0.4],
  ['judge', 0.05],
]);
const WRITES_BY_TIER: Readonly<Record<PlanStep['tier'], number>> = {
  planner: 0,
  worker: 0.9,
  synthesizer: 0.6,
  executive: 0.5,
};

const writes = (step: PlanStep): number => {
  if (step.files) return step.files.length > 0 ? 0.98 : 0.1;
  return WRITES_BY_ROLE.get(step.role) ?? WRITES_BY_TIER[step.tier];
};

const rounded = ({ p50, p90 }: Quantiles): Quantiles => ({ p50: Math.round(p50), p90: Math.round(p90) });

const atMost = ({ p50, p90 }: Quantiles, most: number | null): Quantiles =>
  most === null ? { p50, p90 } : { p50: Math.min(p50, most), p90: Math.min(p90, most) };

const worktreesOf = (steps: readonly PlanStep[]): Quantiles => {
  const chances = steps.map(writes);
  const mean = chances.reduce((sum, chance) => sum + chance, 0);
  const variance = chances.reduce((sum, chance) => sum + chance * (1 - chance), 0);
  const p50 = Math.round(mean);
  return { p50, p90: Math.max(p50, Math.min(steps.length, Math.round(mean + Z90 * Math.sqrt(variance)))) };
};

const depthsOf = (steps: readonly PlanStep[]): ReadonlyMap<string, number> => {
  const parents = new Map(steps.map((step) => [step.key, step.parent]));
  const depths = new Map<string, number>();
  for (const { key } of steps) {
    let depth = 1;
    for (let up = parents.get(key) ?? null; up !== null && depth <= steps.length; up = parents.get(up) ?? null)
      depth += 1;
    depths.set(key, depth);
  }
  return depths;
};

const commonest = (names: readonly string[]): string => {
  const counts = Map.groupBy(names, (name) => name);
  return [...counts].sort((a, b) => b[1].length - a[1].length)[0]?.[0] ?? '';
};

/** The whole costs no less than a part of it. */
const atLeast = ({ p50, p90 }: Quantiles, parts: readonly Quantiles[]): Quantiles => ({
  p50: Math.max(p50, ...parts.map((part) => part.p50)),
  p90: Math.max(p90, ...parts.map((part) => part.p90)),
});

/** Deeper levels than there are tiers have names of their own. */
const TIERS = 3;

const levelsOf = (
  steps: readonly PlanStep[],
  estimate: (step: PlanStep) => Estimate,
  { budget, levelNames = [] }: ForecastFacts,
): readonly LevelForecast[] => {
  const depths = depthsOf(steps);
  const levels = Map.groupBy(steps, (step) => depths.get(step.key) ?? 1);
  return [...levels]
    .sort(([a], [b]) => a - b)
    .map(([level, members]) => ({
      level,
      name:
        level > TIERS || levelNames[level - 1]?.trim()
          ? levelName(level, levelNames)
          : commonest(members.map((step) => step.tier)),
      agents: members.length,
      tokens: rounded(atMost(sumQuantiles(members.map((step) => tokenMoments(estimate(step)))), budget)),
    }));
};

const median = (numbers: readonly number[]): number => {
  const sorted = numbers.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(at)] ?? 0) + (sorted[Math.ceil(at)] ?? 0)) / 2;
};

/** How forecasts did; null when there was none that can be judged. */
export const pastErrorOf = (
  pairs: readonly { readonly forecast: Quantiles; readonly actual: number }[],
): PastError | null => {
  const judged = pairs.filter(({ actual }) => actual > 0);
  if (judged.length === 0) return null;
  const off = judged.map(({ forecast, actual }) => (100 * (forecast.p50 - actual)) / actual);
  return {
    runs: judged.length,
    percent: Math.round(median(off.map(Math.abs))),
    bias: Math.round(median(off)),
    belowP90: Math.round(
      (100 * judged.filter(({ forecast, actual }) => actual <= forecast.p90).length) / judged.length,
    ),
  };
};

const pastErrors = (past: readonly PastForecast[]): Forecast['pastError'] => ({
  tokens: pastErrorOf(past.map(({ forecast, actual }) => ({ forecast: forecast.tokens, actual: actual.tokens }))),
  wallMs: pastErrorOf(past.map(({ forecast, actual }) => ({ forecast: forecast.wallMs, actual: actual.wallMs }))),
});

/** One word for many. */
export const overallBasis = (bases: readonly ForecastBasis[]): ForecastBasis => {
  const [first = 'prior', ...others] = bases;
  return others.every((basis) => basis === first) ? first : 'mixed';
};

const number = (value: number): string => Math.round(value).toLocaleString('en-US');
/** With less, an agent cannot read much more than its task. */
const LEAST_SHARE = 4000;

const notesOf = (agents: number, tokens: Quantiles, basis: ForecastBasis, facts: ForecastFacts): readonly string[] => {
  const { budget } = facts;
  const notes =
    basis === 'prior' ? ['No agents like these were observed here yet: the numbers are general experience.'] : [];
  if (budget === null) return notes;
  if (tokens.p50 > budget)
    notes.push(
      `The budget of ${number(budget)} tokens will most likely not be enough: agents will have to wrap up early.`,
    );
  else if (tokens.p90 > budget)
    notes.push(`The budget of ${number(budget)} tokens may not be enough: agents then wrap up early.`);
  if (agents > 0 && budget / agents < LEAST_SHARE)
    notes.push(`Each agent gets about ${number(budget / agents)} tokens, which is little.`);
  return notes;
};

/** The time of one step by itself; a processor takes next to none. */
export const durationOf = (step: PlanStep, estimate: (step: PlanStep) => Estimate): Duration => {
  if (!isByAgent(step)) return { key: step.key, median: 0, isUnderWay: false, draw: () => 0 };
  const found = estimate(step);
  return wholeDuration(step.key, found.wallMs, found);
};

/**
 * What a plan will cost. Each agent's tokens and time are learned from observations of its tier, role, pattern and
 * complexity, drawn towards general experience where there are few. Tokens are the agents' sum (`sumQuantiles`), for the
 * whole and each level at most the budget; time is the schedule of the steps at the slots given (`wallQuantiles`). More steps never cost fewer tokens.
 * Throws when the steps need each other in a circle (validate the plan first).
 */
export const forecast = (plan: Plan, history: History, facts: ForecastFacts): Forecast => {
  const estimate = estimator(history.observations, facts, plan.pattern);
  const steps = plan.steps.filter(isByAgent);
  const bases = steps.map((step) => estimate(step).basis);
  const tokens = sumQuantiles(steps.map((step) => tokenMoments(estimate(step))));
  const durations = plan.steps.map((step) => durationOf(step, estimate));
  const tiers = new Set(steps.map((step) => step.tier));
  const worktrees = worktreesOf(steps);
  const { checkoutBytes } = facts;
  const basis = overallBasis(bases);
  const levels = levelsOf(steps, estimate, facts);
  return {
    agents: steps.length,
    levels,
    tokens: atLeast(
      rounded(atMost(tokens, facts.budget)),
      levels.map((level) => level.tokens),
    ),
    wallMs: rounded(wallQuantiles(networkOf(plan.steps), durations, facts.slots)),
    disk: {
      worktrees,
      bytes: checkoutBytes === null ? null : { p50: worktrees.p50 * checkoutBytes, p90: worktrees.p90 * checkoutBytes },
    },
    basis,
    observations: history.observations.filter((seen) => tiers.has(seen.tier as PlanStep['tier'])).length,
    agentsBy: {
      history: bases.filter((one) => one === 'history').length,
      mixed: bases.filter((one) => one === 'mixed').length,
      prior: bases.filter((one) => one === 'prior').length,
    },
    slots: Math.max(1, Math.floor(facts.slots)),
    pastError: pastErrors(history.past),
    notes: notesOf(steps.length, tokens, basis, facts),
  };
};
