import { says } from '../conditions.ts';
import { type BuiltIn, done, failed, good, missing, nameOf, names, paragraphs } from './processor.ts';

/** Every report under its title. Option `headings: false`: without the titles. */
export const concat: BuiltIn = (inputs, options) => {
  const there = good(inputs);
  if (there.length === 0) return failed('There is no result to lay together.');
  const texts = there.map((input) =>
    options['headings'] === false ? input.report.trim() : `## ${nameOf(input)}\n\n${input.report.trim()}`,
  );
  return done(
    paragraphs(
      ...texts,
      missing(
        inputs.filter(({ ok }) => !ok),
        'Missing, because they failed',
      ),
    ),
  );
};

/** The first result that is there. */
export const first: BuiltIn = (inputs) => {
  const [input] = good(inputs);
  return input ? done(input.report) : failed('None of the steps before has a result.');
};

/** How many are done; with the option `says`, how many of those say it. The number comes first. */
export const count: BuiltIn = (inputs, options) => {
  const words = options['says'];
  if (words === undefined) return done(`${good(inputs).length} of ${inputs.length} are done.`);
  if (typeof words !== 'string' || words.trim() === '') return failed('The option "says" of count must be a text.');
  const saying = good(inputs).filter(({ report }) => says(report, words));
  const who = saying.length === 0 ? '' : `: ${names(saying)}`;
  return done(`${saying.length} of ${inputs.length} say "${words}"${who}.`);
};
