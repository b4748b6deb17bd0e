import { basename, dirname } from 'node:path';
import { hiddenToShow, oneLine } from '../domain/text.ts';
import { collectInto, type Report } from './diagnostic.ts';
import { readFrontMatter } from './front-matter.ts';
import { headingsOf, summaryOf } from './markdown.ts';
import type { SkillDiagnostic } from './port.ts';
import { isSkillName, skillNameOf } from './skill-name.ts';
import { spanBetween, type TextSpan } from './text-span.ts';

export { isSkillName, skillNameOf } from './skill-name.ts';

/** A SKILL.md as far as it could be understood. */
export interface ParsedSkill {
  /** Of its folder, made fit for use; empty when nothing of the folder's name can be used. */
  readonly name: string;
  /** One line, at most 1,024 characters. */
  readonly description: string;
  readonly tags: readonly string[];
  /** Of the Markdown, for searching; at most forty. */
  readonly headings: readonly string[];
  readonly body: string;
  /** Estimated from the body's length. */
  readonly tokens: number;
  readonly frontmatter: Readonly<Record<string, unknown>>;
  /** One with severity `error`: the skill cannot be used. */
  readonly diagnostics: readonly SkillDiagnostic[];
}

/** Bytes of a SKILL.md that are read; a longer one is refused. */
export const MOST_SKILL_BYTES = 512 * 1024;

const LONGEST_DESCRIPTION = 1024;
const LONGEST_COMPATIBILITY = 500;
const LONG_BODY_TOKENS = 5000;

/** Keys of the open format and those that its best known readers understand. */
const KNOWN: ReadonlySet<string> = new Set([
  'name',
  'description',
  'license',
  'compatibility',
  'metadata',
  'allowed-tools',
  'argument-hint',
  'user-invocable',
  'user-invokable',
  'disable-model-invocation',
  'tags',
  'version',
]);
const STRINGS = ['license', 'compatibility', 'allowed-tools'] as const;

/** Four bytes of English text are about a token. */
export const estimateTokens = (text: string): number => Math.ceil(Buffer.byteLength(text) / 4);

/**
 * Reads a SKILL.md of which all bytes are given (more than MOST_SKILL_BYTES: a first part of them). `file` is its absolute
 * path: the name of its folder is that of the skill. Never throws, and takes time in proportion to the length.
 */
export const parseSkill = (source: Uint8Array | string, file: string): ParsedSkill => {
  const found: SkillDiagnostic[] = [];
  const report = collectInto(file, found);
  const folder = basename(dirname(file));
  const text = decode(source, report);
  checkHidden(text, report);
  const { values, spanOf, openLine, body, bodyLine } = readFrontMatter(text, report);
  const field: Field = {
    values,
    at: (key, below) => {
      const found = spanOf(key, below) ?? spanOf(key);
      return found?.value ?? found?.key ?? openLine;
    },
    keyAt: (key) => spanOf(key)?.key ?? openLine,
    report,
  };
  const name = readName(field, folder);
  const description = readDescription(field, body);
  checkOthers(field);
  checkBody(body, bodyLine, description, report);
  if (basename(file) !== 'SKILL.md')
    report('hint', 'file-name', 0, 'Call the file SKILL.md; some programs find no other.');
  return {
    name,
    description,
    tags: readTags(values),
    headings: headingsOf(body),
    body,
    tokens: estimateTokens(body),
    frontmatter: values,
    diagnostics: found,
  };
};

interface Field {
  readonly values: Readonly<Record<string, unknown>>;
  /** Of its value, or of a value below it; where there is none of its key, and without a key where the front matter begins. */
  readonly at: (key: string, below?: string) => number | TextSpan;
  readonly keyAt: (key: string) => number | TextSpan;
  readonly report: Report;
}

