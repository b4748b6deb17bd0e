import { counted } from '../../domain/text.ts';
import type { ParsedRequest, ScriptedAnswer } from '../script.ts';
import { askedFor, type Exchange, exchangesOf, ownTask } from './conversation.ts';
import { listedPaths, readText } from './findings.ts';
import { FOOTER, HOW_TO_GET_A_MODEL, INTRODUCTION } from './introduction.ts';
import { listFiles, make, readFile, report, writeFile } from './moves.ts';
import { linkToPage, MAP_FOLDER, pageFor } from './pages.ts';

const FRONT = `${MAP_FOLDER}README.md`;
const MOST_READS = 12;
const HEAD_LINES = 5;

/** An executive writes the front page of the map, a synthesizer the overview of what was handed to it. */
export type JoinerKind = 'synthesizer' | 'executive';

/** Titles and the line below them, as the pages themselves have them. */
const entry = (page: string, exchanges: readonly Exchange[]): string => {
  const exchange = askedFor(exchanges, 'read_file', page);
  const text = exchange?.ok ? readText(exchange.output).text : '';
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const title = lines[0]?.replace(/^#+\s*/, '') || page.slice(MAP_FOLDER.length);
  const said = lines[1] && !/^[|#*-]/.test(lines[1]) ? ` — ${lines[1]}` : '';
  return `- ${linkToPage(page, title)}${said}`;
};

const overviewPage = (title: string, pages: readonly string[], exchanges: readonly Exchange[]): string =>
  [
    `# ${title}`,
    '',
    `${counted(pages.length, 'page')} of this map.`,
    '',
    ...pages.map((page) => entry(page, exchanges)),
    '',
    FOOTER,
    '',
  ].join('\n');

const isOverview = (page: string): boolean => /^docs\/map\/overview-[^/]*\.md$/.test(page);

/** The pages to link: an executive's are all, a synthesizer's those that its reports name. */
const pagesFor = (kind: JoinerKind, own: string, named: string, seen: readonly string[]): readonly string[] => {
  const isPage = (path: string): boolean => /^docs\/map\/[^/]+\.md$/.test(path) && path !== own && path !== FRONT;
  const plain = seen.filter((path) => isPage(path) && !isOverview(path));
  if (kind === 'executive') return [...seen.filter((path) => isPage(path) && isOverview(path)), ...plain];
  const reported = plain.filter((page) => named.includes(page));
  return reported.length > 0 ? reported : plain;
};

/** Every top-level folder has a page in the reports: so nobody else joins, and this is the front page. */
const coversAll = (top: Exchange, named: string): boolean =>
  top.ok &&
  listedPaths(top)
    .filter((path) => path.endsWith('/') && path !== 'docs/')
    .every((folder) => named.includes(pageFor(folder)));

/** Distinct among synthesizers: the number of the part, else the first of the things that it joins. */
const nameOf = (request: ParsedRequest, named: string): string => {
  const part = /^You are "[^"\n]*?\bpart (\d+)/m.exec(request.firstUser)?.[1];
  const first = /^- (?:Map )?(\S+?)[/,]*(?:\s|$)/m.exec(ownTask(request))?.[1];
  const page = /docs\/map\/([\w.-]+?)\.md/.exec(named)?.[1];
  const slug = (part ?? first ?? page ?? '').toLowerCase().replace(/[^a-z0-9]+/g, '-');
  return slug.replace(/^-|-$/g, '') || page || 'parts';
};

const ownPage = (request: ParsedRequest, kind: JoinerKind, top: Exchange | undefined, named: string): string =>
  kind === 'executive' || (top && coversAll(top, named)) ? FRONT : `${MAP_FOLDER}overview-${nameOf(request, named)}.md`;

const titleOf = (page: string): string =>
  page === FRONT ? 'Map of this repository' : `Overview: ${page.slice(`${MAP_FOLDER}overview-`.length, -'.md'.length)}`;

/** The joiner's next move: see which pages exist, read how they begin, write the page with links to them, finish. */
export const writeOverview = (request: ParsedRequest, kind: JoinerKind): ScriptedAnswer => {
  const exchanges = exchangesOf(request);
  const top = askedFor(exchanges, 'list_files', './');
  const listing = askedFor(exchanges, 'list_files', MAP_FOLDER);
  if (!listing) return make([listFiles('.'), listFiles(MAP_FOLDER)]);
  const users = request.messages.filter((message) => message.role === 'user');
  const named = users.map((message) => message.content).join('\n');
  const own = ownPage(request, kind, top, named);
  const pages = pagesFor(kind, own, named, listedPaths(listing));
  if (pages.length === 0) {
    const text = `There are no pages in ${MAP_FOLDER} to join. ${INTRODUCTION} ${HOW_TO_GET_A_MODEL}`;
    return report(request, text, 'nothing');
  }
  const unread = pages.slice(0, MOST_READS).filter((page) => !askedFor(exchanges, 'read_file', page));
  if (unread.length > 0) return make(unread.map((page) => readFile(page, HEAD_LINES)));
  const written = askedFor(exchanges, 'write_file', own);
  if (!written) return make([writeFile(own, overviewPage(titleOf(own), pages, exchanges))]);
  if (!written.ok)
    return report(request, `\`${own}\` could not be written: ${written.output.slice(0, 200)}`, 'blocked');
  const text = `Joined by rules, not intelligence.\n- Wrote \`${own}\` with links to ${counted(pages.length, 'page')}: ${pages.join(', ')}.`;
  return report(request, text, 'done');
};
