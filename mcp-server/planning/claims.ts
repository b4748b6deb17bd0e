import type { PlanFault } from '../domain/plan.ts';
import { oneLine } from '../domain/text.ts';
import { inOrder, type PlannedStep } from './steps.ts';

/** Whether one path is, or lies in, the other. Folders end with a slash; `./` is the whole repository. */
export const overlaps = (a: string, b: string): boolean => a === b || holds(a, b) || holds(b, a);

const holds = (folder: string, path: string): boolean =>
  folder === './' || (folder.endsWith('/') ? path.startsWith(folder) : path.startsWith(`${folder}/`));

/** A claim of so many files of the repository is too broad to make others wait for it. */
const BROAD_FILES = 50;
/** So many steps are put one after another for a path; more are a fault of the plan. */
const MOST_IN_ROW = 3;
/** Pairs that are looked at; a plan with more of them has thousands of steps. */
const MOST_PAIRS = 250_000;

interface Clash {
  readonly first: string;
  readonly second: string;
  readonly path: string;
}

/** Does a step come after another, directly or over others? Walks up the needs; remembers nothing, since edges are added. */
const comesAfter = (needsOf: ReadonlyMap<string, readonly string[]>, later: string, earlier: string): boolean => {
  const seen = new Set<string>();
  const open = [later];
  for (let key = open.pop(); key !== undefined; key = open.pop()) {
    for (const need of needsOf.get(key) ?? []) {
      if (need === earlier) return true;
      if (!seen.has(need)) {
        seen.add(need);
        open.push(need);
      }
    }
  }
  return false;
};

/** The path that two steps would both change, the more exact one; null where there is none. */
const sharedPath = (a: PlannedStep, b: PlannedStep): string | null => {
  for (const mine of a.files ?? [])
    for (const theirs of b.files ?? []) if (overlaps(mine, theirs)) return mine.length >= theirs.length ? mine : theirs;
  return null;
};

const clashesIn = (order: readonly PlannedStep[]): readonly Clash[] => {
  const writers = order.filter((step) => (step.files?.length ?? 0) > 0);
  const clashes: Clash[] = [];
  let pairs = 0;
  for (const [index, first] of writers.entries())
    for (const second of writers.slice(index + 1)) {
      if ((pairs += 1) > MOST_PAIRS) return clashes;
      const path = sharedPath(first, second);
      if (path !== null) clashes.push({ first: first.key, second: second.key, path });
    }
  return clashes;
};

const isBroad = (path: string, files: readonly string[]): boolean => {
  if (path === './') return true;
  if (!path.endsWith('/')) return false;
  let count = 0;
  for (const file of files) if (file.startsWith(path) && (count += 1) > BROAD_FILES) return true;
  return false;
};

export interface SettledClaims {
  readonly steps: readonly PlannedStep[];
  /** Steps that now wait for another. */
  readonly repaired: readonly PlanFault[];
  /** Claims that only whoever planned can settle. */
  readonly doubts: readonly PlanFault[];
}

/**
 * Steps that would change the same path at the same time come after one another: the later one gets a need. Where a claim
 * is too broad for that (a large folder, or a path that more than three steps claim), it is a doubt instead. Throws on a
 * cycle.
 */
export const settleClaims = (steps: readonly PlannedStep[], files: readonly string[]): SettledClaims => {
  const order = inOrder(steps);
  if (!order) throw new Error('The steps need each other in a circle.');
  const needsOf = new Map(steps.map((step) => [step.key, step.needs]));
  const repaired: PlanFault[] = [];
  const doubts: PlanFault[] = [];
  for (const [path, clashes] of Map.groupBy(clashesIn(order), (clash) => clash.path)) {
    const apart = clashes.filter(
      ({ first, second }) => !comesAfter(needsOf, second, first) && !comesAfter(needsOf, first, second),
    );
    const [example] = apart;
    if (!example) continue;
    const claimants = new Set(apart.flatMap(({ first, second }) => [first, second]));
    if (claimants.size > MOST_IN_ROW || isBroad(path, files)) {
      doubts.push(tooBroad(path, [...claimants], example));
      continue;
    }
    for (const { first, second } of apart) {
      if (comesAfter(needsOf, second, first)) continue;
      needsOf.set(second, [...(needsOf.get(second) ?? []), first]);
      repaired.push({ step: second, message: `Changes ${oneLine(path, 60)}, as ${first} does; waits for it now.` });
    }
  }
  return { steps: steps.map((step) => ({ ...step, needs: needsOf.get(step.key) ?? step.needs })), repaired, doubts };
};

const tooBroad = (path: string, claimants: readonly string[], { second }: Clash): PlanFault => ({
  step: second,
  message: `${oneLine(claimants.join(', '), 120)} would all change ${oneLine(path, 60)} at the same time: name the single files, or let one of them do it and the others need it.`,
});
