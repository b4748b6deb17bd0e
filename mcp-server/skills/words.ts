/** Words that say nothing about which skill is meant. */
const STOP_WORDS: ReadonlySet<string> = new Set(
  `a about all also am an and any anything are as at be been but by can could did do does doing for from get give
  had has have help how i if in into is it its just let like make makes making me my need needs new no not of on one or our out over
  please show skill skills so some something than that the their them then there these they this to too up us use
  used user users uses using via want wants was we were what when where which while who why will with would you your`.split(
    /\s+/,
  ),
);

/** Words that people use for one another. Each line is a group; all in the form of the dictionary. */
const GROUPS = `
bug defect error crash fault failure issue problem broken fail exception wrong
fix repair solve resolve debug
docs documentation document readme manual guide docstring jsdoc
test spec unittest coverage tdd
refactor restructure cleanup clean simplify tidy rewrite
review critique inspect feedback
commit checkin
message msg
dependency package library module npm vulnerability outdated
audit scan check security
changelog changes history
release version publish ship announcement
notes summary
research study investigate literature
synthesis summarize summary combine merge digest
data csv dataset table spreadsheet statistics tsv
analysis analyze analyse statistics insight explore
repository repo codebase project
map overview structure architecture layout tour onboarding
write create generate add author
find search locate hunt trace
explain describe understand
speed performance fast slow optimize latency
delete remove drop erase
picture image photo screenshot
mail email
website web page site
database db sql
deploy deployment release
translate translation localize i18n
`;

const isVowel = (char: string | undefined): boolean => char !== undefined && 'aeiouy'.includes(char);

/** Leaves at least three letters, with a vowel among them. */
const cut = (word: string, ending: string): string | null => {
  if (!word.endsWith(ending)) return null;
  const rest = word.slice(0, -ending.length);
  return rest.length >= 3 && /[aeiouy]/.test(rest) ? rest : null;
};

const undouble = (word: string): string => {
  const last = word.at(-1);
  return last === word.at(-2) && !isVowel(last) && last !== 'l' && last !== 's' && last !== 'z'
    ? word.slice(0, -1)
    : word;
};

/** A light stem: plural, -ing, -ed, -er, -or and a silent e go; the same for a word and its forms, not always a word. */
export const stem = (word: string): string => {
  if (word.length <= 3 || !/^[a-z]+$/.test(word)) return word;
  let now = word;
  if (now.endsWith('ies') && now.length > 4) now = `${now.slice(0, -3)}y`;
  else if (/(?:ss|sh|ch|x|z)es$/.test(now)) now = now.slice(0, -2);
  else if (now.endsWith('s') && !/(?:ss|us|is)$/.test(now)) now = now.slice(0, -1);
  const verb = cut(now, 'ing') ?? cut(now, 'ed') ?? cut(now, 'er') ?? cut(now, 'or');
  if (verb !== null) now = undouble(verb);
  return now.length > 3 && now.endsWith('e') ? now.slice(0, -1) : now;
};

/** The same few thousand words come again and again. */
const known = new Map<string, string | null>();
const MOST_KNOWN = 20_000;

/** A word as the index keeps it; null: it says nothing. */
export const termOf = (word: string): string | null => {
  const remembered = known.get(word);
  if (remembered !== undefined) return remembered;
  if (known.size >= MOST_KNOWN) known.clear();
  const term = makeTerm(word);
  known.set(word, term);
  return term;
};

const makeTerm = (word: string): string | null => {
  const plain = word.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
  if (plain === '' || plain.length > 40 || STOP_WORDS.has(plain)) return null;
  return stem(plain);
};

const WORD = /[\p{L}\p{N}][\p{L}\p{N}\p{M}+#]*/gu;
/** Runs of signs that no blanks divide into words, and what stands between them. */
const PARTS =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\u30fc]+|[^\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\u30fc]+/gu;
const IS_UNSPACED = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u;

/**
 * Words of a text: letters and digits; a `+` or `#` inside counts (c++, c#). Of Chinese and Japanese each two signs that
 * stand side by side.
 */
export const wordsOf = (text: string): string[] =>
  (text.match(WORD) ?? []).flatMap((word) =>
    /^[\0-\x7f]*$/.test(word)
      ? word
      : (word.match(PARTS) ?? []).flatMap((part) => (IS_UNSPACED.test(part) ? pairsOf(part) : part)),
  );

const pairsOf = (text: string): string[] => {
  const signs = Array.from(text);
  return signs.length < 3 ? [text] : signs.slice(1).map((sign, at) => `${signs[at]}${sign}`);
};

/** Different terms of a text, in their order. */
export const termsOf = (text: string): readonly string[] => {
  const terms = new Set<string>();
  for (const word of wordsOf(text)) {
    const term = termOf(word);
    if (term !== null) terms.add(term);
  }
  return [...terms];
};

const SYNONYMS: ReadonlyMap<string, readonly string[]> = (() => {
  const found = new Map<string, Set<string>>();
  for (const group of GROUPS.trim().split('\n')) {
    const terms = group.split(' ').flatMap((word) => termOf(word) ?? []);
    for (const term of terms) {
      const others = found.get(term) ?? new Set();
      for (const other of terms) if (other !== term) others.add(other);
      found.set(term, others);
    }
  }
  return new Map([...found].map(([term, others]) => [term, [...others]]));
})();

/** Terms that may stand for this one. */
export const synonymsOf = (term: string): readonly string[] => SYNONYMS.get(term) ?? [];
