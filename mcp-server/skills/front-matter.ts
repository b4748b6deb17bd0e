import { isMap, isNode, isScalar, LineCounter, type Pair, parseDocument } from 'yaml';
import { oneLine } from '../domain/text.ts';
import type { Report } from './diagnostic.ts';
import { linesOf, spanBetween, type TextSpan } from './text-span.ts';
import { MOST_YAML_CHARS, YamlBounds } from './yaml-bounds.ts';

/** What stands above the Markdown, as far as it can be understood. Lines are zero-based, of the whole text. */
export interface FrontMatter {
  /** Plain JSON values, as they were read. */
  readonly values: Readonly<Record<string, unknown>>;
  /** Where a key stands with its value, or a key below it. Worked out when it is asked for. */
  readonly spanOf: (key: string, below?: string) => EntrySpan | undefined;
  /** The line of the first `---`. */
  readonly openLine: number;
  /** Below the front matter, with `\n` as the end of lines. */
  readonly body: string;
  readonly bodyLine: number;
}

/** Where a key and its value stand; null: there is no value. */
interface EntrySpan {
  readonly key: TextSpan;
  readonly value: TextSpan | null;
}

interface Entry {
  readonly key: string;
  readonly line: number;
  readonly text: string;
}

type Parsed =
  | { readonly entries: ReadonlyMap<string, Value> }
  | { readonly problem: string; readonly at: number | TextSpan }
  /** It is too much to be parsed. */
  | { readonly refused: string };
interface Value {
  readonly value: unknown;
  readonly span: (below?: string) => EntrySpan | undefined;
}

const MOST_ENTRIES = 200;
const KEY = /^([A-Za-z_][\w.-]{0,100})[ \t]*:(?=[ \t]|$)/;

/**
 * Where the front matter of these lines lies: `open` is the line of the first `---`, `close` that of the second one, or of
 * the first line that cannot belong to it when there is none. Null: there is no front matter.
 */
export const frontMatterRange = (
  lines: readonly string[],
): { readonly open: number; readonly close: number; readonly closed: boolean } | null => {
  const open = lines.findIndex((line) => line.trim() !== '');
  if (open < 0 || lines[open]?.trimEnd() !== '---') return null;
  for (let at = open + 1; at < lines.length; at += 1) {
    const line = lines[at]?.trimEnd();
    if (line === '---' || line === '...') return { open, close: at, closed: true };
  }
  let close = open + 1;
  while (close < lines.length && mayBelong(lines[close] ?? '')) close += 1;
  return { open, close, closed: false };
};

/** Could this line stand in front matter that somebody forgot to close? */
const mayBelong = (line: string): boolean => KEY.test(line) || /^[ \t]+\S|^- /.test(line);

/** Reads the front matter as YAML within the bounds, and entry by entry where YAML fails. Never throws. */
export const readFrontMatter = (text: string, report: Report, bounds = new YamlBounds()): FrontMatter => {
  const lines = linesOf(text);
  const range = frontMatterRange(lines);
  if (!range) {
    report(
      'warning',
      'frontmatter-missing',
      0,
      'There is no front matter. Begin the file with ---, name, description and ---.',
    );
    const body = lines.join('\n').trim();
    return { values: {}, spanOf: () => undefined, openLine: 0, body, bodyLine: 0 };
  }
  if (range.open > 0) report('hint', 'frontmatter-late', range.open, 'The front matter must begin in the first line.');
  if (!range.closed)
    report('warning', 'frontmatter-unterminated', range.open, 'The front matter has no closing --- line.');
  const block = lines.slice(range.open + 1, range.close);
  const found = readBlock(block, range.open + 1, report, bounds);
  const bodyLine = range.close + (range.closed ? 1 : 0);
  return {
    values: Object.fromEntries([...found].map(([key, { value }]) => [key, value])),
    spanOf: (key, below) => found.get(key)?.span(below),
    openLine: range.open,
    body: lines.slice(bodyLine).join('\n').trim(),
    bodyLine: Math.min(bodyLine, lines.length - 1),
  };
};

const readBlock = (
  block: readonly string[],
  first: number,
  report: Report,
  bounds: YamlBounds,
): ReadonlyMap<string, Value> => {
  const whole = parseYaml(block.join('\n'), first, report, bounds);
  if ('entries' in whole) return whole.entries;
  if ('refused' in whole) {
    const said = `The front matter is too much to be read as a whole: ${whole.refused}. Move parts of it below it, or to a file.`;
    report('warning', 'frontmatter-too-large', first - 1, said);
  }
  return readEntryByEntry(block, first, whole, report, bounds);
};

/** No aliases, no custom tags, nothing deep. */
const parseYaml = (text: string, first: number, report: Report, bounds: YamlBounds): Parsed => {
  const refused = bounds.refuse(text);
  if (refused !== null) return { refused };
  try {
    const lineCounter = new LineCounter();
    const doc = parseDocument(text, {
      lineCounter,
      uniqueKeys: false,
      resolveKnownTags: false,
      prettyErrors: false,
      logLevel: 'silent',
    });
    const error = doc.errors[0];
    const place = placeIn(text, lineCounter, first);
    if (error) return { problem: oneLine(error.message, 120), at: place(error.pos) };
    if (doc.contents === null) return { entries: new Map() };
    if (!isMap(doc.contents)) {
      const at = place(doc.contents.range);
      report('warning', 'frontmatter-not-a-map', at, 'The front matter must hold lines of the form "key: value".');
      return { entries: new Map() };
    }
    const values = plain(doc.toJS({ maxAliasCount: 0 }));
    const entries = new Map<string, Value>();
    for (const pair of doc.contents.items) {
      const name = nameOf(pair);
      const span = (below?: string): EntrySpan | undefined => spanIn(pair, place, below);
      if (entries.has(name)) {
        const at = span()?.key ?? first;
        report('warning', 'duplicate-key', at, `${oneLine(name, 40)} is here twice; the last one counts.`);
      }
      if (Object.hasOwn(values, name)) entries.set(name, { value: values[name], span });
    }
    return { entries };
  } catch (error) {
    // The parser or its values gave up: aliases, recursion, something that is no JSON.
    return { problem: oneLine(error instanceof Error ? error.message : String(error), 120), at: first };
  }
};

