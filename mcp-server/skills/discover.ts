import type { Dirent } from 'node:fs';
import { readdir, realpath } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import type { Clock } from '../domain/clock.ts';
import { messageOf } from '../domain/errors.ts';
import { oneLine } from '../domain/text.ts';
import { inPathOrder } from './content-hash.ts';
import { collectInto } from './diagnostic.ts';
import type { SkillDiagnostic, SkillSource } from './port.ts';
import { mapLimited } from './read-file.ts';
import {
  FOLDER_LIMITS,
  type FolderLimits,
  type ReadContext,
  readSkillFolder,
  type SkillPlace,
  type SkillRecord,
  skillFileIn,
} from './read-folder.ts';

/** Where skills are looked for. All paths are absolute. */
export interface SkillPlaces {
  readonly repository: string;
  /** Null: skills of the person's home folder are left out. */
  readonly home: string | null;
  /** The folder of the skills that come with Coppice. */
  readonly bundled: string | null;
}

/** One folder of skills. Its real path must lie below that of `base`. */
export interface SkillRoot {
  readonly base: string;
  /** Below the base, with slashes; empty: the base itself. */
  readonly path: string;
  readonly source: SkillSource;
}

export interface DiscoverLimits extends FolderLimits {
  /** Skills in all. */
  readonly skills: number;
  /** Folders that are looked into for skills. */
  readonly folders: number;
  /** Levels of folders above a skill, below its root. */
  readonly levels: number;
  /** Bytes that one discovery reads in all. */
  readonly allBytes: number;
}

export const DISCOVER_LIMITS: DiscoverLimits = {
  ...FOLDER_LIMITS,
  skills: 20_000,
  folders: 60_000,
  levels: 4,
  allBytes: 1024 * 1024 * 1024,
};

export interface DiscoverOptions extends SkillPlaces {
  readonly clock: Clock;
  readonly limits?: Partial<DiscoverLimits>;
  /** Of the discovery before: what has not changed is taken from it. */
  readonly known?: ReadonlyMap<string, SkillRecord>;
  /** Called with the real path of a folder before it is read; `top`: it is a root. */
  readonly visit?: (folder: string, top: boolean) => void;
}

export interface Discovered {
  /** Winners by name. */
  readonly winners: ReadonlyMap<string, SkillRecord>;
  /** Every skill by its folder, also those that a nearer one hides. */
  readonly all: ReadonlyMap<string, SkillRecord>;
  readonly diagnostics: readonly SkillDiagnostic[];
}

/** Below the repository and the home folder, the nearest first. */
const FOLDERS = ['.coppice/skills', '.agents/skills', '.github/skills', '.claude/skills'] as const;
/** Where agents write skills that nobody has approved; below the repository. */
export const DRAFTS_FOLDER = '.coppice/drafts';
const AT_ONCE = 24;

/** All roots, the nearest first. Drafts come last: they never hide a skill. */
export const skillRoots = ({ repository, home, bundled }: SkillPlaces): readonly SkillRoot[] => {
  const below = (kind: 'workspace' | 'home', base: string): SkillRoot[] =>
    FOLDERS.map((path) => ({ base, path, source: { kind, root: join(base, path) } }));
  return [
    ...below('workspace', repository),
    ...(home === null ? [] : below('home', home)),
    ...(bundled === null ? [] : [{ base: bundled, path: '', source: { kind: 'bundled' } } as const]),
    { base: repository, path: DRAFTS_FOLDER, source: { kind: 'draft' } },
  ];
};

/**
 * Finds and reads the skills of all roots. The nearer of two with one name wins. Never follows a link out of a root, reads
 * only within the limits, and never throws on what it finds.
 */
export const discoverSkills = async (options: DiscoverOptions): Promise<Discovered> => {
  const limits = { ...DISCOVER_LIMITS, ...options.limits };
  const diagnostics: SkillDiagnostic[] = [];
  const visit = options.visit ?? (() => undefined);
  const search: Search = { limits, visit, diagnostics, folders: 0, places: [], seen: new Set() };
  for (const root of skillRoots(options)) await searchRoot(root, search);
  const context: ReadContext = {
    clock: options.clock,
    limits,
    budget: { bytes: limits.allBytes },
    visit: (folder) => visit(folder, false),
  };
  const records = await mapLimited(search.places, AT_ONCE, (place) =>
    readSkillFolder(place, sameSource(options.known?.get(place.folder), place), context),
  );
  return { ...settle(records, diagnostics), diagnostics };
};

const sameSource = (known: SkillRecord | undefined, { source }: SkillPlace): SkillRecord | undefined =>
  known?.source.kind === source.kind ? known : undefined;

interface Search {
  readonly limits: DiscoverLimits;
  readonly visit: (folder: string, top: boolean) => void;
  readonly diagnostics: SkillDiagnostic[];
  folders: number;
  readonly places: SkillPlace[];
  /** Real paths of roots: two of them may be one folder. */
  readonly seen: Set<string>;
}

interface Folder {
  readonly folder: string;
  readonly real: string;
}

