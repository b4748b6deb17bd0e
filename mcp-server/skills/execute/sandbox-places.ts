import { lstat, mkdir, readdir, readlink, realpath, rmdir, stat, unlink, writeFile } from 'node:fs/promises';
import { dirname, extname, join, relative, sep } from 'node:path';
import { UserError } from '../../domain/errors.ts';
import type { SkillPermissions } from '../port.ts';
import { fixedPart, isInside, isProtected, type OwnFolders, permittedPlaces } from './node-permissions.ts';
import type { Mount } from './sandbox.ts';

/** What a script sees in the sandbox of what it declared. */
export interface SandboxPlaces {
  readonly mounts: readonly Mount[];
  /** Takes away again what was made for it and stayed empty. */
  tidy(): Promise<void>;
}

/** Bubblewrap takes some thousand arguments; each place is three. */
const MOST_PLACES = 2_000;

/**
 * The declared paths as places of a sandbox, as `permissionArguments` means them: a glob is the folder before its first
 * wildcard, git's own files and those that editors obey are never there, nothing outside of `root` is but packages.
 * What is declared to be written and is not there yet is made: a folder, or an empty file where the path has an ending.
 * `closed`: folders of which only what is declared is seen. Throws UserError as `permissionArguments` does.
 */
export const sandboxPlaces = async (
  permissions: SkillPermissions,
  root: string,
  own: OwnFolders,
  closed: readonly string[],
): Promise<SandboxPlaces> => {
  const { read, write } = await permittedPlaces(permissions, root);
  const tidy = enter(write);
  try {
    const made = await makeMissing(permissions.write, write, root);
    for (const path of made) MADE.add(path);
    return { mounts: await mountsOf(permissions, { read, write }, root, own, closed), tidy };
  } catch (error) {
    await tidy();
    throw error;
  }
};

const mountsOf = async (
  permissions: SkillPermissions,
  { read, write }: OwnFolders,
  root: string,
  own: OwnFolders,
  closed: readonly string[],
): Promise<readonly Mount[]> => {
  const mounts = new Map<string, Mount>();
  const put = (mount: Mount): void => void mounts.set(mount.path, mount);
  for (const path of [...closed, root]) put({ kind: 'closed', path });
  const isWhole = [...permissions.read, ...permissions.write].some((glob) => fixedPart(glob) === '');
  if (isWhole) for (const mount of await wholeRoot(root)) put(mount);
  const written = [...write, ...own.write];
  for (const path of read) {
    if (isWhole && isInside(root, path)) continue;
    if (written.some((place) => place === path || isInside(place, path))) continue;
    if (read.some((place) => isInside(place, path))) continue;
    for (const mount of await placeOf('read', path, root)) put(mount);
  }
  for (const path of own.read) put({ kind: 'read', path });
  for (const path of write) {
    // Other scripts write there too: what one of them puts in the way is not followed.
    if (write.some((place) => isInside(place, path))) continue;
    for (const mount of await placeOf('write', path, root)) put(mount);
  }
  for (const path of own.write) put({ kind: 'write', path });
  if (mounts.size > MOST_PLACES)
    throw new UserError('wrong-state', `The skill asks for more than ${MOST_PLACES} places at once. Name folders.`);
  const all = [...mounts.values()];
  const shown = all.filter(({ kind }) => kind === 'read' || kind === 'write');
  // A link stands for itself only where nothing else shows it.
  return all.filter(({ kind, path }) => kind !== 'link' || !shown.some((place) => isInside(place.path, path)));
};

/** All of it to read, without what is protected. */
const wholeRoot = async (root: string): Promise<readonly Mount[]> => {
  const hidden = (await readdir(root, { withFileTypes: true })).filter((entry) => isProtected(entry.name));
  return [
    { kind: 'read', path: root },
    ...hidden.flatMap((entry): Mount[] => {
      const path = join(root, entry.name);
      if (entry.isDirectory()) return [{ kind: 'closed', path }];
      return entry.isSymbolicLink() ? [] : [{ kind: 'hidden', path }];
    }),
  ];
};

const placeOf = async (kind: 'read' | 'write', path: string, root: string): Promise<readonly Mount[]> => {
  const real = await realpath(path).catch(() => null);
  if (real === null) return [];
  if (real === path) return [{ kind, path }];
  // Where the link leads is among the places by itself if it may be.
  const link = isInside(root, path) ? await firstLink(path, root) : null;
  return link === null ? [] : [{ kind: 'link', path: link, to: await readlink(link) }];
};

const firstLink = async (path: string, root: string): Promise<string | null> => {
  let at = root;
  for (const part of relative(root, path).split(sep)) {
    at = join(at, part);
    if ((await lstat(at).catch(() => null))?.isSymbolicLink()) return at;
  }
  return null;
};

/** Only what exists can be a place. Returns what was made, the outermost first. */
const makeMissing = async (
  globs: readonly string[],
  places: readonly string[],
  root: string,
): Promise<readonly string[]> => {
  const made: string[] = [];
  const isFile = (path: string): boolean =>
    extname(path) !== '' && globs.some((glob) => !glob.endsWith('/') && join(root, glob) === path);
  for (const path of places) {
    if (await lstat(path).catch(() => null)) continue;
    const folder = isFile(path) ? dirname(path) : path;
    const first = await mkdir(folder, { recursive: true });
    if (first !== undefined) for (const one of between(first, folder)) made.push(one);
    if (!isFile(path)) continue;
    await writeFile(path, '', { flag: 'wx' });
    made.push(path);
  }
  return made;
};

const between = (first: string, last: string): readonly string[] =>
  first === last ? [first] : [...between(first, dirname(last)), last];

/** Places to write of scripts that are at work in this process, with how many of them there are. */
const BUSY = new Map<string, number>();
/** What was made for them and is not taken away yet. */
const MADE = new Set<string>();

/** Returns what takes away again what nobody needs any more: a folder that is taken away is lost to whoever writes there. */
const enter = (places: readonly string[]): (() => Promise<void>) => {
  for (const path of places) BUSY.set(path, (BUSY.get(path) ?? 0) + 1);
  return async () => {
    for (const path of places) {
      const left = (BUSY.get(path) ?? 1) - 1;
      if (left > 0) BUSY.set(path, left);
      else BUSY.delete(path);
    }
    const busy = [...BUSY.keys()];
    const free = [...MADE].filter((path) => !busy.some((place) => place === path || isInside(path, place))).sort();
    for (const path of free) MADE.delete(path);
    await removeEmpty(free);
  };
};

const removeEmpty = async (made: readonly string[]): Promise<void> => {
  for (const path of made.toReversed()) {
    const found = await stat(path).catch(() => null);
    if (found?.isDirectory()) await rmdir(path).catch(() => undefined);
    else if (found?.size === 0) await unlink(path).catch(() => undefined);
  }
};