const decode = (source: Uint8Array | string, report: Report): string => {
  if (source.length > MOST_SKILL_BYTES)
    report(
      'error',
      'too-large',
      0,
      `The file is larger than ${MOST_SKILL_BYTES / 1024} KiB. Move parts of it to files beside it.`,
    );
  const text = typeof source === 'string' ? source.slice(0, MOST_SKILL_BYTES) : decodeBytes(source, report);
  if (text.includes('\0')) {
    const at = text.indexOf('\0');
    report('error', 'not-text', spanBetween(text, at, at + 1), 'The file is not text.');
    return '';
  }
  if (/\r/.test(text))
    report('hint', 'crlf', 0, 'Lines end as on Windows (CRLF); some programs do not find the front matter.');
  if (!text.startsWith('\uFEFF')) return text;
  report('hint', 'bom', 0, 'The file begins with a byte order mark; some programs do not find the front matter.');
  return text.replace(/^\uFEFF+/, '');
};

const decodeBytes = (bytes: Uint8Array, report: Report): string => {
  const wide = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  if (wide) {
    report('warning', 'encoding', 0, 'The file is UTF-16. Save it as UTF-8; other programs cannot read it.');
    return new TextDecoder(bytes[0] === 0xff ? 'utf-16le' : 'utf-16be').decode(bytes.subarray(0, MOST_SKILL_BYTES));
  }
  const cut = bytes.length > MOST_SKILL_BYTES;
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(cut ? bytes.subarray(0, MOST_SKILL_BYTES) : bytes);
  const broken = text.indexOf('\uFFFD');
  if (broken >= 0 && !cut && !Buffer.from(text).equals(bytes))
    report(
      'warning',
      'encoding',
      spanBetween(text, broken, broken + 1),
      'The file is not valid UTF-8. Save it as UTF-8.',
    );
  return text;
};

const readName = ({ values, at: atOf, report }: Field, folder: string): string => {
  const used = skillNameOf(folder);
  if (used === '')
    report(
      'error',
      'folder-name',
      0,
      `No name can be made of the folder "${oneLine(folder, 80)}". Use letters, digits and hyphens.`,
    );
  else if (used !== folder)
    report(
      'warning',
      'folder-name',
      0,
      `The folder "${oneLine(folder, 80)}" is no name of a skill; it is called ${used} here.`,
    );
  const said = values['name'];
  const at = atOf('name');
  if (said === undefined || said === null || said === '')
    report('warning', 'name-missing', at, `There is no name; it is called ${used} here.`);
  else if (typeof said !== 'string') report('warning', 'not-a-string', at, 'The name must be text; put it in quotes.');
  else if (!isSkillName(said))
    report(
      'warning',
      'name-invalid',
      at,
      `The name "${oneLine(said, 80)}" must be 1 to 64 of a-z, 0-9 and single hyphens.`,
    );
  else if (said !== used)
    report(
      'warning',
      'name-mismatch',
      at,
      `The name ${said} is not that of its folder, ${used}; it is called ${used} here.`,
    );
  return used;
};

const readDescription = (field: Field, body: string): string => {
  const said = textOf(field, 'description');
  const at = field.at('description');
  if (said === '') {
    const fallback = oneLine(summaryOf(body), LONGEST_DESCRIPTION);
    if (fallback !== '')
      field.report(
        'warning',
        'description-missing',
        at,
        'There is no description, so agents will hardly find it. The first words of its text stand in.',
      );
    return fallback;
  }
  if (said.length > LONGEST_DESCRIPTION)
    field.report(
      'warning',
      'description-too-long',
      at,
      `The description has ${said.length} characters; more than ${LONGEST_DESCRIPTION} are cut off.`,
    );
  return oneLine(said, LONGEST_DESCRIPTION);
};

