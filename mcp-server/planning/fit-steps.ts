import { counted } from '../domain/text.ts';
import { isWhole, splitStep, splitsInto } from './split-step.ts';
import { inOrder, joinNeighbours, type PlannedStep } from './steps.ts';

export interface FittedSteps {
  readonly steps: readonly PlannedStep[];
  /** What was done, and why it is not the wished number where it is not; sentences for a person. */
  readonly notes: readonly string[];
}

/** How much work a step seems to be; only good to compare steps of one plan. */
const sizeOf = (step: PlannedStep): number =>
  (step.parts ?? 1) * (1 + Math.min(step.files?.length ?? 1, 12) / 4 + Math.min(step.task.length, 2000) / 1000);

/** Steps that do not belong together cost more to join. */
const strangeness = (a: PlannedStep, b: PlannedStep): number => {
  const near = b.needs.includes(a.key) || topOf(a) === topOf(b) ? 1 : 1.2;
  return near * (a.role === b.role ? 1 : 1.5);
};

const topOf = (step: PlannedStep): string | undefined => step.files?.[0]?.split('/', 1)[0];

interface Group {
  readonly steps: readonly PlannedStep[];
  readonly size: number;
  /** Null: it must stay as it is. Groups of one home can be joined. */
  readonly home: string | null;
}

const groupOf = (step: PlannedStep): Group => ({
  steps: [step],
  size: sizeOf(step),
  home: isWhole(step) ? null : JSON.stringify([step.server, step.model]),
});

const canJoin = (a: Group, b: Group): boolean => a.home !== null && a.home === b.home;

/** The smallest neighbours become one until there are few enough, or no two can. */
const joinSmallest = (steps: readonly PlannedStep[], most: number): readonly PlannedStep[] => {
  const order = inOrder(steps);
  if (!order) throw new Error('The steps need each other in a circle.');
  const groups: Group[] = order.map(groupOf);
  while (groups.length > most) {
    const at = cheapestPair(groups);
    const [a, b] = at < 0 ? [] : groups.slice(at, at + 2);
    if (!a || !b) break;
    groups.splice(at, 2, { ...a, steps: [...a.steps, ...b.steps], size: a.size + b.size });
  }
  return joinNeighbours(groups.map((group) => group.steps));
};

/** Index of the first of two neighbours that are cheapest to join; -1 when none can be. */
const cheapestPair = (groups: readonly Group[]): number => {
  let best = -1;
  let least = Number.POSITIVE_INFINITY;
  for (const [index, b] of groups.entries()) {
    const a = groups[index - 1];
    const [last, first] = [a?.steps.at(-1), b.steps[0]];
    if (!a || !last || !first || !canJoin(a, b)) continue;
    const cost = (a.size + b.size) * strangeness(last, first);
    if (cost < least) [best, least] = [index - 1, cost];
  }
  return best;
};

/** Whoever needed a step that was split needs all its pieces. */
const replaced = (
  steps: readonly PlannedStep[],
  step: PlannedStep,
  pieces: readonly PlannedStep[],
): readonly PlannedStep[] => {
  const keys = pieces.map((piece) => piece.key);
  return steps.flatMap((other) => {
    if (other.key === step.key) return pieces;
    if (!other.needs.includes(step.key)) return [other];
    return [{ ...other, needs: [...new Set(other.needs.flatMap((need) => (need === step.key ? keys : [need])))] }];
  });
};

