/** Lines of context around a change. */
const AROUND = 3;
/** Above this many comparisons the middle counts as replaced as a whole. */
const MOST_WORK = 4_000_000;

type Line = { readonly mark: ' ' | '-' | '+'; readonly text: string };

/** The unified diff of one file; empty when both are the same. Null: there is no such file on that side. */
export const textDiff = (path: string, before: string | null, after: string | null): string => {
  if (before === after) return '';
  const lines = compare(linesOf(before), linesOf(after));
  const head = `--- ${before === null ? '/dev/null' : `a/${path}`}\n+++ ${after === null ? '/dev/null' : `b/${path}`}\n`;
  return head + hunks(lines);
};

const linesOf = (text: string | null): readonly string[] => {
  if (text === null || text === '') return [];
  const lines = text.split('\n');
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
};

const compare = (a: readonly string[], b: readonly string[]): readonly Line[] => {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  const same = (text: string): Line => ({ mark: ' ', text });
  return [
    ...a.slice(0, start).map(same),
    ...middle(a.slice(start, a.length - end), b.slice(start, b.length - end)),
    ...a.slice(a.length - end).map(same),
  ];
};

/** By the longest common subsequence. */
const middle = (a: readonly string[], b: readonly string[]): readonly Line[] => {
  if (a.length * b.length > MOST_WORK || a.length === 0 || b.length === 0)
    return [...a.map((text): Line => ({ mark: '-', text })), ...b.map((text): Line => ({ mark: '+', text }))];
  const width = b.length + 1;
  const length = new Uint32Array((a.length + 1) * width);
  const at = (i: number, j: number): number => length[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i -= 1)
    for (let j = b.length - 1; j >= 0; j -= 1)
      length[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push({ mark: ' ', text: a[i] ?? '' });
      i += 1;
      j += 1;
    } else if (j >= b.length || (i < a.length && at(i + 1, j) >= at(i, j + 1))) {
      lines.push({ mark: '-', text: a[i] ?? '' });
      i += 1;
    } else {
      lines.push({ mark: '+', text: b[j] ?? '' });
      j += 1;
    }
  }
  return lines;
};

const hunks = (lines: readonly Line[]): string => {
  let text = '';
  let [oldLine, newLine] = [1, 1];
  for (let at = 0; at < lines.length; ) {
    let next = at;
    while (next < lines.length && lines[next]?.mark === ' ') next += 1;
    if (next === lines.length) break;
    const from = Math.max(at, next - AROUND);
    const to = endOfHunk(lines, next);
    oldLine += from - at;
    newLine += from - at;
    const part = lines.slice(from, to);
    const [removed, added] = [
      part.filter(({ mark }) => mark !== '+').length,
      part.filter(({ mark }) => mark !== '-').length,
    ];
    text += `@@ -${range(oldLine, removed)} +${range(newLine, added)} @@\n`;
    for (const { mark, text: line } of part) text += `${mark}${line}\n`;
    oldLine += removed;
    newLine += added;
    at = to;
  }
  return text;
};

/** Changes that are close to each other are one hunk. */
const endOfHunk = (lines: readonly Line[], first: number): number => {
  let last = first;
  for (let at = first; at < lines.length && at <= last + 2 * AROUND; at += 1) if (lines[at]?.mark !== ' ') last = at;
  return Math.min(lines.length, last + AROUND + 1);
};

const range = (line: number, count: number): string =>
  count === 1 ? `${line}` : `${count === 0 ? line - 1 : line},${count}`;
