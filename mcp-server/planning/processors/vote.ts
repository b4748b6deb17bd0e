import { answerOf, normalised, rounded, weighting } from './answers.ts';
import { absentees, type BuiltIn, done, failed, good, names, type ProcessorInput, paragraphs } from './processor.ts';

const TIES = ['first', 'fail'] as const;

interface Votes {
  readonly answer: string;
  readonly by: ProcessorInput[];
  weight: number;
}

const counted = (
  inputs: readonly ProcessorInput[],
  choices: readonly string[] | null,
  weightOf: (input: ProcessorInput) => number,
): { readonly votes: readonly Votes[]; readonly unread: readonly ProcessorInput[] } => {
  const byAnswer = new Map<string, Votes>();
  const unread: ProcessorInput[] = [];
  for (const input of inputs) {
    const answer = answerOf(input.report, choices);
    if (answer === null) {
      unread.push(input);
      continue;
    }
    const votes = byAnswer.get(normalised(answer)) ?? { answer, by: [], weight: 0 };
    votes.by.push(input);
    votes.weight += weightOf(input);
    byAnswer.set(normalised(answer), votes);
  }
  return { votes: [...byAnswer.values()].sort((a, b) => b.weight - a.weight), unread };
};

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === 'string' && each.trim() !== '');

/**
 * The answer that most give: what stands after the last "Answer:" of a report, else a report of one short line. Options:
 * `choices` (the only answers that count), `weights`, `tie` (`first`: of the best, the one that was given first, the
 * usual; `fail`). A tie is told.
 */
export const vote: BuiltIn = (inputs, options) => {
  const choices = options['choices'];
  const tie = options['tie'] ?? 'first';
  if (choices !== undefined && !isTexts(choices))
    return failed('The option "choices" of vote must be a list of texts.');
  if (!TIES.some((known) => known === tie))
    return failed(`The option "tie" of vote must be one of: ${TIES.join(', ')}.`);
  const weightOf = weighting(inputs, options);
  if (typeof weightOf === 'string') return failed(weightOf);
  const { votes, unread } = counted(good(inputs), choices ?? null, weightOf);
  const [best] = votes;
  const absent = absentees(inputs, unread, 'answer');
  if (!best || best.weight <= 0) return failed(paragraphs('There is no vote.', ...absent));
  const tied = votes.filter(({ weight }) => weight === best.weight);
  if (tied.length > 1 && tie === 'fail')
    return failed(paragraphs(`A tie: ${tied.map(({ answer }) => answer).join(' | ')}.`, ...absent));
  return done(paragraphs(`Answer: ${best.answer}`, tally(votes, tied), ...absent));
};

const tally = (votes: readonly Votes[], tied: readonly Votes[]): string => {
  const sum = votes.reduce((total, { weight }) => total + weight, 0);
  const [best] = votes;
  const lines = votes.map(({ answer, weight, by }) => `- ${answer}: ${rounded(weight)} (${names(by)})`);
  const how =
    tied.length > 1
      ? 'It is a tie; of the answers with most votes, the one that was given first counts.'
      : (best?.weight ?? 0) * 2 > sum
        ? 'More than half of the votes.'
        : 'Most votes, but not more than half.';
  return [how, ...lines].join('\n');
};
