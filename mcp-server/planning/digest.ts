import { counted, oneLine } from '../domain/text.ts';

/** Characters of a digest at the most, about 1,500 tokens. */
export const DIGEST_CHARS = 5000;
const MOST_FOLDERS = 60;
const NAME_CHARS = 48;

/** How many files lie in each top-level folder, `./` for the files at the top; biggest first, then by name. */
export const topFolders = (
  files: readonly string[],
): readonly { readonly folder: string; readonly files: number }[] => {
  const counts = new Map<string, number>();
  for (const file of files) {
    const slash = file.indexOf('/');
    const folder = slash < 0 ? './' : file.slice(0, slash + 1);
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  return [...counts]
    .map(([folder, files]) => ({ folder, files }))
    .sort((a, b) => b.files - a.files || compare(a.folder, b.folder));
};

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const LANGUAGES: Readonly<Record<string, string>> = {
  ts: 'TypeScript',
  tsx: 'TypeScript',
  mts: 'TypeScript',
  cts: 'TypeScript',
  js: 'JavaScript',
  jsx: 'JavaScript',
  mjs: 'JavaScript',
  cjs: 'JavaScript',
  py: 'Python',
  rs: 'Rust',
  go: 'Go',
  java: 'Java',
  kt: 'Kotlin',
  swift: 'Swift',
  scala: 'Scala',
  c: 'C',
  h: 'C',
  cc: 'C++',
  cpp: 'C++',
  cxx: 'C++',
  hpp: 'C++',
  cu: 'CUDA',
  cs: 'C#',
  fs: 'F#',
  rb: 'Ruby',
  php: 'PHP',
  lua: 'Lua',
  pl: 'Perl',
  r: 'R',
  jl: 'Julia',
  dart: 'Dart',
  ex: 'Elixir',
  exs: 'Elixir',
  erl: 'Erlang',
  hs: 'Haskell',
  ml: 'OCaml',
  clj: 'Clojure',
  zig: 'Zig',
  sql: 'SQL',
  sh: 'Shell',
  bash: 'Shell',
  ps1: 'PowerShell',
  html: 'HTML',
  css: 'CSS',
  scss: 'CSS',
  vue: 'Vue',
  svelte: 'Svelte',
  md: 'Markdown',
  rst: 'reStructuredText',
  json: 'JSON',
  yaml: 'YAML',
  yml: 'YAML',
  toml: 'TOML',
  xml: 'XML',
  tf: 'Terraform',
  proto: 'Protobuf',
};

const languageOf = (file: string): string => {
  const dot = file.lastIndexOf('.');
  return (dot < 0 ? undefined : LANGUAGES[file.slice(dot + 1).toLowerCase()]) ?? 'other';
};

/** The biggest counts first: `TypeScript 40, Markdown 12`. */
const ranking = (names: readonly string[], most: number): string => {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  const best = [...counts].sort((a, b) => b[1] - a[1] || compare(a[0], b[0])).slice(0, most);
  return best.map(([name, count]) => `${oneLine(name, NAME_CHARS)} ${count}`).join(', ');
};

const secondFolder = (file: string): string | undefined => file.match(/^[^/]+\/[^/]+\//)?.[0];

/** What a digest may add to the names of the files. */
export interface DigestExtras {
  /** Commands that check the repository, most telling first: `npm test`. */
  readonly commands?: readonly string[];
  /** Bytes by file; folders then say how large they are. */
  readonly sizeOf?: (file: string) => number | undefined;
  /** Tokens at the most; absent: about 1,500. */
  readonly maxTokens?: number;
}

/** A token of such text is about this many characters; rather too few than too many. */
const CHARS_A_TOKEN = 3.3;
const LEAST_CHARS = 300;

const sizeLine = (files: readonly string[], sizeOf: (file: string) => number | undefined): readonly string[] => {
  const bytes = new Map<string, number>();
  for (const file of files) {
    const slash = file.indexOf('/');
    const folder = slash < 0 ? './' : file.slice(0, slash + 1);
    bytes.set(folder, (bytes.get(folder) ?? 0) + (sizeOf(file) ?? 0));
  }
  const biggest = [...bytes].filter(([, size]) => size > 0).sort((a, b) => b[1] - a[1] || compare(a[0], b[0]));
  if (biggest.length === 0) return [];
  const shown = biggest.slice(0, 8).map(([folder, size]) => `${oneLine(folder, NAME_CHARS)} ${inBytes(size)}`);
  return [`Sizes: ${shown.join(', ')}.`];
};

const inBytes = (bytes: number): string =>
  bytes < 1024
    ? `${bytes} B`
    : bytes < 1024 ** 2
      ? `${Math.round(bytes / 1024)} KB`
      : `${(bytes / 1024 ** 2).toFixed(1)} MB`;

/** Lines about the repository as a whole, the least important last. */
const wholeLines = (files: readonly string[], extras: DigestExtras): readonly string[] => {
  const inside = files.flatMap((file) => secondFolder(file) ?? []);
  const commands = (extras.commands ?? []).slice(0, 8).map((command) => oneLine(command, NAME_CHARS));
  return [
    `Files: ${files.length}. Languages: ${ranking(files.map(languageOf), 10)}.`,
    ...(commands.length > 0 ? [`It is checked with: ${commands.join('; ')}.`] : []),
    ...(inside.length > 0 ? [`Biggest folders inside: ${ranking(inside, 8)}.`] : []),
    ...(extras.sizeOf ? sizeLine(files, extras.sizeOf) : []),
  ];
};

/** How many lines from the top fit into `chars`. */
const fitting = (lines: readonly string[], chars: number): number => {
  let left = chars;
  let count = 0;
  for (const line of lines) {
    left -= line.length + 1;
    if (left < 0) break;
    count += 1;
  }
  return count;
};

const hiddenLine = (hidden: readonly { readonly files: number }[]): readonly string[] =>
  hidden.length === 0
    ? []
    : [`${hidden.length} smaller folders hold ${hidden.reduce((sum, { files }) => sum + files, 0)} more files.`];

/** Longest line about folders that are not shown. */
const HIDDEN_CHARS = 60;

/**
 * What a planner is told of a repository: a line `- folder/ (12 files)` for each top-level folder (`./` for the files at
 * the top), then languages, commands that check it, the biggest folders inside, and sizes. Bounded to `maxTokens`, else
 * to DIGEST_CHARS; folders that are left out are counted.
 */
export const repositoryDigest = (files: readonly string[], extras: DigestExtras = {}): string => {
  if (files.length === 0) return 'The repository has no files.';
  const { maxTokens } = extras;
  const most = maxTokens === undefined ? DIGEST_CHARS : Math.max(LEAST_CHARS, Math.floor(maxTokens * CHARS_A_TOKEN));
  const about = wholeLines(files, extras);
  const whole = about.slice(0, Math.max(1, fitting(about, most / 2)));
  const room = most - HIDDEN_CHARS - whole.reduce((sum, line) => sum + line.length + 1, 0);
  const folders = topFolders(files).map(({ folder, files }) => ({
    folder,
    files,
    line: `- ${oneLine(folder, NAME_CHARS)} (${counted(files, 'file')})`,
  }));
  const fit = fitting(
    folders.map(({ line }) => line),
    room,
  );
  const shown = Math.min(MOST_FOLDERS, fit);
  return [
    ...folders
      .slice(0, shown)
      .sort((a, b) => compare(a.folder, b.folder))
      .map(({ line }) => line),
    ...hiddenLine(folders.slice(shown)),
    ...whole,
  ].join('\n');
};
