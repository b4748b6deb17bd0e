import { readText } from './files.mjs';
import { installedLicence, licenceOf } from './licences.mjs';
import { admits, compareVersions, isUnbounded, majorOf } from './versions.mjs';

const MOST_LOCK_BYTES = 32 * 1024 * 1024;
const KINDS = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'];
const OTHER_LOCKS = ['yarn.lock', 'pnpm-lock.yaml', 'bun.lock', 'bun.lockb'];

const parseJson = (text) => {
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : null;
  } catch {
    return null;
  }
};

const lineOf = (text, name) => {
  const lines = text.split('\n');
  const at = lines.findIndex((line) => line.trimStart().startsWith(`"${name}"`));
  return at < 0 ? null : at + 1;
};

/** Packages of a package-lock.json of version 1, 2 or 3: `{name, version, path, licence, deprecated, dev}`. */
const lockedOf = (lock) => {
  if (lock.packages) {
    const entries = Object.entries(lock.packages).filter(
      ([path, facts]) => path.includes('node_modules/') && !facts.link,
    );
    return entries.map(([path, facts]) => ({
      name: facts.name ?? path.slice(path.lastIndexOf('node_modules/') + 13),
      version: String(facts.version ?? ''),
      path,
      licence: licenceOf(facts),
      deprecated: typeof facts.deprecated === 'string' ? facts.deprecated.slice(0, 200) : null,
      dev: facts.dev === true || facts.devOptional === true,
    }));
  }
  const visit = (table, above) =>
    Object.entries(table ?? {}).flatMap(([name, facts]) => {
      const path = `${above}node_modules/${name}`;
      const own = {
        name,
        version: String(facts.version ?? ''),
        path,
        licence: null,
        deprecated: null,
        dev: facts.dev === true,
      };
      return [own, ...visit(facts.dependencies, `${path}/`)];
    });
  return visit(lock.dependencies, '');
};

const declaredIn = (file, text, facts) =>
  KINDS.flatMap((kind) =>
    Object.entries(facts[kind] ?? {}).map(([name, range]) => {
      const line = lineOf(text, name);
      return { ecosystem: 'npm', name, range: String(range), kind, file, line, dev: kind === 'devDependencies' };
    }),
  );

