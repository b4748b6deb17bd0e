/** A text with LF line ends, and where each of its characters stands in the original. */
interface Plain {
  readonly text: string;
  readonly at: (index: number) => number;
}

const toPlain = (original: string): Plain => {
  if (!original.includes('\r\n')) return { text: original, at: (index) => index };
  const removed: number[] = [];
  for (let i = original.indexOf('\r\n'); i >= 0; i = original.indexOf('\r\n', i + 2)) removed.push(i - removed.length);
  return {
    text: original.replaceAll('\r\n', '\n'),
    at: (index) => {
      let low = 0;
      let high = removed.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((removed[middle] ?? 0) < index) low = middle + 1;
        else high = middle;
      }
      return index + low;
    },
  };
};

const usesCrlf = (text: string): boolean => text.split('\r\n').length * 2 > text.split('\n').length + 1;

const lineAt = (text: string, index: number): number => text.slice(0, index).split('\n').length;

/** Lines are counted from 1. */
export type Replacement =
  | { readonly kind: 'replaced'; readonly text: string; readonly line: number }
  /** `nearest`: a line that holds the first line of what was looked for, but for its white space. */
  | { readonly kind: 'missing'; readonly nearest: number | null }
  | { readonly kind: 'ambiguous'; readonly lines: readonly number[] };

const nearestLine = (text: string, wanted: string): number | null => {
  const first = wanted
    .split('\n')
    .find((line) => line.trim() !== '')
    ?.trim();
  if (first === undefined) return null;
  const lines = text.split('\n').map((line) => line.trim());
  const found = lines.indexOf(first);
  const near = found >= 0 || first.length < 8 ? found : lines.findIndex((line) => line.includes(first));
  return near < 0 ? null : near + 1;
};

const MOST_PLACES = 20;

/** Replaces the one place where `wanted` stands. Line ends do not matter for the search; the file keeps its own. */
export const replaceOnce = (original: string, wanted: string, replacement: string): Replacement => {
  const plain = toPlain(original);
  const search = wanted.replaceAll('\r\n', '\n');
  const places: number[] = [];
  for (let i = plain.text.indexOf(search); i >= 0 && places.length < MOST_PLACES; i = plain.text.indexOf(search, i + 1))
    places.push(i);
  const [place] = places;
  if (place === undefined) return { kind: 'missing', nearest: nearestLine(plain.text, search) };
  if (places.length > 1) return { kind: 'ambiguous', lines: places.map((index) => lineAt(plain.text, index)) };
  const lines = replacement.replaceAll('\r\n', '\n');
  const written = usesCrlf(original) ? lines.replaceAll('\n', '\r\n') : lines;
  const text = original.slice(0, plain.at(place)) + written + original.slice(plain.at(place + search.length));
  return { kind: 'replaced', text, line: lineAt(plain.text, place) };
};

/** Lines of a text as an editor counts them: a last line end opens no further line. */
export const linesOf = (text: string): readonly string[] => {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  return lines;
};
