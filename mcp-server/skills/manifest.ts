import { z } from 'zod';
import { messageOf } from '../domain/errors.ts';
import { hiddenIn, oneLine } from '../domain/text.ts';
import { collectInto, type Report } from './diagnostic.ts';
import { isForNode } from './execute/hold.ts';
import { type JsonPlaces, placesInJson } from './json-places.ts';
import type { SkillDiagnostic, SkillManifest } from './port.ts';
import type { TextSpan } from './text-span.ts';

/** What a skill without a manifest.json has: it asks for nothing and runs nothing. */
export const NO_MANIFEST: SkillManifest = {
  tools: [],
  permissions: { read: [], write: [], commands: [], hosts: [] },
  entry: null,
  input: null,
  output: null,
  timeoutMs: 60_000,
};

/** Bytes of a manifest.json that are read; a longer one is refused. */
export const MOST_MANIFEST_BYTES = 64 * 1024;

const DEEPEST = 100;
const LONGEST_TIMEOUT_MS = 3_600_000;
/**
 * Relative, with slashes, never upwards. No flag and no class of Unicode: editors read the same pattern without them. So the
 * patterns know the commonest characters that cannot be seen, and `hiddenIn` knows all.
 */
const PATH =
  /^(?![/~])(?!.*[\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff])(?![A-Za-z]:)(?!(?:[^\\]*\/)?\.\.(?:\/|$))[ -[\]-\uffff]{1,500}$/;
const COMMAND = /^(?!.*[\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff])[!-.0-[\]-\uffff][!-[\]-\uffff]{0,199}$/;
const HOST = /^(?:\*|(?:\*\.)?[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})(?:\.[A-Za-z0-9-]{1,63}){0,10}(?::[0-9]{1,5})?)$/;
const TOOL = /^[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,127}$/;

const PathItem = z.string().regex(PATH, 'must be relative to the repository, with slashes and without ".."');
const SchemaObject = z.record(z.string(), z.unknown());

const PERMISSIONS = {
  read: z.array(PathItem).max(100).describe('Globs, relative to the repository, of what it reads.'),
  write: z.array(PathItem).max(100).describe('Globs, relative to the repository, of what it changes.'),
  commands: z
    .array(z.string().regex(COMMAND, 'must be the name of a program, without arguments'))
    .max(100)
    .describe('Programs that it runs, such as git.'),
  hosts: z
    .array(z.string().regex(HOST, 'must be the name of a host, such as api.example.com or *.example.com, or * for any'))
    .max(100)
    .describe('Network hosts that it talks to.'),
};

const FIELDS = {
  tools: z
    .array(z.string().regex(TOOL, 'must be the name of a tool'))
    .max(100)
    .describe('Tools of Coppice that the skill cannot do without.'),
  permissions: z
    .strictObject({
      read: PERMISSIONS.read.optional(),
      write: PERMISSIONS.write.optional(),
      commands: PERMISSIONS.commands.optional(),
      hosts: PERMISSIONS.hosts.optional(),
    })
    .describe('What the skill may do, once a person has granted it for its present content.'),
  entry: z
    .string()
    .regex(PATH, 'must be relative to the folder of the skill, with slashes and without ".."')
    .nullable()
    .describe('The script that the skill runs, relative to its folder. Left out: a skill of instructions.'),
  input: SchemaObject.nullable().describe('JSON schema of what the skill takes.'),
  output: SchemaObject.nullable().describe('JSON schema of what the skill returns.'),
  timeoutMs: z
    .int()
    .min(100)
    .max(LONGEST_TIMEOUT_MS)
    .describe('How long one execution of the script may take, in milliseconds.'),
};

/** A manifest.json without any mistake; the schema for editors is made from it. */
export const ManifestFile = z
  .strictObject({
    $schema: z.string().optional(),
    tools: FIELDS.tools.optional(),
    permissions: FIELDS.permissions.optional(),
    entry: FIELDS.entry.optional(),
    input: FIELDS.input.optional(),
    output: FIELDS.output.optional(),
    timeoutMs: FIELDS.timeoutMs.optional(),
  })
  .describe('What a skill for Coppice needs and may do.');

