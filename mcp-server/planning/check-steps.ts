import type { PlanFault } from '../domain/plan.ts';
import { oneLine } from '../domain/text.ts';
import { settleClaims } from './claims.ts';
import { inOrder, joinedWishes, type PlannedStep } from './steps.ts';
import { taskParts } from './task-parts.ts';
import { contentWords, isName, likeness, without } from './words.ts';

/** What became of steps that were looked at. */
export interface CheckedSteps {
  readonly steps: readonly PlannedStep[];
  /** What was put right without asking. */
  readonly repaired: readonly PlanFault[];
  /** What the planner should mend once; the steps can be carried out all the same. */
  readonly doubts: readonly PlanFault[];
  /** What forbids carrying the steps out. */
  readonly faults: readonly PlanFault[];
}

const ALIKE = 0.8;
const ALIKE_BY_TITLE = 0.6;
const LEAST_WORDS = 2;
const MOST_TASK_CHARS = 3500;
const MOST_TOPS = 4;
/** A planner that is told of more mends none. */
const MOST_DOUBTS = 12;
/** More steps are not compared each with each. */
const MOST_COMPARED = 1500;

interface Known {
  readonly step: PlannedStep;
  readonly words: ReadonlySet<string>;
  readonly titleWords: ReadonlySet<string>;
}

/** Steps by rule begin with the whole task; what is their own comes behind it. */
const ownPart = (task: string): string => {
  const mark = task.lastIndexOf('Your part: ');
  return mark < 0 ? task : task.slice(mark);
};

const know = (step: PlannedStep): Known => ({
  step,
  words: contentWords(ownPart(step.task)),
  titleWords: contentWords(step.title),
});

const apartByFiles = (a: PlannedStep, b: PlannedStep): boolean =>
  Boolean(a.files?.length && b.files?.length) && !a.files?.some((file) => b.files?.includes(file));

/** What a step says of how it is carried out beyond its task: such steps are left as they are. */
const isBound = (step: PlannedStep): boolean =>
  step.work?.kind === 'compute' || step.when !== undefined || step.join !== undefined || step.saga !== undefined;

/**
 * Two steps that ask for the same in other words. They are not when they differ in a name, path or number, when each has
 * words that the other lacks (unless their titles agree), or when they would change different files.
 */
const isNearDuplicate = (a: Known, b: Known): boolean => {
  if (a.step.role !== b.step.role || isBound(a.step) || isBound(b.step) || apartByFiles(a.step, b.step)) return false;
  const alike = likeness(a.words, b.words);
  if (alike < ALIKE_BY_TITLE) return false;
  const [mine, theirs] = [without(a.words, b.words), without(b.words, a.words)];
  if ([...mine, ...theirs].some(isName)) return false;
  if (mine.length === 0 || theirs.length === 0) return alike >= ALIKE;
  return a.titleWords.size > 0 && likeness(a.titleWords, b.titleWords) === 1;
};

const merged = (kept: PlannedStep, gone: PlannedStep): PlannedStep => {
  const same = plain(kept.task) === plain(gone.task) || plain(kept.task).includes(plain(gone.task));
  const needs = [...new Set([...kept.needs, ...gone.needs])].filter((need) => need !== kept.key && need !== gone.key);
  const { key, title, role } = kept;
  const task = same ? kept.task : `${kept.task}\n\nIn other words: ${gone.task}`;
  return { key, title, task, role, needs, ...joinedWishes([kept, gone]) };
};

const plain = (text: string): string => text.toLowerCase().replace(/\s+/g, ' ').trim();

const renamed = (steps: readonly PlannedStep[], from: string, to: string): readonly PlannedStep[] =>
  steps.map((step) =>
    step.needs.includes(from)
      ? {
          ...step,
          needs: [...new Set(step.needs.map((need) => (need === from ? to : need)))].filter((n) => n !== step.key),
        }
      : step,
  );

/** Null when the two cannot be one without a circle. */
const mergePair = (
  steps: readonly PlannedStep[],
  kept: PlannedStep,
  gone: PlannedStep,
): readonly PlannedStep[] | null => {
  const one = merged(kept, gone);
  const rest = steps.filter((step) => step.key !== gone.key).map((step) => (step.key === kept.key ? one : step));
  const joined = renamed(rest, gone.key, kept.key);
  return inOrder(joined) ? joined : null;
};

