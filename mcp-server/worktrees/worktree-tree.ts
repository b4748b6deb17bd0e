import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readdir, readlink, rename, rm, unlink } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import { UserError } from '../domain/errors.ts';
import { randomSuffix } from '../domain/ids.ts';
import { absent, belongsToGit, isProtected, relativePath, resolveInside } from './containment.ts';
import type { Core } from './core.ts';
import { checkedPlace, leasePath } from './lease-check.ts';
import type { Lease, WritableTree } from './port.ts';
import { assertReadable, decodeText } from './text-file.ts';

/** The files of a lease on disk; nothing outside of it can be reached, whatever links lie in it. */
export const treeOfLease = (core: Core, lease: Lease): WritableTree => {
  const root = leasePath(core, lease);
  return {
    list: async (folder) => list(root, relativePath(folder)),
    files: () => files(core, lease),
    read: async (path) => read(root, relativePath(path)),
    write: async (path, text) => write(core, root, relativePath(path), text),
    remove: async (path) => remove(root, relativePath(path)),
  };
};

const list = async (root: string, folder: string): Promise<readonly string[] | null> => {
  assertNotGit(folder);
  const entries = await readdir(await resolveInside(root, folder, true), { withFileTypes: true }).catch(absent);
  if (!entries) return null;
  const names = entries.filter((entry) => !belongsToGit(entry.name));
  return names.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name)).sort();
};

const files = async (core: Core, lease: Lease): Promise<readonly string[]> => {
  const place = await checkedPlace(core, lease);
  const [present, deleted] = await Promise.all([
    core.git.text(place, ['ls-files', '-z', '--stage', '--others', '--exclude-standard']),
    core.git.text(place, ['ls-files', '-z', '--deleted']),
  ]);
  const gone = new Set(deleted.split('\0'));
  const paths = new Set<string>();
  for (const line of present.split('\0')) {
    const [, mode, path = line] = /^(\d{6}) [0-9a-f]+ \d\t(.*)$/s.exec(line) ?? [];
    const isFile = mode !== '160000' && !path.endsWith('/') && path !== '';
    if (isFile && !gone.has(path)) paths.add(path);
  }
  return [...paths].sort();
};

const read = async (root: string, path: string): Promise<string | null> => {
  assertNotGit(path);
  const place = await resolveInside(root, path, true);
  const found = await lstat(place).catch(absent);
  if (!found || found.isDirectory()) return null;
  if (!found.isFile()) throw new UserError('bad-input', `${path} is not a regular file.`);
  assertReadable(path, found.size);
  const file = await open(place, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    await assertOpened(file, place, path);
    assertReadable(path, (await file.stat()).size);
    return decodeText(path, await file.readFile());
  } finally {
    await file.close();
  }
};

/** Whole or not at all: a new file takes the place of the old one and keeps its mode. Other links to the old one stay. */
const write = async (core: Core, root: string, path: string, text: string): Promise<void> => {
  const place = await writablePlace(root, path);
  const old = await lstat(place).catch(absent);
  if (old?.isDirectory()) throw new UserError('bad-input', `${path} is a folder.`);
  if (old && !old.isFile()) throw new UserError('permission-denied', `${path} is a symbolic link or a special file.`);
  await makeFolders(root, path);
  const temporary = `${dirname(place)}/.coppice-write-${randomSuffix(core.random, 10)}`;
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const file = await open(temporary, flags, 0o666);
  try {
    await assertOpened(file, temporary, path);
    await file.writeFile(text);
    if (old) await file.chmod(old.mode & 0o777);
    await rename(temporary, place);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  } finally {
    await file.close();
  }
};

const remove = async (root: string, path: string): Promise<void> => {
  const place = await writablePlace(root, path);
  const found = await lstat(place).catch(absent);
  if (!found) throw new UserError('not-found', `There is no file ${path}.`);
  if (found.isDirectory()) throw new UserError('bad-input', `${path} is a folder; only files can be removed.`);
  await rm(place);
};

const makeFolders = async (root: string, path: string): Promise<void> => {
  const parts = path.split('/').slice(0, -1);
  for (const [index] of parts.entries()) {
    const folder = await resolveInside(root, parts.slice(0, index + 1).join('/'), true);
    const found = await lstat(folder).catch(absent);
    if (found && !found.isDirectory())
      throw new UserError('bad-input', `${parts.slice(0, index + 1).join('/')} is a file, not a folder.`);
    if (!found) await mkdir(folder);
  }
};

/** Checks the path as it is named and the one that it really leads to. */
const writablePlace = async (root: string, path: string): Promise<string> => {
  if (path === '') throw new UserError('bad-input', 'The path of a file is needed.');
  const place = await resolveInside(root, path, false);
  if (isProtected(path) || isProtected(relative(root, place))) {
    throw new UserError(
      'permission-denied',
      `${path} may not be changed by an agent: git, editors or other agents take settings from it.`,
    );
  }
  return place;
};

const assertNotGit = (path: string): void => {
  if (belongsToGit(path)) throw new UserError('permission-denied', `${path} belongs to git.`);
};

/** Where the system can say what was opened: a folder on the way may have become a link since it was checked. */
const assertOpened = async (file: FileHandle, expected: string, path: string): Promise<void> => {
  if (process.platform !== 'linux') return;
  const real = await readlink(`/proc/self/fd/${file.fd}`);
  if (real !== expected) throw new UserError('permission-denied', `${path} changed while it was opened.`);
};
