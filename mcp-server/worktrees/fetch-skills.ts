import { lstat, mkdir, mkdtemp, readdir, realpath, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../domain/clock.ts';
import { UserError } from '../domain/errors.ts';
import { oneLine } from '../domain/text.ts';
import { checkRef, locate } from './fetch-source.ts';
import type { Place } from './git-environment.ts';
import { createGit, type Git, GitError, type GitOptions } from './git-exec.ts';

/** What fetching from somebody else's repository needs. */
export interface FetchParts {
  /** An own folder for each fetch is made in it, and removed. */
  readonly tempDir: string;
  /** Relative local paths start here. */
  readonly baseDir: string;
  /** PATH, HOME and the language; also SSH_AUTH_SOCK, because it is the person who asks for this fetch. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** All that git may store of a repository, bytes, and how long it may take. */
  readonly limits: { readonly storedBytes: number; readonly timeoutMs: number };
}

/** An entry of a tree. `link`: a symbolic link or a submodule, never followed. */
export interface FetchedEntry {
  readonly path: string;
  readonly kind: 'file' | 'executable' | 'link';
  readonly oid: string;
}

/** A commit of somebody else's repository, of which nothing was checked out. */
export interface FetchedCommit {
  readonly commit: string;
  /** The part of a local path below the top of its repository; empty for all others. */
  readonly inside: string;
  readonly entries: readonly FetchedEntry[];
  /** The bytes of files, in the order asked for. Throws UserError `bad-input` beyond the limits, before reading. */
  read(
    files: readonly FetchedEntry[],
    limits: { readonly fileBytes: number; readonly totalBytes: number },
  ): Promise<readonly Uint8Array[]>;
}

/** Fetches a commit (null: of the default branch), hands it to `use`, and removes everything again. */
export type FetchCommit = <T>(
  source: { readonly url: string; readonly ref: string | null },
  use: (fetched: FetchedCommit) => Promise<T>,
  signal: AbortSignal,
) => Promise<T>;

/** No other way of transport starts, whatever a URL, a redirect or a setting says; nothing is fetched behind our back. */
const SAFE: Readonly<Record<string, string>> = {
  GIT_ALLOW_PROTOCOL: 'https:ssh:file',
  GIT_NO_LAZY_FETCH: '1',
  GIT_LFS_SKIP_SMUDGE: '1',
};
const LONGEST_LIST = 32 * 1024 * 1024;
const WATCH_MS = 250;

/**
 * Fetches through https, ssh or from a local repository, as little as git allows, into a repository of our own without
 * files: no hook, filter, submodule, link or setting of the source ever acts. UserError for whatever goes wrong.
 */
export const createFetchCommit = (parts: FetchParts): FetchCommit => {
  const git = createGit(parts.environment);
  return async (source, use, signal) => {
    const found = await locate(source.url, parts.baseDir);
    checkRef(source.ref);
    await mkdir(parts.tempDir, { recursive: true, mode: 0o700 });
    const folder = await realpath(await mkdtemp(join(parts.tempDir, 'fetch-')));
    try {
      return await watched(parts, folder, signal, async (stop) => {
        const run = createRun(git, folder, parts.environment, stop);
        const commit = await run.fetch(found.url, source.ref);
        const entries = parseTree(await run.text(['ls-tree', '-r', '-z', '--full-tree', commit]));
        return use({ commit, inside: found.inside, entries, read: (files, limits) => run.read(files, limits) });
      });
    } finally {
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    }
  };
};

const isCommit = (text: string): boolean => /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(text);

/** Ends the work when it takes too long, stores too much, or is no longer wanted. */
const watched = async <T>(
  parts: FetchParts,
  folder: string,
  signal: AbortSignal,
  work: (stop: AbortSignal) => Promise<T>,
): Promise<T> => {
  const stop = new AbortController();
  const over = new AbortController();
  const onAbort = (): void => stop.abort(signal.reason);
  signal.addEventListener('abort', onAbort);
  if (signal.aborted) onAbort();
  const end = parts.clock.now() + parts.limits.timeoutMs;
  const watch = async (): Promise<void> => {
    while (!over.signal.aborted && !stop.signal.aborted) {
      if (parts.clock.now() > end) stop.abort(tooLong(parts.limits.timeoutMs));
      if ((await sizeOf(folder)) > parts.limits.storedBytes) stop.abort(tooLarge());
      await parts.clock.sleep(WATCH_MS, AbortSignal.any([over.signal, stop.signal]));
    }
  };
  const watching = watch();
  try {
    stop.signal.throwIfAborted();
    return await work(stop.signal);
  } catch (error) {
    stop.signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    over.abort();
    await watching;
  }
};

const tooLong = (ms: number): UserError =>
  new UserError(
    'not-found',
    `The repository did not arrive within ${Math.round(ms / 1000)} s. Try again, or import from a local clone.`,
  );

const tooLarge = (): UserError =>
  new UserError(
    'bad-input',
    'Not imported: the repository is too large to fetch a skill from. Import from a local clone with less in it.',
  );

/** Bytes below a folder; what vanishes meanwhile counts nothing. */
const sizeOf = async (folder: string): Promise<number> => {
  let total = 0;
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (entry.isFile()) total += (await lstat(join(entry.parentPath, entry.name)).catch(() => null))?.size ?? 0;
  }
  return total;
};

