import { readdir, realpath } from 'node:fs/promises';
import { isAbsolute, join, relative, sep } from 'node:path';
import { UserError } from '../../domain/errors.ts';
import { oneLine } from '../../domain/text.ts';
import type { SkillPermissions } from '../port.ts';

/** Never reached through a permission for everything: git's and Coppice's own files, and what editors obey. */
const PROTECTED = new Set(['.git', '.coppice', '.vscode', '.idea', '.mcp.json']);

/** Folders beside what the permissions name; all absolute. */
export interface OwnFolders {
  readonly read: readonly string[];
  readonly write: readonly string[];
}

/**
 * The arguments that make Node's permission model hold a script to its declared paths: a glob counts as the folder before
 * its first wildcard. Other programs can be started only if commands are declared; native addons never. Hosts are not
 * held by it, and links that lie in an allowed folder are followed. Throws UserError `permission-denied` for a path to
 * write that leads out of `root`.
 */
export const permissionArguments = async (
  permissions: SkillPermissions,
  root: string,
  own: OwnFolders,
): Promise<readonly string[]> => {
  const write = [...own.write, ...(await placesOf(permissions.write, root, 'write'))];
  const read = [...own.read, ...(await placesOf(permissions.read, root, 'read')), ...write];
  return [
    '--permission',
    ...[...new Set(read)].map((path) => `--allow-fs-read=${path}`),
    ...[...new Set(write)].map((path) => `--allow-fs-write=${path}`),
    ...(permissions.commands.length > 0 ? ['--allow-child-process'] : []),
  ];
};

/** The places that globs to read mean below `root`, as absolute paths. */
export const readPlaces = (globs: readonly string[], root: string): Promise<readonly string[]> =>
  placesOf(globs, root, 'read');

const placesOf = async (globs: readonly string[], root: string, use: 'read' | 'write'): Promise<readonly string[]> => {
  const top = await realpath(root);
  const places: string[] = [];
  for (const glob of globs) {
    const base = fixedPart(glob);
    if (use === 'read' && /^node_modules(\/|$)/.test(base))
      places.push(...(await linkedPackages(join(top, 'node_modules'))));
    if (base !== '') places.push(...(await resolved(top, base, use)));
    else for (const name of await readdir(top)) if (!PROTECTED.has(name.toLowerCase())) places.push(join(top, name));
  }
  return places;
};

/**
 * Where the links in a folder of packages lead: a package manager made them, so they are meant by `node_modules`. What
 * such a package needs in turn lies in the folder of packages around it.
 */
const linkedPackages = async (folder: string): Promise<readonly string[]> => {
  const found = new Set<string>();
  const visit = async (place: string, scopes: boolean): Promise<void> => {
    for (const entry of await readdir(place, { withFileTypes: true }).catch(() => [])) {
      const path = join(place, entry.name);
      if (scopes && entry.isDirectory() && entry.name.startsWith('@')) await visit(path, false);
      if (!entry.isSymbolicLink() || entry.name.startsWith('.')) continue;
      const real = await realpath(path).catch(() => null);
      const around = real?.indexOf(`${sep}node_modules${sep}`) ?? -1;
      if (real !== null) found.add(around < 0 ? real : real.slice(0, around + `${sep}node_modules`.length));
    }
  };
  await visit(folder, true);
  return [...found];
};

/** The folders and the file before the first wildcard; empty: the top. */
const fixedPart = (glob: string): string => {
  const parts = glob.split('/').filter((part) => part !== '' && part !== '.');
  const wild = parts.findIndex((part) => /[*?[\]{}!()]/.test(part));
  return (wild < 0 ? parts : parts.slice(0, wild)).join('/');
};

/** The path, and where it leads if it is a link; what does not exist yet counts as it is written. */
const resolved = async (top: string, base: string, use: 'read' | 'write'): Promise<readonly string[]> => {
  const path = join(top, base);
  const real = (await realpath(path).catch(() => null)) ?? (await realParent(path));
  const outside = (place: string): boolean => {
    const way = relative(top, place);
    return (
      way === '..' ||
      way.startsWith(`..${sep}`) ||
      isAbsolute(way) ||
      PROTECTED.has((way.split(sep)[0] ?? '').toLowerCase())
    );
  };
  if (outside(path) || (use === 'write' && outside(real)))
    throw new UserError('permission-denied', `The skill asks to ${use} ${oneLine(base, 100)}, which no skill may.`);
  return path === real ? [path] : [path, real];
};

const realParent = async (path: string): Promise<string> => {
  const parent = join(path, '..');
  if (parent === path) return path;
  const real = (await realpath(parent).catch(() => null)) ?? (await realParent(parent));
  return join(real, relative(parent, path));
};
