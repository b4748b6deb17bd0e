import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Clock } from '../domain/clock.ts';
import { UserError } from '../domain/errors.ts';
import { discoverSkills } from './discover.ts';
import type { SkillDiagnostic } from './port.ts';
import { FOLDER_LIMITS, isSkillFile, readSkillFolder, skillFileIn } from './read-folder.ts';

/** What a look at a folder found. */
export interface CheckedFolder {
  readonly skills: number;
  readonly problems: readonly SkillDiagnostic[];
}

/**
 * Looks for problems in a folder that need not be a place of skills: in the skill that it is, or in all skills below it.
 * `path` is absolute; a SKILL.md, or the manifest.json beside one, stands for its folder. Throws UserError `bad-input` when
 * there is no skill.
 */
export const checkSkillFolder = async (path: string, clock: Clock): Promise<CheckedFolder> => {
  const folder = await folderOf(path);
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    throw new UserError('bad-input', `${folder} cannot be read: ${error.message}.`);
  });
  if (skillFileIn(entries) !== undefined) {
    const place = { folder, real: await realpath(folder), source: { kind: 'draft' } } as const;
    const context = { clock, limits: FOLDER_LIMITS, budget: { bytes: FOLDER_LIMITS.bytes }, visit: () => undefined };
    const record = await readSkillFolder(place, undefined, context);
    return { skills: 1, problems: record?.diagnostics ?? [] };
  }
  // As a folder of skills, and as a repository that has some.
  const { all, diagnostics } = await discoverSkills({ repository: folder, home: null, bundled: folder, clock });
  if (all.size === 0) throw new UserError('bad-input', nothingIn(folder, entries));
  return { skills: all.size, problems: diagnostics };
};

const folderOf = async (path: string): Promise<string> => {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    const gone = error.code === 'ENOENT' || error.code === 'ENOTDIR';
    throw new UserError(
      'bad-input',
      gone ? `There is nothing at ${path}.` : `${path} cannot be read: ${error.message}.`,
    );
  });
  if (found.isDirectory()) return path;
  const name = basename(path);
  if (isSkillFile(name) || name === 'manifest.json') return dirname(path);
  throw new UserError(
    'bad-input',
    `${path} is no skill. Name its SKILL.md, its folder, or a folder with skills in it.`,
  );
};

const nothingIn = (folder: string, entries: readonly Dirent[]): string => {
  const other = entries.find(({ name }) => isSkillFile(name));
  if (other) return `${other.name} in ${folder} is no regular file. Links are never followed.`;
  return `There is no SKILL.md in ${folder}, nor in a folder below it. A skill is a folder with a SKILL.md; "coppice skill new NAME" makes one.`;
};