const isElsewhere = (range) =>
  /^(file:|link:|portal:|workspace:|git|https?:|github:|[\w.-]+\/[\w.-]+(#|$))/.test(range);

const unpinned = ({ name, range, file, line, kind }) => {
  const at = { package: name, ecosystem: 'npm', file, line };
  if (/^(file|link|portal):/.test(range))
    return { ...at, kind: 'local-source', severity: 'medium', detail: `comes from a path: ${range}` };
  if (range.startsWith('workspace:')) return null;
  if (isElsewhere(range)) {
    if (/#([0-9a-f]{7,40}|semver:)/.test(range)) return null;
    return { ...at, kind: 'unpinned', severity: 'high', detail: `comes from ${range.slice(0, 100)} without a commit` };
  }
  const bare = range.replace(/^npm:.+@/, '');
  if (kind === 'peerDependencies' || !isUnbounded(bare)) return null;
  return {
    ...at,
    kind: 'unpinned',
    severity: bare.startsWith('>') ? 'medium' : 'high',
    detail: `"${range}" lets every newer version in`,
  };
};

/** What the lock file tells of one declared range: that it does not fit it, is not in it, or is behind a copy in it. */
const againstLock = (declared, locked, at) => {
  const { name, range, file, line, kind } = declared;
  if (isElsewhere(range) || range.startsWith('npm:')) return [];
  const place = { package: name, ecosystem: 'npm', file, line };
  const copies = locked.filter((one) => one.name === name);
  const own =
    copies.find(({ path }) => path === `${at}node_modules/${name}`) ??
    copies.find(({ path }) => path === `node_modules/${name}`);
  if (!own) {
    const needed = kind === 'dependencies' || kind === 'devDependencies';
    return needed && copies.length === 0
      ? [{ ...place, kind: 'not-locked', severity: 'high', detail: 'is declared but not in the lock file' }]
      : [];
  }
  const found = [];
  if (admits(range, own.version, 'exact') === false)
    found.push({
      ...place,
      kind: 'outdated-range',
      severity: 'high',
      detail: `"${range}" does not admit the locked version ${own.version}`,
    });
  const newest = copies
    .map(({ version }) => version)
    .sort(compareVersions)
    .at(-1);
  if (kind !== 'peerDependencies' && majorOf(newest) > majorOf(own.version))
    found.push({
      ...place,
      kind: 'outdated-range',
      severity: 'medium',
      detail: `"${range}" gives ${own.version}; another package already uses ${newest}`,
    });
  return found;
};

const duplicatesOf = (locked, direct, file) => {
  const versions = new Map();
  for (const { name, version } of locked) versions.set(name, (versions.get(name) ?? new Set()).add(version));
  const several = [...versions]
    .filter(([, found]) => found.size > 1)
    .sort((a, b) => b[1].size - a[1].size || (a[0] < b[0] ? -1 : 1));
  return several.map(([name, found]) => ({
    package: name,
    ecosystem: 'npm',
    file,
    line: null,
    kind: 'duplicate',
    severity: direct.has(name) ? 'medium' : 'low',
    detail: `is installed in ${found.size} versions: ${[...found].sort(compareVersions).join(', ').slice(0, 120)}`,
  }));
};

const twiceIn = (declared) => {
  const kinds = new Map();
  for (const one of declared)
    if (one.kind !== 'peerDependencies') kinds.set(one.name, [...(kinds.get(one.name) ?? []), one]);
  return [...kinds.values()]
    .filter((all) => all.length > 1)
    .map(([{ name, file, line }, second]) => ({
      package: name,
      ecosystem: 'npm',
      file,
      line,
      kind: 'duplicate',
      severity: 'medium',
      detail: `is declared twice, also in ${second.kind}`,
    }));
};

const lockFor = (root, folder, paths) => {
  for (let at = folder; ; at = at.slice(0, at.slice(0, -1).lastIndexOf('/') + 1)) {
    const file = ['package-lock.json', 'npm-shrinkwrap.json', ...OTHER_LOCKS].find((name) => paths.has(at + name));
    if (file !== undefined)
      return { file: at + file, above: folder.slice(at.length), readable: file.endsWith('.json') };
    if (at === '') return null;
  }
};

/** Reads one package.json with its lock file: `{manifest, declared, findings, licences, notes}`; null when it is none. */
export const auditNpm = (root, file, paths, readLock) => {
  const text = readText(root, file) ?? '';
  const facts = parseJson(text);
  if (facts === null)
    return { manifest: null, declared: [], findings: [], licences: [], notes: [`${file} cannot be read.`] };
  const folder = file.slice(0, file.lastIndexOf('/') + 1);
  const declared = declaredIn(file, text, facts);
  const findings = [...declared.map(unpinned).filter((one) => one !== null), ...twiceIn(declared)];
  const place = { ecosystem: 'npm', file, line: null };
  if (licenceOf(facts) === null && facts.private !== true)
    findings.push({
      ...place,
      package: facts.name ?? file,
      kind: 'licence',
      severity: 'medium',
      detail: 'this package itself names no licence',
    });
  const lock = lockFor(root, folder, paths);
  const manifest = { file, ecosystem: 'npm', direct: declared.length, locked: null, lockFile: lock?.file ?? null };
  if (lock === null) {
    if (declared.some(({ kind }) => kind !== 'peerDependencies'))
      findings.push({
        ...place,
        package: facts.name ?? file,
        kind: 'no-lock',
        severity: 'medium',
        detail: 'there is no lock file',
      });
    return { manifest, declared, findings, licences: [], notes: [] };
  }
  if (!lock.readable)
    return {
      manifest,
      declared,
      findings,
      licences: [],
      notes: [`${lock.file} is not read: no duplicates and licences from it.`],
    };
  const locked = readLock(lock.file);
  if (locked === null) return { manifest, declared, findings, licences: [], notes: [`${lock.file} cannot be read.`] };
  findings.push(...declared.flatMap((one) => againstLock(one, locked, lock.above)));
  return { manifest: { ...manifest, locked: locked.length }, declared, findings, licences: [], notes: [] };
};

/** Packages of a lock file; null when it cannot be read. */
export const readNpmLock = (root, file) => {
  const lock = parseJson(readText(root, file, MOST_LOCK_BYTES) ?? 'null');
  return lock === null ? null : lockedOf(lock);
};

/** What a lock file says by itself: duplicates, packages that their authors gave up, licences. */
export const auditNpmLock = (root, file, locked, direct) => {
  const at = file.slice(0, file.lastIndexOf('/') + 1);
  const deprecated = locked
    .filter(({ deprecated }) => deprecated !== null)
    .map(({ name, version, deprecated }) => ({
      package: name,
      ecosystem: 'npm',
      file,
      line: null,
      kind: 'deprecated',
      severity: direct.has(name) ? 'high' : 'medium',
      detail: `${version} is given up by its authors: ${deprecated}`,
    }));
  const licences = locked.map(({ name, path, licence, dev }) => ({
    name,
    ecosystem: 'npm',
    file,
    dev,
    licence: licence ?? installedLicence(root, at + path),
  }));
  return { findings: [...duplicatesOf(locked, direct, file), ...deprecated], licences };
};
