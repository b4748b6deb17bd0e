import { asFile, asFolder, askedFor, type Exchange, inputText, isStub } from './conversation.ts';

/** What the tools showed of one file. */
export interface FileFinding {
  readonly path: string;
  /** Null when it was not read, or nobody said. */
  readonly lines: number | null;
  /** Its first heading, doc comment or description; empty when it was not read or has none. */
  readonly about: string;
  readonly exports: readonly string[];
}

/** What the tools showed of one folder. */
export interface FolderFinding {
  readonly folder: string;
  /** False when the listing failed or is not at hand any more. */
  readonly listed: boolean;
  readonly files: readonly FileFinding[];
  readonly subfolders: readonly string[];
  /** Those of them that nobody looked into: what is in them is not known. */
  readonly unseen: readonly string[];
  readonly read: number;
  /** True when a search of it was cut, so that there may be more names. */
  readonly moreNames: boolean;
}

/** The line by which the shared cut says what is missing. */
const CUT = /^\[… .* characters cut.*…\]$/;
export const wasCut = (output: string): boolean => output.split('\n').some((line) => CUT.test(line));

const HEADER = /^\S.*? \((\d+) lines?\b[^()\n]*\)(?:, lines? \d+(?: to \d+)?)?:?$/;

/** A read result without its first line, which names the file and its length. */
export const readText = (output: string): { readonly text: string; readonly lines: number | null } => {
  const end = output.indexOf('\n');
  const first = end < 0 ? output : output.slice(0, end);
  const match = HEADER.exec(first);
  if (!match) return { text: output, lines: null };
  return { text: end < 0 ? '' : output.slice(end + 1), lines: Number(match[1]) };
};

/** Entries as paths from the top of the repository; folders end with a slash. Anything that is no entry is skipped. */
export const listedPaths = (exchange: Exchange): readonly string[] => {
  if (!exchange.ok || isStub(exchange)) return [];
  const folder = asFolder(inputText(exchange, 'path'));
  const within = folder === './' ? '' : folder;
  return exchange.output
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line && !CUT.test(line) && !/^\(.*\)$/.test(line))
    .map((line) => (/\/./.test(line) && line.startsWith(within) ? line : within + line))
    .map((path) => (path.endsWith('/') ? asFolder(path) : asFile(path)))
    .filter((path) => path !== './');
};

const MATCH = /^(.+?):(\d+):\s?(.*)$/;
const DEFINES: readonly RegExp[] = [
  /^\s*export\s+(?:default\s+)?(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?(?:const|let|var|function\*?|class|interface|type|enum|namespace)\s+([A-Za-z_$][\w$]*)/,
  /^(?:async\s+)?(?:def|class)\s+([A-Za-z_]\w*)/,
  /^func\s+(?:\([^)]*\)\s*)?([A-Z]\w*)/,
  /^\s*pub\s+(?:async\s+)?(?:fn|struct|enum|trait|mod|const|type)\s+([A-Za-z_]\w*)/,
  /^\s*module\.exports\.([A-Za-z_$][\w$]*)\s*=/,
];

const definedName = (line: string): string | null => {
  for (const pattern of DEFINES) {
    const name = pattern.exec(line)?.[1];
    if (name) return name;
  }
  return null;
};

/** Names that files define for others, by file, from the results of every search. */
export const definedNames = (exchanges: readonly Exchange[]): ReadonlyMap<string, readonly string[]> => {
  const names = new Map<string, string[]>();
  for (const exchange of exchanges) {
    if (exchange.tool !== 'search_files' || !exchange.ok) continue;
    for (const line of exchange.output.split('\n')) {
      const match = MATCH.exec(line);
      const name = match && definedName(match[3] ?? '');
      if (!match || !name) continue;
      const path = asFile(match[1] ?? '');
      const known = names.get(path) ?? [];
      if (!known.includes(name)) known.push(name);
      names.set(path, known);
    }
  }
  return names;
};

