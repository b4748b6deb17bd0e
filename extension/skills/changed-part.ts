/** The part of a text that is different in another one: `[start, end)` is to become `text`. */
export interface ChangedPart {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** The smallest part that turns `before` into `after`, so that an editor keeps the cursor where it is. */
export const changedPart = (before: string, after: string): ChangedPart => {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && before[start] === after[start]) start += 1;
  let same = 0;
  while (same < shorter - start && before.at(-1 - same) === after.at(-1 - same)) same += 1;
  return { start, end: before.length - same, text: after.slice(start, after.length - same) };
};
