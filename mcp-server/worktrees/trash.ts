import { lstat, readdir, readFile, rename, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { randomSuffix } from '../domain/ids.ts';
import { absent } from './containment.ts';
import type { Core } from './core.ts';
import { adminPath, asGitWrites } from './lease-check.ts';

/** Moves a folder out of the way in one step. Nothing happens when there is none. */
export const moveToTrash = async (core: Core, path: string, name: string): Promise<void> => {
  if (!(await lstat(path).catch(absent))) return;
  await rename(path, join(core.stateDir, 'trash', `${name}-${randomSuffix(core.random, 8)}`));
};

/** Deletes what lies in the trash, in the background; links are deleted and not followed. */
export const emptyTrash = (core: Core): void => {
  const work = deleteAll(join(core.stateDir, 'trash'))
    .catch(() => undefined)
    .finally(() => core.background.delete(work));
  core.background.add(work);
};

const deleteAll = async (folder: string): Promise<void> => {
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true });
};

const DROPPED = 'coppice-dropped-';

/**
 * Removes the entry of one of our worktrees from the git folder: what `git worktree prune` does, but for this one only,
 * and also when it is locked or half made. In one step, so that no other git command meets half an entry. Call it in
 * the metadata queue.
 */
export const dropAdminEntry = async (core: Core, admin: string): Promise<void> => {
  const path = adminPath(core, admin);
  if (!(await lstat(path).catch(absent))?.isDirectory()) return;
  const dropped = join(core.person.commonDir, `${DROPPED}${randomSuffix(core.random, 8)}`);
  await rename(path, dropped);
  await rm(dropped, { recursive: true, force: true });
  await rmdir(join(core.person.commonDir, 'worktrees')).catch(() => undefined);
};

/** Finishes what a kill in the middle of `dropAdminEntry` left. */
export const finishDrops = async (core: Core): Promise<void> => {
  const { commonDir } = core.person;
  for (const name of await readdir(commonDir)) {
    if (name.startsWith(DROPPED)) await rm(join(commonDir, name), { recursive: true, force: true });
  }
};

/** Names of the entries in the git folder whose worktree lies, or lay, below our state folder. */
export const ourAdminEntries = async (core: Core): Promise<readonly string[]> => {
  const folder = join(core.person.commonDir, 'worktrees');
  const names = (await readdir(folder).catch(absent)) ?? [];
  const ours: string[] = [];
  for (const name of names) {
    const gitdir = await readFile(join(folder, name, 'gitdir'), 'utf8').catch(() => '');
    if (gitdir.trimEnd() === asGitWrites(join(core.stateDir, 'worktrees', name, '.git'))) ours.push(name);
  }
  return ours;
};
