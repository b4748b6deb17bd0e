import type { Tier } from '../domain/agent.ts';
import type { ForecastBasis, ForecastFacts, Quantiles } from '../domain/forecast.ts';
import type { Observation } from '../domain/observation.ts';
import type { Complexity, Pattern, PlanStep } from '../domain/plan.ts';
import { fromQuantiles, type Lognormal, type Moments, momentsOf, SIGMA_BOUNDS } from './lognormal.ts';

/** What one agent is expected to cost. */
export interface Estimate {
  readonly tokens: Lognormal;
  readonly wallMs: Lognormal;
  /** After this it must wrap up, ms. */
  readonly timeoutMs: number | null;
  /** Expected tries, retries of a failure included; at least 1. */
  readonly tries: number;
  readonly basis: ForecastBasis;
}

/**
 * What an agent of a tier costs in general, as long as this repository has not shown it: a model of 7 to 30 billion
 * parameters on one GPU, tokens as they are charged (prompts of all its turns, cached or not, and answers).
 */
export const PRIORS: Readonly<Record<Tier, { readonly tokens: Quantiles; readonly wallMs: Quantiles }>> = {
  planner: { tokens: { p50: 5_000, p90: 14_000 }, wallMs: { p50: 40_000, p90: 120_000 } },
  worker: { tokens: { p50: 20_000, p90: 60_000 }, wallMs: { p50: 90_000, p90: 300_000 } },
  synthesizer: { tokens: { p50: 14_000, p90: 40_000 }, wallMs: { p50: 60_000, p90: 180_000 } },
  executive: { tokens: { p50: 16_000, p90: 45_000 }, wallMs: { p50: 75_000, p90: 220_000 } },
};

/** Roles that cost more or less than a worker in general. */
const ROLE_FACTORS: ReadonlyMap<string, number> = new Map([
  ['tester', 1.25],
  ['architect', 1.1],
  ['researcher', 1.1],
  ['writer', 0.8],
  ['reviewer', 0.8],
  ['judge', 0.6],
]);
const COMPLEXITY_FACTORS: Readonly<Record<Complexity['level'], number>> = {
  atomic: 0.6,
  simple: 0.8,
  moderate: 1,
  complex: 1.15,
  enterprise: 1.3,
};

/** The prior weighs as much as so many observations of a kind. */
const PRIOR_WEIGHT = 4;
/** From so many observations of its tier on, an agent's numbers are history's. */
const HISTORY_FROM = 12;
/** One agent in twenty fails in general, which weighs as much as so many observations. */
const PRIOR_FAILURES = 0.05;
const PRIOR_AGENTS = 20;

/** Looking around and reporting, the part of an agent's cost that does not grow with its work. */
const FIXED_PART = 0.4;
/** A long conversation is dearer than two short ones: each turn is charged all that came before it. */
const GROWTH = 1.1;

/** How much more a step of `parts` joined steps costs than one of them. */
export const sizeFactor = (parts: number): number => FIXED_PART + (1 - FIXED_PART) * Math.max(0.05, parts) ** GROWTH;

const clamped = (sigma: number): number => Math.min(SIGMA_BOUNDS.most, Math.max(SIGMA_BOUNDS.least, sigma));

/** The prior moved by what was seen: mean and variance of the logarithms, the prior as PRIOR_WEIGHT observations. */
const shrunk = (prior: Lognormal, seen: readonly number[]): Lognormal => {
  if (seen.length === 0) return prior;
  const logs = seen.map(Math.log);
  const weight = PRIOR_WEIGHT + logs.length;
  const mu = (PRIOR_WEIGHT * prior.mu + logs.reduce((sum, log) => sum + log, 0)) / weight;
  const spread =
    PRIOR_WEIGHT * (prior.sigma ** 2 + (prior.mu - mu) ** 2) + logs.reduce((sum, log) => sum + (log - mu) ** 2, 0);
  return { mu, sigma: clamped(Math.sqrt(spread / weight)) };
};

const shifted = ({ mu, sigma }: Lognormal, factor: number): Lognormal => ({ mu: mu + Math.log(factor), sigma });

/** What is looked at from the general to the particular; each shrinks towards the one before it. */
interface Kind {
  readonly tier: Tier;
  readonly role: string;
  readonly pattern: string;
  readonly complexity: string;
}

const NARROWING: readonly ((observation: Observation, kind: Kind) => boolean)[] = [
  (seen, kind) => seen.role === kind.role,
  (seen, kind) => seen.pattern === kind.pattern,
  (seen, kind) => seen.complexity === kind.complexity,
];

