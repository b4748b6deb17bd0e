import { readdir, realpath } from 'node:fs/promises';
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
 * `path` is absolute; a SKILL.md stands for its folder. Throws UserError `bad-input` when there is no skill.
 */
export const checkSkillFolder = async (path: string, clock: Clock): Promise<CheckedFolder> => {
  const folder = isSkillFile(basename(path)) ? dirname(path) : path;
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    const why = error.code === 'ENOENT' ? 'does not exist' : error.code === 'ENOTDIR' ? 'is no folder' : error.message;
    throw new UserError('bad-input', `${folder} cannot be checked: it ${why}.`);
  });
  if (skillFileIn(entries) !== undefined) {
    const place = { folder, real: await realpath(folder), source: { kind: 'draft' } } as const;
    const context = { clock, limits: FOLDER_LIMITS, budget: { bytes: FOLDER_LIMITS.bytes }, visit: () => undefined };
    const record = await readSkillFolder(place, undefined, context);
    return { skills: 1, problems: record?.diagnostics ?? [] };
  }
  // As a folder of skills, and as a repository that has some.
  const { all, diagnostics } = await discoverSkills({ repository: folder, home: null, bundled: folder, clock });
  if (all.size === 0) throw new UserError('bad-input', `There is no SKILL.md in ${folder}, nor in a folder below it.`);
  return { skills: all.size, problems: diagnostics };
};
