import { readdir, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path';
import { UserError } from '../../domain/errors.ts';
import { oneLine } from '../../domain/text.ts';
import type { SkillPermissions } from '../port.ts';
import { holdArguments } from './holds.ts';

/** Never reached through a permission for everything: git's and Coppice's own files, and what editors obey. */
const PROTECTED = new Set(['.git', '.coppice', '.vscode', '.idea', '.mcp.json']);

/** Whether an entry of this name at the top of a repository is never reached. */
export const isProtected = (name: string): boolean => PROTECTED.has(name.toLowerCase());

/** Whether `path` lies below `folder`; both absolute and normal. */
export const isInside = (folder: string, path: string): boolean =>
  path !== folder && path.startsWith(folder.endsWith(sep) ? folder : folder + sep);

/** A newer Node closes the network by itself. Scripts are run by the Node that runs this. */
const CLOSES_NETWORK = process.allowedNodeEnvironmentFlags.has('--allow-net');

/** Folders beside what the permissions name; all absolute. */
export interface OwnFolders {
  readonly read: readonly string[];
  readonly write: readonly string[];
}

/**
 * The arguments that make Node's permission model hold a script to its declared paths: a glob counts as the folder before
 * its first wildcard. Other programs can be started only if commands are declared, and are not held themselves; native addons
 * never. Without a declared host there is no network. Links that lie in an allowed folder are followed. Of two declared folders such as `src` and `src-old`
 * the shorter one can be read but not listed when a third one, `src-new`, is not declared: see `listable`. Throws
 * UserError `permission-denied` for a path to write that leads out of `root`.
 */
export const permissionArguments = async (
  permissions: SkillPermissions,
  root: string,
  own: OwnFolders,
): Promise<readonly string[]> => {
  const write = [...own.write, ...(await placesOf(permissions.write, root, 'write'))];
  const read = [...own.read, ...(await placesOf(permissions.read, root, 'read')), ...write];
  // A name that begins like another one may be made anew only where everything may be written.
  const creates = permissions.write.some((glob) => fixedPart(glob) === '');
  return [
    '--permission',
    ...holdArguments(permissions.hosts),
    ...(await listable(read)).map((path) => `--allow-fs-read=${path}`),
    ...(creates ? await listable(write) : outermost(write)).map((path) => `--allow-fs-write=${path}`),
    ...(permissions.commands.length > 0 ? ['--allow-child-process'] : []),
    ...(permissions.hosts.length > 0 && CLOSES_NETWORK ? ['--allow-net'] : []),
  ];
};

/**
 * Node denies a granted folder itself, not what is in it, when another granted path goes on from its name: `test` beside
 * `test-results`. One grant of `test*` lets in both. It is used where everything that begins so is granted anyway, and
 * nothing protected ever could.
 */
const listable = async (given: readonly string[]): Promise<readonly string[]> => {
  const places = outermost(given);
  const all = new Set(places);
  const wide: string[] = [];
  for (const place of places) {
    if (wide.some((prefix) => place.startsWith(prefix)) || !places.some((one) => goesOn(one, place))) continue;
    const name = basename(place);
    const entries = await readdir(dirname(place)).catch(() => []);
    const beside = entries.filter((entry) => entry.startsWith(name));
    const isSafe = ![...PROTECTED].some((one) => one.startsWith(name.toLowerCase()));
    if (isSafe && beside.every((entry) => all.has(join(dirname(place), entry)))) wide.push(place);
  }
  return [
    ...places.filter((place) => !wide.some((prefix) => place.startsWith(prefix))),
    ...wide.map((prefix) => `${prefix}*`),
  ];
};

const goesOn = (path: string, from: string): boolean => path !== from && path.startsWith(from);

/** Each place once, shortest first, without those inside of another one; an asterisk would be a wildcard to Node. */
const outermost = (places: readonly string[]): readonly string[] => {
  const all = new Set(places.filter((place) => !place.includes('*')));
  const isInside = (path: string): boolean =>
    dirname(path) !== path && (all.has(dirname(path)) || isInside(dirname(path)));
  return [...all].filter((place) => !isInside(place)).sort();
};

/**
 * The declared paths as absolute ones, links followed: those to read may lead out of `root` only as packages do. What is
 * to be written need not exist. Throws UserError as `permissionArguments` does.
 */
export const permittedPlaces = async (
  permissions: SkillPermissions,
  root: string,
): Promise<{ readonly read: readonly string[]; readonly write: readonly string[] }> => {
  const packages = permissions.read.filter((glob) => PACKAGES.test(glob));
  const others = permissions.read.filter((glob) => !PACKAGES.test(glob));
  const inside = (await placesOf(others, root, 'read')).filter((path) => isInside(root, path));
  const read = [...inside, ...(await placesOf(packages, root, 'read'))];
  return { read, write: await placesOf(permissions.write, root, 'write') };
};

/** Whether a glob means packages that the repository has installed. */
export const PACKAGES = /^(?:\.\/)?node_modules(?:\/|$)/;

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
    else for (const name of await readdir(top)) if (!isProtected(name)) places.push(join(top, name));
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
export const fixedPart = (glob: string): string => {
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
    return way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way) || isProtected(way.split(sep)[0] ?? '');
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
