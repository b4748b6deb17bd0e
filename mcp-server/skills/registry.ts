import { realpath } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative } from 'node:path';
import type { Clock } from '../domain/clock.ts';
import { UserError } from '../domain/errors.ts';
import { readContent } from './copy-skill.ts';
import { type Discovered, type DiscoverLimits, discoverSkills, type SkillPlaces, skillRoots } from './discover.ts';
import { holdOf, NO_HOLDS, type ScriptHolds } from './execute/hold.ts';
import { type Grants, openGrants } from './grants.ts';
import { parseSkill } from './parse-skill.ts';
import type {
  Skill,
  SkillChange,
  SkillDiagnostic,
  SkillHit,
  SkillHold,
  SkillRegistry,
  SkillState,
  SkillSummary,
} from './port.ts';
import type { SkillRecord } from './read-folder.ts';
import { type Embed, SkillIndex } from './search.ts';
import { SkillWatch } from './watch.ts';

export interface SkillsOptions extends SkillPlaces {
  /** Absolute path of the file of the person's grants, pins and counts; outside of the repository. It need not exist. */
  readonly grants: string;
  readonly clock: Clock;
  /** What this machine can hold scripts with. Absent: nothing. */
  readonly holds?: ScriptHolds;
  /** False: changes are noticed by reload() only. */
  readonly watch?: boolean;
  /** Re-ranks what words have found. */
  readonly embed?: Embed;
  readonly limits?: Partial<DiscoverLimits>;
  /** Folders that are watched at the most; what lies in others is looked at every half minute. */
  readonly mostWatched?: number;
}

/** Events come in bursts: an editor writes a file in several steps, a checkout many files. */
const QUIET_MS = 120;
const SWEEP_MS = 30_000;
const MOST_WATCHED = 30_000;

/** Reads the skills of a repository and follows their changes. Throws UserError when the grants lie in the repository. */
export const openSkills = async (options: SkillsOptions): Promise<SkillRegistry> => {
  await refuseInside(options.repository, options.grants);
  const grants = await openGrants({ file: options.grants, repository: options.repository, clock: options.clock });
  const registry = new Registry(options, grants);
  await registry.reload();
  return registry;
};

/** A repository could ship grants for its own skills if they were kept in it. */
const refuseInside = async (repository: string, file: string): Promise<void> => {
  const top = await realpath(repository);
  const way = relative(top, join(await realAncestor(dirname(file)), 'grants'));
  if (isAbsolute(way) || way.startsWith('..')) return;
  throw new UserError('bad-input', `${file} lies in the repository. Keep what you grant to its skills outside of it.`);
};

const realAncestor = async (folder: string): Promise<string> =>
  (await realpath(folder).catch(() => null)) ?? (dirname(folder) === folder ? folder : realAncestor(dirname(folder)));

class Registry implements SkillRegistry {
  readonly #options: SkillsOptions;
  readonly #grants: Grants;
  readonly #index: SkillIndex;
  readonly #watch: SkillWatch | null;
  readonly #listeners = new Set<(change: SkillChange) => void>();
  readonly #closing = new AbortController();
  #discovered: Discovered = { winners: new Map(), all: new Map(), diagnostics: [] };
  #list: readonly SkillSummary[] = [];
  #diagnostics: readonly SkillDiagnostic[] = [];
  #searchable: ReadonlyMap<string, SkillSummary> = new Map();
  /** The index, and what is searchable, are those of the list. */
  #indexed = false;
  #indexing: Promise<void> = Promise.resolve();
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | null = null;
  #waiting = false;
  #sweep: NodeJS.Timeout | null = null;

  constructor(options: SkillsOptions, grants: Grants) {
    this.#options = options;
    this.#grants = grants;
    this.#index = new SkillIndex(options.embed);
    const recursive = process.platform === 'darwin' || process.platform === 'win32';
    const most = options.mostWatched ?? MOST_WATCHED;
    this.#watch = options.watch === false ? null : new SkillWatch({ onChange: () => this.#heard(), recursive, most });
  }

  list(): readonly SkillSummary[] {
    return this.#list;
  }

  diagnostics(): readonly SkillDiagnostic[] {
    return this.#diagnostics;
  }

  pinned(): readonly SkillSummary[] {
    return this.#list.filter((skill) => skill.pinned && isUsable(skill));
  }

