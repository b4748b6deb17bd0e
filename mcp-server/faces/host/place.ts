import { createHash } from 'node:crypto';
import { lstat, mkdir, readFile, realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { messageOf, UserError } from '../../domain/errors.ts';

/** Where a repository lies; both paths are real and absolute. */
export interface RepositoryPlace {
  readonly root: string;
  readonly commonDir: string;
}

/** The repository that holds `path`. Throws UserError `not-a-repository` or `unsupported-repository`. */
export const findRepository = async (path: string): Promise<RepositoryPlace> => {
  const start = await realpath(path).catch(() => {
    throw new UserError('not-a-repository', `There is no folder ${path}.`);
  });
  for (let folder = start; ; folder = dirname(folder)) {
    const gitDir = await gitDirOf(folder);
    if (gitDir) return { root: folder, commonDir: await commonDirOf(gitDir) };
    if (await looksBare(folder)) {
      throw new UserError(
        'unsupported-repository',
        `${folder} is a bare repository, or inside of .git. Name a folder with a working tree.`,
      );
    }
    if (dirname(folder) === folder) break;
  }
  throw new UserError(
    'not-a-repository',
    `${path} is not in a git repository. Run "git init" there, or name one with --repo.`,
  );
};

/** What a user's own engines share: `base` is the runtime folder of the user, or the temporary folder. */
export interface RuntimePlace {
  /** Private to the user. */
  readonly folder: string;
  /** Unix socket, or named pipe on Windows. */
  readonly socket: string;
  /** Where a detached engine's first words go. */
  readonly startLog: string;
}

const MAX_SOCKET_BYTES = 100;

/** Names the socket of a repository's engine: the same for everybody who asks, and short enough for every system. */
export const runtimePlace = (
  place: RepositoryPlace,
  options: { readonly base: string; readonly user: string; readonly platform: NodeJS.Platform },
): RuntimePlace => {
  const name = createHash('sha256').update(`${place.commonDir}\0${place.root}`).digest('hex').slice(0, 20);
  const folderIn = (base: string): string => join(base, `coppice-${options.user}`);
  const fits = Buffer.byteLength(join(folderIn(options.base), `${name}.sock`)) <= MAX_SOCKET_BYTES;
  const folder = folderIn(fits || options.platform === 'win32' ? options.base : '/tmp');
  const socket =
    options.platform === 'win32' ? `\\\\.\\pipe\\coppice-${options.user}-${name}` : join(folder, `${name}.sock`);
  return { folder, socket, startLog: join(folder, `${name}.log`) };
};

/** Makes the folder, or checks that an existing one is the user's own and closed to all others. */
export const ensurePrivateFolder = async (folder: string, uid: number | null): Promise<void> => {
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error) => {
    throw new UserError(
      'permission-denied',
      `${folder}, the folder of the engine's socket, cannot be made (${messageOf(error)}). ` +
        'Set XDG_RUNTIME_DIR to a folder that you can write.',
      { cause: error },
    );
  });
  if (uid === null || (await isPrivateFolder(folder, uid))) return;
  throw new UserError(
    'permission-denied',
    `${folder} is not a folder that only you can open, so the engine would not be private there. ` +
      'Remove it, or set XDG_RUNTIME_DIR to another place.',
  );
};

/** Whether the folder is this user's own and closed to all others. Without user ids nobody can tell: false. */
export const isPrivateFolder = async (folder: string, uid: number | null): Promise<boolean> => {
  const found = await lstat(folder).catch(() => null);
  return uid !== null && found !== null && found.isDirectory() && found.uid === uid && (found.mode & 0o077) === 0;
};

const gitDirOf = async (folder: string): Promise<string | null> => {
  const path = join(folder, '.git');
  const found = await stat(path).catch(() => null);
  if (found?.isDirectory()) return (await exists(join(path, 'HEAD'))) ? path : null;
  if (!found?.isFile()) return null;
  const target = /^gitdir:\s*(.+?)\s*$/m.exec(await readFile(path, 'utf8'))?.[1];
  return target ? resolve(folder, target) : null;
};

const commonDirOf = async (gitDir: string): Promise<string> => {
  const pointer = await readFile(join(gitDir, 'commondir'), 'utf8').catch(() => '.');
  const common = resolve(gitDir, pointer.trim());
  return realpath(common).catch(() => {
    throw new UserError(
      'not-a-repository',
      `${common}, which .git points to, does not exist. Repair the worktree with git.`,
    );
  });
};

const looksBare = async (folder: string): Promise<boolean> =>
  (await exists(join(folder, 'HEAD'))) &&
  (await exists(join(folder, 'objects'))) &&
  (await exists(join(folder, 'refs')));

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
