import { lstat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { absent } from './containment.ts';
import type { Place } from './git-environment.ts';
import { GitError } from './git-exec.ts';

/** In git's folder of a worktree while its files are brought from one commit to another. */
const markerIn = (place: Place): string => join(place.gitDir, 'coppice-moving');

/** What git says when it gave up before it changed a file. */
const UNTOUCHED = /index\.lock'?: File exists|resolve your current index/;

/** Whether the files were on their way from one commit to another when that was cut: they may be of neither. */
export const isMoving = async (place: Place): Promise<boolean> => (await lstat(markerIn(place)).catch(absent)) !== null;

/** The files are where they should be. */
export const settle = async (place: Place): Promise<void> => {
  await unlink(markerIn(place)).catch(absent);
};

/** Does work that brings the files to another commit. When it fails on the way, or is killed, `isMoving` tells from then on. */
export const moving = async <T>(place: Place, work: () => Promise<T>): Promise<T> => {
  const before = await isMoving(place);
  await writeFile(markerIn(place), '');
  try {
    const result = await work();
    await settle(place);
    return result;
  } catch (error) {
    if (!before && error instanceof GitError && UNTOUCHED.test(error.stderr)) await settle(place);
    throw error;
  }
};
