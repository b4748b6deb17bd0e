import { basename } from 'node:path';
import { commandsOf, entryPointsOf, manifestsOf } from './commands.mjs';
import { checkRepository, gapsIn, walk } from './files.mjs';
import { kept, optionalText, serve, wholeNumber } from './io.mjs';
import { isGenerated, isWritten, languageOf, purposeOf } from './languages.mjs';

const BYTES_PER_TOKEN = 4;
const MOST_MANIFESTS = 12;
const MOST_COMMANDS = 24;
const MOST_DOCUMENTS = 12;

const add = (table, key, bytes) => {
  const row = table.get(key) ?? { files: 0, bytes: 0 };
  table.set(key, { files: row.files + 1, bytes: row.bytes + bytes });
};

const byBytes = ([, a], [, b]) => b.bytes - a.bytes;

const languagesOf = (files) => {
  const table = new Map();
  for (const { path, bytes } of files) {
    const language = languageOf(path);
    if (isWritten(language) && !isGenerated(path)) add(table, language, bytes);
  }
  const total = Math.max(
    1,
    [...table.values()].reduce((sum, { bytes }) => sum + bytes, 0),
  );
  const rows = [...table].sort(byBytes).slice(0, 12);
  return rows.map(([language, row]) => ({ language, ...row, percent: Math.round((row.bytes * 1000) / total) / 10 }));
};

/** The folders that hold a file, down to a depth, each with everything below it. */
const foldersOf = (files, depth) => {
  const table = new Map();
  const languages = new Map();
  for (const { path, bytes } of files) {
    const parts = path.split('/').slice(0, -1);
    for (let length = 1; length <= Math.min(depth, parts.length); length++) {
      const folder = parts.slice(0, length).join('/');
      add(table, folder, bytes);
      const language = languageOf(path);
      if (!isWritten(language) || isGenerated(path)) continue;
      if (!languages.has(folder)) languages.set(folder, new Map());
      add(languages.get(folder), language, bytes);
    }
  }
  return [...table].map(([path, row]) => ({
    path,
    ...row,
    language: [...(languages.get(path) ?? [])].sort(byBytes)[0]?.[0] ?? null,
    purpose: purposeOf(path),
  }));
};

/** The largest ones, in the order of their paths: a tree reads better than a ranking. */
const largestFolders = (all, most) =>
  all
    .toSorted((a, b) => b.bytes - a.bytes)
    .slice(0, most)
    .sort((a, b) => (a.path < b.path ? -1 : 1));

const isTest = (path) =>
  /(^|\/)(tests?|specs?|__tests__)\/|[._-](test|spec)\.[a-z]+$|(^|\/)test_[^/]+\.py$|_test\.(go|py)$/i.test(path);
const isDocument = (path) =>
  /^(readme|contributing|architecture|design|agents|claude|changelog|security)[^/]*$|^docs?\/[^/]+\.(md|rst|adoc)$/i.test(
    path,
  );

const largestFiles = (files, most) => {
  const written = files.filter(({ path }) => isWritten(languageOf(path)) && !isGenerated(path) && !isTest(path));
  const largest = written.toSorted((a, b) => b.bytes - a.bytes).slice(0, most);
  return largest.map(({ path, bytes }) => ({ path, bytes, tokens: Math.round(bytes / BYTES_PER_TOKEN) }));
};

const notesOf = (found, files, folder) => [
  ...gapsIn(found),
  ...(files.length === 0 ? [`There are no files${folder === '' ? '' : ` in ${folder}`}.`] : []),
];

const map = (input, repository) => {
  const depth = wholeNumber(input, 'depth', 2, 1, 8);
  const mostFolders = wholeNumber(input, 'max_folders', 30, 1, 200);
  const mostFiles = wholeNumber(input, 'max_files', 20_000, 1, 200_000);
  const folder = (optionalText(input, 'folder') ?? '').replace(/^\.?\/+|\/+$/g, '').replace(/^\.$/, '');
  checkRepository(repository);
  const found = walk(repository, mostFiles);
  const files = found.files.filter(({ path }) => folder === '' || path.startsWith(`${folder}/`));
  const paths = files.map(({ path }) => path);
  const folders = foldersOf(files, depth + (folder === '' ? 0 : folder.split('/').length));
  const manifests = manifestsOf(paths).slice(0, MOST_MANIFESTS);
  const entryPoints = entryPointsOf(repository, manifests, paths);
  const commands = commandsOf(repository, manifests, paths).slice(0, MOST_COMMANDS);
  const largest = largestFiles(files, 8);
  const documents = paths.filter(isDocument).slice(0, MOST_DOCUMENTS);
  return (share) => {
    const shown = largestFolders(folders, kept(Math.min(folders.length, mostFolders), share));
    return {
      name: basename(process.env['COPPICE_REPOSITORY'] ?? repository),
      folder: folder || '.',
      files: files.length,
      bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
      languages: languagesOf(files).slice(0, kept(12, share)),
      folders: shown,
      foldersLeftOut: folders.length - shown.length,
      entryPoints: entryPoints.slice(0, kept(entryPoints.length, share)),
      commands: commands.slice(0, kept(commands.length, share)),
      manifests: manifests.slice(0, kept(manifests.length, share)),
      tests: { files: paths.filter(isTest).length },
      documents: documents.slice(0, kept(documents.length, share)),
      largest: largest.slice(0, kept(largest.length, share)),
      notes: notesOf(found, files, folder),
    };
  };
};

await serve(['depth', 'folder', 'max_folders', 'max_files'], map);
