import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import type { Resource } from '@modelcontextprotocol/server';
import {
  DIRECTORY_MIME_TYPE,
  SKILL_LIMITS,
  type SkillReadResult,
  type SkillSource,
  skillEntry,
} from '@modelcontextprotocol/server/ext/skills';
import { messageOf } from '../../domain/errors.ts';
import type { Skill, SkillRegistry, SkillSummary } from '../../skills/port.ts';

/** What the faces need of the registry of skills. */
export type Skills = Pick<SkillRegistry, 'list' | 'read' | 'readFile' | 'pinned' | 'onChange'>;

type Entry = Awaited<ReturnType<typeof skillEntry>>;

/** Whether a skill may be used as a whole: scripts and files, not its instructions only. */
export const isUsable = (skill: Pick<SkillSummary, 'state'>): boolean =>
  skill.state === 'bundled' || skill.state === 'trusted';

const isServed = (skill: SkillSummary): boolean => isUsable(skill) || skill.state === 'needs-review';

/** Entries of one page of `skills/list`. */
const PAGE = 100;
/** Skills that `resources/list` names; all others are found by `skills/list`, by search, or by their address. */
const MOST_LISTED = 200;
const BASE = 'skill://';

interface Built {
  readonly hash: string;
  /** Null: this skill cannot be told by the protocol, for example because of its name. */
  readonly entry: Entry | null;
  /** A SKILL.md that the protocol takes, where the one on the disk is not such. */
  readonly manifest: Uint8Array | null;
}

/** The skills of a registry in the words of the protocol's skills extension. Entries are made when they are asked for. */
export const skillSource = (skills: Skills, log: (line: string) => void): SkillSource => {
  const built = new Map<string, Built>();
  const build = async (summary: SkillSummary): Promise<Built> => {
    const known = built.get(summary.name);
    const hash = `${summary.state} ${summary.hash}`;
    if (known?.hash === hash) return known;
    const made = { hash, ...(await buildEntry(skills, summary, log)) };
    built.set(summary.name, made);
    return made;
  };
  const find = (name: string): SkillSummary | undefined =>
    skills.list().find((skill) => skill.name === name && isServed(skill));
  const at = async (uri: string): Promise<Place | undefined> => {
    const path = pathOf(uri);
    const summary = path && find(path[0]);
    if (!summary) return undefined;
    const { entry, manifest } = await build(summary);
    return entry === null ? undefined : { summary, entry, manifest, path: path.slice(1).join('/') };
  };
  return {
    list: async ({ cursor }) => {
      const served = skills.list().filter((skill) => isServed(skill) && (cursor === undefined || skill.name > cursor));
      const page = served.slice(0, PAGE);
      const entries = await Promise.all(page.map(async (skill) => (await build(skill)).entry));
      const last = served.length > PAGE ? page.at(-1)?.name : undefined;
      return {
        skills: entries.filter((entry) => entry !== null),
        ...(last === undefined ? {} : { nextCursor: last }),
      };
    },
    get: async (uri) => {
      const place = await at(uri);
      return place?.path === 'SKILL.md' ? place.entry : undefined;
    },
    read: async (uri) => {
      const place = await at(uri);
      return place && readFile(skills, place);
    },
    readDirectory: async (uri) => {
      const place = await at(uri);
      return place && directory(place);
    },
    listResources: async () =>
      [...skills.list()]
        .filter(isServed)
        .sort((a, b) => Number(b.pinned) - Number(a.pinned))
        .slice(0, MOST_LISTED)
        .map((skill) => ({
          uri: `${BASE}${encodeURIComponent(skill.name)}/SKILL.md`,
          name: skill.name,
          description: skill.description,
          mimeType: 'text/markdown',
        })),
  };
};

interface Place {
  readonly summary: SkillSummary;
  readonly entry: Entry;
  readonly manifest: Uint8Array | null;
  /** Below the skill's folder; empty: the folder. */
  readonly path: string;
}

/** `skill://name/references/a%20b.md` → `['name', 'references', 'a b.md']`. */
const pathOf = (uri: string): [string, ...string[]] | undefined => {
  if (!uri.startsWith(BASE)) return undefined;
  try {
    const [name, ...rest] = uri.slice(BASE.length).replace(/\/$/, '').split('/').map(decodeURIComponent);
    const parts = [name ?? '', ...rest];
    return parts.some((part) => part === '' || part === '.' || part === '..' || /[/\\\0]/.test(part))
      ? undefined
      : [name ?? '', ...rest];
  } catch {
    return undefined;
  }
};

