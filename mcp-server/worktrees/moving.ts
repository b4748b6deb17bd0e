import { lstat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { absent } from './containment.ts';
import type { Place } from './git-environment.ts';

/** In git's folder of a worktree while its files are brought from one commit to another. */
const markerIn = (place: Place): string => join(place.gitDir, 'coppice-moving');

/** Whether the files were on their way from one commit to another when that was cut: they may be of neither. */
export const isMoving = async (place: Place): Promise<boolean> => (await lstat(markerIn(place)).catch(absent)) !== null;

/** Does work that brings the files to another commit. When it fails or is killed, `isMoving` tells from then on. */
export const moving = async <T>(place: Place, work: () => Promise<T>): Promise<T> => {
  await writeFile(markerIn(place), '');
  const result = await work();
  await unlink(markerIn(place)).catch(absent);
  return result;
};
