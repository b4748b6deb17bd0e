import type { ParsedRequest, ScriptedAnswer } from '../script.ts';
import { asFolder, askedFor, type Exchange, exchangesOf, offers } from './conversation.ts';
import { type FolderFinding, folderFinding, listedPaths } from './findings.ts';
import { listFiles, type Move, make, readFile, report, writeFile } from './moves.ts';
import { folderPage, pageFor, summaryOf } from './pages.ts';

/** One regular expression for the definitions of several languages. */
const DEFINITIONS = '^(export |def |class |async def |func |pub )';
const MOST_READS = 6;
const READ_LINES = 80;
const MOST_SUBFOLDERS = 16;
const MOST_CALLS = 8;
const MOST_WHOLE = 8;
const PAGES_AT_ONCE = 9000;
const SKIPPED = /^(?:node_modules|dist|build|out|target|vendor|\.git|\.coppice|\.cache)\//;
const NOT_TEXT =
  /\.(?:png|jpe?g|gif|ico|svg|webp|pdf|zip|gz|tgz|woff2?|ttf|gguf|bin|db|lock|map|min\.js)$|package-lock\.json$/i;

const IN_TASK = /\bMap the folders? ([^:\n]+):/g;
const FOLDER_WORD = /(?:^|[\s`"'(])((?:[\w.-]+\/)+)(?=[\s`"'),.:;]|$)/g;

/** The folders that a task names; empty when it names none, and so means the whole repository. */
export const foldersIn = (task: string): readonly string[] => {
  const planned = [...task.matchAll(IN_TASK)].flatMap((match) => (match[1] ?? '').split(/,\s*|\s+and\s+/));
  const words = [...task.matchAll(FOLDER_WORD)].map((match) => match[1] ?? '');
  const concerns = [...task.matchAll(/only what concerns (\S+)/g)].map((match) => match[1] ?? '');
  const top = /files at the top of the repository/.test(task) ? ['./'] : [];
  const named = planned.length > 0 ? planned : [...words, ...concerns, ...top];
  return [...new Set(named.filter((name) => name.trim()).map(asFolder))].filter((folder) => folder !== 'docs/map/');
};

/** The whole repository: its top, then each folder that the top's listing shows. */
const wholeRepository = (exchanges: readonly Exchange[]): readonly string[] => {
  const top = askedFor(exchanges, 'list_files', './');
  const folders = top ? listedPaths(top).filter((path) => /^[^/]+\/$/.test(path) && !SKIPPED.test(path)) : [];
  return ['./', ...folders.slice(0, MOST_WHOLE)];
};

const firstLooks = (request: ParsedRequest, folders: readonly string[], exchanges: readonly Exchange[]): Move[] =>
  folders
    .filter((folder) => !askedFor(exchanges, 'list_files', folder))
    .flatMap((folder) => {
      const path = folder === './' ? '.' : folder;
      const search = { name: 'search_files', arguments: { pattern: DEFINITIONS, path, max_results: 120 } };
      return offers(request, 'search_files') && folder !== './' ? [listFiles(path), search] : [listFiles(path)];
    });

const subfolderLooks = (findings: readonly FolderFinding[], exchanges: readonly Exchange[]): Move[] =>
  findings.flatMap((finding) => {
    if (finding.folder === './') return [];
    const levels = finding.folder.split('/').length;
    const near = finding.subfolders.filter((path) => path.split('/').length <= levels + 2 && !SKIPPED.test(path));
    const listed = (path: string): boolean => finding.files.some((file) => file.path.startsWith(path));
    return near
      .slice(0, MOST_SUBFOLDERS)
      .filter((path) => !askedFor(exchanges, 'list_files', path) && !listed(path))
      .map(listFiles);
  });

/** What tells most about a folder comes first. */
const interest = (path: string): number => {
  if (/(?:^|\/)readme(?:\.\w+)?$/i.test(path)) return 0;
  if (/(?:^|\/)(?:index|main|mod|lib|__init__|app)\.\w+$/i.test(path)) return 1;
  if (/(?:^|\/)(?:package\.json|Cargo\.toml|pyproject\.toml|go\.mod)$/.test(path)) return 2;
  return 3 + path.split('/').length;
};

const reads = (findings: readonly FolderFinding[], exchanges: readonly Exchange[]): Move[] => {
  const each = Math.max(1, Math.floor(MOST_READS / findings.length));
  return findings.flatMap((finding) =>
    finding.files
      .map((file) => file.path)
      .filter((path) => !NOT_TEXT.test(path))
      .sort((a, b) => interest(a) - interest(b))
      .slice(0, each)
      .filter((path) => !askedFor(exchanges, 'read_file', path))
      .map((path) => readFile(path, READ_LINES)),
  );
};

const writes = (findings: readonly FolderFinding[], exchanges: readonly Exchange[]): Move[] => {
  const moves: Move[] = [];
  let chars = 0;
  for (const finding of findings) {
    const page = pageFor(finding.folder);
    if (finding.files.length + finding.subfolders.length === 0 || askedFor(exchanges, 'write_file', page)) continue;
    const content = folderPage(finding);
    chars += content.length;
    if (moves.length > 0 && chars > PAGES_AT_ONCE) break;
    moves.push(writeFile(page, content));
  }
  return moves;
};

const sentence = (finding: FolderFinding, exchanges: readonly Exchange[]): string => {
  const page = pageFor(finding.folder);
  const written = askedFor(exchanges, 'write_file', page);
  if (!written)
    return `- \`${finding.folder}\`: ${finding.listed ? 'empty' : 'its listing is not at hand'}; nothing written.`;
  if (!written.ok) return `- \`${page}\` could not be written: ${written.output.split('\n')[0]?.slice(0, 160)}`;
  const told = finding.files.find((file) => file.about)?.about;
  return `- Wrote \`${page}\`: ${summaryOf(finding)}.${told ? ` It says of itself: ${told}` : ''}`;
};

const conclude = (
  request: ParsedRequest,
  findings: readonly FolderFinding[],
  exchanges: readonly Exchange[],
): ScriptedAnswer => {
  const written = findings.map((finding) => askedFor(exchanges, 'write_file', pageFor(finding.folder)));
  const some = written.some((exchange) => exchange?.ok);
  const refused = written.some((exchange) => exchange && !exchange.ok);
  const lines = findings.map((finding) => sentence(finding, exchanges));
  const text = `Mapped by rules, not intelligence.\n${lines.join('\n')}`;
  return report(request, text, some ? 'done' : refused ? 'blocked' : 'nothing');
};

/** The mapping worker's next move: list and search, look into subfolders, read a few files, write the pages, finish. */
export const mapFolders = (request: ParsedRequest, task: string): ScriptedAnswer => {
  const exchanges = exchangesOf(request);
  const named = foldersIn(task);
  const folders = named.length > 0 ? named : wholeRepository(exchanges);
  const stages: readonly (() => Move[])[] = [
    () => firstLooks(request, folders, exchanges),
    () =>
      subfolderLooks(
        folders.map((folder) => folderFinding(folder, exchanges)),
        exchanges,
      ),
    () =>
      reads(
        folders.map((folder) => folderFinding(folder, exchanges)),
        exchanges,
      ),
    () =>
      writes(
        folders.map((folder) => folderFinding(folder, exchanges)),
        exchanges,
      ),
  ];
  if (request.lastTool?.name !== 'finish')
    for (const stage of stages) {
      const moves = stage();
      if (moves.length > 0) return make(moves.slice(0, MOST_CALLS));
    }
  return conclude(
    request,
    folders.map((folder) => folderFinding(folder, exchanges)),
    exchanges,
  );
};
