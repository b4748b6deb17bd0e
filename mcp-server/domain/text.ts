/** The one rule for cutting text that a model will read: keep the head and the tail, and say what was cut. */
export const truncate = (text: string, maxChars: number, hint = ''): string => {
  if (text.length <= maxChars) return text;
  const head = wholeChars(text.slice(0, Math.ceil(maxChars * 0.75)));
  const tail = maxChars < 8 ? '' : wholeChars(text.slice(-Math.floor(maxChars * 0.25)));
  const cut = text.length - head.length - tail.length;
  return `${head}\n[… ${cut} of ${text.length} characters cut${hint && `; ${hint}`} …]\n${tail}`;
};

/** Drops a surrogate that lost its partner at either end. */
const wholeChars = (text: string): string => text.replace(/[\uD800-\uDBFF]$/, '').replace(/^[\uDC00-\uDFFF]/, '');

/** Control characters, what is drawn as nothing, and what turns the order of other characters round. */
const HIDDEN = /[\p{Cc}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\ufff9-\ufffb]/u;
/**
 * What emoji and many scripts are written with. Never more than two in a row: any text could be hidden in more of them.
 */
const JOINS = [
  // Joiners, directions and selectors after a sign that is not ASCII.
  String.raw`(?<=(?!\p{Default_Ignorable_Code_Point})[^\0-\x7f]\p{Default_Ignorable_Code_Point}?)[\u200c-\u200f\p{Variation_Selector}]`,
  // Where an ending follows a foreign word.
  String.raw`[\u200c-\u200f](?=(?![\0-\x7f])\p{L})`,
  // Behind a foreign word or a bracket in a text that runs from right to left.
  String.raw`(?<=[\p{Script=Arabic}\p{Script=Hebrew}][^\n]{0,60})(?<!\p{Default_Ignorable_Code_Point})[\u200e\u200f]`,
  // Between words of scripts without blanks.
  String.raw`(?<=[\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}])\u200b`,
  // Digits in keys.
  String.raw`(?<=[0-9#*])\ufe0f(?=\u20e3)`,
].join('|');
/** The same but for ends of lines and tabs, and for what emoji and many scripts are written with. */
const TO_SHOW = new RegExp(
  String.raw`[\p{Zl}\p{Zp}\ufff9-\ufffb]|(?![\t\n\r])\p{Cc}|(?=\p{Default_Ignorable_Code_Point})(?!${JOINS}).`,
  'gu',
);

/** Most texts have nothing of that kind. */
const PLAIN = /^[\t\n\r -~]*$/;

const nameOfCharacter = (character: string): string =>
  `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;

/**
 * The first character that a person cannot see, or cannot tell from a blank, by its number: `U+202E`. Null: there is none.
 * For texts that mean something to a machine, such as paths.
 */
export const hiddenIn = (text: string): string | null => {
  const found = HIDDEN.exec(text) ?? /(?! )\p{Zs}/u.exec(text);
  return found && nameOfCharacter(found[0]);
};

/** Where the first thing stands that `visible` would write out, and how many there are. Null: there is none. */
export const hiddenToShow = (
  text: string,
): { readonly index: number; readonly length: number; readonly name: string; readonly count: number } | null => {
  if (PLAIN.test(text)) return null;
  const found = [...text.matchAll(TO_SHOW)];
  const [first] = found;
  if (!first) return null;
  return { index: first.index, length: first[0].length, name: nameOfCharacter(first[0]), count: found.length };
};

/** The text with what nobody could see in it written out, as `<U+202E>`. */
export const visible = (text: string): string =>
  PLAIN.test(text) ? text : text.replace(TO_SHOW, (hidden) => `<${nameOfCharacter(hidden)}>`);

/** One line, at most `max` characters, for a tree, a status bar or a commit: no control character is left in it, and nothing hidden. */
export const oneLine = (text: string, max: number): string => {
  const flat = visible(text.replace(/[\s\p{Cc}]+/gu, ' ').trim());
  return flat.length <= max ? flat : `${wholeChars(flat.slice(0, max - 1))}…`;
};

/** No more precise than a forecast is: 45 s, 12 min, 2.5 h. */
export const inTime = (ms: number): string => {
  if (ms < 90_000) return `${Math.max(1, Math.round(ms / 1000))} s`;
  return ms < 5_400_000 ? `${Math.round(ms / 60_000)} min` : `${(ms / 3_600_000).toFixed(1)} h`;
};

/** `1 file`, `2 files`, `0 files`. `plural` where it is not the noun with an s; a noun that ends in one stays as it is. */
export const counted = (n: number, noun: string, plural = noun.endsWith('s') ? noun : `${noun}s`): string =>
  `${n} ${n === 1 ? noun : plural}`;
