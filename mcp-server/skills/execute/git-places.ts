import { readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { isInside } from './node-permissions.ts';
import type { Mount } from './sandbox.ts';

/**
 * What git reads of the repository or worktree at `root`, to be read in a sandbox; empty where there is none, or where
 * what says where it lies cannot be trusted. A file `.git` may come with any archive of files, so what it names must name
 * it in turn, as git does for a worktree, and may not be a folder around it.
 */
export const gitPlaces = async (root: string): Promise<readonly Mount[]> => {
  const own = join(root, '.git');
  // Somebody's link could lead anywhere.
  if ((await realpath(own).catch(() => null)) !== own) return [];
  const said = await textOf(own);
  if (said === null) return [{ kind: 'read', path: own }];
  const named = /^gitdir: ([^\n]+)\n?$/.exec(said)?.[1];
  const folder = named === undefined ? null : await realpath(resolve(root, named)).catch(() => null);
  if (folder === null || basename(dirname(folder)) !== 'worktrees') return [];
  const common = dirname(dirname(folder));
  const back = (await textOf(join(folder, 'gitdir')))?.trimEnd();
  const isGit = (await textOf(join(common, 'HEAD'))) !== null;
  if (back === undefined || resolve(folder, back) !== own || !isGit || common === root || isInside(common, root))
    return [];
  return [
    { kind: 'read', path: own },
    { kind: 'read', path: common },
  ];
};

/** Null: it is no file. */
const textOf = (path: string): Promise<string | null> => readFile(path, 'utf8').catch(() => null);
