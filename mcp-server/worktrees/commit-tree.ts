import { UserError } from '../domain/errors.ts';
import type { Commit } from '../domain/ids.ts';
import { createRecent } from '../domain/recent.ts';
import { relativePath } from './containment.ts';
import { type Core, treeOfCommit } from './core.ts';
import { assertCommit } from './objects.ts';
import type { Tree } from './port.ts';
import { assertReadable, decodeText } from './text-file.ts';

interface Entry {
  readonly mode: string;
  readonly oid: string;
}

interface Index {
  readonly files: readonly string[];
  readonly entries: ReadonlyMap<string, Entry>;
  /** Names in each folder; the top is `''`. */
  readonly folders: ReadonlyMap<string, readonly string[]>;
}

/** Reads commits without a checkout. */
export interface CommitTrees {
  readonly treeOf: (commit: Commit) => Tree;
  readonly fileAt: (commit: Commit, path: string) => Promise<string | null>;
  /** The bytes of a file, or null when there is no such file, or when it is too large to be read. */
  bytesAt(commit: Commit, path: string): Promise<Buffer | null>;
}

const GITLINK = '160000';
const SYMLINK = '120000';
/** File lists that are remembered; commits with the same files share one. */
const REMEMBERED_TREES = 64;
const REMEMBERED_COMMITS = 4_096;
/** Texts that are remembered, by object: agents that start together read the same files. */
const REMEMBERED_TEXTS = 256;
const REMEMBERED_CHARS = 32_768;

/** File lists are kept per tree, so that most reads need no git process. */
export const createCommitTrees = (core: Core): CommitTrees => {
  const treeNames = createRecent<string>(REMEMBERED_COMMITS);
  const indexes = createRecent<Index>(REMEMBERED_TREES);
  const indexOf = async (commit: Commit): Promise<Index> => {
    const tree = await treeNames.get(assertCommit(commit), () => treeOfCommit(core, commit));
    return indexes.get(tree, async () =>
      buildIndex(await core.git.text(core.store, ['ls-tree', '-r', '-z', '--full-tree', tree])),
    );
  };
  const entryAt = async (commit: Commit, path: string): Promise<Entry | null> => {
    const entry = (await indexOf(commit)).entries.get(path);
    return entry && entry.mode !== GITLINK ? entry : null;
  };
  const texts = createRecent<string | null>(REMEMBERED_TEXTS);
  const textOf = async (path: string, entry: Entry): Promise<string | null> => {
    const text = await texts.get(entry.oid, () => readText(path, entry));
    if (text === null || text.length > REMEMBERED_CHARS) texts.forget(entry.oid);
    return text;
  };
  const readText = async (path: string, entry: Entry): Promise<string | null> => {
    assertReadable(path, (await core.objects.info(entry.oid))?.size ?? 0);
    const bytes = await core.objects.contents(entry.oid);
    return bytes && decodeText(path, bytes);
  };
  return {
    treeOf: (commit) => ({
      files: async () => (await indexOf(commit)).files,
      list: async (folder) => (await indexOf(commit)).folders.get(relativePath(folder)) ?? null,
      read: async (asked) => {
        const path = relativePath(asked);
        const entry = await entryAt(commit, path);
        if (entry?.mode === SYMLINK) {
          const target = (await core.objects.contents(entry.oid))?.toString('utf8');
          throw new UserError('bad-input', `${path} is a symbolic link to ${target}; read that file instead.`);
        }
        return entry && textOf(path, entry);
      },
    }),
    fileAt: async (commit, path) => {
      const entry = await entryAt(commit, relativePath(path));
      return entry && textOf(path, entry);
    },
    bytesAt: async (commit, path) => {
      const entry = await entryAt(commit, path);
      const info = entry && (await core.objects.info(entry.oid));
      return info && info.size <= MAX_SCANNED_BYTES ? core.objects.contents(info.oid) : null;
    },
  };
};

const MAX_SCANNED_BYTES = 20_000_000;

const buildIndex = (output: string): Index => {
  const entries = new Map<string, Entry>();
  const folders = new Map<string, Set<string>>([['', new Set()]]);
  const files: string[] = [];
  for (const line of output.split('\0')) {
    const tab = line.indexOf('\t');
    if (tab < 0) continue;
    const [mode = '', , oid = ''] = line.slice(0, tab).split(' ');
    const path = line.slice(tab + 1);
    entries.set(path, { mode, oid });
    if (mode === GITLINK) folders.set(path, new Set());
    else files.push(path);
    addToFolders(folders, mode === GITLINK ? `${path}/` : path);
  }
  const sorted = [...folders].map(([folder, names]) => [folder, [...names].sort()] as const);
  return { entries, files: files.sort(), folders: new Map(sorted) };
};

const addToFolders = (folders: Map<string, Set<string>>, path: string): void => {
  let name = path;
  for (;;) {
    const slash = name.lastIndexOf('/', name.length - 2);
    const folder = slash < 0 ? '' : name.slice(0, slash);
    const known = folders.get(folder);
    const names = known ?? new Set();
    names.add(name.slice(slash + 1));
    if (known) return;
    folders.set(folder, names);
    name = `${folder}/`;
  }
};
