import { mkdir, realpath, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../domain/clock.ts';
import type { SkillSummary } from './port.ts';
import { FOLDER_LIMITS, type ReadContext, readSkillFolder, type SkillRecord } from './read-folder.ts';

/** A skill's folder read afresh, with all of its bytes: what its hash is of, and nothing else. */
export interface SkillContent {
  readonly record: SkillRecord;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Reads a skill whole, whatever was known of it. Undefined: it is gone, or leads elsewhere than to `real`. */
export const readContent = async (
  skill: Pick<SkillRecord, 'folder' | 'source'> & Partial<Pick<SkillRecord, 'real'>>,
  options: { readonly clock: Clock; readonly limits?: Partial<typeof FOLDER_LIMITS> },
): Promise<SkillContent | undefined> => {
  const real = await realpath(skill.folder).catch(() => null);
  if (real === null || (skill.real ?? real) !== real) return undefined;
  const files = new Map<string, Uint8Array>();
  const limits = { ...FOLDER_LIMITS, ...options.limits };
  const context: ReadContext = {
    clock: options.clock,
    limits,
    budget: { bytes: limits.bytes },
    visit: () => undefined,
    take: (path, bytes) => void files.set(path, bytes),
  };
  const record = await readSkillFolder({ folder: skill.folder, real, source: skill.source }, undefined, context);
  return record && { record, files };
};

/**
 * Copies the files of a skill into `target`, a folder of its own, private to the user, where nobody changes them any more.
 * Null, and nothing is written, when its content is not that of `skill.hash`: what was granted for it does not hold.
 */
export const copySkill = async (
  skill: Pick<SkillSummary, 'folder' | 'hash' | 'source'>,
  target: string,
  clock: Clock,
): Promise<string | null> => {
  const content = await readContent(skill, { clock });
  if (!content || content.record.hash === '' || content.record.hash !== skill.hash) return null;
  for (const [path, bytes] of content.files) {
    const file = join(target, path);
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeFile(file, bytes, { mode: 0o700, flag: 'wx' });
  }
  return target;
};
