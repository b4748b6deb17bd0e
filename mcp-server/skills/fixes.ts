import { basename, dirname } from 'node:path';
import { parse } from 'yaml';
import { frontMatterRange, rawValue } from './front-matter.ts';
import type { SkillDiagnostic } from './port.ts';
import { skillNameOf } from './skill-name.ts';
import { linesOf } from './text-span.ts';

/** A quick fix in words of an editor. */
export interface SkillFix {
  readonly title: string;
  /** The text without what the diagnostic tells of; the same text when it is not there any more. */
  readonly apply: (text: string) => string;
}

type Fix = (lines: readonly string[], at: Pick<SkillDiagnostic, 'line' | 'file'>) => readonly string[];

const STUB = 'description: Say in one sentence what this skill does, and when to use it.';
/** A line that belongs to the entry above it. */
const GOES_ON = /^(?:[ \t]+\S|-[ \t]|[\]}])/;
const KEY = /^(["']?)([A-Za-z_][\w.-]*)\1[ \t]*:/;

/** The entry that this line is a part of: its key, its first line and the line after its last one. */
const entryAt = (
  lines: readonly string[],
  line: number,
): { readonly key: string; readonly line: number; readonly end: number } | null => {
  const range = frontMatterRange(lines);
  if (!range || line <= range.open || line >= range.close) return null;
  let first = line;
  while (first > range.open + 1 && GOES_ON.test(lines[first] ?? '')) first -= 1;
  const key = KEY.exec(lines[first] ?? '')?.[2];
  if (key === undefined) return null;
  let end = first + 1;
  while (end < range.close && GOES_ON.test(lines[end] ?? '')) end += 1;
  return { key, line: first, end };
};

const quote = (value: string): string => JSON.stringify(value);

const quoteValue: Fix = (lines, { line }) => {
  const entry = entryAt(lines, line);
  if (!entry) return lines;
  const text = lines.slice(entry.line, entry.end).join('\n');
  return lines.toSpliced(entry.line, entry.end - entry.line, `${entry.key}: ${quote(rawValue({ text }))}`);
};

const arrayToString: Fix = (lines, { line }) => {
  const entry = entryAt(lines, line);
  if (!entry) return lines;
  const value = listIn(lines.slice(entry.line, entry.end).join('\n'), entry.key);
  if (value === null) return lines;
  return lines.toSpliced(entry.line, entry.end - entry.line, `${entry.key}: ${quote(value.join(' '))}`);
};

const listIn = (yaml: string, key: string): readonly string[] | null => {
  try {
    const parsed: unknown = parse(yaml, { maxAliasCount: 0, logLevel: 'silent' });
    const value = typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>)[key] : null;
    return Array.isArray(value) ? value.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))) : null;
  } catch {
    return null;
  }
};

/** `123`, `true` and the like would be no text without quotes. */
const nameLine = ({ file }: Pick<SkillDiagnostic, 'file'>): string => {
  const name = skillNameOf(basename(dirname(file)));
  return `name: ${typeof parse(name) === 'string' ? name : quote(name)}`;
};

const addFrontMatter: Fix = (lines, diagnostic) => {
  if (frontMatterRange(lines)) return lines;
  return ['---', nameLine(diagnostic), STUB, '---', '', ...lines];
};

const setName: Fix = (lines, diagnostic) => {
  const range = frontMatterRange(lines);
  if (!range) return addFrontMatter(lines, diagnostic);
  const name = nameLine(diagnostic);
  const at = lines.findIndex(
    (text, index) => index > range.open && index < range.close && KEY.exec(text)?.[2] === 'name',
  );
  if (at < 0) return lines.toSpliced(range.open + 1, 0, name);
  return lines.toSpliced(at, (entryAt(lines, at)?.end ?? at + 1) - at, name);
};

const addDescription: Fix = (lines, diagnostic) => {
  const range = frontMatterRange(lines);
  if (!range) return addFrontMatter(lines, diagnostic);
  const key = (text: string): string | undefined => KEY.exec(text)?.[2];
  const inside = (index: number): boolean => index > range.open && index < range.close;
  const at = lines.findIndex((text, index) => inside(index) && key(text) === 'description');
  if (at >= 0) return lines.toSpliced(at, (entryAt(lines, at)?.end ?? at + 1) - at, STUB);
  const name = lines.findIndex((text, index) => inside(index) && key(text) === 'name');
  return lines.toSpliced(name < 0 ? range.open + 1 : (entryAt(lines, name)?.end ?? name + 1), 0, STUB);
};

const closeFrontMatter: Fix = (lines) => {
  const range = frontMatterRange(lines);
  return range && !range.closed ? lines.toSpliced(range.close, 0, '---') : lines;
};

const toTheTop: Fix = (lines) => lines.slice(frontMatterRange(lines)?.open ?? 0);

const FIXES: Readonly<Record<string, { readonly title: string; readonly fix: Fix } | undefined>> = {
  'unquoted-value': { title: 'Put the value in quotes', fix: quoteValue },
  'not-a-string': { title: 'Put the value in quotes', fix: quoteValue },
  'array-for-string': { title: 'Turn the list into text', fix: arrayToString },
  'name-missing': { title: 'Add the name of the folder', fix: setName },
  'name-invalid': { title: 'Use the name of the folder', fix: setName },
  'name-mismatch': { title: 'Use the name of the folder', fix: setName },
  'description-missing': { title: 'Add a description', fix: addDescription },
  'frontmatter-missing': { title: 'Add front matter', fix: addFrontMatter },
  'frontmatter-unterminated': { title: 'Close the front matter', fix: closeFrontMatter },
  'frontmatter-late': { title: 'Remove the empty lines above the front matter', fix: toTheTop },
};

/** The quick fix of a diagnostic of a SKILL.md; undefined: a person has to think. Pure: it reads and writes nothing. */
export const fixOf = (diagnostic: Pick<SkillDiagnostic, 'code' | 'line' | 'file'>): SkillFix | undefined => {
  if (diagnostic.code === 'bom')
    return { title: 'Remove the byte order mark', apply: (text) => text.replace(/^\uFEFF+/, '') };
  if (diagnostic.code === 'crlf') return { title: 'End lines with LF', apply: (text) => text.replace(/\r\n?/g, '\n') };
  const found = Object.hasOwn(FIXES, diagnostic.code) ? FIXES[diagnostic.code] : undefined;
  return found && { title: found.title, apply: (text) => applyTo(text, diagnostic, found.fix) };
};

/** Keeps a byte order mark and the ends of lines as they are. */
const applyTo = (text: string, diagnostic: Pick<SkillDiagnostic, 'line' | 'file'>, fix: Fix): string => {
  const mark = /^\uFEFF*/.exec(text)?.[0] ?? '';
  const rest = text.slice(mark.length);
  const lines = linesOf(rest);
  const fixed = fix(lines, diagnostic);
  return fixed === lines ? text : mark + fixed.join(/\r\n|\r|\n/.exec(rest)?.[0] ?? '\n');
};
