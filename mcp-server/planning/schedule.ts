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

/** A queue that hands out the smallest first. */
const smallestFirst = (before: (a: number, b: number) => boolean) => {
  const heap: number[] = [];
  const at = (index: number): number => heap[index] ?? 0;
  const swap = (a: number, b: number): void => {
    [heap[a], heap[b]] = [at(b), at(a)];
  };
  return {
    size: (): number => heap.length,
    push: (value: number): void => {
      heap.push(value);
      for (let index = heap.length - 1; index > 0; ) {
        const parent = (index - 1) >> 1;
        if (!before(at(index), at(parent))) break;
        swap(index, parent);
        index = parent;
      }
    },
    pop: (): number => {
      const top = at(0);
      const last = heap.pop() ?? 0;
      if (heap.length > 0) heap[0] = last;
      for (let index = 0; ; ) {
        const [left, right] = [2 * index + 1, 2 * index + 2];
        let least = index;
        if (left < heap.length && before(at(left), at(least))) least = left;
        if (right < heap.length && before(at(right), at(least))) least = right;
        if (least === index) return top;
        swap(index, least);
        index = least;
      }
    },
  };
};

/**
 * How long the steps take when `slots` of them can be under way at once and whoever has the longest way to the end goes
 * first, ms. As in any such schedule, a step more can in rare cases end sooner, because others change their order.
 */
export const makespan = (
  network: Network,
  durations: readonly number[],
  ranks: readonly number[],
  slots: number,
): number => {
  const { next, isLast, count } = network;
  const left = [...network.awaited];
  const ends = new Float64Array(count);
  const started = new Uint8Array(count);
  const ready = smallestFirst((a, b) => (ranks[a] ?? 0) > (ranks[b] ?? 0) || (ranks[a] === ranks[b] && a < b));
  const running = smallestFirst((a, b) => (ends[a] ?? 0) < (ends[b] ?? 0) || (ends[a] === ends[b] && a < b));
  const start = (index: number): void => {
    if (started[index]) return;
    started[index] = 1;
    ready.push(index);
  };
  left.forEach((waits, index) => {
    if (waits === 0) start(index);
  });
  let now = 0;
  let end = 0;
  const free = Math.max(1, Math.floor(slots));
  while (ready.size() > 0 || running.size() > 0) {
    while (ready.size() > 0 && running.size() < free) {
      const index = ready.pop();
      ends[index] = now + (durations[index] ?? 0);
      running.push(index);
    }
    const done = running.pop();
    now = ends[done] ?? now;
    if (isLast[done]) end = Math.max(end, now);
    for (const later of next[done] ?? []) {
      left[later] = (left[later] ?? 0) - 1;
      if (left[later] === 0) start(later);
    }
  }
  return end;
};
