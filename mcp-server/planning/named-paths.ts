/** A file or folder that a task names, as the repository knows it. */
export interface NamedPath {
  /** As it was asked for: `src/store`, `store`, `a.ts`. */
  readonly name: string;
  readonly isFolder: boolean;
  /** Top-level folders that it lies in; `./` for the top itself. */
  readonly tops: ReadonlySet<string>;
}

interface Found {
  isFolder: boolean;
  readonly tops: Set<string>;
}

/** A name that lies in this many top-level folders says nothing of where. */
const MOST_TOPS = 50;
/** More files than this are not looked through: the answer must come at once. */
const MOST_FILES = 100_000;

/**
 * Which of the names are files or folders of the repository. A name is a whole path, the end of one, or one folder of
 * it. One pass over the files: quick for many names and many files.
 */
export const namedPaths = (names: Iterable<string>, files: readonly string[]): ReadonlyMap<string, NamedPath> => {
  const { byLast, single, found } = wantedNames(names);
  const note = (name: string, isFolder: boolean, top: string): void => {
    const before = found.get(name) ?? { isFolder, tops: new Set() };
    before.isFolder ||= isFolder;
    if (before.tops.size < MOST_TOPS) before.tops.add(top);
    found.set(name, before);
  };
  const match = (path: string, isFolder: boolean, top: string): void => {
    const last = path.slice(path.lastIndexOf('/') + 1);
    if (single.has(last)) note(last, isFolder, top);
    for (const name of byLast.get(last) ?? [])
      if (path.length === name.length ? path === name : path.endsWith(`/${name}`)) note(name, isFolder, top);
  };
  if (byLast.size === 0 && single.size === 0) return new Map();
  const wantsFiles = [...single, ...byLast.keys()];
  const lengths = new Set(wantsFiles.map((name) => name.length));
  let folder: string | null = null;
  let top = './';
  for (const file of files.slice(0, MOST_FILES)) {
    const slash = file.lastIndexOf('/');
    if (folder === null || slash !== folder.length || !file.startsWith(folder)) {
      const shared = folder ?? '';
      folder = slash < 0 ? '' : file.slice(0, slash);
      top = slash < 0 ? './' : `${folder.split('/', 1)[0] ?? ''}/`;
      for (let at = folder; at !== '' && !isInside(shared, at); at = at.slice(0, Math.max(0, at.lastIndexOf('/'))))
        match(at, true, top);
    }
    if (lengths.has(file.length - slash - 1)) match(file, false, top);
  }
  return new Map([...found].map(([name, what]) => [name, { name, ...what }]));
};

const isInside = (path: string, folder: string): boolean =>
  path.startsWith(folder) && (path.length === folder.length || path[folder.length] === '/');

/** Names of one part are looked up at once; longer ones by their last part. */
const wantedNames = (names: Iterable<string>) => {
  const single = new Set<string>();
  const byLast = new Map<string, string[]>();
  for (const name of names) {
    const last = name.slice(name.lastIndexOf('/') + 1);
    if (last === '') continue;
    if (last === name) single.add(name);
    else byLast.set(last, [...(byLast.get(last) ?? []), name]);
  }
  return { single, byLast, found: new Map<string, Found>() };
};
