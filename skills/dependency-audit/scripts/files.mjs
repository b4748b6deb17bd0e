import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { BadInput } from './io.mjs';

/** Never the repository's own work, whatever its ignore files say. */
const SKIPPED = new Set(
  '.git .hg .svn .coppice node_modules bower_components __pycache__ .venv venv .tox .mypy_cache .pytest_cache .gradle .idea .terraform .next .cache'.split(
    ' ',
  ),
);
const MOST_DEPTH = 30;
const MOST_RULES = 2000;

const literal = (char) => char.replace(/[$^.*+?()[\]{}|\\/-]/, '\\$&');

const globToSource = (glob) => {
  let source = '';
  for (let i = 0; i < glob.length; i++) {
    const char = glob[i];
    if (char === '*' && glob[i + 1] === '*') {
      const slash = glob[i + 2] === '/';
      source += slash ? '(?:.*/)?' : '.*';
      i += slash ? 2 : 1;
    } else if (char === '*') source += '[^/]*';
    else if (char === '?') source += '[^/]';
    else if (char === '\\' && i + 1 < glob.length) source += literal(glob[++i]);
    else source += literal(char);
  }
  return source;
};

/** One line of a .gitignore as a rule; null for a comment, an empty line, or what cannot be read. */
const toRule = (line, base) => {
  let glob = line.replace(/\r$/, '').replace(/(?<!\\) +$/, '');
  if (glob === '' || glob.startsWith('#') || glob.length > 500) return null;
  const again = glob.startsWith('!');
  if (again) glob = glob.slice(1);
  const folderOnly = glob.endsWith('/');
  if (folderOnly) glob = glob.slice(0, -1);
  const anchored = glob.includes('/');
  try {
    const source = globToSource(glob.replace(/^\//, ''));
    return { again, folderOnly, base, expression: new RegExp(`^${anchored ? '' : '(?:.*/)?'}${source}$`) };
  } catch {
    return null;
  }
};

const isIgnored = (rules, path, isFolder) => {
  let ignored = false;
  for (const rule of rules) {
    if (rule.folderOnly && !isFolder) continue;
    if (rule.expression.test(path.slice(rule.base.length))) ignored = !rule.again;
  }
  return ignored;
};

/** The text of a file of the repository; null when it is missing, a link, unreadable, or larger than `mostBytes`. */
export const readText = (root, path, mostBytes = 1024 * 1024) => {
  try {
    const facts = lstatSync(join(root, path));
    if (!facts.isFile() || facts.size > mostBytes) return null;
    return readFileSync(join(root, path), 'utf8').replace(/^\uFEFF/, '');
  } catch {
    return null;
  }
};

const rulesOf = (root, folder, above) => {
  const text = readText(root, `${folder}.gitignore`, 256 * 1024);
  if (text === null) return above;
  const own = text.split('\n').map((line) => toRule(line, folder));
  return [...above, ...own.filter((rule) => rule !== null)].slice(0, MOST_RULES);
};

const byName = (a, b) => (a.name < b.name ? -1 : 1);

const entriesOf = (root, folder) => {
  try {
    return readdirSync(join(root, folder), { withFileTypes: true }).sort(byName);
  } catch {
    return folder === '' ? grantedEntries(root) : null;
  }
};

/**
 * Whoever may read all that is in a folder may still not list it: what Node was started with says what is in it. Node
 * refuses even a granted folder whose name another granted path begins with (test beside test-results); it is taken for a
 * folder here, so that it counts as one that could not be read.
 */
const grantedEntries = (root) => {
  const paths = process.execArgv.flatMap((argument) => /^--allow-fs-read=(.+)$/.exec(argument)?.[1] ?? []);
  const names = paths.filter((path) => dirname(path) === root).map((path) => basename(path));
  const entries = names.map((name) => {
    const facts = factsOf(join(root, name));
    return { name, isFile: () => facts?.isFile() ?? false, isDirectory: () => facts?.isDirectory() ?? true };
  });
  return entries.length > 0 ? entries.sort(byName) : null;
};

const factsOf = (path) => {
  try {
    return lstatSync(path);
  } catch {
    return null;
  }
};

/** What a person must know of a walk that saw not everything. */
export const gapsIn = ({ files, unreadable, cut }) => [
  ...(cut ? [`Only the first ${files.length} files were looked at.`] : []),
  ...(unreadable.length > 0
    ? [`${unreadable.length} files or folders could not be read: ${unreadable.slice(0, 5).join(', ').slice(0, 300)}`]
    : []),
];

/** Throws BadInput unless it is the absolute path of a folder. */
export const checkRepository = (repository) => {
  if (repository === null || !isAbsolute(repository))
    throw new BadInput('The repository must be given as an absolute path.');
  if (entriesOf(repository, '') === null) throw new BadInput('The repository is not a folder that may be read.');
};

/**
 * Files below `root` that its ignore files do not name: `{path, bytes}` with forward slashes, sorted by folder. Links are
 * not followed. `unreadable` names what could not be read. Stops at `mostFiles`; `cut` says so.
 */
export const walk = (root, mostFiles = 20_000) => {
  const found = { files: [], unreadable: [], cut: false };
  const visit = (folder, above, depth) => {
    const entries = entriesOf(root, folder);
    if (entries === null || depth > MOST_DEPTH) {
      found.unreadable.push(folder);
      return;
    }
    const rules = rulesOf(root, folder, above);
    for (const entry of entries) {
      if (found.cut) return;
      const path = `${folder}${entry.name}`;
      if (SKIPPED.has(entry.name) || isIgnored(rules, path, entry.isDirectory())) continue;
      if (entry.isDirectory()) visit(`${path}/`, rules, depth + 1);
      else if (entry.isFile()) addFile(path);
    }
  };
  const addFile = (path) => {
    if (found.files.length >= mostFiles) {
      found.cut = true;
      return;
    }
    const facts = factsOf(join(root, path));
    if (facts === null) found.unreadable.push(path);
    else found.files.push({ path, bytes: facts.size });
  };
  visit('', [], 0);
  return found;
};