  async read(name: string): Promise<Skill | undefined> {
    const known = this.#discovered.winners.get(name);
    const content = known && (await readContent(known, this.#options));
    if (!known || !content) return undefined;
    const { record, files } = content;
    // The hash and the body are of the same bytes, so the state holds for what is handed out.
    if (record.hash !== known.hash) this.#heard();
    const path = relative(record.folder, record.file);
    const parsed = parseSkill(files.get(path) ?? '', record.file);
    const others = record.files.filter((one) => one !== path);
    return { ...this.#summary({ ...record, name }), body: parsed.body, frontmatter: parsed.frontmatter, files: others };
  }

  /** Of the content that the list tells of: when that has changed on disk, there is nothing until the list tells so. */
  async readFile(name: string, path: string): Promise<Uint8Array | undefined> {
    const known = this.#discovered.winners.get(name);
    const content = known?.files.includes(path) ? await readContent(known, this.#options) : undefined;
    if (content?.record.hash === known?.hash) return content?.files.get(path);
    this.#heard();
    return undefined;
  }

  async search(query: string, limit: number): Promise<readonly SkillHit[]> {
    if (!this.#indexed) {
      this.#indexed = true;
      this.#searchable = new Map(this.#list.filter(isSearchable).map((skill) => [skill.name, skill]));
      const records = [...this.#searchable.keys()].flatMap((name) => this.#discovered.winners.get(name) ?? []);
      this.#indexing = this.#indexing.then(() => this.#index.update(records));
    }
    await this.#indexing;
    const searchable = this.#searchable;
    const found = await this.#index.search(query, limit);
    return found.flatMap(({ name, score }) => {
      const skill = searchable.get(name);
      return skill ? [{ skill, score }] : [];
    });
  }

  async pin(name: string, pinned: boolean): Promise<void> {
    if (pinned) this.#mustFind(name);
    await this.#grants.pin(name, pinned);
    this.#apply();
  }

  async trust(name: string, hash: string, grant?: { readonly unconfined: boolean }): Promise<void> {
    const { source } = this.#mustFind(name);
    if (source.kind === 'bundled') return;
    if (source.kind === 'draft') throw new UserError('wrong-state', `${name} is a draft. Approve it first.`);
    const now = await this.read(name);
    if (!now) throw new UserError('not-found', `The skill ${name} is gone.`);
    if (now.state === 'error')
      throw new UserError('wrong-state', `The skill ${name} has errors and cannot be used. Repair it first.`);
    if (now.hash !== hash)
      throw new UserError('wrong-state', `The skill ${name} has changed since you looked at it. Look again.`);
    const free = now.hold === 'nothing';
    if (free && grant?.unconfined !== true)
      throw new UserError(
        'permission-denied',
        `Nothing on this machine holds the script of ${name} to what it declares: to trust it is to let it do all that you can do. Only who has been told so can grant that ("unconfined": true).`,
      );
    await this.#grants.trust(name, hash, free);
    this.#apply();
  }

  async distrust(name: string): Promise<void> {
    await this.#grants.distrust(name);
    this.#apply();
  }

  async noteUse(name: string): Promise<void> {
    if (!this.#discovered.winners.has(name)) return;
    await this.#grants.noteUse(name);
    this.#apply();
  }

  /** Calls that come while one is waiting share it. */
  reload(): Promise<void> {
    if (this.#next) return this.#next;
    const next = this.#running.then(() => {
      this.#next = null;
      return this.#scan();
    });
    this.#next = next;
    this.#running = next.catch(() => undefined);
    return next;
  }

  onChange(listener: (change: SkillChange) => void): () => void {
    // A wrapper of its own, so that one function can listen twice.
    const own = (change: SkillChange): void => listener(change);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#listeners.clear();
    if (this.#sweep) clearTimeout(this.#sweep);
    this.#watch?.close();
    await this.#running;
    await this.#grants.close();
  }

  #mustFind(name: string): SkillRecord {
    const found = this.#discovered.winners.get(name);
    if (!found) throw new UserError('not-found', `There is no skill ${name}.`);
    return found;
  }

  #heard(): void {
    if (this.#waiting || this.#closing.signal.aborted) return;
    this.#waiting = true;
    void this.#options.clock
      .sleep(QUIET_MS, this.#closing.signal)
      .then(() => {
        this.#waiting = false;
        return this.reload();
      })
      .catch(() => undefined);
  }

  async #scan(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#watch?.begin();
    if (this.#watch) for (const { base, path } of skillRoots(this.#options)) await this.#watch.awaitRoot(base, path);
    const { all } = this.#discovered;
    const visit = (folder: string, top: boolean): void => this.#watch?.see(folder, top);
    const discovered = await discoverSkills({ ...this.#options, known: all, visit });
    this.#watch?.end();
    await this.#grants.refresh();
    if (this.#closing.signal.aborted) return;
    this.#discovered = discovered;
    this.#apply();
    this.#planSweep();
  }

  /** Where not everything can be watched, a look from time to time has to do. */
  #planSweep(): void {
    if (this.#sweep) clearTimeout(this.#sweep);
    this.#sweep = this.#watch?.limited ? setTimeout(() => this.#heard(), SWEEP_MS).unref() : null;
  }

  #apply(): void {
    const list = [...this.#discovered.winners.values()].map((record) => this.#summary(record));
    list.sort((a, b) => (a.name < b.name ? -1 : 1));
    const diagnostics = [...this.#discovered.diagnostics, ...this.#grants.diagnostics(), ...this.#watchDiagnostics()];
    const same = sameSkills(this.#list, list) && sameDiagnostics(this.#diagnostics, diagnostics);
    if ((same && sameUses(this.#list, list)) || this.#closing.signal.aborted) return;
    this.#indexed = false;
    this.#list = list;
    this.#diagnostics = diagnostics;
    for (const listener of this.#listeners) listener(same ? 'uses' : 'skills');
  }

  #watchDiagnostics(): readonly SkillDiagnostic[] {
    if (!this.#watch?.limited) return [];
    const message =
      'There are more folders of skills than can be watched; changes in some are noticed after half a minute.';
    return [{ file: this.#options.repository, line: 0, severity: 'hint', code: 'watch-limited', message }];
  }

  #summary(record: SkillRecord): SkillSummary {
    const { name, description, tags, source, folder, file, hash, tokens, manifest } = record;
    const hold = holdOf(manifest, this.#options.holds ?? NO_HOLDS);
    return {
      name,
      description,
      tags,
      source,
      folder,
      file,
      hash,
      tokens,
      manifest,
      hold,
      unconfined: this.#grants.isUnconfined(name, hash),
      state: this.#stateOf(record, hold),
      kind: manifest.entry === null ? 'instructions' : 'script',
      pinned: this.#grants.isPinned(name),
      uses: this.#grants.uses(name),
    };
  }

  #stateOf({ source, broken, name, hash }: SkillRecord, hold: SkillHold | null): SkillState {
    if (source.kind === 'draft') return 'draft';
    if (broken) return 'error';
    if (source.kind === 'bundled') return 'bundled';
    // What was granted while something held the script is not granted where nothing does.
    const granted = hold === 'nothing' ? this.#grants.isUnconfined(name, hash) : this.#grants.isTrusted(name, hash);
    return granted ? 'trusted' : 'needs-review';
  }
}

const isUsable = ({ state }: SkillSummary): boolean => state === 'bundled' || state === 'trusted';
const isSearchable = ({ state }: SkillSummary): boolean => state !== 'draft' && state !== 'error';

/** Everything else of a skill follows from its place and its content. */
const sameSkills = (a: readonly SkillSummary[], b: readonly SkillSummary[]): boolean =>
  a.length === b.length &&
  a.every((one, at) => {
    const other = b[at];
    if (one.name !== other?.name || one.state !== other.state || one.file !== other.file) return false;
    return one.hash === other.hash && one.pinned === other.pinned;
  });

/** Of lists of the same skills. */
const sameUses = (a: readonly SkillSummary[], b: readonly SkillSummary[]): boolean =>
  a.every((one, at) => one.uses === b[at]?.uses);

const sameDiagnostics = (a: readonly SkillDiagnostic[], b: readonly SkillDiagnostic[]): boolean =>
  a.length === b.length &&
  a.every((one, at) => {
    const other = b[at];
    return (
      one === other ||
      (one.file === other?.file && one.line === other.line && one.code === other.code && one.message === other.message)
    );
  });
