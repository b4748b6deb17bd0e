import { constants } from 'node:fs';
import { copyFile, lstat, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { absent, isProtected } from './containment.ts';
import type { Core } from './core.ts';

/**
 * Copies the files that the person's `.worktreeinclude` names (patterns as in .gitignore) into a new worktree. Only
 * regular files that git ignores are copied, such as `.env`; a file that is there already stays.
 */
export const copyIncluded = async (core: Core, target: string): Promise<void> => {
  const root = core.person.workTree;
  const list = join(root, '.worktreeinclude');
  if (!(await lstat(list).catch(absent))?.isFile()) return;
  const named = await core.git.exec(core.person, ['ls-files', '-z', '--others', '--ignored', `--exclude-from=${list}`]);
  if (named.stdout.length === 0) return;
  const options = { input: named.stdout, accept: [0, 1] };
  const ignored = (await core.git.text(core.person, ['check-ignore', '-z', '--stdin'], options)).split('\0');
  for (const path of ignored.filter((name) => name !== '' && !isProtected(name))) {
    if (!(await lstat(join(root, path)).catch(absent))?.isFile()) continue;
    await mkdir(dirname(join(target, path)), { recursive: true });
    await copyFile(join(root, path), join(target, path), constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL).catch(
      keepExisting,
    );
  }
};

const keepExisting = (error: unknown): void => {
  if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
};
