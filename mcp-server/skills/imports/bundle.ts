import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { UserError } from '../../domain/errors.ts';
import { isSkillName } from '../parse-skill.ts';
import { FOLDER_LIMITS } from '../read-folder.ts';
import { isObeyed, pathProblem } from './safe-path.ts';

/** One file of a skill, not yet on disk; `path` is relative, with forward slashes. */
export interface BundleFile {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly executable: boolean;
}

/** All files of one skill, in memory. */
export interface SkillBundle {
  /** Of the folder that it would get. */
  readonly name: string;
  /** Sorted by path; every path is safe to write. */
  readonly files: readonly BundleFile[];
  /** What the source holds and an import leaves out: links, submodules, settings that other programs obey. */
  readonly leftOut: readonly string[];
}

/** Bounds of one import; sizes in bytes after inflating. */
export interface ImportLimits {
  readonly files: number;
  readonly fileBytes: number;
  readonly totalBytes: number;
}

/** What a skill may weigh: as much as can be served to other clients. */
export const IMPORT_LIMITS: ImportLimits = {
  files: FOLDER_LIMITS.files,
  fileBytes: FOLDER_LIMITS.bytes,
  totalBytes: FOLDER_LIMITS.bytes,
};

/** sha256 in hex. */
export const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');

/** Path → sha256 of its bytes. */
export type FileHashes = Readonly<Record<string, string>>;

/** The hash of each file. */
export const hashesOf = (files: readonly BundleFile[]): FileHashes =>
  Object.fromEntries(files.map(({ path, bytes }) => [path, sha256(bytes)]));

/**
 * Leaves out what other programs obey, checks names, counts and sizes, and sorts. Throws UserError `bad-input` for a path that could be written anywhere but
 * inside the skill's folder, for two names that are one on some systems, and beyond the limits.
 */
export const makeBundle = (
  name: string,
  given: readonly BundleFile[],
  leftOut: readonly string[],
  limits: ImportLimits,
): SkillBundle => {
  if (!isSkillName(name)) throw badName(name);
  const files = withSkillFile(given.filter(({ path }) => !isObeyed(path)));
  const obeyed = given.filter(({ path }) => isObeyed(path)).map(({ path }) => path);
  checkPaths(files.map(({ path }) => path));
  if (files.length > limits.files) throw tooMuch(`${files.length} files`, `${limits.files} files`);
  let total = 0;
  for (const file of files) {
    if (file.path.split('/').length > FOLDER_LIMITS.depth + 1)
      throw tooMuch(file.path, `${FOLDER_LIMITS.depth} folders deep`);
    if (file.bytes.length > limits.fileBytes)
      throw tooMuch(`${file.path}: ${size(file.bytes.length)}`, `${size(limits.fileBytes)} a file`);
    total += file.bytes.length;
  }
  if (total > limits.totalBytes) throw tooMuch(size(total), size(limits.totalBytes));
  const sorted = files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  return { name, files: sorted, leftOut: [...leftOut, ...obeyed].sort() };
};

/** A hub also takes `skills.md` for a skill's main file; nobody else does. */
const withSkillFile = (files: readonly BundleFile[]): readonly BundleFile[] =>
  files.some(({ path }) => /^skill\.md$/i.test(path))
    ? files
    : files.map((file) => (/^skills\.md$/i.test(file.path) ? { ...file, path: 'SKILL.md' } : file));

/** Throws UserError `bad-input` when a path is not safe, or two of them cannot both be written everywhere. */
export const checkPaths = (paths: readonly string[]): void => {
  const seen = new Map<string, string>();
  for (const path of paths) {
    const problem = pathProblem(path);
    if (problem) throw new UserError('bad-input', `Not imported: the path ${JSON.stringify(path)} ${problem}.`);
    const parts = path.split('/');
    for (let depth = 1; depth <= parts.length; depth += 1) {
      const here = parts.slice(0, depth).join('/');
      const isFile = depth === parts.length;
      const key = here.normalize('NFC').toLowerCase();
      const before = seen.get(key);
      const now = isFile ? `file ${here}` : `folder ${here}`;
      if (before !== undefined && (before !== now || isFile)) {
        throw new UserError('bad-input', `Not imported: ${JSON.stringify(here)} is in it twice.`);
      }
      seen.set(key, now);
    }
  }
};

const badName = (name: string): UserError =>
  new UserError(
    'bad-input',
    `${JSON.stringify(name)} cannot be the name of a skill: lower-case letters, digits and single hyphens, at most 64. Give another name.`,
  );

const tooMuch = (found: string, limit: string): UserError =>
  new UserError('bad-input', `Not imported: it is too large (${found}; the limit is ${limit}).`);

/** Bytes for people. */
export const size = (bytes: number): string =>
  bytes < 1024
    ? `${bytes} B`
    : bytes < 1024 * 1024
      ? `${(bytes / 1024).toFixed(1)} KB`
      : `${(bytes / 1024 / 1024).toFixed(1)} MB`;

/** Writes all files below a folder that must be empty; nothing there is followed or replaced. */
export const writeBundle = async (bundle: SkillBundle, folder: string): Promise<void> => {
  for (const { path, bytes, executable } of bundle.files) {
    const file = join(folder, ...path.split('/'));
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, bytes, { flag: 'wx', mode: 0o644 });
    if (executable) await chmod(file, 0o755);
  }
};

/** The hash of every file below a folder as it is now; a link or a device counts as a file with a hash of its own kind. */
export const hashFolder = async (folder: string): Promise<FileHashes> => {
  const found: [path: string, hash: string][] = [];
  const visit = async (path: string): Promise<void> => {
    for (const name of (await readdir(join(folder, path))).sort()) {
      const inner = path === '' ? name : `${path}/${name}`;
      const stat = await lstat(join(folder, inner));
      if (stat.isDirectory()) await visit(inner);
      else found.push([inner, stat.isFile() ? sha256(await readFile(join(folder, inner))) : 'not a file']);
    }
  };
  await visit('');
  // Also for a file that is called __proto__.
  return Object.fromEntries(found);
};

/** How the files of a skill differ from others of the same skill; each list sorted. */
export interface FileDifference {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

/** Which files differ between two states of a skill. */
export const compareFiles = (before: FileHashes, after: FileHashes): FileDifference => ({
  added: Object.keys(after)
    .filter((path) => !Object.hasOwn(before, path))
    .sort(),
  changed: Object.keys(after)
    .filter((path) => Object.hasOwn(before, path) && before[path] !== after[path])
    .sort(),
  removed: Object.keys(before)
    .filter((path) => !Object.hasOwn(after, path))
    .sort(),
});

/** No file differs. */
export const isSame = ({ added, changed, removed }: FileDifference): boolean =>
  added.length + changed.length + removed.length === 0;
