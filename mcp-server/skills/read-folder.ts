import { type Dirent, type Stats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../domain/clock.ts';
import { messageOf } from '../domain/errors.ts';
import { hiddenToShow, oneLine } from '../domain/text.ts';
import { contentHasher, inPathOrder } from './content-hash.ts';
import { collectInto, type Report } from './diagnostic.ts';
import { MOST_MANIFEST_BYTES, NO_MANIFEST, parseManifest } from './manifest.ts';
import { MOST_SKILL_BYTES, parseSkill } from './parse-skill.ts';
import type { SkillDiagnostic, SkillManifest, SkillSource } from './port.ts';
import { isReal, readRegular } from './read-file.ts';

/** Bounds of one skill; what is larger cannot be used. */
export interface FolderLimits {
  readonly files: number;
  readonly bytes: number;
  readonly depth: number;
}

export const FOLDER_LIMITS: FolderLimits = { files: 512, bytes: 16 * 1024 * 1024, depth: 8 };

/** What is kept in memory of one skill folder: no body, no front matter. */
export interface SkillRecord {
  readonly name: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly headings: readonly string[];
  readonly source: SkillSource;
  readonly folder: string;
  /** The folder without any link. */
  readonly real: string;
  readonly file: string;
  /** Empty when not all of its files could be read. */
  readonly hash: string;
  readonly tokens: number;
  readonly manifest: SkillManifest;
  /** Relative paths of all of its regular files, sorted. */
  readonly files: readonly string[];
  readonly diagnostics: readonly SkillDiagnostic[];
  /** A diagnostic is an error: it cannot be used. */
  readonly broken: boolean;
  /** Sizes and times of its files; null when a later change could look the same. */
  readonly stamp: string | null;
}

export interface SkillPlace {
  /** As people name it. */
  readonly folder: string;
  /** The same without any link; what is read must really be there. */
  readonly real: string;
  readonly source: SkillSource;
  /** What is in it, when that is known already; it was visited then. */
  readonly entries?: readonly Dirent[];
}

export interface ReadContext {
  readonly clock: Clock;
  readonly limits: FolderLimits;
  /** Bytes that may still be read by this discovery; the reader takes from it. */
  readonly budget: { bytes: number };
  /** Called before a folder is listed, so that nothing that changes afterwards is missed. */
  readonly visit: (folder: string) => void;
  /** Is given every file, with the bytes that the hash is of. */
  readonly take?: (path: string, bytes: Uint8Array) => void;
}

/** Times on disk may be this coarse: a file that changed so shortly before it was read is read again the next time. */
const COARSE_MS = 50;

interface Listing {
  readonly skillFile: string;
  readonly files: { readonly path: string; readonly size: number; readonly stamp: string }[];
  readonly links: string[];
  stamp: string;
  newest: number;
  bytes: number;
  tooLarge: boolean;
}

/** Is this the name of a skill's main file? */
export const isSkillFile = (name: string): boolean => name.toLowerCase() === 'skill.md';

/** The main file among the entries of a folder; SKILL.md before other spellings. */
export const skillFileIn = (entries: readonly Dirent[]): string | undefined => {
  const names = entries.filter((entry) => entry.isFile() && isSkillFile(entry.name)).map((entry) => entry.name);
  return names.toSorted(inPathOrder)[0];
};

/**
 * Reads one skill; `known` is handed back when nothing in the folder has changed since. Undefined when it is gone or is
 * reached by a link. Never throws: what cannot be read is a diagnostic.
 */
export const readSkillFolder = async (
  place: SkillPlace,
  known: SkillRecord | undefined,
  context: ReadContext,
): Promise<SkillRecord | undefined> => {
  const found: SkillDiagnostic[] = [];
  try {
    const startedAt = context.clock.now();
    const listing = await listFiles(place, context);
    if (!listing) return undefined;
    if (known?.stamp === listing.stamp && known.file === join(place.folder, listing.skillFile)) return known;
    if (!(await isReal(place.real))) return undefined;
    const settled = listing.newest < startedAt - COARSE_MS;
    return await readListed(place, listing, settled, context, found);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    const report = collectInto(join(place.folder, 'SKILL.md'), found);
    report('error', 'unreadable', 0, `It cannot be read: ${oneLine(messageOf(error), 200)}`);
    return record(place, 'SKILL.md', parseSkill('', join(place.folder, 'SKILL.md')), NO_MANIFEST, {
      files: [],
      hash: '',
      found,
      stamp: null,
    });
  }
};

const listFiles = async (place: SkillPlace, context: ReadContext): Promise<Listing | undefined> => {
  const top = place.entries ?? (await entriesOf(place.real, context));
  const skillFile = skillFileIn(top);
  if (skillFile === undefined) return undefined;
  const listing: Listing = { skillFile, files: [], links: [], stamp: '', newest: 0, bytes: 0, tooLarge: false };
  await listInto(listing, place.real, '', top, context);
  listing.files.sort((a, b) => inPathOrder(a.path, b.path));
  listing.links.sort(inPathOrder);
  const stamps = listing.files.map(({ path, stamp }) => `${path} ${stamp}`);
  listing.stamp = [...stamps, ...listing.links.map((path) => `link ${path}`)].join('\n');
  return listing;
};

const entriesOf = async (folder: string, context: ReadContext): Promise<readonly Dirent[]> => {
  context.visit(folder);
  return readdir(folder, { withFileTypes: true });
};

/** `.git` at the top is left out: it changes by itself, and nothing of it is ever handed out. */
const listInto = async (
  listing: Listing,
  real: string,
  below: string,
  entries: readonly Dirent[],
  context: ReadContext,
): Promise<void> => {
  for (const entry of entries) {
    if (listing.tooLarge) return;
    const path = below + entry.name;
    if (entry.isDirectory()) {
      if (path === '.git') continue;
      if (path.split('/').length > context.limits.depth) listing.tooLarge = true;
      else await listInto(listing, real, `${path}/`, await entriesOf(join(real, path), context), context);
    } else if (entry.isFile()) addFile(listing, path, await lstat(join(real, path)), context.limits);
    else listing.links.push(path);
  }
};

const addFile = (listing: Listing, path: string, found: Stats, limits: FolderLimits): void => {
  const stamp = `${found.size} ${found.mtimeMs} ${found.ctimeMs} ${found.ino}`;
  listing.files.push({ path, size: found.size, stamp });
  listing.newest = Math.max(listing.newest, found.mtimeMs, found.ctimeMs);
  listing.bytes += found.size;
  listing.tooLarge ||= listing.files.length > limits.files || listing.bytes > limits.bytes;
};

const readListed = async (
  place: SkillPlace,
  listing: Listing,
  settled: boolean,
  context: ReadContext,
  found: SkillDiagnostic[],
): Promise<SkillRecord> => {
  const file = join(place.folder, listing.skillFile);
  const report = collectInto(file, found);
  const contents = await readContents(place, listing, context, report);
  const parsed = parseSkill(contents.skill ?? '', file);
  const files = listing.files.map(({ path }) => path);
  const manifest = contents.manifest
    ? parseManifest(contents.manifest, join(place.folder, 'manifest.json'), files)
    : undefined;
  const runs = manifest !== undefined && manifest.manifest.entry !== null;
  tellLinks(listing, runs, report);
  tellHidden(listing, report);
  found.push(...parsed.diagnostics, ...(manifest?.diagnostics ?? []));
  const stamp = settled && contents.complete ? listing.stamp : null;
  return record(place, listing.skillFile, parsed, manifest?.manifest ?? NO_MANIFEST, {
    files,
    hash: contents.hash,
    found,
    stamp,
  });
};

interface Contents {
  readonly skill: Uint8Array | undefined;
  readonly manifest: Uint8Array | undefined;
  readonly hash: string;
  readonly complete: boolean;
}

const readContents = async (
  place: SkillPlace,
  listing: Listing,
  context: ReadContext,
  report: Report,
): Promise<Contents> => {
  const { limits, budget } = context;
  const within = !listing.tooLarge && budget.bytes >= listing.bytes;
  if (!within) {
    const why = listing.tooLarge
      ? `more than ${limits.files} files, ${Math.round(limits.bytes / 1024 / 1024)} MiB or ${limits.depth} levels of folders`
      : 'more bytes than are left to be read of all skills';
    report('error', 'folder-too-large', 0, `The folder holds ${why}, so it cannot be checked as a whole.`);
    const most = MOST_SKILL_BYTES;
    return {
      skill: await readRegular(join(place.real, listing.skillFile), most),
      manifest: undefined,
      hash: '',
      complete: true,
    };
  }
  budget.bytes -= listing.bytes;
  const hasher = contentHasher();
  let skill: Uint8Array | undefined;
  let manifest: Uint8Array | undefined;
  let complete = true;
  for (const { path, size } of listing.files) {
    const bytes = await readRegular(join(place.real, path), limits.bytes);
    if (bytes?.byteLength !== size) complete = false;
    if (!bytes) continue;
    hasher.add({ path, bytes });
    context.take?.(path, bytes);
    if (path === listing.skillFile) skill = bytes.subarray(0, MOST_SKILL_BYTES + 1);
    if (path === 'manifest.json') manifest = bytes.subarray(0, MOST_MANIFEST_BYTES + 1);
  }
  return { skill, manifest, hash: hasher.digest(), complete };
};

const tellLinks = (listing: Listing, runs: boolean, report: Report): void => {
  const [first] = listing.links;
  if (first === undefined) return;
  const count = listing.links.length > 1 ? ` and ${listing.links.length - 1} more` : '';
  const named = `${oneLine(first, 80)}${count}`;
  if (runs)
    report('error', 'link-inside', 0, `${named}: a skill that runs a script may hold regular files only, no links.`);
  else report('warning', 'link-skipped', 0, `${named}: not a regular file, left out. Links are never followed.`);
};

const tellHidden = (listing: Listing, report: Report): void => {
  const path = [...listing.files.map((file) => file.path), ...listing.links].find((one) => hiddenToShow(one) !== null);
  if (path === undefined) return;
  const said = `The name of the file ${oneLine(path, 80)} holds ${hiddenToShow(path)?.name}, which cannot be seen.`;
  report('warning', 'hidden-characters', 0, said);
};

/** A record holds fresh copies of its texts: a part of a long text would keep all of it in memory. */
const record = (
  place: SkillPlace,
  skillFile: string,
  parsed: ReturnType<typeof parseSkill>,
  manifest: SkillManifest,
  rest: {
    readonly files: readonly string[];
    readonly hash: string;
    readonly found: SkillDiagnostic[];
    readonly stamp: string | null;
  },
): SkillRecord => {
  const { name, description, tags, headings } = parsed;
  const texts = JSON.parse(
    JSON.stringify({ name, description, tags, headings, manifest, diagnostics: rest.found }),
  ) as Pick<SkillRecord, 'name' | 'description' | 'tags' | 'headings' | 'manifest' | 'diagnostics'>;
  return {
    ...texts,
    source: place.source,
    folder: place.folder,
    real: place.real,
    file: join(place.folder, skillFile),
    hash: rest.hash,
    tokens: parsed.tokens,
    files: rest.files,
    broken: rest.found.some((one) => one.severity === 'error'),
    stamp: rest.stamp,
  };
};
