import { isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import { oneLine } from '../domain/text.ts';
import type { Report } from './diagnostic.ts';

/** What stands above the Markdown, as far as it can be understood. Lines are zero-based, of the whole text. */
export interface FrontMatter {
  /** Plain JSON values, as they were read. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly lineOf: ReadonlyMap<string, number>;
  /** Below the front matter, with `\n` as the end of lines. */
  readonly body: string;
  readonly bodyLine: number;
}

interface Entry {
  readonly key: string;
  readonly line: number;
  readonly text: string;
}

type Parsed = { readonly entries: ReadonlyMap<string, Value> } | { readonly problem: string; readonly line: number };
interface Value {
  readonly value: unknown;
  readonly line: number;
}

const MOST_YAML_CHARS = 64 * 1024;
/** The YAML parser slows down with the square of wrong lines. */
const MOST_YAML_LINES = 1000;
const MOST_ENTRIES = 200;
const DEEPEST = 100;
const KEY = /^([A-Za-z_][\w.-]{0,100})[ \t]*:(?=[ \t]|$)/;

/** Lines as editors count them. */
export const linesOf = (text: string): string[] => text.split(/\r\n|\r|\n/);

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

/** Reads the front matter as YAML, and entry by entry where YAML fails. Never throws. */
export const readFrontMatter = (text: string, report: Report): FrontMatter => {
  const lines = linesOf(text);
  const range = frontMatterRange(lines);
  if (!range) {
    report(
      'warning',
      'frontmatter-missing',
      0,
      'There is no front matter. Begin the file with ---, name, description and ---.',
    );
    return { values: {}, lineOf: new Map(), body: lines.join('\n').trim(), bodyLine: 0 };
  }
  if (range.open > 0) report('hint', 'frontmatter-late', range.open, 'The front matter must begin in the first line.');
  if (!range.closed)
    report('warning', 'frontmatter-unterminated', range.open, 'The front matter has no closing --- line.');
  const block = lines.slice(range.open + 1, range.close);
  const found = readBlock(block, range.open + 1, report);
  const bodyLine = range.close + (range.closed ? 1 : 0);
  return {
    values: Object.fromEntries([...found].map(([key, { value }]) => [key, value])),
    lineOf: new Map([...found].map(([key, { line }]) => [key, line])),
    body: lines.slice(bodyLine).join('\n').trim(),
    bodyLine,
  };
};

const readBlock = (block: readonly string[], first: number, report: Report): ReadonlyMap<string, Value> => {
  const text = block.join('\n');
  const whole = parseYaml(text, first, report);
  if ('entries' in whole) return whole.entries;
  return readEntryByEntry(block, first, whole, report);
};

const tooDeep = (text: string): boolean => {
  let depth = 0;
  for (const char of text) {
    if (char === '[' || char === '{') depth += 1;
    else if (char === ']' || char === '}') depth = Math.max(0, depth - 1);
    if (depth > DEEPEST) return true;
  }
  return /^[ \t]{200}|^[ \t]*(?:[-?:][ \t]+){50}/m.test(text);
};

const TOO_LONG: Parsed = { problem: 'It is too long', line: 0 };

/** No aliases, no custom tags, nothing deep: what is left takes time in proportion to its length. */
const parseYaml = (text: string, first: number, report: Report): Parsed => {
  if (text.length > MOST_YAML_CHARS || text.split('\n').length > MOST_YAML_LINES) return TOO_LONG;
  if (tooDeep(text)) return { problem: 'It is nested too deep', line: first };
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
    if (error)
      return { problem: oneLine(error.message, 120), line: first + lineCounter.linePos(error.pos[0]).line - 1 };
    if (doc.contents === null) return { entries: new Map() };
    if (!isMap(doc.contents)) {
      report('warning', 'frontmatter-not-a-map', first, 'The front matter must hold lines of the form "key: value".');
      return { entries: new Map() };
    }
    const values = plain(doc.toJS({ maxAliasCount: 0 }));
    const entries = new Map<string, Value>();
    for (const { key } of doc.contents.items) {
      const name = isScalar(key) ? String(key.value) : '';
      const line = first + (isScalar(key) && key.range ? lineCounter.linePos(key.range[0]).line - 1 : 0);
      if (entries.has(name))
        report('warning', 'duplicate-key', line, `${oneLine(name, 40)} is here twice; the last one counts.`);
      if (Object.hasOwn(values, name)) entries.set(name, { value: values[name], line });
    }
    return { entries };
  } catch (error) {
    // The parser or its values gave up: aliases, recursion, something that is no JSON.
    return { problem: oneLine(error instanceof Error ? error.message : String(error), 120), line: first };
  }
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
  whole: { readonly problem: string; readonly line: number },
  report: Report,
): ReadonlyMap<string, Value> => {
  const found = new Map<string, Value>();
  const { entries, stray } = entriesOf(block, first);
  let told = false;
  let left = MOST_YAML_CHARS;
  for (const entry of entries) {
    left -= entry.text.length;
    const parsed = left < 0 ? TOO_LONG : parseYaml(entry.text, entry.line, () => undefined);
    const value = 'entries' in parsed ? parsed.entries.get(entry.key) : undefined;
    found.set(entry.key, value ?? { value: rawValue(entry), line: entry.line });
    if (value) continue;
    told = true;
    tellBroken(entry, 'problem' in parsed ? parsed.problem : whole.problem, report);
  }
  for (const line of stray.slice(0, 3))
    report('warning', 'yaml-invalid', line, 'This line is not of the form "key: value".');
  if (!told && stray.length === 0) report('warning', 'yaml-invalid', whole.line, `Not valid YAML: ${whole.problem}.`);
  return found;
};

const tellBroken = (entry: Entry, problem: string, report: Report): void => {
  if (entry.text.trimEnd().includes('\n')) {
    report(
      'warning',
      'yaml-invalid',
      entry.line,
      `${entry.key} is not valid YAML and was read as plain text: ${problem}.`,
    );
    return;
  }
  const why = /:(?:\s|$)/.test(rawValue(entry)) ? 'holds a colon' : 'begins like something else in YAML';
  report(
    'warning',
    'unquoted-value',
    entry.line,
    `The value of ${entry.key} ${why}; put it in quotes. Other programs may refuse this skill.`,
  );
};

/** The text of the value as a person would read it, in one line. */
export const rawValue = (entry: { readonly text: string }): string => {
  const text = oneLine(entry.text.replace(KEY, ''), MOST_YAML_CHARS);
  const quoted = /^(["'])(.*)\1$/.exec(text);
  return (quoted?.[2] ?? text).replace(/^[|>][+-]? /, '');
};
