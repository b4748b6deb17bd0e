import { counted } from '../../domain/text.ts';
import type { FileFinding, FolderFinding } from './findings.ts';
import { FOOTER } from './introduction.ts';

export const MAP_FOLDER = 'docs/map/';
/** A page stays well below what one answer may hold. */
const MAX_PAGE = 7500;
const MAX_ROWS = 80;
const MAX_NAMES = 8;
const MAX_FOLDERS = 30;

/** Where the page of a folder lies: `docs/map/src-lib.md`; `docs/map/top.md` for the top. */
export const pageFor = (folder: string): string =>
  `${MAP_FOLDER}${
    folder === './'
      ? 'top'
      : folder
          .replace(/\/$/, '')
          .replace(/^\.+/, '')
          .replace(/[/\s]+/g, '-') || 'top'
  }.md`;

const UP = '../'.repeat(MAP_FOLDER.split('/').length - 1);
const encode = (path: string): string =>
  encodeURI(path).replace(/[()#?]/g, (mark) => `%${mark.charCodeAt(0).toString(16)}`);

/** A link from a page to a file of the repository. */
export const linkToFile = (path: string, name = path): string => `[${name}](${UP}${encode(path)})`;

/** A link from one page to another. */
export const linkToPage = (page: string, name: string): string => `[${name}](${encode(page.slice(MAP_FOLDER.length))})`;

const cell = (text: string): string => text.replaceAll('|', '\\|').replace(/\s+/g, ' ');

const names = (file: FileFinding): string => {
  const shown = file.exports.slice(0, MAX_NAMES).map((name) => `\`${name}\``);
  const more = file.exports.length - shown.length;
  return shown.join(', ') + (more > 0 ? ` and ${more} more` : '');
};

const row = (file: FileFinding, folder: string): string => {
  const name = folder === './' ? file.path : file.path.slice(folder.length);
  return `| ${linkToFile(file.path, cell(name))} | ${file.lines ?? ''} | ${cell(file.about)} | ${names(file)} |`;
};

/** What was found, in one line: for the page and for the report. */
export const summaryOf = (finding: FolderFinding): string => {
  const exported = finding.files.reduce((sum, file) => sum + file.exports.length, 0);
  const looked = finding.subfolders.length - finding.unseen.length;
  const within = looked > 0 ? ` in ${counted(looked + 1, 'folder')}` : '';
  const unseen =
    finding.unseen.length > 0 ? `, ${counted(finding.unseen.length, 'folder')} inside not looked into` : '';
  return `${counted(finding.files.length, 'file')}${finding.folder === './' ? '' : within + unseen}, ${finding.read} read, ${counted(exported, 'exported name')} seen${finding.moreNames ? ' (there are more)' : ''}`;
};

/** The page of a folder in Markdown; rows are left out, and said so, when it would grow too long. */
export const folderPage = (finding: FolderFinding): string => {
  const title = finding.folder === './' ? 'The top folder' : `\`${finding.folder}\``;
  const head = [`# ${title}`, '', `${summaryOf(finding)}.`, ''];
  const shown = finding.subfolders.slice(0, MAX_FOLDERS).map((folder) => `\`${folder}\``);
  const more = finding.subfolders.length - shown.length;
  if (shown.length > 0) head.push(`Folders: ${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}.`, '');
  head.push('| file | lines | what it says about itself | exports |', '|---|---|---|---|');
  let left = MAX_PAGE - head.join('\n').length;
  const rows: string[] = [];
  for (const file of finding.files) {
    const text = row(file, finding.folder);
    left -= text.length + 1;
    if (left < 0 || rows.length === MAX_ROWS) break;
    rows.push(text);
  }
  const missing = finding.files.length - rows.length;
  const rest = missing > 0 ? ['', `${counted(missing, 'more file')} not shown here.`] : [];
  return [...head, ...rows, ...rest, '', FOOTER, ''].join('\n');
};
