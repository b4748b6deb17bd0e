/** Words that say nothing of what a text is about. */
const EMPTY = new Set(
  `a an the and or of to in on at for from with without by as is are be been it its this that these those into over under
  all any each every some no not only also then than so if when where which who what how do does done make makes made
  your you our we they their there here new use uses using used one two please must should may can will about after
  before between out up add adds write writes create creates update updates change changes part parts step steps task
  file files code module modules component components function functions`.split(/\s+/),
);

const WORD = /[\p{L}\p{N}_$@][\p{L}\p{N}_$@./-]*/gu;
const MOST_WORDS = 2000;

/** Close enough to one form of a word: plural and the commonest endings fall away. */
const stem = (word: string): string =>
  word.length < 5 || /[\d./_-]/.test(word)
    ? word
    : word.replace(/(?:ing|ies|ied|es|ed|s)$/, '').replace(/(.)\1$/, '$1');

/** What a text is about: its words in one form each, without those that every text has. Paths stay whole. */
export const contentWords = (text: string): ReadonlySet<string> => {
  const words = new Set<string>();
  let count = 0;
  for (const [found] of text.matchAll(WORD)) {
    if ((count += 1) > MOST_WORDS) break;
    const word = found
      .replace(/^\.\//, '')
      .replace(/[./-]+$/, '')
      .toLowerCase();
    if (word !== '' && !EMPTY.has(word)) words.add(stem(word));
  }
  return words;
};

/** Words of `a` that `b` has not. */
export const without = (a: ReadonlySet<string>, b: ReadonlySet<string>): readonly string[] =>
  [...a].filter((word) => !b.has(word));

/** How much two texts are about the same: shared words over all words, 0 to 1. Two texts about nothing are not alike. */
export const likeness = (a: ReadonlySet<string>, b: ReadonlySet<string>): number => {
  const [few, many] = a.size <= b.size ? [a, b] : [b, a];
  let shared = 0;
  for (const word of few) if (many.has(word)) shared += 1;
  const all = a.size + b.size - shared;
  return all === 0 ? 0 : shared / all;
};

/** A word that names one thing among others of its kind: a path, a number, an identifier. */
export const isName = (word: string): boolean => /[\d./_$@]/.test(word);