const buildEntry = async (
  skills: Skills,
  summary: SkillSummary,
  log: (line: string) => void,
): Promise<Omit<Built, 'hash'>> => {
  const skill = await skills.read(summary.name);
  if (!skill) return { entry: null, manifest: null };
  const files = await filesOf(skills, skill);
  try {
    return { entry: await skillEntry(summary.name, files), manifest: null };
  } catch {
    // Most skills in the world do not keep every rule; what they say is told in a front matter that does.
    const manifest = Buffer.from(cleanManifest(skill));
    try {
      return { entry: await skillEntry(summary.name, { ...files, 'SKILL.md': manifest }), manifest };
    } catch (error) {
      log(`skill ${summary.name} is not offered over MCP: ${messageOf(error)}`);
      return { entry: null, manifest: null };
    }
  }
};

/** Of a skill that needs a review, only the instructions. */
const filesOf = async (skills: Skills, skill: Skill): Promise<Record<string, Uint8Array>> => {
  const own = basename(skill.file);
  const files: Record<string, Uint8Array> = {};
  let bytes = 0;
  const add = async (path: string, as: string): Promise<void> => {
    const content = await skills.readFile(skill.name, path);
    bytes += content?.byteLength ?? 0;
    if (content && bytes <= SKILL_LIMITS.bytes) files[as] = content;
  };
  await add(own, 'SKILL.md');
  if (isUsable(skill))
    for (const path of skill.files.slice(0, SKILL_LIMITS.files - 1)) if (path !== own) await add(path, path);
  return files;
};

const cleanManifest = (skill: Skill): string => {
  const line = (text: string): string => JSON.stringify(text.replace(/\s+/g, ' ').trim());
  const description = Array.from(skill.description.trim() || `The skill ${skill.name}.`)
    .slice(0, 1024)
    .join('');
  return `---\nname: ${skill.name}\ndescription: ${line(description)}\n---\n${skill.body}`;
};

const readFile = async (skills: Skills, place: Place): Promise<SkillReadResult | undefined> => {
  const listed = Array.isArray(place.entry.resources) ? place.entry.resources : [];
  const file = listed.find(({ uri }) => pathOf(uri)?.slice(1).join('/') === place.path);
  if (!file) return undefined;
  const isManifest = place.path === 'SKILL.md';
  const bytes =
    (isManifest ? place.manifest : null) ??
    (await skills.readFile(place.summary.name, isManifest ? basename(place.summary.file) : place.path));
  // It has just changed, and the registry does not know yet: a digest that lies would be worse than an answer later.
  if (!bytes || digestOf(bytes) !== file.digest) return undefined;
  return { ...contentOf(bytes), mimeType: mimeTypeOf(place.path) };
};

const digestOf = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

const contentOf = (bytes: Uint8Array): { text: string } | { bytes: Uint8Array } => {
  try {
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return { bytes };
  }
};

const directory = (place: Place): { resources: Resource[] } | undefined => {
  const below = place.path === '' ? '' : `${place.path}/`;
  const children = new Map<string, Resource>();
  for (const { uri, size } of Array.isArray(place.entry.resources) ? place.entry.resources : []) {
    const path = pathOf(uri)?.slice(1).join('/') ?? '';
    if (!path.startsWith(below) || path === '') continue;
    const [name = '', ...deeper] = path.slice(below.length).split('/');
    const folder = `${BASE}${[place.summary.name, ...below.split('/').filter(Boolean), name].map(encodeURIComponent).join('/')}`;
    children.set(
      name,
      deeper.length > 0
        ? { uri: folder, name, mimeType: DIRECTORY_MIME_TYPE }
        : { uri, name, mimeType: mimeTypeOf(path), size },
    );
  }
  return children.size === 0 ? undefined : { resources: [...children.values()] };
};

const MIME_TYPES: Readonly<Record<string, string>> = {
  md: 'text/markdown',
  json: 'application/json',
  yaml: 'application/yaml',
  yml: 'application/yaml',
  py: 'text/x-python',
  sh: 'application/x-sh',
  js: 'text/javascript',
  mjs: 'text/javascript',
  ts: 'text/typescript',
  html: 'text/html',
  css: 'text/css',
  csv: 'text/csv',
  svg: 'image/svg+xml',
  png: 'image/png',
  jpg: 'image/jpeg',
  pdf: 'application/pdf',
  txt: 'text/plain',
};

const mimeTypeOf = (path: string): string =>
  MIME_TYPES[path.split('.').at(-1)?.toLowerCase() ?? ''] ?? 'application/octet-stream';