type Range = readonly [number, number, ...number[]];
type Place = (range: Range) => TextSpan;

const nameOf = ({ key }: Pair): string => (isScalar(key) ? String(key.value) : '');

/** From offsets in a block of YAML, which ends of lines may follow, to lines and columns of the whole text. */
const placeIn =
  (text: string, counter: LineCounter, first: number): Place =>
  ([start, end]) => {
    const from = counter.linePos(start);
    const to = counter.linePos(start + text.slice(start, end).trimEnd().length);
    return { line: first + from.line - 1, column: from.col - 1, endLine: first + to.line - 1, endColumn: to.col - 1 };
  };

const spanIn = (pair: Pair, place: Place, below?: string): EntrySpan | undefined => {
  const { key, value } = pair;
  if (below !== undefined) {
    const child = isMap(value) ? value.items.findLast((one) => nameOf(one) === below) : undefined;
    return child && spanIn(child, place);
  }
  if (!isNode(key) || !key.range) return undefined;
  const found = isNode(value) && value.range && value.range[1] > value.range[0] ? value.range : null;
  return { key: place(key.range), value: found && place(found) };
};

const plain = (value: unknown): Record<string, unknown> => JSON.parse(JSON.stringify(value)) as Record<string, unknown>;

/** Entries begin with a key in the first column; indented lines, list items and comments below it are theirs. */
const entriesOf = (block: readonly string[], first: number): { entries: Entry[]; stray: number[] } => {
  const drafts: { key: string; line: number; lines: string[] }[] = [];
  const stray: number[] = [];
  block.forEach((text, at) => {
    const key = KEY.exec(text)?.[1];
    if (key) drafts.push({ key, line: first + at, lines: [text] });
    else if (/^(?:\s|$|-\s|#|[\]}])/.test(text) && (drafts.length > 0 || /^\s*(?:#|$)/.test(text)))
      drafts.at(-1)?.lines.push(text);
    else stray.push(first + at);
  });
  const entries = drafts.slice(0, MOST_ENTRIES).map(({ key, line, lines }) => ({ key, line, text: lines.join('\n') }));
  return { entries, stray };
};

const readEntryByEntry = (
  block: readonly string[],
  first: number,
  whole: Exclude<Parsed, { readonly entries: unknown }>,
  report: Report,
  bounds: YamlBounds,
): ReadonlyMap<string, Value> => {
  const found = new Map<string, Value>();
  const { entries, stray } = entriesOf(block, first);
  let told = 'refused' in whole;
  for (const entry of entries) {
    const parsed = parseYaml(entry.text, entry.line, () => undefined, bounds);
    const value = 'entries' in parsed ? parsed.entries.get(entry.key) : undefined;
    found.set(entry.key, value ?? { value: rawValue(entry), span: () => spanOfEntry(entry) });
    if (value) continue;
    if ('refused' in parsed) tellRefused(entry, parsed.refused, report);
    else tellBroken(entry, problemIn(parsed) ?? problemIn(whole) ?? 'it is no YAML', report);
    told = true;
  }
  for (const line of stray.slice(0, 3))
    report('warning', 'yaml-invalid', line, 'This line is not of the form "key: value".');
  if (!told && stray.length === 0 && 'problem' in whole)
    report('warning', 'yaml-invalid', whole.at, `Not valid YAML: ${whole.problem}.`);
  return found;
};

const problemIn = (parsed: Parsed): string | undefined => ('problem' in parsed ? parsed.problem : undefined);

const tellRefused = ({ key, line }: Entry, why: string, report: Report): void =>
  report('warning', 'frontmatter-too-large', line, `${key} was read as plain text: ${why}.`);

/** Of an entry that is no YAML: its value is all that follows the colon. */
const spanOfEntry = ({ key, line, text }: Entry): EntrySpan => {
  const before = /^[^:]*:\s*/.exec(text)?.[0] ?? '';
  const end = text.trimEnd().length;
  return {
    key: { line, column: 0, endLine: line, endColumn: key.length },
    value: end > before.length ? spanBetween(text, before.length, end, line) : null,
  };
};

const tellBroken = (entry: Entry, problem: string, report: Report): void => {
  const at = spanOfEntry(entry).value ?? entry.line;
  if (entry.text.trimEnd().includes('\n')) {
    const said = `${entry.key} is not valid YAML and was read as plain text: ${problem}.`;
    report('warning', 'yaml-invalid', at, said);
    return;
  }
  const why = /:(?:\s|$)/.test(rawValue(entry)) ? 'holds a colon' : 'begins like something else in YAML';
  const said = `The value of ${entry.key} ${why}; put it in quotes. Other programs may refuse this skill.`;
  report('warning', 'unquoted-value', at, said);
};

/** The text of the value as a person would read it, in one line. */
export const rawValue = (entry: { readonly text: string }): string => {
  const text = oneLine(entry.text.replace(KEY, ''), MOST_YAML_CHARS);
  const quoted = /^(["'])(.*)\1$/.exec(text);
  return (quoted?.[2] ?? text).replace(/^[|>][+-]? /, '');
};
