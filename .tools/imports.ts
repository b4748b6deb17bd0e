import { globSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Checks who imports whom: the arrows between folders, the owners of packages, and cycles at run time. */
const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

const PEERS = ['store', 'inference', 'worktrees', 'skills', 'planning', 'rehearsal'];
/** Folder → folders that it may import. `types:` limits it to types. */
const ARROWS: Record<string, readonly string[]> = {
  domain: [],
  ...Object.fromEntries(PEERS.map((peer) => [peer, ['domain']])),
  agent: ['domain', 'planning', 'types:store', 'types:inference', 'types:worktrees', 'types:skills'],
  engine: ['domain', ...PEERS.filter((peer) => peer !== 'rehearsal'), 'agent'],
  operations: ['domain', 'engine'],
  faces: ['domain', 'engine', 'operations', 'types:skills', 'types:main'],
  main: ['domain', ...PEERS, 'agent', 'engine', 'operations', 'faces'],
  extension: ['types:domain', 'types:operations'],
};
/** Package → folders that may import it. */
const OWNERS: Record<string, readonly string[]> = {
  'better-sqlite3': ['store'],
  kysely: ['store'],
  openai: ['inference'],
  'simple-git': ['worktrees'],
  '@modelcontextprotocol/server': ['faces/mcp'],
  '@modelcontextprotocol/client': ['faces/cli', 'extension'],
  'log-update': ['faces/cli'],
  '@modelcontextprotocol/node': ['faces/mcp'],
  minisearch: ['skills'],
  flatqueue: ['planning'],
  yauzl: ['skills'],
  yaml: ['skills', 'planning', 'extension'],
  vscode: ['extension'],
  zod: ['domain', 'planning', 'agent', 'operations', 'main', 'inference', 'skills', 'faces', 'extension'],
};

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

const IMPORT = /^\s*(?:import|export)\s+(type\s+)?(?:([^'";]*?)\s+from\s+)?'([^']+)'/gm;
const DYNAMIC = /\bimport\(\s*'([^']+)'\s*\)/g;

const folderOf = (file: string): string => {
  const parts = file.split('/');
  if (parts[0] === 'extension') return 'extension';
  return parts.length > 2 ? (parts[1] ?? '') : 'main';
};

const importsOf = (file: string): Import[] => {
  const text = readFileSync(join(root, file), 'utf8');
  const found: Import[] = [];
  for (const [, type, names, to] of text.matchAll(IMPORT)) {
    const all =
      names?.trim().startsWith('{') &&
      names
        .replace(/[{}]/g, '')
        .split(',')
        .filter((n) => n.trim())
        .every((n) => n.trim().startsWith('type '));
    found.push({ from: file, to: to ?? '', typeOnly: Boolean(type) || Boolean(all) });
  }
  for (const [, to] of text.matchAll(DYNAMIC)) found.push({ from: file, to: to ?? '', typeOnly: false });
  return found;
};

const packageOf = (to: string): string =>
  to
    .split('/')
    .slice(0, to.startsWith('@') ? 2 : 1)
    .join('/');

const checkPackage = (one: Import): string | null => {
  const name = packageOf(one.to);
  if (one.to.startsWith('node:')) return null;
  if (builtinModules.includes(name)) return `${one.from}: write node:${one.to}`;
  const owners = OWNERS[name];
  if (!owners) return `${one.from}: ${name} has no owner in .tools/imports.ts`;
  const inside = owners.some((owner) => folderOf(one.from) === owner || one.from.includes(`/${owner}/`));
  return inside ? null : `${one.from}: only ${owners.join(', ')} may import ${name}`;
};

const checkArrow = (one: Import, target: string): string | null => {
  const from = folderOf(one.from);
  const to = folderOf(target);
  const allowed = ARROWS[from];
  if (!allowed) return `${one.from}: the folder ${from} is not in .tools/imports.ts`;
  if (from === to || allowed.includes(to)) return null;
  if (allowed.includes(`types:${to}`)) return one.typeOnly ? null : `${one.from}: may import only types from ${to}`;
  return `${one.from}: ${from} may not import ${to}`;
};

const cycles = (graph: ReadonlyMap<string, readonly string[]>): string[] => {
  const state = new Map<string, 'open' | 'done'>();
  const found: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      found.push(`cycle: ${[...path.slice(path.indexOf(file)), file].join(' → ')}`);
      return;
    }
    state.set(file, 'open');
    for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    state.set(file, 'done');
  };
  for (const file of graph.keys()) visit(file, []);
  return found;
};

/** What runs before anything else. */
const STARTERS = ['mcp-server/main.ts', 'mcp-server/start.ts'];
const READS_ENVIRONMENT = /\bprocess\.(?:env|argv)\b/;

/** Problems found, one line each. */
export const checkImports = (): string[] => {
  const files = [...globSync('mcp-server/**/*.ts', { cwd: root }), ...globSync('extension/**/*.ts', { cwd: root })].map(
    (f) => f.replaceAll('\\', '/'),
  );
  const problems: string[] = [];
  const graph = new Map<string, string[]>();
  for (const file of files) {
    const edges: string[] = [];
    for (const one of importsOf(file)) {
      if (!one.to.startsWith('.')) {
        const problem = checkPackage(one);
        if (problem) problems.push(problem);
        continue;
      }
      const target = relative(root, resolve(root, dirname(file), one.to)).replaceAll('\\', '/');
      const problem = checkArrow(one, target);
      if (problem) problems.push(problem);
      if (!one.typeOnly) edges.push(target);
    }
    graph.set(file, edges);
    const text = readFileSync(join(root, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
    if (file.startsWith('mcp-server/') && !STARTERS.includes(file) && READS_ENVIRONMENT.test(text))
      problems.push(`${file}: only main.ts reads process.env and process.argv`);
  }
  return [...problems, ...cycles(graph)];
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const problems = checkImports();
  for (const problem of problems) console.error(problem);
  process.exit(problems.length > 0 ? 1 : 0);
}
