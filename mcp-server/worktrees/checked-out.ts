import { lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { absent } from './containment.ts';
import type { Core } from './core.ts';

/**
 * The working tree that has the branch checked out; null when none has. The HEAD files of all working trees tell it
 * plainly nearly always; git is asked when one of them names the branch, or is not a file as git writes them today.
 */
export const checkedOutIn = async (core: Core, branch: string): Promise<string | null> => {
  const { commonDir } = core.person;
  const linked = join(commonDir, 'worktrees');
  const entries = (await readdir(linked).catch(absent)) ?? [];
  const heads = [commonDir, ...entries.map((name) => join(linked, name))].map((folder) => join(folder, 'HEAD'));
  const others = await Promise.all(heads.map((head) => isElsewhere(head, branch).catch(() => false)));
  if (others.every(Boolean)) return null;
  const used = await core.git.text(core.store, ['for-each-ref', '--format=%(worktreepath)', `refs/heads/${branch}`]);
  return used.trim() || null;
};

/** A HEAD that stands for nothing in a store of refs that are not files. */
const NOT_TOLD_HERE = 'ref: refs/heads/.invalid';

const isElsewhere = async (head: string, branch: string): Promise<boolean> => {
  const found = await lstat(head).catch(absent);
  if (!found) return true;
  const text = (await readFile(head, 'utf8')).trimEnd();
  if (!found.isFile() || text === NOT_TOLD_HERE) return false;
  return (
    /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(text) ||
    (text.startsWith('ref: refs/') && text !== `ref: refs/heads/${branch}`)
  );
};
