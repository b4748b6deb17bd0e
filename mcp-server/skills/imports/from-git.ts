import { UserError } from '../../domain/errors.ts';
import { oneLine } from '../../domain/text.ts';
import { skillNameOf } from '../parse-skill.ts';
import { type ImportLimits, makeBundle, type SkillBundle } from './bundle.ts';

/** An entry of a commit's tree. `link`: a symbolic link or a submodule, which no import follows. */
export interface GitEntry {
  readonly path: string;
  readonly kind: 'file' | 'executable' | 'link';
  readonly oid: string;
}

/** A commit of somebody else's repository, without a checkout. */
export interface GitCommit {
  readonly commit: string;
  /** The part of a local path below the top of its repository; empty for all others. */
  readonly inside: string;
  readonly entries: readonly GitEntry[];
  /** The bytes of files, in the order asked for. Throws UserError beyond the limits. */
  read(
    files: readonly GitEntry[],
    limits: { readonly fileBytes: number; readonly totalBytes: number },
  ): Promise<readonly Uint8Array[]>;
}

/** Fetches a commit, hands it to `use`, and leaves nothing behind; whoever puts the program together binds it to git. */
export type FetchCommit = <T>(
  source: { readonly url: string; readonly ref: string | null },
  use: (fetched: GitCommit) => Promise<T>,
  signal: AbortSignal,
) => Promise<T>;

/** Where in git a skill is. */
export interface GitSource {
  readonly url: string;
  /** Branch, tag or whole commit; null: the default branch. */
  readonly ref: string | null;
  /** The skill's folder, or its name when that is unique in the repository; null: the only one there is. */
  readonly path: string | null;
}

/** What a repository gave. */
export type GitFetched =
  | {
      readonly kind: 'skill';
      readonly bundle: SkillBundle;
      readonly commit: string /** Its folder in the repository. */;
      readonly path: string;
    }
  /** There are several, and none was chosen. Folders in the repository, sorted. */
  | { readonly kind: 'choose'; readonly commit: string; readonly paths: readonly string[] };

const SKILL_FILE = /^(.*\/)?skill\.md$/i;

/**
 * One skill of a repository at a commit, or the list of those to choose from. Throws UserError when there is none, when
 * the one asked for is not there, and when what is there is not safe to import.
 */
export const fetchFromGit = (
  fetchCommit: FetchCommit,
  source: GitSource,
  limits: ImportLimits,
  signal: AbortSignal,
): Promise<GitFetched> =>
  fetchCommit(
    { url: source.url, ref: source.ref },
    async (fetched) => {
      const folders = foldersOf(fetched.entries);
      const wanted = source.path === null ? null : source.path.replace(/^(\.?\/)+|\/+$/g, '');
      const paths = choose(folders, fetched.inside, wanted);
      if (paths.length === 0) throw notThere(source, folders);
      const [path = ''] = paths;
      if (paths.length > 1) return { kind: 'choose', commit: fetched.commit, paths };
      return {
        kind: 'skill',
        bundle: await readSkill(fetched, path, source.url, limits),
        commit: fetched.commit,
        path,
      };
    },
    signal,
  );

/** Folders that hold a SKILL.md; the top of the repository is the empty text. */
const foldersOf = (entries: readonly GitEntry[]): string[] => {
  const found = new Set<string>();
  for (const { path, kind } of entries) {
    if (kind !== 'link' && SKILL_FILE.test(path)) found.add(path.slice(0, Math.max(0, path.lastIndexOf('/'))));
  }
  return [...found].sort();
};

const choose = (folders: readonly string[], inside: string, wanted: string | null): readonly string[] => {
  const below = folders.filter((folder) => inside === '' || folder === inside || folder.startsWith(`${inside}/`));
  if (wanted === null) return inside !== '' && below.includes(inside) ? [inside] : below;
  const exact = [inside === '' ? wanted : `${inside}/${wanted}`, wanted].find((path) => folders.includes(path));
  if (exact !== undefined) return [exact];
  return below.filter((folder) => lastPart(folder) === wanted);
};

const lastPart = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

const notThere = (source: GitSource, folders: readonly string[]): UserError => {
  const listed = folders.slice(0, 20).map((folder) => folder || 'the top of the repository');
  const there =
    folders.length === 0
      ? 'It holds no SKILL.md at all.'
      : `It has: ${listed.join(', ')}${folders.length > 20 ? ', …' : ''}.`;
  const what = source.path === null ? 'no skill' : `no skill ${oneLine(source.path, 100)}`;
  return new UserError('not-found', `There is ${what} in ${oneLine(source.url, 200)}. ${there}`);
};

const readSkill = async (fetched: GitCommit, path: string, url: string, limits: ImportLimits): Promise<SkillBundle> => {
  const prefix = path === '' ? '' : `${path}/`;
  const own = fetched.entries.filter((entry) => entry.path.startsWith(prefix));
  const files = own.filter(({ kind }) => kind !== 'link');
  if (files.length > limits.files)
    throw new UserError(
      'bad-input',
      `Not imported: ${files.length} files are too many (the limit is ${limits.files}).`,
    );
  const contents = await fetched.read(files, limits);
  return makeBundle(
    skillNameOf(path === '' ? repositoryName(url) : lastPart(path)),
    files.map((file, index) => ({
      path: file.path.slice(prefix.length),
      bytes: contents[index] ?? new Uint8Array(),
      executable: file.kind === 'executable',
    })),
    own.filter(({ kind }) => kind === 'link').map((entry) => entry.path.slice(prefix.length)),
    limits,
  );
};

const repositoryName = (url: string): string =>
  url
    .replace(/[/\\]+$/, '')
    .replace(/\.git$/, '')
    .split(/[/\\:]/)
    .at(-1) ?? '';
