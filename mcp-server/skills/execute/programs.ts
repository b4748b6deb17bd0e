import { access, constants, lstat, realpath, stat } from 'node:fs/promises';
import { basename, delimiter, dirname, isAbsolute, join } from 'node:path';
import { z } from 'zod';
import { isInside } from './node-permissions.ts';
import type { Mount } from './sandbox.ts';

/** Where programs are that a sandbox does not have by itself. */
export interface ProgramPlaces {
  readonly mounts: readonly Mount[];
  /** Folders to look for programs in, before all others. */
  readonly path: readonly string[];
}

/** Runs a program of the person's, unconfined, and gives what it wrote; null: it could not. */
export type Ask = (argv: readonly [string, ...string[]]) => Promise<string | null>;

/** Bound into every sandbox. */
export const SYSTEM = /^\/(?:usr|bin|sbin|lib(?:32|64|x32)?|nix\/store|run\/current-system)(?:\/|$)/;
const PYTHON = /^(?:python|pip)[0-9.]*$/;
const WHERE = 'import json,sys;print(json.dumps([sys.executable,sys.prefix,sys.base_prefix]))';
const FACTS = z.tuple([z.string(), z.string(), z.string()]);

/**
 * Where the programs of these names lie, and the installation around each, to be read in a sandbox. One that is not found
 * is left out: starting it says so. No installation is given that holds one of the `closed` folders, such as the home
 * folder. `ask` tells where Python is behind what stands on PATH.
 */
export const programPlaces = async (
  names: readonly string[],
  path: string,
  closed: readonly string[],
  ask: Ask,
): Promise<ProgramPlaces> => {
  const mounts: Mount[] = [];
  const first: string[] = [];
  const fits = (folder: string): boolean =>
    folder !== '/' && !closed.some((one) => one === folder || isInside(folder, one));
  for (const name of new Set(names)) {
    const found = await findProgram(name, path);
    if (found === null || SYSTEM.test(found.real)) continue;
    const python = PYTHON.test(name) ? await pythonPlaces(found.file, ask) : null;
    if (python) {
      first.push(...python.path);
      for (const folder of python.folders) if (fits(folder) && !SYSTEM.test(folder)) mounts.push(read(folder));
      continue;
    }
    const around = (await installation(found.real, fits)) ?? found.real;
    mounts.push(read(around));
    if (found.file !== around && !isInside(around, found.file))
      mounts.push({ kind: 'read', path: found.file, from: found.real });
    first.push(dirname(found.file));
  }
  return { mounts, path: first };
};

const read = (path: string): Mount => ({ kind: 'read', path });

/** As a shell finds it; a shim, which only asks another program, is passed over but for Python. */
const findProgram = async (
  name: string,
  path: string,
): Promise<{ readonly file: string; readonly real: string } | null> => {
  if (name.includes('/')) return null;
  for (const folder of path.split(delimiter)) {
    if (!isAbsolute(folder) || (basename(folder) === 'shims' && !PYTHON.test(name))) continue;
    const file = join(folder, name);
    const real = await realpath(file).catch(() => null);
    if (real === null || !(await stat(real)).isFile()) continue;
    if (await access(real, constants.X_OK).catch(() => 'no')) continue;
    return { file: join(await realpath(folder), name), real };
  }
  return null;
};

/** The nearest folder around a program that looks like what an installer makes. */
const installation = async (real: string, fits: (folder: string) => boolean): Promise<string | null> => {
  let folder = dirname(dirname(real));
  for (let up = 0; up < 6 && fits(folder); up += 1, folder = dirname(folder)) {
    // What people share among all their programs holds more than programs.
    if (/^\.(?:local|cargo|config|cache)$/.test(basename(folder))) return null;
    if ((await isFolder(join(folder, 'bin'))) && (await isFolder(join(folder, 'lib')))) return folder;
  }
  return null;
};

const isFolder = async (path: string): Promise<boolean> => (await stat(path).catch(() => null))?.isDirectory() ?? false;

const pythonPlaces = async (
  file: string,
  ask: Ask,
): Promise<{ readonly folders: readonly string[]; readonly path: readonly string[] } | null> => {
  const program = basename(file).startsWith('pip') ? join(dirname(file), 'python3') : file;
  const said = await ask([program, '-I', '-S', '-c', WHERE]);
  try {
    const [executable, ...prefixes] = FACTS.parse(JSON.parse(said ?? ''));
    const bin = dirname(executable);
    const isVirtual = (await lstat(join(dirname(bin), 'pyvenv.cfg')).catch(() => null)) !== null;
    const folders = new Set([...prefixes, ...(isVirtual ? [dirname(bin)] : [])]);
    return { folders: await Promise.all([...folders].map((folder) => realpath(folder))), path: [bin] };
  } catch {
    return null;
  }
};