const searchRoot = async (root: SkillRoot, search: Search): Promise<void> => {
  const top = await locate(root, search);
  if (top === null || search.seen.has(top.real)) return;
  search.seen.add(top.real);
  const found: NonNullable<Looked['skill']>[] = [];
  let level: readonly Folder[] = [top];
  for (let depth = 0; level.length > 0 && depth <= search.limits.levels; depth += 1) {
    const looked = await mapLimited(level, AT_ONCE, (folder) => look(folder, depth === 0, search));
    level = looked.flatMap(({ below }) => below);
    for (const { skill } of looked) if (skill) found.push(skill);
  }
  const room = search.limits.skills - search.places.length;
  const kept = found.toSorted((a, b) => inPathOrder(a.folder, b.folder)).slice(0, Math.max(0, room));
  if (kept.length < found.length) tooMany(top.folder, search);
  search.places.push(...kept.map((folder) => ({ ...folder, source: root.source })));
};

/** The root without links, when it is there and lies in its base. */
const locate = async ({ base, path }: SkillRoot, search: Search): Promise<Folder | null> => {
  const realBase = await realpath(base).catch(() => null);
  const folder = join(base, path);
  const real = await realpath(folder).catch(() => null);
  if (realBase === null || real === null) return null;
  if (real === join(realBase, path)) return { folder, real };
  if (real.startsWith(realBase.endsWith(sep) ? realBase : realBase + sep))
    return { folder: join(base, relative(realBase, real)), real };
  const report = collectInto(folder, search.diagnostics);
  report('warning', 'root-outside', 0, `${folder} leads out of ${base}, so no skills are read from it.`);
  return null;
};

interface Looked {
  readonly skill?: Folder & { readonly entries: readonly Dirent[] };
  readonly below: readonly Folder[];
}

/** A folder with a SKILL.md is a skill and is not searched further; in others, skills may lie in groups. */
const look = async (at: Folder, isRoot: boolean, search: Search): Promise<Looked> => {
  search.folders += 1;
  if (search.folders > search.limits.folders) {
    if (search.folders === search.limits.folders + 1) tooMany(at.folder, search);
    return { below: [] };
  }
  search.visit(at.real, isRoot);
  const entries = await readdir(at.real, { withFileTypes: true }).catch((error: unknown) =>
    unreadable(at, error, search),
  );
  const skillFile = skillFileIn(entries);
  if (skillFile !== undefined && !isRoot) return { skill: { ...at, entries }, below: [] };
  if (skillFile !== undefined)
    tell(
      join(at.folder, skillFile),
      'warning',
      'misplaced',
      'A skill lies in a folder of its own; this file is not read.',
      search,
    );
  for (const entry of entries)
    if (entry.isSymbolicLink())
      tell(join(at.folder, entry.name), 'hint', 'link-skipped', 'This is a link; links are never followed.', search);
  return {
    below: entries.filter(mayHold).map(({ name }) => ({ folder: join(at.folder, name), real: join(at.real, name) })),
  };
};

const mayHold = (entry: Dirent): boolean =>
  entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules';

const tell = (
  file: string,
  severity: SkillDiagnostic['severity'],
  code: 'misplaced' | 'link-skipped' | 'unreadable' | 'too-many' | 'shadowed',
  message: string,
  search: Pick<Search, 'diagnostics'>,
): void => void search.diagnostics.push({ file, line: 0, severity, code, message });

const unreadable = ({ folder }: Folder, error: unknown, search: Search): readonly Dirent[] => {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
    tell(folder, 'warning', 'unreadable', `The folder cannot be read: ${oneLine(messageOf(error), 200)}`, search);
  return [];
};

const tooMany = (folder: string, search: Search): void =>
  tell(
    folder,
    'warning',
    'too-many',
    `There are too many skills; at most ${search.limits.skills} are read, in ${search.limits.folders} folders.`,
    search,
  );

const settle = (
  records: readonly (SkillRecord | undefined)[],
  diagnostics: SkillDiagnostic[],
): Pick<Discovered, 'winners' | 'all'> => {
  const winners = new Map<string, SkillRecord>();
  const all = new Map<string, SkillRecord>();
  for (const record of records) {
    if (!record) continue;
    all.set(record.folder, record);
    for (const diagnostic of record.diagnostics) diagnostics.push(diagnostic);
    const winner = winners.get(record.name);
    if (!winner && record.name !== '') winners.set(record.name, record);
    else if (winner && winner.folder !== record.folder) tellShadowed(record, winner, diagnostics);
  }
  return { winners, all };
};

const tellShadowed = (record: SkillRecord, winner: SkillRecord, diagnostics: SkillDiagnostic[]): void => {
  const draft = record.source.kind === 'draft';
  const message = draft
    ? `There is a skill ${winner.name} already, in ${winner.folder}. Give the draft another name.`
    : `The skill ${winner.name} in ${winner.folder} is nearer and is used instead.`;
  tell(record.file, draft ? 'warning' : 'hint', 'shadowed', message, { diagnostics });
};
