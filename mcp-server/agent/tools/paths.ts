import { posix } from 'node:path';
import { UserError } from '../../domain/errors.ts';

/**
 * A path as a model writes it, made plain: relative to the top, `''` for the top itself. Throws UserError when it points
 * outside the repository. The worktree checks it again against the real files.
 */
export const plainPath = (path: string): string => {
  const said = path.trim();
  if (said.includes('\0')) throw new UserError('bad-input', 'A path cannot hold a NUL character.');
  if (said.startsWith('/') && said !== '/')
    throw new UserError(
      'bad-input',
      `${said} is absolute. Paths are relative to the top of the repository, such as src/main.ts.`,
    );
  const plain = posix.normalize(said.replace(/^\/$/, '.')).replace(/\/$/, '');
  if (plain === '..' || plain.startsWith('../'))
    throw new UserError('permission-denied', `${said} is outside the repository.`);
  return plain === '.' ? '' : plain;
};

/** Like plainPath, for a path that must name a file. */
export const plainFile = (path: string): string => {
  const plain = plainPath(path);
  if (plain === '' || path.trim().endsWith('/'))
    throw new UserError('bad-input', 'Give the path of a file, not of a folder.');
  return plain;
};
