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
  const paths = named.stdout.toString('utf8').split('\0');
  for (const path of await onlyIgnored(
    core,
    paths.filter((name) => name !== '' && !isProtected(name)),
  )) {
    if (!(await lstat(join(root, path)).catch(absent))?.isFile()) continue;
    await mkdir(dirname(join(target, path)), { recursive: true });
    await copyFile(join(root, path), join(target, path), constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL).catch(
      keepExisting,
    );
  }
};

const onlyIgnored = async (core: Core, paths: readonly string[]): Promise<readonly string[]> => {
  if (paths.length === 0) return [];
  // This command knows no literal paths; with the dot in front none of them begins with a colon, which is special.
  const input = paths.map((path) => `./${path}\0`).join('');
  const options = { input, accept: [0, 1], variables: { GIT_LITERAL_PATHSPECS: '0' } };
  const ignored = await core.git.text(core.person, ['check-ignore', '-z', '--stdin'], options);
  return ignored
    .split('\0')
    .filter(Boolean)
    .map((path) => path.slice(2));
};

const keepExisting = (error: unknown): void => {
  if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
};
