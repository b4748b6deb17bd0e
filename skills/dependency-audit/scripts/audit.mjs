import { auditCargo, auditCargoLock } from './cargo.mjs';
import { checkRepository, gapsIn, walk } from './files.mjs';
import { auditGo } from './go.mjs';
import { BadInput, kept, serve, wholeNumber } from './io.mjs';
import { kindOfLicence } from './licences.mjs';
import { auditNpm, auditNpmLock, readNpmLock } from './npm.mjs';
import { auditPython, pythonLicences } from './python.mjs';
import { admits, compareVersions } from './versions.mjs';

const MOST_MANIFESTS = 200;
const NOT_ASKED = 'Nothing was asked of a registry: newer releases and known vulnerabilities are not in this report.';
const SEVERITIES = ['high', 'medium', 'low'];
const OF_OTHERS = /(^|\/)(fixtures?|testdata|__fixtures__|vendor|third_party)\//;

const READERS = [
  [/(^|\/)package\.json$/, 'npm'],
  [/(^|\/)(requirements[^/]*\.txt|requirements\/[^/]+\.txt|pyproject\.toml)$/, 'python'],
  [/(^|\/)go\.mod$/, 'go'],
  [/(^|\/)Cargo\.toml$/, 'cargo'],
];

const manifestsIn = (paths) => {
  const found = paths.flatMap((path) => {
    const ecosystem = READERS.find(([pattern]) => pattern.test(path))?.[1];
    return ecosystem !== undefined && !OF_OTHERS.test(path) ? [{ path, ecosystem }] : [];
  });
  return found.sort((a, b) => a.path.split('/').length - b.path.split('/').length || (a.path < b.path ? -1 : 1));
};

/** The same package with ranges that no version can serve at once, in different manifests. */
const acrossManifests = (declared) => {
  const first = new Map();
  return declared.flatMap((one) => {
    const key = `${one.ecosystem} ${one.name}`;
    const before = first.get(key);
    if (!before) first.set(key, one);
    if (!before || before.file === one.file || before.range === one.range || one.kind === 'peerDependencies') return [];
    const detail = `"${one.range || 'any'}" here, "${before.range || 'any'}" in ${before.file}`;
    return [
      {
        package: one.name,
        ecosystem: one.ecosystem,
        file: one.file,
        line: one.line,
        kind: 'duplicate',
        severity: 'low',
        detail,
      },
    ];
  });
};

const readLatest = (input) => {
  const latest = input['latest'] ?? {};
  const good = typeof latest === 'object' && latest !== null && !Array.isArray(latest);
  if (!good || Object.values(latest).some((version) => typeof version !== 'string'))
    throw new BadInput('"latest" must be an object of versions, such as {"express": "5.1.0"}.');
  return latest;
};

const behind = (declared, latest) =>
  declared.flatMap(({ name, range, ecosystem, file, line }) => {
    const newest = Object.hasOwn(latest, name) ? latest[name] : null;
    if (newest === null || range === '') return [];
    const isPlain = ecosystem === 'go' || /^==\s*\d/.test(range);
    const plain = range.replace(/^==\s*/, '');
    const lets = isPlain
      ? compareVersions(plain, newest) >= 0
      : admits(range, newest, ecosystem === 'cargo' ? 'caret' : 'exact');
    if (lets !== false) return [];
    return [
      {
        package: name,
        ecosystem,
        file,
        line,
        kind: 'outdated-range',
        severity: 'medium',
        detail: `"${range}" does not admit the latest, ${newest}`,
      },
    ];
  });

const WHAT_IT_ASKS = {
  strong: 'asks to share the whole work, or is not free',
  weak: 'asks to share changes of it',
  unknown: 'is not a known licence: read it',
};

const severityOfLicence = (kind, dev) => {
  if (kind === 'unknown' || dev) return 'low';
  return kind === 'strong' ? 'high' : 'medium';
};

