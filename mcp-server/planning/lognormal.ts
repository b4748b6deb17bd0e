import type { Quantiles } from '../domain/forecast.ts';

/** A quantity whose logarithm is normal: its median is e^mu, and sigma says by what factors it varies. */
export interface Lognormal {
  readonly mu: number;
  readonly sigma: number;
}

export interface Moments {
  readonly mean: number;
  readonly variance: number;
}

/** The standard normal's 0.9 quantile. */
export const Z90 = 1.2815515655446004;

/** Less would be sure of what nobody can know; more would let a sum's p90 fall when an agent is added. */
export const SIGMA_BOUNDS = { least: 0.15, most: 1.2 } as const;

/** P(Z <= z) of a standard normal; error below 1e-7 (Abramowitz and Stegun 26.2.17). */
export const normalCdf = (z: number): number => {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const poly = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  const tail = (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * poly;
  return z >= 0 ? 1 - tail : tail;
};

const central = (q: number): number => {
  const r = q * q;
  return (
    (q *
      (((((-39.6968302866538 * r + 220.946098424521) * r - 275.928510446969) * r + 138.357751867269) * r -
        30.6647980661472) *
        r +
        2.50662827745924)) /
    (((((-54.4760987982241 * r + 161.585836858041) * r - 155.698979859887) * r + 66.8013118877197) * r -
      13.2806815528857) *
      r +
      1)
  );
};

const lower = (p: number): number => {
  const q = Math.sqrt(-2 * Math.log(p));
  return (
    (((((-0.00778489400243029 * q - 0.322396458041136) * q - 2.40075827716184) * q - 2.54973253934373) * q +
      4.37466414146497) *
      q +
      2.93816398269878) /
    ((((0.00778469570904146 * q + 0.32246712907004) * q + 2.445134137143) * q + 3.75440866190742) * q + 1)
  );
};

/** The z with P(Z <= z) = p, for 0 < p < 1 (Acklam's approximation, relative error below 1.2e-9). */
export const normalQuantile = (p: number): number => {
  const bounded = Math.min(1 - 1e-12, Math.max(1e-12, p));
  if (bounded < 0.02425) return lower(bounded);
  return bounded > 0.97575 ? -lower(1 - bounded) : central(bounded - 0.5);
};

export const quantileOf = ({ mu, sigma }: Lognormal, p: number): number => Math.exp(mu + sigma * normalQuantile(p));

/** A lognormal with these quantiles. */
export const fromQuantiles = ({ p50, p90 }: Quantiles): Lognormal => ({
  mu: Math.log(p50),
  sigma: Math.log(p90 / p50) / Z90,
});

/** Mean and variance of the quantity, where nothing above `cap` can happen. */
export const momentsOf = ({ mu, sigma }: Lognormal, cap = Number.POSITIVE_INFINITY): Moments => {
  if (cap <= 0) return { mean: 0, variance: 0 };
  const z = cap === Number.POSITIVE_INFINITY ? cap : (Math.log(cap) - mu) / sigma;
  const below = (shift: number): number => (z === Number.POSITIVE_INFINITY ? 1 : normalCdf(z - shift * sigma));
  const above = z === Number.POSITIVE_INFINITY ? 0 : 1 - normalCdf(z);
  const first = Math.exp(mu + sigma ** 2 / 2) * below(1) + (above > 0 ? cap * above : 0);
  const second = Math.exp(2 * mu + 2 * sigma ** 2) * below(2) + (above > 0 ? cap ** 2 * above : 0);
  return { mean: first, variance: Math.max(0, second - first ** 2) };
};

/**
 * How alike the agents of one run turn out: a hard repository is hard for all of them. Without it the p90 of a large team
 * would be far too sure of itself.
 */
export const CORRELATION = 0.3;

/**
 * Quantiles of a sum of agents. Means and variances are added (variances with CORRELATION), and the sum is taken to be
 * lognormal again (Fenton and Wilkinson): adding p90s would reckon with everything going wrong at once, adding medians
 * would forget that what goes wrong costs more than what goes well saves. Adding an agent never lowers either quantile, as
 * long as each varies within SIGMA_BOUNDS.
 */
export const sumQuantiles = (parts: readonly Moments[]): Quantiles => {
  const mean = parts.reduce((sum, part) => sum + part.mean, 0);
  if (mean <= 0) return { p50: 0, p90: 0 };
  const apart = parts.reduce((sum, part) => sum + part.variance, 0);
  const deviations = parts.reduce((sum, part) => sum + Math.sqrt(part.variance), 0);
  const variance = (1 - CORRELATION) * apart + CORRELATION * deviations ** 2;
  const sigma = Math.sqrt(Math.log(1 + variance / mean ** 2));
  const p50 = mean / Math.exp(sigma ** 2 / 2);
  return { p50, p90: p50 * Math.exp(Z90 * sigma) };
};
