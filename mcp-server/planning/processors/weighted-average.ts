import { counted } from '../../domain/text.ts';
import { firstNumber } from '../conditions.ts';
import { findJson } from '../find-json.ts';
import { answerLine, rounded, weighting } from './answers.ts';
import { absentees, type BuiltIn, done, failed, good, isRecord, nameOf, paragraphs } from './processor.ts';

interface Reading {
  readonly value: number;
  readonly weight: number | null;
}

/** `{"value": 3, "weight": 2}` in a report; else the number after "Answer:"; else the first number. */
const readingOf = (report: string): Reading | null => {
  for (const json of findJson(report).toReversed()) {
    const { value, weight } = isRecord(json) ? json : {};
    if (typeof value !== 'number' || !Number.isFinite(value)) continue;
    return { value, weight: typeof weight === 'number' && weight >= 0 && Number.isFinite(weight) ? weight : null };
  }
  const value = firstNumber(answerLine(report) ?? '') ?? firstNumber(report);
  return value === null ? null : { value, weight: null };
};

/** The mean of the numbers in the reports. Option `weights`; where it is silent, a weight in the report itself counts, else 1. */
export const weightedAverage: BuiltIn = (inputs, options) => {
  const weightOf = weighting(inputs, options);
  if (typeof weightOf === 'string') return failed(weightOf);
  const readings = good(inputs).map((input) => ({ input, reading: readingOf(input.report) }));
  const read = readings.flatMap(({ input, reading }) =>
    reading
      ? [
          {
            input,
            value: reading.value,
            weight: options['weights'] === undefined ? (reading.weight ?? 1) : weightOf(input),
          },
        ]
      : [],
  );
  const unread = readings.filter(({ reading }) => !reading).map(({ input }) => input);
  const absent = absentees(inputs, unread, 'number');
  const sum = read.reduce((total, { weight }) => total + weight, 0);
  if (sum <= 0) return failed(paragraphs('There is no number with a weight above zero.', ...absent));
  const mean = read.reduce((total, { value, weight }) => total + value * (weight / sum), 0);
  const lines = read.map(({ input, value, weight }) => `- ${nameOf(input)}: ${rounded(value)} × ${rounded(weight)}`);
  return done(
    paragraphs(`Answer: ${rounded(mean)}`, [`Of ${counted(read.length, 'number')}.`, ...lines].join('\n'), ...absent),
  );
};
