import { lstat, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../domain/clock.ts';
import { UserError } from '../../domain/errors.ts';
import { type Random, randomSuffix } from '../../domain/ids.ts';
import { oneLine } from '../../domain/text.ts';
import { parseManifest } from '../manifest.ts';
import type { SkillPermissions } from '../port.ts';
import {
  compareFiles,
  type FileDifference,
  hashesOf,
  hashFolder,
  isSame,
  type SkillBundle,
  writeBundle,
} from './bundle.ts';
import { type ImportOrigin, type LockedSkill, readLock, writeLock } from './lock-file.ts';

/** A skill on its way in. */
export interface Fetched {
  readonly bundle: SkillBundle;
  readonly origin: ImportOrigin;
  /** Commit, version or `package@version`. */
  readonly pin: string;
  /** Whole sentences for the person. */
  readonly remarks: readonly string[];
}

/** An imported skill, and what became of its files. */
export interface ImportedSkill extends LockedSkill {
  readonly folder: string;
  readonly state: 'as-imported' | 'changed-by-hand' | 'missing';
  /** Empty unless it was changed by hand. */
  readonly changes: FileDifference;
}

/** The imported skills of one repository, on disk. Calls must not overlap. */
export interface InstalledSkills {
  folderOf(name: string): string;
  get(name: string): Promise<ImportedSkill | null>;
  /** Sorted by name. */
  list(): Promise<readonly ImportedSkill[]>;
  /** What the manifest that is installed now asks for. */
  permissionsOf(name: string): Promise<SkillPermissions>;
  /** In one step for whoever looks; nothing has changed when it throws. */
  install(fetched: Fetched, hash: string, replaceChanged: boolean): Promise<ImportedSkill>;
  /** `movedTo` null: its folder was gone already. */
  remove(
    name: string,
    evenIfChanged: boolean,
  ): Promise<{ readonly movedTo: string | null; readonly changes: FileDifference }>;
}

/** What the installed skills are kept with. */
export interface InstalledParts {
  /** `.coppice` of the repository. */
  readonly stateDir: string;
  readonly clock: Clock;
  readonly random: Random;
}

const NONE: FileDifference = { added: [], changed: [], removed: [] };

/** The imported skills below a state folder; every method throws UserError `wrong-state` while the lock file is corrupt. */
export const createInstalledSkills = (parts: InstalledParts): InstalledSkills => {
  const lockFile = join(parts.stateDir, 'skills.lock.json');
  const folderOf = (name: string): string => join(parts.stateDir, 'skills', name);
  const get = async (name: string): Promise<ImportedSkill | null> => {
    const locked = (await readLock(lockFile)).find((one) => one.name === name);
    return locked ? stateOf(locked, folderOf(name)) : null;
  };
  return {
    folderOf,
    get,
    list: async () => Promise.all((await readLock(lockFile)).map((one) => stateOf(one, folderOf(one.name)))),
    permissionsOf: async (name) => {
      const file = join(folderOf(name), 'manifest.json');
      return parseManifest(await readFile(file).catch(() => '{}'), file, []).manifest.permissions;
    },
    install: async (fetched, hash, replaceChanged) => {
      const { name } = fetched.bundle;
      const old = await get(name);
      await checkPlace(folderOf(name), fetched, old, replaceChanged);
      await checkFolder(join(parts.stateDir, 'skills'));
      const importedAt = new Date(parts.clock.now()).toISOString();
      const { origin, pin, bundle } = fetched;
      const locked: LockedSkill = { name, origin, pin, hash, files: hashesOf(bundle.files), importedAt };
      await replaceFolder(parts, bundle, folderOf(name), old, async () => {
        const others = (await readLock(lockFile)).filter((one) => one.name !== name);
        await writeLock(lockFile, [...others, locked]);
      });
      return stateOf(locked, folderOf(name));
    },
    remove: async (name, evenIfChanged) => {
      const state = await get(name);
      if (!state) throw new UserError('not-found', `No skill ${oneLine(name, 64)} was imported into this repository.`);
      if (state.state === 'changed-by-hand' && !evenIfChanged) throw changedByHand(state, 'Removing');
      const movedTo = await moveAway(parts, state);
      const others = (await readLock(lockFile)).filter((one) => one.name !== name);
      await writeLock(lockFile, others);
      return { movedTo, changes: state.changes };
    },
  };
};

const stateOf = async (locked: LockedSkill, folder: string): Promise<ImportedSkill> => {
  if (!(await isFolder(folder))) return { ...locked, folder, state: 'missing', changes: NONE };
  const changes = compareFiles(locked.files, await hashFolder(folder));
  return { ...locked, folder, state: isSame(changes) ? 'as-imported' : 'changed-by-hand', changes };
};

const isFolder = async (path: string): Promise<boolean> =>
  (await lstat(path).catch(() => null))?.isDirectory() ?? false;

const checkFolder = async (folder: string): Promise<void> => {
  await mkdir(folder, { recursive: true }).catch(() => undefined);
  if (await isFolder(folder)) return;
  throw new UserError('wrong-state', `${folder} must be a plain folder. Move away what is there.`);
};

const checkPlace = async (
  folder: string,
  { bundle: { name }, origin }: Fetched,
  old: ImportedSkill | null,
  replaceChanged: boolean,
): Promise<void> => {
  if (old !== null && sourceOf(old.origin) !== sourceOf(origin)) {
    throw new UserError(
      'wrong-state',
      `The skill ${name} was imported from elsewhere. Remove it first, or give this one another name.`,
    );
  }
  if (old?.state === 'changed-by-hand' && !replaceChanged) throw changedByHand(old, 'Updating');
  if ((old === null || old.state === 'missing') && (await lstat(folder).catch(() => null)) !== null) {
    throw new UserError(
      'wrong-state',
      `${folder} exists and was not imported. Give the skill another name, or move away what is there.`,
    );
  }
};

/** The source without the version: an update may be asked for at another one. */
const sourceOf = (origin: ImportOrigin): string => {
  if (origin.kind === 'git') return `git ${origin.url} ${origin.path}`;
  return origin.kind === 'clawhub' ? `clawhub ${origin.slug}` : `langchain ${origin.spec}`;
};

const changedByHand = ({ name, changes }: ImportedSkill, verb: string): UserError => {
  const files = [...changes.added, ...changes.changed, ...changes.removed].sort();
  return new UserError(
    'wrong-state',
    `${verb} the skill ${name} would take away what was changed by hand: ${oneLine(files.join(', '), 300)}. Say so if that is meant; the folder is then kept in .coppice/removed-skills.`,
  );
};

/** What is as it was imported can be fetched again, so it goes where things are deleted; what somebody changed is kept. */
const moveAway = async (parts: InstalledParts, skill: ImportedSkill): Promise<string | null> => {
  if (skill.state === 'missing') return null;
  const place = join(parts.stateDir, skill.state === 'as-imported' ? 'trash' : 'removed-skills');
  await mkdir(place, { recursive: true, mode: 0o700 });
  const target = join(place, `${skill.name}-${randomSuffix(parts.random, 8)}`);
  await rename(skill.folder, target);
  return target;
};

/** As `moveAway`, but where nobody deletes it before the new one is in its place. */
const setAside = async (parts: InstalledParts, skill: ImportedSkill, staged: string): Promise<string | null> => {
  if (skill.state !== 'as-imported') return moveAway(parts, skill);
  const target = join(staged, 'before');
  await rename(skill.folder, target);
  return target;
};

/** The files are written where nobody looks for skills, then moved in; when `record` throws all is as before. */
const replaceFolder = async (
  parts: InstalledParts,
  bundle: SkillBundle,
  folder: string,
  old: ImportedSkill | null,
  record: () => Promise<void>,
): Promise<void> => {
  const temporary = join(parts.stateDir, 'tmp');
  await mkdir(temporary, { recursive: true, mode: 0o700 });
  const staged = await mkdtemp(join(temporary, 'import-'));
  let placed = false;
  try {
    await writeBundle(bundle, join(staged, 'new'));
    const movedTo = old && (await setAside(parts, old, staged));
    try {
      await rename(join(staged, 'new'), folder);
      placed = true;
      await record();
    } catch (error) {
      if (placed) await rename(folder, join(staged, 'failed'));
      if (movedTo) await rename(movedTo, folder);
      throw error;
    }
  } finally {
    await rm(staged, { recursive: true, force: true });
  }
};
