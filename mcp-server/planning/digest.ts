import { oneLine } from '../domain/text.ts';

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

/**
 * What a planner is told of a repository: a line `- folder/ (12 files)` for each top-level folder (`./` for the files at
 * the top), then languages and the biggest folders inside. Bounded to DIGEST_CHARS.
 */
export const repositoryDigest = (files: readonly string[]): string => {
  if (files.length === 0) return 'The repository has no files.';
  const folders = topFolders(files);
  const shown = folders.slice(0, MOST_FOLDERS).sort((a, b) => compare(a.folder, b.folder));
  const hidden = folders.slice(MOST_FOLDERS);
  const inside = files.flatMap((file) => secondFolder(file) ?? []);
  return [
    ...shown.map(({ folder, files }) => `- ${oneLine(folder, NAME_CHARS)} (${files} files)`),
    ...(hidden.length > 0
      ? [`${hidden.length} smaller folders hold ${hidden.reduce((sum, { files }) => sum + files, 0)} more files.`]
      : []),
    `Files: ${files.length}. Languages: ${ranking(files.map(languageOf), 10)}.`,
    ...(inside.length > 0 ? [`Biggest folders inside: ${ranking(inside, 8)}.`] : []),
  ].join('\n');
};