interface Run {
  /** The commit that was fetched. */
  fetch(url: string, ref: string | null): Promise<string>;
  text(args: readonly string[]): Promise<string>;
  read: FetchedCommit['read'];
}

const createRun = (
  git: Git,
  folder: string,
  environment: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Run => {
  const place: Place = { gitDir: folder, commonDir: folder, workTree: folder, trust: 'person' };
  const agent = environment['SSH_AUTH_SOCK'];
  const variables = { ...SAFE, GIT_CEILING_DIRECTORIES: dirname(folder), ...(agent && { SSH_AUTH_SOCK: agent }) };
  const options = (more: GitOptions = {}): GitOptions => ({ ...more, variables, signal });
  const text = async (args: readonly string[]): Promise<string> => {
    const result = await git.exec(place, args, options({ maxBytes: LONGEST_LIST }));
    if (result.cut) throw tooLarge();
    return result.stdout.toString('utf8');
  };
  const fetch = async (url: string, ref: string | null): Promise<string> => {
    try {
      const refs = await git.discover(folder, ['ls-remote', '--quiet', '--', url], options({ maxBytes: LONGEST_LIST }));
      const commit = pick(refs, ref, url);
      await makeEmpty(folder, commit.length === 64);
      await git.exec(place, ['remote', 'add', '--', 'origin', url], options());
      await git.exec(place, [...FETCH, '--depth=1', 'origin', commit], options());
      // A tag may name another tag; only now can it be said which commit that is.
      return (await text(['rev-parse', '--verify', '--end-of-options', `${commit}^{commit}`])).trim();
    } catch (error) {
      throw error instanceof GitError ? explain(url, ref, error) : error;
    }
  };
  const read: FetchedCommit['read'] = async (files, limits) => {
    const oids = [...new Set(files.map(({ oid }) => oid))];
    if (oids.length === 0) return [];
    const input = `${oids.join('\n')}\n`;
    await git.exec(place, ['-c', 'fetch.negotiationAlgorithm=noop', ...FETCH, '--stdin', 'origin'], options({ input }));
    const sizes = parseSizes(await git.exec(place, ['cat-file', '--batch-check'], options({ input })).then(outputText));
    checkSizes(files, sizes, limits);
    const { stdout } = await git.exec(place, ['cat-file', '--batch'], options({ input }));
    const contents = parseContents(stdout);
    return files.map(({ oid }) => contents.get(oid) ?? new Uint8Array());
  };
  return { fetch, text, read };
};

/** An empty bare repository, made by hand: `git init` would copy the person's template into it. */
const makeEmpty = async (folder: string, sha256: boolean): Promise<void> => {
  await mkdir(join(folder, 'objects'));
  await mkdir(join(folder, 'refs'));
  await writeFile(join(folder, 'HEAD'), 'ref: refs/heads/main\n');
  const format = sha256 ? '[extensions]\n\tobjectFormat = sha256\n' : '';
  await writeFile(join(folder, 'config'), `[core]\n\trepositoryFormatVersion = 1\n\tbare = true\n${format}`);
};

const FETCH = [
  'fetch',
  '--quiet',
  '--no-tags',
  '--no-write-fetch-head',
  '--recurse-submodules=no',
  '--filter=blob:none',
];

const outputText = ({ stdout }: { readonly stdout: Buffer }): string => stdout.toString('utf8');

/** The object that the ref means in the list of `git ls-remote`; tags first, as git itself has it. */
const pick = (list: string, ref: string | null, url: string): string => {
  const refs = new Map<string, string>();
  for (const line of list.split('\n')) {
    const [oid = '', name = ''] = line.split('\t');
    if (isCommit(oid)) refs.set(name, oid);
  }
  if (ref !== null && isCommit(ref)) return ref;
  const names = ref === null ? ['HEAD'] : [`refs/tags/${ref}^{}`, `refs/tags/${ref}`, `refs/heads/${ref}`, ref];
  for (const name of names) {
    const oid = refs.get(name);
    if (oid !== undefined) return oid;
  }
  const advice = /^[0-9a-f]{4,39}$/.test(ref ?? '')
    ? ' Give the whole commit: servers do not complete short ones.'
    : '';
  throw new UserError(
    'not-found',
    `${oneLine(url, 200)} has no ${ref === null ? 'default branch' : `branch or tag ${ref}`}.${advice}`,
  );
};

const explain = (url: string, ref: string | null, error: GitError): UserError => {
  const why = oneLine(error.stderr.replace(/^(fatal|error|remote): /gim, ''), 300);
  const isRef = /not our ref|couldn't find remote ref|unadvertised object|upload-pack: not our ref/i.test(error.stderr);
  const what = isRef
    ? `${oneLine(url, 200)} has no commit ${ref}.`
    : `${oneLine(url, 200)} could not be fetched: ${why}`;
  return new UserError('not-found', what, { cause: error });
};

const KINDS: Readonly<Record<string, FetchedEntry['kind']>> = {
  '100644': 'file',
  '100664': 'file',
  '100755': 'executable',
  '120000': 'link',
  '160000': 'link',
};

const parseTree = (output: string): FetchedEntry[] =>
  output
    .split('\0')
    .filter(Boolean)
    .map((line) => {
      const [head, path] = splitOnce(line, '\t');
      const [mode = '', , oid = ''] = head.split(' ');
      return { path, kind: KINDS[mode] ?? 'link', oid };
    });

const splitOnce = (text: string, by: string): readonly [string, string] => {
  const at = text.indexOf(by);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
};

const parseSizes = (output: string): ReadonlyMap<string, number> => {
  const sizes = new Map<string, number>();
  for (const line of output.split('\n')) {
    const [oid = '', type, bytes] = line.split(' ');
    if (type === 'blob') sizes.set(oid, Number(bytes));
  }
  return sizes;
};

const checkSizes = (
  files: readonly FetchedEntry[],
  sizes: ReadonlyMap<string, number>,
  limits: { readonly fileBytes: number; readonly totalBytes: number },
): void => {
  let total = 0;
  for (const { path, oid } of files) {
    const bytes = sizes.get(oid);
    if (bytes === undefined) throw new UserError('not-found', `${oneLine(path, 200)} is missing in the repository.`);
    total += bytes;
    if (bytes > limits.fileBytes || total > limits.totalBytes)
      throw new UserError('bad-input', `Not imported: it is too large (${oneLine(path, 200)}, ${bytes} bytes).`);
  }
};

const parseContents = (output: Buffer): ReadonlyMap<string, Uint8Array> => {
  const contents = new Map<string, Uint8Array>();
  for (let at = 0; at < output.length; ) {
    const end = output.indexOf(10, at);
    const [oid = '', , bytes] = output.toString('latin1', at, end).split(' ');
    const next = end + 1 + Number(bytes);
    contents.set(oid, output.subarray(end + 1, next));
    at = next + 1;
  }
  return contents;
};