/** The JSON schema of manifest.json, as `media/schemas/skill-manifest.schema.json` holds it. */
export const manifestJsonSchema = (): Readonly<Record<string, unknown>> => ({
  title: 'Manifest of a skill',
  ...z.toJSONSchema(ManifestFile, { io: 'input', target: 'draft-7' }),
});

/** A manifest as far as it could be understood; one diagnostic with severity `error`: the skill cannot be used. */
export interface ParsedManifest {
  readonly manifest: SkillManifest;
  readonly diagnostics: readonly SkillDiagnostic[];
}

/**
 * Reads a manifest.json. What is wrong in it is left out and told, so a mistake never grants more than was written; a file
 * that is no JSON object is an error. `files` are the regular files of the skill, relative: the entry must be one of them.
 * Never throws.
 */
export const parseManifest = (source: Uint8Array | string, file: string, files: readonly string[]): ParsedManifest => {
  const found: SkillDiagnostic[] = [];
  const report = collectInto(file, found);
  const text = (typeof source === 'string' ? source : new TextDecoder().decode(source)).replace(/^\uFEFF/, '');
  const raw = readObject(text, report);
  if (raw === null) return { manifest: NO_MANIFEST, diagnostics: found };
  const reader = new Reader(text, report);
  reader.tellUnknown(raw, Object.keys(ManifestFile.shape), []);
  const manifest: SkillManifest = {
    tools: reader.list(raw, 'tools', FIELDS.tools.element, []),
    permissions: readPermissions(reader, raw['permissions']),
    entry: readEntry(reader, raw['entry'], files, report),
    input: reader.one(raw, 'input', FIELDS.input) ?? null,
    output: reader.one(raw, 'output', FIELDS.output) ?? null,
    timeoutMs: reader.one(raw, 'timeoutMs', FIELDS.timeoutMs) ?? NO_MANIFEST.timeoutMs,
  };
  tellLooseHosts(manifest, reader);
  return { manifest, diagnostics: found };
};

/** A sandbox cannot tell one host from another, and Node holds only what runs in it. */
const tellLooseHosts = (manifest: SkillManifest, reader: Reader): void => {
  const { hosts } = manifest.permissions;
  if (manifest.entry === null || hosts.length === 0 || hosts.includes('*') || isForNode(manifest)) return;
  reader.tell(
    'manifest-hosts',
    ['permissions', 'hosts'],
    'Only a script in JavaScript that declares no commands can be held to hosts by name. Declare "*", for which these count, or write it in JavaScript.',
  );
};

type Json = Readonly<Record<string, unknown>>;

const readObject = (text: string, report: Report): Json | null => {
  if (text.length > MOST_MANIFEST_BYTES) {
    report('error', 'manifest-invalid', 0, `The manifest is larger than ${MOST_MANIFEST_BYTES / 1024} KiB.`);
    return null;
  }
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value) && !tooDeep(text)) return value;
    report('error', 'manifest-invalid', 0, `The manifest must be a JSON object, nested at most ${DEEPEST} deep.`);
  } catch (error) {
    const { fault } = placesInJson(text);
    const why = fault?.message ?? oneLine(messageOf(error), 160);
    report('error', 'manifest-invalid', fault?.at ?? 0, `Not valid JSON: ${why}.`);
  }
  return null;
};

/** What is nested deeper cannot be passed on safely. */
const tooDeep = (json: string): boolean => {
  let depth = 0;
  for (const [bracket] of json.replace(/"(?:[^"\\]|\\.)*"/g, '').matchAll(/[[\]{}]/g)) {
    depth += bracket === '[' || bracket === '{' ? 1 : -1;
    if (depth > DEEPEST) return true;
  }
  return false;
};

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const readPermissions = (reader: Reader, raw: unknown): SkillManifest['permissions'] => {
  if (raw !== undefined && !isObject(raw))
    reader.tell('manifest-type', ['permissions'], 'permissions must be an object; nothing is asked for.');
  if (!isObject(raw)) return NO_MANIFEST.permissions;
  reader.tellUnknown(raw, Object.keys(PERMISSIONS), ['permissions']);
  const of = (key: keyof typeof PERMISSIONS): readonly string[] =>
    reader.list(raw, key, PERMISSIONS[key].element, ['permissions']);
  return {
    read: of('read'),
    write: of('write'),
    commands: of('commands'),
    hosts: of('hosts').map((host) => host.toLowerCase()),
  };
};

