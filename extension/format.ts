/** Tokens for people: `950`, `12.3k`, `1.2M`. */
export const tokens = (count: number): string => {
  const size = Math.abs(count);
  if (size < 1000) return String(count);
  if (size < 999_500) return `${short(count / 1000)}k`;
  return `${short(count / 1_000_000)}M`;
};

/** At most three digits that matter, no `.0`: 1.2, 12.3, 123. */
const short = (value: number): string => {
  const text = value.toFixed(Math.abs(value) < 100 ? 1 : 0);
  return text.endsWith('.0') ? text.slice(0, -2) : text;
};

/** Reads `200000`, `200 000`, `200k` or `1.5M`; undefined when it is no positive whole number of tokens. */
export const parseTokens = (text: string): number | undefined => {
  const match = /^(\d+(?:\.\d+)?)([kKmM]?)$/.exec(text.replaceAll(/[\s_,]/g, ''));
  if (!match) return undefined;
  const unit = { k: 1000, m: 1_000_000 }[(match[2] ?? '').toLowerCase()] ?? 1;
  const count = Math.round(Number(match[1]) * unit);
  return Number.isSafeInteger(count) && count > 0 ? count : undefined;
};

/** A duration for people: `0 s`, `42 s`, `3 min 5 s`, `2 h 10 min`. */
export const duration = (ms: number): string => {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 ? `${minutes} min ${seconds % 60} s` : `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
};

/** A share as whole percent, `0 %` when there is nothing to share. */
export const percent = (part: number, whole: number): string => `${whole > 0 ? Math.round((part / whole) * 100) : 0} %`;

/** `1 file`, `2 files`. */
export const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 || noun.endsWith('s') ? '' : 's'}`;

const HIDDEN =
  /[\ufff9-\ufffb]|(?![\t\n\r])\p{Cc}|(?!(?<=[^\0-\x7f])[\u200c-\u200f\p{Variation_Selector}])\p{Default_Ignorable_Code_Point}/gu;

/** The text with what nobody could see in it, or what turns its order round, written out: `<U+202E>`. */
export const visible = (text: string): string =>
  text.replaceAll(
    HIDDEN,
    (hidden) => `<U+${(hidden.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}>`,
  );

/** One line, at most `max` characters, with nothing hidden in it. */
export const oneLine = (text: string, max: number): string => {
  const flat = visible(text.replaceAll(/\s+/g, ' ').trim());
  if (flat.length <= max) return flat;
  // A pair of surrogates that was cut in the middle shows as a broken sign.
  return `${flat.slice(0, max - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
};

/** Text that Markdown shows as it is: no links, no HTML, no emphasis. */
export const escapeMarkdown = (text: string): string => text.replaceAll(/[\\`*_{}[\]()#+\-.!|<>~$&]/g, '\\$&');

/** A fenced block whose fence is longer than any in the text. */
export const fenced = (text: string, language = ''): string => {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map((run) => run[0].length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}${language}\n${text.replace(/\n$/, '')}\n${fence}`;
};

/** The first `max` lines, and a line that says how many are left out. */
export const headLines = (text: string, max: number): string => {
  const lines = text.split('\n');
  if (lines.length <= max) return text;
  return `${lines.slice(0, max).join('\n')}\n… ${lines.length - max} more lines`;
};

/** `HH:MM:SS` in local time. */
export const clockTime = (at: number): string => new Date(at).toTimeString().slice(0, 8);
