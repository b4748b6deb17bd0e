import { says } from '../conditions.ts';
import type { ProcessorInput, ProcessorOptions } from './processor.ts';

const ANSWER = /^[\s>*_#-]*(?:final\s+)?(?:answer|vote|verdict|decision)[\s*_]*[:=][\s*_]*(\S.*?)[\s*_]*$/gimu;

/** What stands after the last "Answer:" in a report; null when there is none. */
export const answerLine = (report: string): string | null => [...report.matchAll(ANSWER)].at(-1)?.[1] ?? null;

/** So that answers that mean the same are the same: case, white space, quotes and marks around it do not count. */
export const normalised = (answer: string): string =>
  answer
    .normalize('NFKC')
    .toLowerCase()
    .replace(/\s+/g, ' ')
    .replace(/^[\p{P}\p{S}\s]+|[\p{P}\p{S}\s]+$/gu, '');

/** Longer texts are no answer that two would give alike. */
const ANSWER_CHARS = 200;

/** An answer as it was given; null where none can be told. */
export const answerOf = (report: string, choices: readonly string[] | null): string | null => {
  const line = answerLine(report);
  if (choices) {
    const named = (text: string): readonly string[] => choices.filter((choice) => says(text, choice));
    const found = line === null ? named(report) : named(line);
    return found.length === 1 ? (found[0] ?? null) : null;
  }
  const text = (line ?? report).trim();
  return text.length <= ANSWER_CHARS && !text.includes('\n') && normalised(text) !== '' ? text : null;
};

/** Weights by key, or in the order of the inputs; 1 where nothing is said. A text says what is wrong with them. */
export const weighting = (
  inputs: readonly ProcessorInput[],
  options: ProcessorOptions,
): ((input: ProcessorInput) => number) | string => {
  const given = options['weights'];
  if (given === undefined) return () => 1;
  if (typeof given !== 'object' || given === null)
    return 'The option "weights" must hold numbers by key, or a list of them.';
  const weights = new Map<string, unknown>(
    Array.isArray(given) ? inputs.map((input, index) => [input.key, given[index] ?? 1]) : Object.entries(given),
  );
  const wrong = [...weights].find(([, weight]) => typeof weight !== 'number' || !Number.isFinite(weight) || weight < 0);
  if (wrong) return `The weight of ${wrong[0]} is not a number that is zero or more.`;
  return (input) => (weights.get(input.key) as number | undefined) ?? 1;
};

/** Without the noise of binary fractions. */
export const rounded = (number: number): string => String(Number(number.toPrecision(12)));
