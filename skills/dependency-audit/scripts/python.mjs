import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readText } from './files.mjs';
import { licenceInMetadata } from './licences.mjs';
import { readToml } from './toml.mjs';

const REQUIREMENT = /^([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(@\s*\S+|\(?[^;#)]*\)?)/;
const LOCKS = ['poetry.lock', 'uv.lock', 'Pipfile.lock', 'pdm.lock'];

const normal = (name) => name.toLowerCase().replace(/[-_.]+/g, '-');

const toDeclared = (text, file, line, dev) => {
  const found = REQUIREMENT.exec(text.trim());
  if (!found) return null;
  const range = found[2].replace(/[()]/g, '').trim();
  return { ecosystem: 'python', name: normal(found[1]), range, file, line, dev };
};

/** Requirements of a requirements.txt; lines that continue with a backslash are joined. */
const readRequirements = (text, file) => {
  const dev = /dev|test|lint|docs?/i.test(file.slice(file.lastIndexOf('/') + 1));
  const declared = [];
  const findings = [];
  const lines = text.split(/\r?\n/);
  for (let i = 0; i < lines.length; i++) {
    const at = i + 1;
    let line = lines[i];
    while (line.endsWith('\\') && i + 1 < lines.length) line = `${line.slice(0, -1)} ${lines[++i].trim()}`;
    line = line
      .replace(/(^|\s)#.*$/, '')
      .replace(/\s--hash=\S+/g, '')
      .trim();
    if (line === '') continue;
    if (/^(-e|--editable)\b|^(git|hg|svn)\+|^https?:|^\.{0,2}\//.test(line))
      findings.push(fromElsewhere(line, file, at));
    else if (!line.startsWith('-')) declared.push(toDeclared(line, file, at, dev));
  }
  return { declared: declared.filter((one) => one !== null), findings: findings.filter((one) => one !== null) };
};

const fromElsewhere = (source, file, line) => {
  if (/@[0-9a-f]{7,40}\b/.test(source)) return null;
  const local = !/\+|https?:/.test(source);
  const name = /#egg=([\w.-]+)/.exec(source)?.[1] ?? source.replace(/^(-e|--editable)\s+/, '').slice(0, 80);
  const detail = local
    ? `comes from a path: ${source.slice(0, 100)}`
    : `comes from ${source.slice(0, 100)} without a commit`;
  const kind = local ? 'local-source' : 'unpinned';
  return { package: name, ecosystem: 'python', file, line, kind, severity: local ? 'medium' : 'high', detail };
};

const rangeOfPoetry = (value) => {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(rangeOfPoetry).join(' || ');
  return value.git
    ? `@ ${value.git}${value.rev ? `@${value.rev}` : ''}`
    : (value.version ?? (value.path ? `@ ${value.path}` : ''));
};

const readPyproject = (text, file) =>
  readToml(text).flatMap(({ section, key, value, line }) => {
    const list = (dev) =>
      (Array.isArray(value) ? value : []).map((one) =>
        typeof one === 'string' ? toDeclared(one, file, line, dev) : null,
      );
    if (section === 'project' && key === 'dependencies') return list(false);
    if (section === 'project.optional-dependencies') return list(false);
    if (section === 'dependency-groups') return list(true);
    if (!/^tool\.poetry(\.group\.[\w-]+)?\.(dev-)?dependencies$/.test(section) || key === 'python') return [];
    const dev = section !== 'tool.poetry.dependencies';
    return [{ ecosystem: 'python', name: normal(key), range: rangeOfPoetry(value), file, line, dev }];
  });

const isLocked = (file, paths) => {
  const folder = file.slice(0, file.lastIndexOf('/') + 1);
  return LOCKS.some((name) => paths.has(folder + name) || paths.has(name));
};

const unpinned = ({ name, range, file, line, dev }, locked) => {
  const at = { package: name, ecosystem: 'python', file, line, kind: 'unpinned' };
  if (range.startsWith('@'))
    return /@[0-9a-f]{7,40}\b/.test(range.slice(1))
      ? null
      : { ...at, severity: 'high', detail: `comes from ${range.slice(2, 100)} without a commit` };
  if (/^(==|===)\s*\d/.test(range) && !range.includes('*')) return null;
  const severity = (level) => (locked || dev ? 'low' : level);
  if (range === '' || range === '*') return { ...at, severity: severity('high'), detail: 'has no version at all' };
  if (/^>=?/.test(range) && !/[<~]|==/.test(range))
    return { ...at, severity: severity('medium'), detail: `"${range}" lets every newer version in` };
  return locked || !file.endsWith('.txt')
    ? null
    : { ...at, severity: 'low', detail: `"${range}" is a range, and there is no lock file` };
};

const duplicatesIn = (declared) => {
  const first = new Map();
  return declared.flatMap((one) => {
    const before = first.get(one.name);
    if (!before) first.set(one.name, one);
    if (!before || before.range === one.range) return [];
    const detail = `"${one.range || 'any'}" here, "${before.range || 'any'}" in line ${before.line}`;
    return [
      {
        package: one.name,
        ecosystem: 'python',
        file: one.file,
        line: one.line,
        kind: 'duplicate',
        severity: 'medium',
        detail,
      },
    ];
  });
};

/** Reads one requirements file or pyproject.toml. */
export const auditPython = (root, file, paths) => {
  const text = readText(root, file) ?? '';
  const read = file.endsWith('.toml')
    ? { declared: readPyproject(text, file), findings: [] }
    : readRequirements(text, file);
  const declared = read.declared.filter((one) => one !== null);
  if (file.endsWith('.toml') && declared.length === 0) return null;
  const locked = isLocked(file, paths) || /--hash=/.test(text);
  const findings = [
    ...read.findings,
    ...declared.map((one) => unpinned(one, locked)).filter((one) => one !== null),
    ...duplicatesIn(declared),
  ];
  const manifest = { file, ecosystem: 'python', direct: declared.length, locked: null, lockFile: null };
  return { manifest, declared, findings, notes: [] };
};

const foldersIn = (root, folder) => {
  try {
    const entries = readdirSync(join(root, folder), { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => `${folder}/${name}`);
  } catch {
    return [];
  }
};

/** Licences of the packages in the repository's virtual environment, if it has one. */
export const pythonLicences = (root) =>
  ['.venv', 'venv'].flatMap((environment) => {
    const libraries = [
      ...foldersIn(root, `${environment}/lib`).map((folder) => `${folder}/site-packages`),
      `${environment}/Lib/site-packages`,
    ];
    const packages = libraries
      .flatMap((folder) => foldersIn(root, folder))
      .filter((folder) => folder.endsWith('.dist-info'));
    return packages.slice(0, 2000).map((folder) => {
      const name = normal(folder.slice(folder.lastIndexOf('/') + 1).replace(/-[^-]*\.dist-info$/, ''));
      const licence = licenceInMetadata(readText(root, `${folder}/METADATA`) ?? '');
      return { name, ecosystem: 'python', file: environment, dev: false, licence };
    });
  });
