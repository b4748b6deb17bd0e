import { readText } from './files.mjs';
import { readToml } from './toml.mjs';

const WANTED =
  /^(test|build|lint|check|start|dev|serve|format|fmt|typecheck|types|bench|coverage|e2e|compile|run|install|ci)([:_-].*)?$/;
const MOST_OF_ONE_FILE = 12;

const kindOf = (name) => {
  if (/^(test|e2e|coverage)/.test(name)) return 'test';
  if (/^(lint|check|typecheck|types|ci)/.test(name)) return 'check';
  if (/^(build|compile)/.test(name)) return 'build';
  if (/^(start|dev|serve|run)/.test(name)) return 'start';
  if (/^(format|fmt)/.test(name)) return 'format';
  return 'other';
};

const parseJson = (text) => {
  try {
    const value = JSON.parse(text ?? 'null');
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
};

const wantedOf = (names) => names.filter((name) => WANTED.test(name)).slice(0, MOST_OF_ONE_FILE);

const ofNode = (has, read, at) => {
  const scripts = parseJson(read(`${at}package.json`)).scripts ?? {};
  const manager = ['pnpm-lock.yaml', 'yarn.lock', 'bun.lockb', 'bun.lock'].find((lock) => has(at + lock) || has(lock));
  const program =
    { 'pnpm-lock.yaml': 'pnpm', 'yarn.lock': 'yarn', 'bun.lockb': 'bun', 'bun.lock': 'bun' }[manager] ?? 'npm';
  return wantedOf(Object.keys(scripts)).map((name) => ({
    kind: kindOf(name),
    command: name === 'test' || name === 'start' ? `${program} ${name}` : `${program} run ${name}`,
    runs: String(scripts[name]).slice(0, 120),
  }));
};

const ofMake = (program) => (_has, read, at, path) => {
  const targets = (read(path) ?? '').split('\n').map((line) => /^([A-Za-z][\w-]*)\s*:(?!=)/.exec(line)?.[1]);
  const names = [...new Set(targets.filter((name) => name !== undefined))];
  return wantedOf(names).map((name) => ({ kind: kindOf(name), command: `${program} ${name}`, runs: null }));
};

const ofPython = (has, read, at, path) => {
  const text = read(path) ?? '';
  const usesPytest =
    /pytest/.test(text) || has(`${at}pytest.ini`) || has(`${at}conftest.py`) || has(`${at}tests/conftest.py`);
  const test = usesPytest ? 'python -m pytest' : 'python -m unittest';
  const tox = has(`${at}tox.ini`) ? [{ kind: 'test', command: 'tox', runs: null }] : [];
  const ruff = /\[tool\.ruff/.test(text) ? [{ kind: 'check', command: 'ruff check', runs: null }] : [];
  const mypy = /\[tool\.mypy/.test(text) ? [{ kind: 'check', command: 'mypy .', runs: null }] : [];
  return [{ kind: 'test', command: test, runs: null }, ...tox, ...ruff, ...mypy];
};

const fixed =
  (...pairs) =>
  () =>
    pairs.map(([kind, command]) => ({ kind, command, runs: null }));

/** Manifest's file name → the commands that it promises: `(has, read, folder, path) → {kind, command, runs}[]`. */
const READERS = new Map([
  ['package.json', ofNode],
  ['Makefile', ofMake('make')],
  ['justfile', ofMake('just')],
  ['pyproject.toml', ofPython],
  ['setup.py', ofPython],
  ['Cargo.toml', fixed(['build', 'cargo build'], ['test', 'cargo test'])],
  ['go.mod', fixed(['build', 'go build ./...'], ['test', 'go test ./...'], ['check', 'go vet ./...'])],
  ['pom.xml', fixed(['build', 'mvn package'], ['test', 'mvn test'])],
  ['build.gradle', fixed(['build', 'gradle build'], ['test', 'gradle test'])],
  ['build.gradle.kts', fixed(['build', 'gradle build'], ['test', 'gradle test'])],
  ['composer.json', fixed(['test', 'composer test'])],
  ['mix.exs', fixed(['test', 'mix test'])],
  ['Package.swift', fixed(['build', 'swift build'], ['test', 'swift test'])],
  ['Gemfile', fixed(['test', 'bundle exec rake test'])],
  ['CMakeLists.txt', fixed(['build', 'cmake --build build'], ['test', 'ctest --test-dir build'])],
  ['pubspec.yaml', fixed(['test', 'dart test'])],
]);

const splitPath = (path) => {
  const at = path.lastIndexOf('/') + 1;
  return [path.slice(0, at), path.slice(at)];
};

/** Files that say how the repository is built, nearest to its top first. */
export const manifestsOf = (paths) => {
  const found = paths.filter((path) => READERS.has(splitPath(path)[1]) || /\.(csproj|sln|gemspec|cabal)$/.test(path));
  return found.sort((a, b) => a.split('/').length - b.split('/').length || (a < b ? -1 : 1));
};

/** `{kind, command, runs, from}`: what can be run, by the manifests that are given. */
export const commandsOf = (root, manifests, paths) => {
  const known = new Set(paths);
  const has = (path) => known.has(path);
  const read = (path) => readText(root, path);
  return manifests.flatMap((path) => {
    const [at, name] = splitPath(path);
    return (READERS.get(name)?.(has, read, at, path) ?? []).map((command) => ({ ...command, from: path }));
  });
};

const pathsIn = (value) => {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(pathsIn) : [];
};

const entriesOfNode = (read, path) => {
  const facts = parseJson(read(path));
  const of = (key) => pathsIn(facts[key]).map((file) => ({ file, why: `"${key}" of ${path}` }));
  return ['bin', 'main', 'module', 'browser', 'exports'].flatMap(of);
};

const entriesOfCargo = (read, path) => {
  const entries = readToml(read(path) ?? '').filter(
    ({ section, key }) => /^(bin|lib)$/.test(section) && key === 'path',
  );
  return entries.map(({ section, value }) => ({ file: String(value), why: `[${section}] of ${path}` }));
};

const entriesOfPython = (read, path) => {
  const entries = readToml(read(path) ?? '').filter(({ section }) => section === 'project.scripts');
  return entries.map(({ key, value }) => ({ file: String(value), why: `program ${key} of ${path}` }));
};

const WELL_KNOWN =
  /^((.*\/)?(src\/)?(main|index|app|server|cli|extension|mod|lib)\.(ts|tsx|js|jsx|mjs|py|rs|go|swift|dart|java|kt|c|cc|cpp|rb|php)|(.*\/)?(manage\.py|__main__\.py|wsgi\.py|asgi\.py|Program\.cs|Main\.java|index\.html|config\.ru)|Dockerfile|(docker-)?compose\.ya?ml)$/;
const MOST_ENTRIES = 20;

/** Where programs begin: `{path, why}`, what manifests name before what only has a well-known name. */
export const entryPointsOf = (root, manifests, paths) => {
  const read = (path) => readText(root, path);
  const named = manifests.flatMap((path) => {
    const [at, name] = splitPath(path);
    const readers = { 'package.json': entriesOfNode, 'Cargo.toml': entriesOfCargo, 'pyproject.toml': entriesOfPython };
    const entries = readers[name]?.(read, path) ?? [];
    return entries.map(({ file, why }) => ({ path: at + file.replace(/^\.\//, ''), why }));
  });
  const known = paths.filter(
    (path) => WELL_KNOWN.test(path) && path.split('/').length <= 4 && !/(^|\/)(tests?|fixtures|examples?)\//.test(path),
  );
  const all = [...named, ...known.map((path) => ({ path, why: 'its name' }))];
  const once = all.filter((entry, index) => all.findIndex(({ path }) => path === entry.path) === index);
  const there = new Set(paths);
  const built = (entry) => !there.has(entry.path) && !entry.why.startsWith('program ');
  return once
    .slice(0, MOST_ENTRIES)
    .map((entry) => (built(entry) ? { ...entry, why: `${entry.why}; is built` } : entry));
};
