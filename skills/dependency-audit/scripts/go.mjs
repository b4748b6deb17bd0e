import { readText } from './files.mjs';
import { compareVersions } from './versions.mjs';

const readMod = (text, file) => {
  const declared = [];
  const replaced = [];
  let block = '';
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const indirect = /\/\/\s*indirect/.test(raw);
    const line = raw.replace(/\/\/.*$/, '').trim();
    if (line === ')') block = '';
    const opened = /^(require|replace|exclude|retract)\s*\($/.exec(line)?.[1];
    if (opened !== undefined) {
      block = opened;
      continue;
    }
    const word = block || /^(require|replace)\s/.exec(line)?.[1];
    const rest = block ? line : line.replace(/^\w+\s+/, '');
    const wanted = /^"?([^\s"]+)"?\s+(v\S+)$/.exec(rest);
    if (word === 'require' && wanted)
      declared.push({
        ecosystem: 'go',
        name: wanted[1],
        range: wanted[2],
        file,
        line: index + 1,
        dev: false,
        indirect,
      });
    const other = /^(\S+)(?:\s+v\S+)?\s+=>\s+(\S+)/.exec(rest);
    if (word === 'replace' && other) replaced.push({ name: other[1], by: other[2], line: index + 1 });
  }
  return { declared, replaced };
};

/** A module's path without the number of its major version: `/v2`, `.v3`. */
const baseOf = (name) => name.replace(/[./]v\d+$/, '');

const duplicatesIn = (declared, file) => {
  const byBase = new Map();
  for (const one of declared) byBase.set(baseOf(one.name), [...(byBase.get(baseOf(one.name)) ?? []), one]);
  const several = [...byBase.values()].filter((all) => new Set(all.map(({ name }) => name)).size > 1);
  return several.map((all) => {
    const sorted = all.toSorted((a, b) => compareVersions(a.range, b.range));
    const severity = sorted.every(({ indirect }) => indirect) ? 'low' : 'medium';
    const detail = `is required in ${all.length} major versions: ${sorted.map(({ range }) => range).join(', ')}`;
    return {
      package: baseOf(all[0].name),
      ecosystem: 'go',
      file,
      line: all[0].line,
      kind: 'duplicate',
      severity,
      detail,
    };
  });
};

/** Reads one go.mod. */
export const auditGo = (root, file, paths) => {
  const { declared, replaced } = readMod(readText(root, file) ?? '', file);
  const findings = duplicatesIn(declared, file);
  for (const { name, range, line, indirect } of declared) {
    const at = { package: name, ecosystem: 'go', file, line };
    if (/-(0\.)?\d{14}-[0-9a-f]{12}$/.test(range))
      findings.push({
        ...at,
        kind: 'unpinned',
        severity: indirect ? 'low' : 'medium',
        detail: `${range} is a commit, not a release`,
      });
  }
  for (const { name, by, line } of replaced)
    if (/^\.{0,2}\//.test(by))
      findings.push({
        package: name,
        ecosystem: 'go',
        file,
        line,
        kind: 'local-source',
        severity: 'medium',
        detail: `is replaced by the path ${by}`,
      });
  const sum = file.replace(/go\.mod$/, 'go.sum');
  if (declared.length > 0 && !paths.has(sum))
    findings.push({
      package: file,
      ecosystem: 'go',
      file,
      line: null,
      kind: 'no-lock',
      severity: 'high',
      detail: 'there is no go.sum beside it',
    });
  const direct = declared.filter(({ indirect }) => !indirect);
  const manifest = {
    file,
    ecosystem: 'go',
    direct: direct.length,
    locked: declared.length,
    lockFile: paths.has(sum) ? sum : null,
  };
  return { manifest, declared, findings, notes: [] };
};