/** A field that must be text, whatever it is. */
const textOf = ({ values, at, report }: Field, key: string): string => {
  const value = values[key];
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return value.trim();
  if (Array.isArray(value)) {
    report('warning', 'array-for-string', at(key), `${key} must be text, not a list.`);
    return value
      .map((one) => (typeof one === 'string' ? one : JSON.stringify(one)))
      .join(' ')
      .trim();
  }
  report('warning', 'not-a-string', at(key), `${key} must be text; put it in quotes.`);
  return JSON.stringify(value);
};

const checkOthers = (field: Field): void => {
  const { values, at, keyAt, report } = field;
  for (const key of STRINGS) {
    const text = textOf(field, key);
    if (key === 'compatibility' && text.length > LONGEST_COMPATIBILITY)
      report(
        'warning',
        'field-too-long',
        at(key),
        `compatibility has ${text.length} characters; ${LONGEST_COMPATIBILITY} are allowed.`,
      );
  }
  const metadata = values['metadata'];
  if (metadata !== undefined && metadata !== null) checkMetadata(metadata, at, report);
  for (const key of Object.keys(values))
    if (!KNOWN.has(key))
      report(
        'hint',
        'unknown-key',
        keyAt(key),
        `${oneLine(key, 60)} is not a key of the format; put it below metadata.`,
      );
};

const checkMetadata = (metadata: unknown, at: Field['at'], report: Report): void => {
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) {
    report('warning', 'metadata-not-strings', at('metadata'), 'metadata must hold lines of the form "key: value".');
    return;
  }
  const others = Object.entries(metadata).filter(([, value]) => typeof value !== 'string');
  if (others.length > 0)
    report(
      'hint',
      'metadata-not-strings',
      at('metadata', others[0]?.[0]),
      `Values of metadata should be text; ${oneLine(others.map(([key]) => key).join(', '), 80)} is not.`,
    );
};

const checkBody = (body: string, line: number, description: string, report: Report): void => {
  const tokens = estimateTokens(body);
  if (body === '' && description === '')
    report('error', 'empty', 0, 'There is neither a description nor any instructions.');
  else if (body === '') report('warning', 'body-empty', line, 'There are no instructions below the front matter.');
  else if (tokens > LONG_BODY_TOKENS)
    report(
      'hint',
      'body-long',
      line,
      `The instructions are about ${tokens} tokens long. Move parts of them to files that are read when needed.`,
    );
};

/** Agents read what people cannot see, and people read otherwise what is turned round. */
const checkHidden = (text: string, report: Report): void => {
  const found = hiddenToShow(text);
  if (found === null) return;
  const { index, length, name, count } = found;
  const what =
    count === 1
      ? `a character that cannot be seen: ${name}`
      : `${count} characters that cannot be seen, such as ${name}`;
  const said = `The file holds ${what}. Agents would read it, and people would not.`;
  report('warning', 'hidden-characters', spanBetween(text, index, index + length), said);
};

const MOST_TAGS = 32;
const LONGEST_TAG = 64;

/** Tags as skills in the wild carry them: a list, or words with commas; also as keywords, and below metadata. */
const readTags = (values: Readonly<Record<string, unknown>>): readonly string[] => {
  const metadata = values['metadata'];
  const below = (typeof metadata === 'object' && metadata !== null ? metadata : {}) as Record<string, unknown>;
  const tags = new Set<string>();
  for (const source of [values, below]) {
    for (const key of ['tags', 'keywords', 'category']) {
      for (const tag of listed(source[key]))
        if (tags.size < MOST_TAGS) tags.add(oneLine(tag.toLowerCase(), LONGEST_TAG));
    }
  }
  return [...tags];
};

const listed = (value: unknown): readonly string[] => {
  const parts = Array.isArray(value) ? value : typeof value === 'string' ? value.split(/[,;]|\s+#/) : [];
  return parts
    .slice(0, MOST_TAGS)
    .filter((part) => typeof part === 'string' || typeof part === 'number')
    .map((part) => String(part).trim().replace(/^#/, ''))
    .filter((part) => part !== '');
};
