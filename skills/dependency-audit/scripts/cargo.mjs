import { readText } from './files.mjs';
import { licenceOf } from './licences.mjs';
import { readToml } from './toml.mjs';
import { admits, compareVersions } from './versions.mjs';

const SECTION = /^(?:workspace\.|target\..+\.)?((?:dev-|build-)?dependencies)(?:\.(.+))?$/;

/** `[dependencies]` with inline tables, and `[dependencies.name]` with a line for each key. */
const declaredIn = (entries, file) => {
  const tables = new Map();
  const declared = [];
  for (const { section, key, value, line } of entries) {
    const found = SECTION.exec(section);
    if (!found || key === '') continue;
    const dev = found[1] === 'dev-dependencies';
    const own = found[2]?.replace(/^["']|["']$/g, '');
    if (own !== undefined) {
      const table = tables.get(section) ?? { ecosystem: 'cargo', name: own, facts: {}, file, line: line - 1, dev };
      table.facts[key] = value;
      tables.set(section, table);
    } else if (key.endsWith('.workspace')) continue;
    else
      declared.push({
        ecosystem: 'cargo',
        name: key,
        facts: typeof value === 'string' ? { version: value } : value,
        file,
        line,
        dev,
      });
  }
  return [...declared, ...tables.values()].map(({ facts, ...one }) => ({
    ...one,
    facts,
    name: typeof facts.package === 'string' ? facts.package : one.name,
    range: typeof facts.version === 'string' ? facts.version : '',
  }));
};

const unpinned = ({ name, facts, range, file, line }) => {
  const at = { package: name, ecosystem: 'cargo', file, line };
  if (facts.workspace) return null;
  if (facts.git)
    return facts.rev || facts.tag
      ? null
      : { ...at, kind: 'unpinned', severity: 'high', detail: `comes from ${facts.git} without a rev or tag` };
  if (facts.path)
    return range === ''
      ? null
      : { ...at, kind: 'local-source', severity: 'low', detail: `comes from the path ${facts.path}` };
  if (range === '' || range === '*')
    return { ...at, kind: 'unpinned', severity: 'high', detail: 'has no version at all' };
  if (/^>=?/.test(range) && !range.includes('<'))
    return { ...at, kind: 'unpinned', severity: 'medium', detail: `"${range}" lets every newer version in` };
  return null;
};

const lockedOf = (text) => {
  const packages = [];
  for (const { section, key, value } of readToml(text)) {
    if (section !== 'package') continue;
    if (key === '') packages.push({ name: '', version: '', source: null });
    const last = packages.at(-1);
    if (last && key in last) last[key] = value;
  }
  return packages;
};

const againstLock = ({ name, range, facts, file, line }, locked) => {
  if (range === '' || facts.git || facts.path) return [];
  const versions = locked
    .filter((one) => one.name === name)
    .map(({ version }) => version)
    .sort(compareVersions);
  const at = { package: name, ecosystem: 'cargo', file, line };
  if (versions.length === 0)
    return [{ ...at, kind: 'not-locked', severity: 'high', detail: 'is declared but not in the lock file' }];
  const own = versions.findLast((version) => admits(range, version, 'caret') !== false);
  if (own === undefined)
    return [
      {
        ...at,
        kind: 'outdated-range',
        severity: 'high',
        detail: `"${range}" does not admit the locked ${versions.join(', ')}`,
      },
    ];
  const newest = versions.at(-1);
  if (newest === own) return [];
  return [
    {
      ...at,
      kind: 'outdated-range',
      severity: 'medium',
      detail: `"${range}" gives ${own}; another crate already uses ${newest}`,
    },
  ];
};

const duplicatesOf = (locked, direct, file) => {
  const byName = new Map();
  for (const { name, version } of locked) byName.set(name, [...(byName.get(name) ?? []), version]);
  const several = [...byName]
    .filter(([, versions]) => versions.length > 1)
    .sort((a, b) => b[1].length - a[1].length || (a[0] < b[0] ? -1 : 1));
  return several.map(([name, versions]) => ({
    package: name,
    ecosystem: 'cargo',
    file,
    line: null,
    kind: 'duplicate',
    severity: direct.has(name) ? 'medium' : 'low',
    detail: `is locked in ${versions.length} versions: ${versions.sort(compareVersions).join(', ')}`,
  }));
};

const vendored = (root, locked, file) =>
  locked
    .filter(({ source }) => source !== null)
    .map(({ name }) => {
      const entries = readToml(readText(root, `vendor/${name}/Cargo.toml`) ?? '');
      const licence = licenceOf({
        license: entries.find(({ section, key }) => section === 'package' && key === 'license')?.value,
      });
      return { name, ecosystem: 'cargo', file, dev: false, licence };
    });

const lockFor = (file, paths) => {
  for (let at = file.slice(0, file.lastIndexOf('/') + 1); ; at = at.slice(0, at.slice(0, -1).lastIndexOf('/') + 1)) {
    if (paths.has(`${at}Cargo.lock`)) return `${at}Cargo.lock`;
    if (at === '') return null;
  }
};

/** Reads one Cargo.toml with the lock file beside or above it. */
export const auditCargo = (root, file, paths) => {
  const entries = readToml(readText(root, file) ?? '');
  const declared = declaredIn(entries, file);
  const findings = declared.map(unpinned).filter((one) => one !== null);
  const ownFacts = new Map(
    entries.filter(({ section }) => section === 'package').map(({ key, value }) => [key, value]),
  );
  const place = { package: ownFacts.get('name') ?? file, ecosystem: 'cargo', file, line: null };
  const named = ['license', 'license-file', 'license.workspace', 'publish'].some((key) => ownFacts.has(key));
  if (ownFacts.has('name') && !named)
    findings.push({ ...place, kind: 'licence', severity: 'medium', detail: 'this package itself names no licence' });
  const lockFile = lockFor(file, paths);
  const manifest = { file, ecosystem: 'cargo', direct: declared.length, locked: null, lockFile };
  if (lockFile === null) {
    if (declared.length > 0)
      findings.push({ ...place, kind: 'no-lock', severity: 'medium', detail: 'there is no Cargo.lock' });
    return { manifest, declared, findings, notes: [] };
  }
  const locked = lockedOf(readText(root, lockFile, 8 * 1024 * 1024) ?? '');
  findings.push(...declared.flatMap((one) => againstLock(one, locked)));
  return { manifest: { ...manifest, locked: locked.length }, declared, findings, notes: [] };
};

/** What a Cargo.lock says by itself: duplicates, and the licences of vendored crates. */
export const auditCargoLock = (root, file, direct) => {
  const locked = lockedOf(readText(root, file, 8 * 1024 * 1024) ?? '');
  return { findings: duplicatesOf(locked, direct, file), licences: vendored(root, locked, file) };
};
