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

/** One line, at most `max` characters, for a tree, a status bar or a commit: no control character is left in it. */
export const oneLine = (text: string, max: number): string => {
  const flat = text.replace(/[\s\p{Cc}]+/gu, ' ').trim();
  return flat.length <= max ? flat : `${wholeChars(flat.slice(0, max - 1))}…`;
};

/** No more precise than a forecast is: 45 s, 12 min, 2.5 h. */
export const inTime = (ms: number): string => {
  if (ms < 90_000) return `${Math.max(1, Math.round(ms / 1000))} s`;
  return ms < 5_400_000 ? `${Math.round(ms / 60_000)} min` : `${(ms / 3_600_000).toFixed(1)} h`;
};