const learned = (
  prior: Lognormal,
  tier: readonly Observation[],
  kind: Kind,
  of: (observation: Observation) => number,
): Lognormal => {
  const good = tier.filter((observation) => of(observation) > 0);
  const neutral = shrunk(prior, good.map(of));
  const general = PRIOR_WEIGHT / (PRIOR_WEIGHT + good.length);
  const role = ROLE_FACTORS.get(kind.role) ?? 1;
  const complexity = COMPLEXITY_FACTORS[kind.complexity as Complexity['level']] ?? 1;
  let estimate = shifted(neutral, (role * complexity) ** general);
  let seen = good;
  for (const fits of NARROWING) {
    seen = seen.filter((observation) => fits(observation, kind));
    if (seen.length === 0) break;
    estimate = shrunk(estimate, seen.map(of));
  }
  return estimate;
};

/** The part of its agents that fail. */
const failureRate = (tier: readonly Observation[]): number => {
  const failed = tier.filter((observation) => !observation.ok).length;
  return (failed + PRIOR_FAILURES * PRIOR_AGENTS) / (tier.length + PRIOR_AGENTS);
};

const triesOf = (rate: number, retries: number): number => {
  let tries = 1;
  for (let retry = 1; retry <= Math.min(retries, 10); retry += 1) tries += rate ** retry;
  return tries;
};

const basisOf = (observations: number): ForecastBasis =>
  observations === 0 ? 'prior' : observations >= HISTORY_FROM ? 'history' : 'mixed';

const timeoutOf = (step: PlanStep, { timeouts }: ForecastFacts): number | null =>
  step.timeoutMs ?? (step.tier === 'planner' ? null : timeouts[step.tier]);

/** Whether an agent, and so a model, carries the step out; a processor costs nothing. */
export const isByAgent = (step: Pick<PlanStep, 'work'>): boolean => step.work?.kind !== 'compute';

/**
 * What steps are expected to cost, learned from `history` (any order) by tier, then role, pattern and complexity, with
 * priors where little was seen. Remembers what it worked out, so it is made once for a plan.
 */
export const estimator = (
  history: readonly Observation[],
  facts: ForecastFacts,
  planPattern: Pattern,
): ((step: PlanStep) => Estimate) => {
  // Who spent nothing never began: it says neither what such agents cost nor how often they fail.
  const began = history.filter(({ tokens }) => tokens > 0);
  const byTier = Map.groupBy(began, (observation) => observation.tier);
  const rates = new Map([...byTier].map(([tier, seen]) => [tier, failureRate(seen)]));
  const unseen = failureRate([]);
  const known = new Map<string, Pick<Estimate, 'tokens' | 'wallMs'>>();
  const costs = (kind: Kind): Pick<Estimate, 'tokens' | 'wallMs'> => {
    const name = JSON.stringify(kind);
    const before = known.get(name);
    if (before) return before;
    const tier = byTier.get(kind.tier) ?? [];
    const prior = PRIORS[kind.tier];
    const found = {
      tokens: learned(fromQuantiles(prior.tokens), tier, kind, (seen) => seen.tokens),
      wallMs: learned(fromQuantiles(prior.wallMs), tier, kind, (seen) => seen.wallMs),
    };
    known.set(name, found);
    return found;
  };
  const estimates = new Map<PlanStep, Estimate>();
  const estimate = (step: PlanStep): Estimate => {
    const pattern = step.pattern ?? facts.pattern ?? planPattern;
    const cost = costs({ tier: step.tier, role: step.role, pattern, complexity: facts.complexity ?? '' });
    const size = sizeFactor(step.parts ?? 1);
    return {
      tokens: shifted(cost.tokens, size),
      wallMs: shifted(cost.wallMs, size),
      timeoutMs: timeoutOf(step, facts),
      tries: triesOf(rates.get(step.tier) ?? unseen, step.retries ?? facts.retries),
      basis: basisOf(byTier.get(step.tier)?.length ?? 0),
    };
  };
  return (step) => {
    const found = estimates.get(step) ?? estimate(step);
    estimates.set(step, found);
    return found;
  };
};

/** Tokens of an agent over all its tries. What a timeout cuts off in time, it cuts off in tokens. */
export const tokenMoments = ({ tokens, wallMs, timeoutMs, tries }: Estimate): Moments => {
  const cut = timeoutMs === null ? null : (Math.log(Math.max(1, timeoutMs)) - wallMs.mu) / wallMs.sigma;
  const { mean, variance } = momentsOf(tokens, cut === null ? undefined : Math.exp(tokens.mu + tokens.sigma * cut));
  return { mean: mean * tries, variance: variance * tries ** 2 };
};
