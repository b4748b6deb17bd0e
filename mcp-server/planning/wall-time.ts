import type { Quantiles } from '../domain/forecast.ts';
import { CORRELATION, type Lognormal, normalQuantile } from './lognormal.ts';
import { makespan, type Network, pathsToEnd, placesOf } from './schedule.ts';

/** One step's time, ms: `draw(z)` is its time where a standard normal comes out as `z`. */
export interface Duration {
  readonly key: string;
  readonly median: number;
  /** Holds a slot already, so it goes before all others. */
  readonly isUnderWay: boolean;
  draw(z: number): number;
}

/** The time of a whole agent: never above its timeout, several times where it is likely to be tried again. */
export const wholeDuration = (
  key: string,
  wallMs: Lognormal,
  bounds: { readonly timeoutMs: number | null; readonly tries: number },
): Duration => {
  const most = bounds.timeoutMs ?? Number.POSITIVE_INFINITY;
  const draw = (z: number): number => Math.min(most, Math.exp(wallMs.mu + wallMs.sigma * z)) * bounds.tries;
  return { key, median: draw(0), isUnderWay: false, draw };
};

const SAMPLES = 96;
/** A large plan's steps even each other out, so fewer rounds say as much. */
const SAMPLES_OF_MANY = 32;
const MANY = 500;

const hashOf = (text: string): number => {
  let hash = 2166136261;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 16777619);
  return hash;
};

/** A number in (0, 1) that a key and a round always give: a step has the same luck in every plan that it is part of. */
const luckOf = (hash: number, round: number): number => {
  let mixed = Math.imul(hash ^ Math.imul(round + 1, 0x9e3779b1), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (((mixed ^ (mixed >>> 16)) >>> 0) + 0.5) / 2 ** 32;
};

const quantile = (sorted: readonly number[], p: number): number => {
  const at = p * (sorted.length - 1);
  const low = sorted[Math.floor(at)] ?? 0;
  const high = sorted[Math.ceil(at)] ?? low;
  return low + (high - low) * (at - Math.floor(at));
};

/**
 * Quantiles of the time that the whole takes at `slots`: the schedule is played through with different luck, the part
 * CORRELATION of which all steps of a round share. The luck comes from the keys, so the answer repeats.
 */
export const wallQuantiles = (network: Network, durations: readonly Duration[], slots: number): Quantiles => {
  if (durations.length === 0) return { p50: 0, p90: 0 };
  const rounds = durations.length > MANY ? SAMPLES_OF_MANY : SAMPLES;
  const paths = pathsToEnd(
    network,
    durations.map(({ median }) => median),
  );
  const places = placesOf(
    durations.map(({ isUnderWay }, index) => (isUnderWay ? Number.POSITIVE_INFINITY : (paths[index] ?? 0))),
  );
  const hashes = durations.map(({ key }) => hashOf(key));
  const [common, own] = [Math.sqrt(CORRELATION), Math.sqrt(1 - CORRELATION)];
  const ends = Array.from({ length: rounds }, (_, round) => {
    const shared = common * normalQuantile((round + 0.5) / rounds);
    const drawn = durations.map((duration, index) =>
      duration.draw(shared + own * normalQuantile(luckOf(hashes[index] ?? 0, round))),
    );
    return makespan(network, drawn, places, slots);
  }).sort((a, b) => a - b);
  return { p50: quantile(ends, 0.5), p90: quantile(ends, 0.9) };
};