/** One finding for each licence that is not free, with the packages that have it. */
const licenceFindings = (licences) => {
  const groups = new Map();
  for (const one of licences) {
    if (one.licence === null || kindOfLicence(one.licence) === 'free') continue;
    const key = `${one.licence}\n${one.dev}\n${one.file}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()].map((group) => {
    const [{ ecosystem, file, dev, licence }] = group;
    const kind = kindOfLicence(licence);
    const names = [...new Set(group.map(({ name }) => String(name)))].sort((a, b) => a.localeCompare(b, 'en'));
    const more = names.length > 5 ? ` and ${names.length - 5} more` : '';
    const detail = `${licence} ${WHAT_IT_ASKS[kind]}${dev ? ' (development only)' : ''}`;
    const packages = `${names.slice(0, 5).join(', ')}${more}`;
    return {
      package: packages,
      ecosystem,
      file,
      line: null,
      kind: 'licence',
      severity: severityOfLicence(kind, dev),
      detail,
    };
  });
};

const licenceTable = (licences) => {
  const counts = new Map();
  for (const { licence } of licences) counts.set(licence ?? 'not found', (counts.get(licence ?? 'not found') ?? 0) + 1);
  const rows = [...counts].map(([licence, packages]) => ({
    licence,
    packages,
    kind: licence === 'not found' ? 'unknown' : kindOfLicence(licence),
  }));
  return rows.sort((a, b) => b.packages - a.packages || (a.licence < b.licence ? -1 : 1)).slice(0, 25);
};

const distinct = (findings) => {
  const key = ({ kind, ecosystem, file, ...rest }) => [kind, ecosystem, file, rest.package, rest.detail].join('\n');
  return [...new Map(findings.map((one) => [key(one), one])).values()];
};

const sorted = (findings) =>
  findings.sort(
    (a, b) =>
      SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) ||
      a.kind.localeCompare(b.kind, 'en') ||
      a.package.localeCompare(b.package, 'en'),
  );

const countBy = (findings, key) => {
  const counts = {};
  for (const one of findings) counts[one[key]] = (counts[one[key]] ?? 0) + 1;
  return counts;
};

const readAll = (root, manifests, paths) => {
  const locks = new Map();
  const readLock = (file) => {
    if (!locks.has(file)) locks.set(file, readNpmLock(root, file));
    return locks.get(file);
  };
  const readers = {
    npm: (path) => auditNpm(root, path, paths, readLock),
    python: (path) => auditPython(root, path, paths),
  };
  const others = { go: (path) => auditGo(root, path, paths), cargo: (path) => auditCargo(root, path, paths) };
  const results = manifests
    .map(({ path, ecosystem }) => ({ ...readers, ...others })[ecosystem](path))
    .filter((one) => one !== null);
  const declared = results.flatMap((one) => one.declared);
  const direct = (ecosystem) => new Set(declared.filter((one) => one.ecosystem === ecosystem).map(({ name }) => name));
  const ofNpm = [...locks]
    .filter(([, locked]) => locked !== null)
    .map(([file, locked]) => auditNpmLock(root, file, locked, direct('npm')));
  const cargoLocks = new Set(
    results.map(({ manifest }) => (manifest?.ecosystem === 'cargo' ? manifest.lockFile : null)).filter(Boolean),
  );
  const ofCargo = [...cargoLocks].map((file) => auditCargoLock(root, file, direct('cargo')));
  const ofPython = results.some(({ manifest }) => manifest?.ecosystem === 'python') ? pythonLicences(root) : [];
  const locked = [...ofNpm, ...ofCargo];
  return {
    results,
    declared,
    findings: locked.flatMap((one) => one.findings),
    licences: [...locked.flatMap((one) => one.licences), ...ofPython],
  };
};

const notesOf = (all, found, results, latest) => [
  ...(all.length === 0 ? ['There is no package.json, requirements.txt, pyproject.toml, go.mod or Cargo.toml.'] : []),
  ...(all.length > MOST_MANIFESTS ? [`Only the first ${MOST_MANIFESTS} of ${all.length} manifests were read.`] : []),
  ...gapsIn(found),
  ...[...new Set(results.flatMap((one) => one.notes))].slice(0, 10),
  ...(Object.keys(latest).length === 0 ? [NOT_ASKED] : []),
];

const audit = (input, repository) => {
  const most = wholeNumber(input, 'max_findings', 40, 1, 500);
  const latest = readLatest(input);
  checkRepository(repository);
  const found = walk(repository);
  const all = manifestsIn(found.files.map(({ path }) => path));
  const paths = new Set(found.files.map(({ path }) => path));
  const { results, declared, findings, licences } = readAll(repository, all.slice(0, MOST_MANIFESTS), paths);
  const everything = sorted(
    distinct([
      ...results.flatMap((one) => one.findings),
      ...findings,
      ...acrossManifests(declared),
      ...behind(declared, latest),
      ...licenceFindings(licences),
    ]),
  );
  const manifests = results.map(({ manifest }) => manifest).filter((one) => one !== null);
  const table = licenceTable(licences);
  const notes = notesOf(all, found, results, latest);
  return (share) => {
    const shown = everything.slice(0, kept(Math.min(everything.length, most), share));
    return {
      manifests: manifests.slice(0, kept(Math.min(manifests.length, 30), share)),
      manifestCount: manifests.length,
      counts: { severity: countBy(everything, 'severity'), kind: countBy(everything, 'kind') },
      findings: shown,
      findingsLeftOut: everything.length - shown.length,
      licences: table.slice(0, kept(table.length, share)),
      notes,
    };
  };
};

await serve(['max_findings', 'latest'], audit);
