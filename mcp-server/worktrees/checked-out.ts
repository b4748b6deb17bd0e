import { lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { absent } from './containment.ts';
import type { Core } from './core.ts';

/**
 * The working tree that has the branch checked out; null when none has. The HEAD files of all working trees tell it
 * plainly nearly always; git is asked when one of them names the branch, or does not tell it plainly: when it is no file as
 * git writes them, or names a branch that stands for another one.
 */
export const checkedOutIn = async (core: Core, branch: string): Promise<string | null> => {
  const { commonDir } = core.person;
  const linked = join(commonDir, 'worktrees');
  const entries = (await readdir(linked).catch(absent)) ?? [];
  const folders = [commonDir, ...entries.map((name) => join(linked, name))];
  const others = await Promise.all(folders.map((folder) => isElsewhere(commonDir, folder, branch).catch(() => false)));
  if (others.every(Boolean)) return null;
  const used = await core.git.text(core.store, ['for-each-ref', '--format=%(worktreepath)', `refs/heads/${branch}`]);
  return used.trim() || null;
};

const COMMIT = /^([0-9a-f]{40}|[0-9a-f]{64})\n$/;
/** In a store of refs that are not files HEAD says `.invalid`, which no branch may be called. */
const BRANCH = /^ref: (refs\/heads\/(?!\.)[^\s\p{Cc}~^:?*[\\]+)\n$/u;

const isElsewhere = async (commonDir: string, folder: string, branch: string): Promise<boolean> => {
  const text = await textOf(join(folder, 'HEAD'));
  if (text === null || COMMIT.test(text)) return true;
  const ref = BRANCH.exec(text)?.[1];
  if (ref === undefined || ref.includes('..') || ref === `refs/heads/${branch}`) return false;
  // A ref that is packed, or not there yet, stands for no other.
  const named = await textOf(join(commonDir, ref));
  return named === null || COMMIT.test(named);
};

/** Null when there is no such file. Throws when it is a link, a folder, or cannot be read. */
const textOf = async (path: string): Promise<string | null> => {
  const found = await lstat(path).catch(absent);
  if (!found) return null;
  if (!found.isFile()) throw new Error(`${path} is not a file.`);
  return readFile(path, 'utf8');
};
