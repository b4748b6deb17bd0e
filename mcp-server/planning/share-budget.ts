import type { Plan, PlanStep } from '../domain/plan.ts';

/** Tokens of a step: what its agent may spend itself, and that with all that it hands down. */
export interface Share {
  readonly own: number;
  readonly subtree: number;
}

/** The part of a run's tokens that no plan gets: it pays for retries and for resolving conflicts. */
export const KEPT_BACK = 0.05;

/** Tokens that stay in the run's pool when a plan gets the rest. */
export const keptBack = (tokens: number): number => Math.ceil(Math.max(0, Math.floor(tokens)) * KEPT_BACK);

/** Whole numbers in proportion to the weights; they sum exactly to `tokens` (largest remainders round up). */
const proportional = (tokens: number, weights: readonly number[]): readonly number[] => {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  if (sum <= 0) return weights.map(() => 0);
  const exact = weights.map((weight) => (tokens * weight) / sum);
  const whole = exact.map(Math.floor);
  const left = tokens - whole.reduce((total, share) => total + share, 0);
  const byRemainder = exact
    .map((share, index) => ({ index, remainder: share - Math.floor(share) }))
    .sort((a, b) => b.remainder - a.remainder || a.index - b.index);
  for (const { index } of byRemainder.slice(0, left)) whole[index] = (whole[index] ?? 0) + 1;
  return whole;
};

/**
 * How `tokens` flow down the plan, by weight. The subtrees of the steps that hang from the run, and `keptBack(tokens)`,
 * sum exactly to `tokens`. Throws when the hierarchy has a cycle (validate the plan first).
 */
export const shareBudget = (plan: Pick<Plan, 'steps'>, tokens: number): Map<PlanStep['key'], Share> => {
  const total = Math.max(0, Math.floor(tokens));
  const owns = proportional(
    total - keptBack(total),
    plan.steps.map((step) => step.weight),
  );
  const shares = new Map(plan.steps.map((step, index) => [step.key, { own: owns[index] ?? 0, subtree: 0 }]));
  const parentOf = new Map(plan.steps.map((step) => [step.key, step.parent]));
  for (const step of plan.steps) {
    const own = shares.get(step.key)?.own ?? 0;
    let levels = 0;
    for (let key: string | null = step.key; key !== null; key = parentOf.get(key) ?? null) {
      const share = shares.get(key);
      if (share) share.subtree += own;
      if ((levels += 1) > plan.steps.length) throw new Error('The hierarchy of the plan has a cycle.');
    }
  }
  return shares;
};
