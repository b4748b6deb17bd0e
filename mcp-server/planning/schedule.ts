import FlatQueue from 'flatqueue';
import type { PlanStep } from '../domain/plan.ts';

/** A plan's steps as the schedule sees them, by place in the plan. */
export interface Network {
  readonly count: number;
  /** Steps that wait for each. */
  readonly next: readonly (readonly number[])[];
  /** How many of its needs must be settled before it starts. */
  readonly awaited: readonly number[];
  /** Nobody waits for it. */
  readonly isLast: readonly boolean[];
  readonly order: readonly number[];
}

/** Throws when the steps need each other in a circle. Needs that name no step are ignored. */
export const networkOf = (steps: readonly Pick<PlanStep, 'key' | 'needs' | 'join'>[]): Network => {
  const place = new Map(steps.map((step, index) => [step.key, index]));
  const next: number[][] = steps.map(() => []);
  const awaited: number[] = [];
  const open: number[] = [];
  const ready: number[] = [];
  steps.forEach((step, index) => {
    const needs = [...new Set(step.needs)].flatMap((need) => place.get(need) ?? []);
    for (const need of needs) next[need]?.push(index);
    awaited.push(Math.min(needs.length, Math.max(1, step.join?.quorum ?? needs.length)));
    open.push(needs.length);
    if (needs.length === 0) ready.push(index);
  });
  for (let at = 0; at < ready.length; at += 1)
    for (const later of next[ready[at] ?? 0] ?? []) {
      open[later] = (open[later] ?? 0) - 1;
      if (open[later] === 0) ready.push(later);
    }
  if (ready.length < steps.length) throw new Error('The steps need each other in a circle.');
  return { count: steps.length, next, awaited, isLast: next.map((some) => some.length === 0), order: ready };
};

/** The longest way from each step's start to the end, ms. */
export const pathsToEnd = ({ next, order, count }: Network, durations: readonly number[]): readonly number[] => {
  const longest = Array.from({ length: count }, () => 0);
  for (const index of order.toReversed()) {
    let after = 0;
    for (const later of next[index] ?? []) after = Math.max(after, longest[later] ?? 0);
    longest[index] = after + (durations[index] ?? 0);
  }
  return longest;
};

/** Each step's place when those with the highest rank go first; of the same rank, those that come first in the plan. */
export const placesOf = (ranks: readonly number[]): Int32Array => {
  const order = Array.from(ranks, (_, index) => index).sort((a, b) => {
    const [first = 0, second = 0] = [ranks[a], ranks[b]];
    return first === second ? a - b : second > first ? 1 : -1;
  });
  const places = new Int32Array(ranks.length);
  order.forEach((index, place) => {
    places[index] = place;
  });
  return places;
};

/**
 * How long the steps take when `slots` of them can be under way at once and those with the first places (`placesOf`) go
 * first, ms. As in any such schedule, a step more can in rare cases end sooner, because others change their order.
 */
export const makespan = (
  { next, isLast, awaited }: Network,
  durations: ArrayLike<number>,
  places: ArrayLike<number>,
  slots: number,
): number => {
  const left = Int32Array.from(awaited);
  const ready = new FlatQueue<number>();
  const running = new FlatQueue<number>();
  for (let index = 0; index < left.length; index += 1) if (left[index] === 0) ready.push(index, places[index] ?? 0);
  const free = Math.max(1, Math.floor(slots));
  let now = 0;
  let end = 0;
  while (ready.length > 0 || running.length > 0) {
    while (ready.length > 0 && running.length < free) {
      const index = ready.pop() ?? 0;
      running.push(index, now + (durations[index] ?? 0));
    }
    now = running.peekValue() ?? now;
    // All that end in this moment make room together.
    do {
      const done = running.pop() ?? 0;
      if (isLast[done]) end = now;
      for (const later of next[done] ?? []) {
        left[later] = (left[later] ?? 0) - 1;
        if (left[later] === 0) ready.push(later, places[later] ?? 0);
      }
    } while (running.peekValue() === now);
  }
  return end;
};
