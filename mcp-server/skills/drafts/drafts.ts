import { lstat, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../../domain/clock.ts';
import { UserError } from '../../domain/errors.ts';
import { type Random, randomSuffix } from '../../domain/ids.ts';
import { oneLine } from '../../domain/text.ts';
import { copySkill, readContent } from '../copy-skill.ts';
import { holdOf, NO_HOLDS, type ScriptHolds } from '../execute/hold.ts';
import { type SkillParts, skillFiles } from '../new-skill.ts';
import type { SkillDiagnostic, SkillSummary } from '../port.ts';
import { readRegular } from '../read-file.ts';
import type { SkillRecord } from '../read-folder.ts';
import { isSkillName } from '../skill-name.ts';

/** Who wrote a draft. */
export interface Author {
  readonly run: string;
  readonly agent: string;
  readonly at: number;
}

/** A draft as it is on disk, with all of its bytes. */
export interface Draft {
  readonly skill: SkillSummary;
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly problems: readonly SkillDiagnostic[];
  /** Null: that is not known. */
  readonly author: Author | null;
}

/** The drafts of one repository. Calls that change something are serialised. */
export interface Drafts {
  /** Sorted by name. */
  list(): Promise<readonly Draft[]>;
  /** Throws UserError `not-found`. */
  get(name: string): Promise<Draft>;
  /** A draft of the same run is replaced; one of another is refused. Returns what is wrong with it. */
  write(parts: SkillParts, author: Author): Promise<readonly SkillDiagnostic[]>;
  /** Moves exactly this content to `.coppice/skills`; what was there is kept aside. Returns its folder there. */
  approve(name: string, hash: string): Promise<{ readonly folder: string; readonly replaced: string | null }>;
  /** Says where its files are now. */
  discard(name: string): Promise<string>;
}

export interface DraftsParts {
  /** `.coppice` of the repository. */
  readonly stateDir: string;
  readonly clock: Clock;
  readonly random: Random;
  /** What this machine can hold scripts with. Absent: nothing. */
  readonly holds?: ScriptHolds;
}

const MOST_DRAFTS = 100;
const AUTHOR = z.object({ run: z.string(), agent: z.string(), at: z.number() });
const SOURCE = { kind: 'draft' } as const;

/** Opens the drafts below `.coppice/drafts`. */
export const openDrafts = (parts: DraftsParts): Drafts => new DraftsOnDisk(parts);

class DraftsOnDisk implements Drafts {
  readonly #parts: DraftsParts;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(parts: DraftsParts) {
    this.#parts = parts;
  }

  async list(): Promise<readonly Draft[]> {
    const found = await Promise.all((await this.#names()).map((name) => this.#find(name)));
    return found.filter((draft) => draft !== null);
  }

  async get(name: string): Promise<Draft> {
    const found = await this.#find(name);
    if (found) return found;
    throw new UserError('not-found', `There is no draft ${oneLine(name, 64)}.`);
  }

  write(skill: SkillParts, author: Author): Promise<readonly SkillDiagnostic[]> {
    const files = skillFiles(skill);
    return this.#oneByOne(async () => {
      await this.#makeRoom(skill.name, author);
      await this.#place(this.#folder(skill.name), async (folder) => {
        for (const [path, text] of files) {
          await mkdir(dirname(join(folder, path)), { recursive: true, mode: 0o700 });
          await writeFile(join(folder, path), text, { mode: 0o600, flag: 'wx' });
        }
      });
      return (await this.get(skill.name)).problems;
    });
  }

  approve(name: string, hash: string): ReturnType<Drafts['approve']> {
    return this.#oneByOne(async () => {
      const { skill, problems } = await this.get(name);
      if (problems.some(({ severity }) => severity === 'error'))
        throw new UserError('wrong-state', `The draft ${name} has errors and could not be used. Put them right first.`);
      const folder = join(this.#parts.stateDir, 'skills', name);
      const replaced = await this.#install({ ...skill, hash }, folder, skill.hash === hash);
      await this.#moveAway(this.#folder(name), 'trash', name);
      await rm(this.#authorFile(name), { force: true });
      return { folder, replaced };
    });
  }

  discard(name: string): Promise<string> {
    return this.#oneByOne(async () => {
      await this.get(name);
      await rm(this.#authorFile(name), { force: true });
      return this.#moveAway(this.#folder(name), 'removed-skills', name);
    });
  }

  #folder(name: string): string {
    return join(this.#parts.stateDir, 'drafts', name);
  }

  #authorFile(name: string): string {
    return join(this.#parts.stateDir, 'draft-authors', `${name}.json`);
  }

  #oneByOne<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work);
    this.#queue = result.catch(() => undefined);
    return result;
  }

  async #find(name: string): Promise<Draft | null> {
    if (!isSkillName(name) || !(await isFolder(this.#folder(name)))) return null;
    const content = await readContent({ folder: this.#folder(name), source: SOURCE }, this.#parts);
    if (!content) return null;
    const skill = summaryOf(content.record, name, this.#parts.holds ?? NO_HOLDS);
    const author = await authorOf(this.#authorFile(name));
    return { skill, files: content.files, problems: content.record.diagnostics, author };
  }

  async #names(): Promise<readonly string[]> {
    const entries = await readdir(join(this.#parts.stateDir, 'drafts'), { withFileTypes: true }).catch(() => []);
    const folders = entries.filter((entry) => entry.isDirectory() && isSkillName(entry.name));
    return folders.map(({ name }) => name).sort();
  }

  /** An earlier draft of the same run goes; then the author is noted. */
  async #makeRoom(name: string, author: Author): Promise<void> {
    const old = await this.#find(name);
    if (old && old.author?.run !== author.run)
      throw new UserError('wrong-state', `There is a draft ${name} by somebody else. Choose another name.`);
    if (!old && (await this.#names()).length >= MOST_DRAFTS)
      throw new UserError('wrong-state', `There are ${MOST_DRAFTS} drafts already. A person must look at them first.`);
    await plainFolder(dirname(this.#authorFile(name)));
    await writeFile(this.#authorFile(name), JSON.stringify(author), { mode: 0o600 });
    if (old) await this.#moveAway(this.#folder(name), 'trash', name);
  }

  /** Returns where that is which was there before; null: nothing was. */
  async #install(skill: SkillSummary, target: string, same: boolean): Promise<string | null> {
    let replaced: string | null = null;
    try {
      await this.#place(target, async (folder) => {
        if (!same || (await copySkill(skill, folder, this.#parts.clock)) === null)
          throw new UserError('wrong-state', `The draft ${skill.name} has changed since you looked at it. Look again.`);
        if (await exists(target)) replaced = await this.#moveAway(target, 'removed-skills', skill.name);
      });
    } catch (error) {
      if (replaced !== null && !(await exists(target))) await rename(replaced, target);
      throw error;
    }
    return replaced;
  }

  async #moveAway(folder: string, place: 'trash' | 'removed-skills', name: string): Promise<string> {
    const { stateDir, random } = this.#parts;
    await plainFolder(join(stateDir, place));
    const target = join(stateDir, place, `${name}-${randomSuffix(random, 8)}`);
    await rename(folder, target);
    return target;
  }

  /** Filled where nobody looks for skills, then moved to its place in one step. */
  async #place(target: string, fill: (folder: string) => Promise<void>): Promise<void> {
    const temporary = join(this.#parts.stateDir, 'tmp');
    await plainFolder(dirname(target));
    await plainFolder(temporary);
    const staged = await mkdtemp(join(temporary, 'draft-'));
    try {
      const folder = join(staged, 'skill');
      await mkdir(folder, { mode: 0o700 });
      await fill(folder);
      await rename(folder, target);
    } finally {
      await rm(staged, { recursive: true, force: true });
    }
  }
}

const summaryOf = (record: SkillRecord, name: string, holds: ScriptHolds): SkillSummary => {
  const { description, tags, source, folder, file, hash, tokens, manifest } = record;
  const kind = manifest.entry === null ? 'instructions' : 'script';
  const rest = { description, tags, source, folder, file, hash, tokens, manifest };
  const hold = holdOf(manifest, holds);
  return { name, state: 'draft', kind, hold, unconfined: false, pinned: false, uses: 0, ...rest };
};

const authorOf = async (file: string): Promise<Author | null> => {
  try {
    const bytes = await readRegular(file, 1000);
    return bytes ? AUTHOR.parse(JSON.parse(Buffer.from(bytes).toString('utf8'))) : null;
  } catch {
    return null;
  }
};

const exists = async (path: string): Promise<boolean> => (await lstat(path).catch(() => null)) !== null;
const isFolder = async (path: string): Promise<boolean> =>
  (await lstat(path).catch(() => null))?.isDirectory() ?? false;

/** A link in the place of one of Coppice's own folders would lead what is written to somewhere else. */
const plainFolder = async (folder: string): Promise<void> => {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (await isFolder(folder)) return;
  throw new UserError('wrong-state', `${folder} must be a plain folder. Move away what is there.`);
};