const readEntry = (reader: Reader, raw: unknown, files: readonly string[], report: Report): string | null => {
  if (raw === undefined || raw === null) return null;
  const path = typeof raw === 'string' ? raw.replace(/^(?:\.\/)+/, '') : '';
  const hidden = hiddenIn(path);
  if (path === '' || hidden !== null || !FIELDS.entry.safeParse(path).success) {
    const how = hidden === null ? 'with slashes and without ".."' : `without what cannot be seen, such as ${hidden}`;
    const said = `entry must name a file inside the folder of the skill, ${how}.`;
    report('error', 'manifest-entry', reader.at(['entry']), said);
    return null;
  }
  if (files.includes(path)) return path;
  report(
    'error',
    'manifest-entry',
    reader.at(['entry']),
    `entry names ${oneLine(path, 80)}, which is not a file of the skill.`,
  );
  return null;
};

/** Takes values out of the object one by one, and tells what it leaves out at its line. */
class Reader {
  readonly #text: string;
  readonly #report: Report;
  #places: JsonPlaces | undefined;

  constructor(text: string, report: Report) {
    this.#text = text;
    this.#report = report;
  }

  /** Of what cannot be found the place of what it is in. */
  at(path: readonly (string | number)[], of: 'value' | 'key' = 'value'): number | TextSpan {
    this.#places ??= placesInJson(this.#text);
    const found = of === 'key' ? this.#places.keyAt(path) : this.#places.valueAt(path);
    return found ?? (path.length > 0 ? this.at(path.slice(0, -1)) : 0);
  }

  tell(
    code: 'manifest-type' | 'manifest-value' | 'manifest-hosts',
    path: readonly (string | number)[],
    message: string,
  ): void {
    this.#report('warning', code, this.at(path), message);
  }

  tellUnknown(raw: Json, known: readonly string[], path: readonly string[]): void {
    for (const key of Object.keys(raw)
      .filter((name) => !known.includes(name))
      .slice(0, 20)) {
      this.#report(
        'hint',
        'manifest-unknown-key',
        this.at([...path, key], 'key'),
        `${oneLine(key, 60)} means nothing here.`,
      );
    }
  }

  /** A single text counts as a list of one. */
  list(raw: Json, key: string, item: z.ZodType<string>, path: readonly string[]): readonly string[] {
    const value = Object.hasOwn(raw, key) ? raw[key] : undefined;
    if (value === undefined || value === null) return [];
    const name = [...path, key].join('.');
    if (!Array.isArray(value)) this.tell('manifest-type', [...path, key], `${name} must be a list of texts.`);
    const given: readonly unknown[] = Array.isArray(value) ? value : [value];
    if (given.length > 100)
      this.tell('manifest-value', [...path, key], `${name} has more than 100 entries; the rest is left out.`);
    return given.slice(0, 100).flatMap((one, index) => {
      const parsed = item.safeParse(one);
      const hidden = typeof one === 'string' ? hiddenIn(one) : null;
      if (parsed.success && hidden === null) return [parsed.data];
      const why = hidden === null ? parsed.error?.issues[0]?.message : `holds ${hidden}, which cannot be seen`;
      const said = typeof one === 'string' ? `"${oneLine(one, 60)}" ${why ?? 'is wrong'}` : 'must hold texts only';
      this.tell('manifest-value', [...path, key, index], `${name}: ${said}; it is left out.`);
      return [];
    });
  }

  one<T>(raw: Json, key: string, schema: z.ZodType<T>): T | undefined {
    const value = Object.hasOwn(raw, key) ? raw[key] : undefined;
    if (value === undefined) return undefined;
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    this.tell('manifest-type', [key], `${key} is left out: ${parsed.error.issues[0]?.message ?? 'it is wrong'}.`);
    return undefined;
  }
}