/** The biggest step that can be split is, until there are enough steps or none can be. */
const splitBiggest = (
  steps: readonly PlannedStep[],
  least: number,
  files: readonly string[],
): readonly PlannedStep[] => {
  let current = steps;
  const taken = new Set(steps.map((step) => step.key));
  const given = new Map(steps.map((step) => [step.key, splitsInto(step, files)]));
  while (current.length < least) {
    const open = current.filter((step) => (given.get(step.key) ?? 1) > 1).sort((a, b) => sizeOf(b) - sizeOf(a));
    const [biggest] = open;
    if (!biggest) break;
    const missing = least - current.length;
    const share = sizeOf(biggest) / open.reduce((sum, step) => sum + sizeOf(step), 0);
    const wanted = 1 + Math.max(1, Math.ceil(missing * share));
    const pieces = splitStep(biggest, wanted, files, taken);
    given.delete(biggest.key);
    if (pieces.length < 2) continue;
    for (const piece of pieces) given.set(piece.key, splitsInto(piece, files));
    current = replaced(current, biggest, pieces);
  }
  return current;
};

/**
 * As many steps as workers are wished for, at most `maxSteps`: the smallest neighbours are joined, or the biggest steps
 * are split along their files and parts. No work is made up: where nothing more can be split, there are fewer, and a note
 * says so. Without a wish they are as many as the task is worth. No text of a task is lost. Throws when there are no steps,
 * or when they need each other in a circle.
 */
export const fitSteps = (
  steps: readonly PlannedStep[],
  wish: {
    readonly workers: number | null;
    readonly maxSteps: number;
    readonly files: readonly string[];
    /** What the task is worth; it counts where no number is wished for. Absent: anything. */
    readonly worth?: Worth | undefined;
  },
): FittedSteps => {
  if (steps.length === 0) throw new Error('A plan needs at least one step.');
  const most = Math.max(1, Math.floor(wish.maxSteps));
  if (wish.workers === null && wish.worth) return fitToWorth(steps, wish.worth, most, wish.files);
  const wished = wish.workers === null ? null : Math.max(1, Math.floor(wish.workers));
  const target = Math.min(most, wished ?? steps.length);
  if (steps.length > target) {
    const fewer = joinSmallest(steps, target);
    const why =
      wished !== null && wished <= most
        ? `you wished for ${counted(wished, 'worker')}`
        : `the run allows ${counted(most, 'step')}`;
    const what = `${counted(steps.length, 'step')} became ${fewer.length}: ${why}.`;
    return {
      steps: fewer,
      notes: fewer.length > target ? [what, 'The others cannot be joined: each has conditions of its own.'] : [what],
    };
  }
  if (steps.length === target) return { steps, notes: wished !== null && wished > most ? [tooMany(wished, most)] : [] };
  const more = splitBiggest(steps, target, wish.files);
  const notes = [
    ...(more.length > steps.length
      ? [`${counted(steps.length, 'step')} became ${more.length} along their files and parts.`]
      : []),
    ...(more.length < target
      ? [`You wished for ${counted(wished ?? target, 'worker')}, but the work could only be split into ${more.length}.`]
      : []),
    ...(wished !== null && wished > most ? [tooMany(wished, most)] : []),
  ];
  return { steps: more, notes };
};

/** Fewer steps than `least` are split where they have parts of their own; more than `most` are joined. */
export interface Worth {
  readonly least: number;
  readonly most: number;
  /** Why no more: `the task seems simple`. */
  readonly because: string;
}

const fitToWorth = (
  steps: readonly PlannedStep[],
  worth: Worth,
  allowed: number,
  files: readonly string[],
): FittedSteps => {
  const most = Math.max(1, Math.min(worth.most, allowed));
  if (steps.length > most) {
    const fewer = joinSmallest(steps, most);
    const why = allowed < worth.most ? `the run allows ${counted(allowed, 'step')}` : worth.because;
    return { steps: fewer, notes: [`${counted(steps.length, 'step')} became ${fewer.length}: ${why}.`] };
  }
  const more = splitBiggest(steps, Math.min(worth.least, most), files);
  if (more.length === steps.length) return { steps, notes: [] };
  return { steps: more, notes: [`${counted(steps.length, 'step')} became ${more.length} along their parts.`] };
};

const tooMany = (wished: number, most: number): string =>
  `You wished for ${counted(wished, 'worker')}; the run allows ${most}.`;
