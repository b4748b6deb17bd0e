import type { Condition } from '../domain/plan.ts';

/** How a step ended, as far as a condition asks. */
export interface StepResult {
  /** A step's state; of those that are not settled, nothing holds. */
  readonly state: string;
  readonly report: string | null;
}

/** Of a step that is not there, or that is not settled yet, no `is`, `says`, `above`, `below` holds; `not` turns it around. */
export const holds = (condition: Condition, results: ReadonlyMap<string, StepResult>): boolean => {
  if ('not' in condition) return !holds(condition.not, results);
  if ('all' in condition) return condition.all.every((each) => holds(each, results));
  if ('any' in condition) return condition.any.some((each) => holds(each, results));
  const result = results.get(condition.step);
  if (!result || !SETTLED.has(result.state)) return false;
  if ('is' in condition) return STATES[condition.is].includes(result.state);
  const report = result.report ?? '';
  if ('says' in condition) return says(report, condition.says);
  const number = firstNumber(report);
  if (number === null) return false;
  return 'above' in condition ? number > condition.above : number < condition.below;
};

/** A step that could not start because one before it failed has failed as well. */
const STATES = { done: ['done'], failed: ['failed', 'skipped'], omitted: ['omitted'] } as const satisfies Record<
  string,
  readonly string[]
> as Readonly<Record<'done' | 'failed' | 'omitted', readonly string[]>>;
const SETTLED: ReadonlySet<string> = new Set(Object.values(STATES).flat());

const flat = (text: string): string => text.normalize('NFKC').toLowerCase().replace(/\s+/g, ' ').trim();
const isLetter = (char: string | undefined): boolean => char !== undefined && /[\p{L}\p{N}_]/u.test(char);

/** Whole words, whatever their case and the white space between them: "no" is not found in "nothing". */
export const says = (report: string, words: string): boolean => {
  const [text, wanted] = [flat(report), flat(words)];
  if (wanted === '') return false;
  const bounded = { start: isLetter(wanted[0]), end: isLetter(wanted.at(-1)) };
  for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + 1)) {
    const before = bounded.start && isLetter(text[at - 1]);
    const after = bounded.end && isLetter(text[at + wanted.length]);
    if (!before && !after) return true;
  }
  return false;
};

const NUMBER = /(?<![\p{L}\p{N}_.])[-−+]?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:e[-+]?\d+)?/iu;

/** The first number in a text; null when there is none. `1,234.5` and `85 %` are read; digits inside a word are not. */
export const firstNumber = (text: string): number | null => {
  const found = NUMBER.exec(text)?.[0];
  if (found === undefined) return null;
  const number = Number(found.replaceAll(',', '').replace('−', '-'));
  return Number.isFinite(number) ? number : null;
};

/** Keys of the steps that it asks about, each once. */
export const stepsAsked = (condition: Condition): readonly string[] => {
  if ('not' in condition) return stepsAsked(condition.not);
  const inner = 'all' in condition ? condition.all : 'any' in condition ? condition.any : null;
  return inner ? [...new Set(inner.flatMap(stepsAsked))] : 'step' in condition ? [condition.step] : [];
};

/** Keys of the steps whose failure it asks about. */
export const failuresAsked = (condition: Condition): readonly string[] => {
  if ('not' in condition) return failuresAsked(condition.not);
  const inner = 'all' in condition ? condition.all : 'any' in condition ? condition.any : null;
  if (inner) return [...new Set(inner.flatMap(failuresAsked))];
  return 'is' in condition && condition.is === 'failed' ? [condition.step] : [];
};

/**
 * The condition under other names. Where one step has become several, `done` and `omitted` ask for all of them, anything
 * else for one of them.
 */
export const renamedCondition = (condition: Condition, keysOf: (key: string) => readonly string[]): Condition => {
  if ('not' in condition) return { not: renamedCondition(condition.not, keysOf) };
  if ('all' in condition) return { all: condition.all.map((each) => renamedCondition(each, keysOf)) };
  if ('any' in condition) return { any: condition.any.map((each) => renamedCondition(each, keysOf)) };
  const each = keysOf(condition.step).map((step) => ({ ...condition, step }));
  const [only, second] = each;
  if (only && !second) return only;
  return 'is' in condition && condition.is !== 'failed' ? { all: each } : { any: each };
};

/** For a person, and for an agent that must judge it itself: `review says "approved"`. */
export const inWords = (condition: Condition, nameOf: (key: string) => string = (key) => key): string => {
  if ('not' in condition) return `not (${inWords(condition.not, nameOf)})`;
  if ('all' in condition) return condition.all.map((each) => `(${inWords(each, nameOf)})`).join(' and ');
  if ('any' in condition) return condition.any.map((each) => `(${inWords(each, nameOf)})`).join(' or ');
  const name = nameOf(condition.step);
  if ('is' in condition) return `${name} is ${condition.is}`;
  if ('says' in condition) return `${name} says "${condition.says}"`;
  return 'above' in condition
    ? `${name} gives a number above ${condition.above}`
    : `${name} gives a number below ${condition.below}`;
};