const SLASHES = /^\s*(?:\/\*\*?|\*(?!\/)|\/\/[/!]?)\s?/;
const HASH = /^\s*(?:#|"""|''')\s?/;
const DASHES = /^\s*--\s?/;
const ANGLE = /^\s*<!--\s?/;

/** How a line of comment begins, by the file's ending. Files of other kinds say nothing about themselves here. */
const COMMENTS: readonly (readonly [RegExp, RegExp])[] = [
  [/\.(?:[cm]?[jt]sx?|c|h|cc|cpp|hpp|cs|java|kt|go|rs|swift|scala|dart|php|s?css|proto|zig)$/i, SLASHES],
  [/\.(?:py|rb|sh|bash|pl|r|jl|ya?ml|toml|cmake|mk)$|(?:^|\/)(?:Dockerfile|Makefile)$/i, HASH],
  [/\.(?:sql|lua|hs)$/i, DASHES],
  [/\.(?:html?|xml|vue|svelte)$/i, ANGLE],
];
const COMMENT_END = /(?:\*\/|"""|'''|-->)\s*$/;

const firstComment = (lines: readonly string[], begins: RegExp): string => {
  const start = lines.findIndex((line) => line.trim() !== '' && !line.startsWith('#!'));
  if (start < 0 || !begins.test(lines[start] ?? '')) return '';
  const words: string[] = [];
  for (const line of lines.slice(start, start + 8)) {
    const text = line.replace(begins, '').replace(COMMENT_END, '').trim();
    if (!begins.test(line) || (words.length > 0 && text === '')) break;
    if (text) words.push(text);
    if (COMMENT_END.test(line)) break;
  }
  return words.join(' ');
};

const firstDocComment = (text: string): string =>
  (/^[ \t]*\/\*\*\s+([\s\S]*?)\*\//m.exec(text)?.[1] ?? '').replace(/^\s*\*\s?/gm, '');

const commentOf = (path: string, text: string): string => {
  const begins = COMMENTS.find(([ending]) => ending.test(path))?.[1];
  if (!begins) return '';
  return firstComment(text.split('\n'), begins) || (begins === SLASHES ? firstDocComment(text) : '');
};

/** What a file says about itself: a heading, a description, or its first comment. One line. */
export const aboutOf = (path: string, text: string): string => {
  const heading = /\.(?:md|mdx|markdown)$/i.test(path) ? /^#{1,3}\s+(.+)$/m.exec(text)?.[1] : undefined;
  const description = path.endsWith('.json')
    ? /^\s*"description"\s*:\s*"((?:[^"\\]|\\.)*)"/m.exec(text)?.[1]
    : undefined;
  const flat = (heading ?? description ?? commentOf(path, text)).replace(/\s+/g, ' ').trim();
  const sentence = /^.{20,}?[.!?](?=\s|$)/.exec(flat)?.[0] ?? flat;
  return sentence.length <= 140 ? sentence : `${sentence.slice(0, 139)}…`;
};

const searchWasCut = (exchange: Exchange): boolean =>
  exchange.output.includes('(There may be more;') ||
  exchange.output.includes('(Stopped after ') ||
  wasCut(exchange.output);

const findingOf = (
  path: string,
  exchanges: readonly Exchange[],
  names: ReadonlyMap<string, readonly string[]>,
): FileFinding => {
  const exchange = askedFor(exchanges, 'read_file', path);
  const read = exchange?.ok && !isStub(exchange) ? readText(exchange.output) : null;
  return {
    path,
    lines: read?.lines ?? null,
    about: read ? aboutOf(path, read.text) : '',
    exports: names.get(path) ?? [],
  };
};

/** The folder's files, those of listed subfolders among them, and what was found in them. */
export const folderFinding = (folder: string, exchanges: readonly Exchange[]): FolderFinding => {
  const inside = exchanges.filter((exchange) => {
    if (exchange.tool !== 'list_files') return false;
    const listed = asFolder(inputText(exchange, 'path'));
    return listed === folder || (folder !== './' && listed.startsWith(folder));
  });
  const paths = [...new Set(inside.flatMap(listedPaths))].sort();
  const names = definedNames(exchanges);
  const files = paths.filter((path) => !path.endsWith('/')).map((path) => findingOf(path, exchanges, names));
  const subfolders = paths.filter((path) => path.endsWith('/'));
  return {
    folder,
    listed: inside.some((exchange) => exchange.ok && !isStub(exchange)),
    files,
    subfolders,
    unseen: subfolders.filter(
      (path) => !askedFor(inside, 'list_files', path)?.ok && !files.some((file) => file.path.startsWith(path)),
    ),
    read: files.filter((file) => askedFor(exchanges, 'read_file', file.path)?.ok).length,
    moreNames: exchanges.some(
      (exchange) =>
        exchange.tool === 'search_files' && asFolder(inputText(exchange, 'path')) === folder && searchWasCut(exchange),
    ),
  };
};