const mergeDuplicates = (steps: readonly PlannedStep[], repaired: PlanFault[]): readonly PlannedStep[] => {
  let current = steps;
  const known = steps.slice(0, MOST_COMPARED).map(know);
  const gone = new Set<string>();
  for (const [index, a] of known.entries()) {
    if (gone.has(a.step.key)) continue;
    for (let later = index + 1; later < known.length; later += 1) {
      const b = known[later];
      if (!b || gone.has(b.step.key) || !isNearDuplicate(a, b)) continue;
      const now = new Map(current.map((step) => [step.key, step]));
      const [kept, other] = [now.get(a.step.key), now.get(b.step.key)];
      const joined = kept && other ? mergePair(current, kept, other) : null;
      if (!joined) continue;
      current = joined;
      gone.add(b.step.key);
      repaired.push({ step: b.step.key, message: `Asks for the same as ${a.step.key}; the two became one.` });
    }
  }
  return current;
};

/** Parts of the task that no step speaks of. A list of folders is no demand, so a survey is not looked at. */
const uncovered = (steps: readonly PlannedStep[], task: string, files: readonly string[]): readonly PlanFault[] => {
  const { by, parts } = taskParts(task, files);
  if (by === 'folders' || parts.length < 2) return [];
  const each = steps.map((step) => contentWords(`${step.title} ${step.task} ${(step.files ?? []).join(' ')}`));
  const all = new Set(each.flatMap((words) => [...words]));
  return parts.flatMap(({ title, text }) => {
    const words = [...contentWords(by === 'components' ? title : text)];
    if (words.length === 0) return [];
    const share = (said: ReadonlySet<string>): number =>
      words.filter((word) => isSaid(word, said)).length / words.length;
    const isCovered = each.some((said) => share(said) >= 0.5) || share(all) >= 0.75;
    return isCovered ? [] : [{ step: null, message: `No step covers this part of the task: ${oneLine(text, 120)}` }];
  });
};

/** A path is spoken of by its last part as well. */
const isSaid = (word: string, said: ReadonlySet<string>): boolean =>
  said.has(word) || (word.includes('/') && said.has(word.slice(word.lastIndexOf('/') + 1)));

const sizeDoubts = (step: PlannedStep, alone: boolean): readonly PlanFault[] => {
  const words = step.task.split(/\s+/).filter(Boolean).length;
  const tops = new Set((step.files ?? []).map((file) => file.split('/', 1)[0]));
  const doubt = (message: string): PlanFault => ({ step: step.key, message });
  return [
    ...(!alone && words < LEAST_WORDS
      ? [doubt(`Its task is only "${oneLine(step.task, 40)}": say where, what to do, and what the result is.`)]
      : []),
    ...(step.task.length > MOST_TASK_CHARS ? [doubt('Its task is very long: split it into several steps.')] : []),
    ...(tops.size > MOST_TOPS
      ? [doubt(`It changes files in ${tops.size} top-level folders: split it into several steps.`)]
      : []),
  ];
};

/**
 * Looks at planned steps: those that ask for the same become one, those that would change the same file at the same time
 * come after one another, and what the task asks for but no step does, or is too small or too big, is named. No text of a
 * task is lost. Order and keys stay otherwise.
 */
export const checkSteps = (
  steps: readonly PlannedStep[],
  context: { readonly task: string; readonly files: readonly string[] },
): CheckedSteps => {
  const fail = (message: string): CheckedSteps => ({
    steps,
    repaired: [],
    doubts: [],
    faults: [{ step: null, message }],
  });
  if (steps.length === 0) return fail('The plan has no steps.');
  if (!inOrder(steps)) return fail('Steps need each other in a circle.');
  const repaired: PlanFault[] = [];
  const distinct = mergeDuplicates(steps, repaired);
  const claims = settleClaims(distinct, context.files);
  const faults = claims.steps
    .filter((step) => step.task.trim() === '')
    .map((step) => ({ step: step.key, message: 'It has no task.' }));
  const doubts = [
    ...uncovered(claims.steps, context.task, context.files),
    ...claims.steps.flatMap((step) => sizeDoubts(step, claims.steps.length === 1)),
    ...claims.doubts,
  ];
  return {
    steps: claims.steps,
    repaired: [...repaired, ...claims.repaired],
    doubts: doubts.slice(0, MOST_DOUBTS),
    faults,
  };
};
