import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { configShape, DEFAULTS } from '../../mcp-server/config.ts';
import { hasEnded, RUN_STATES, type RunState } from '../../mcp-server/domain/transitions.ts';
import { EXIT } from '../../mcp-server/faces/cli/context.ts';
import { HELP } from '../../mcp-server/faces/cli/help.ts';
import { operations } from '../../mcp-server/operations/table.ts';

interface Manifest {
  readonly scripts: Record<string, string>;
  readonly contributes: {
    readonly commands: readonly { readonly title: string; readonly category: string }[];
    readonly views: Record<string, readonly { readonly name: string }[]>;
    readonly configuration: { readonly properties: Record<string, { readonly default: unknown }> };
  };
}

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const pages = [...globSync('*.md', { cwd: root }), ...globSync('docs/**/*.md', { cwd: root })].map((path) =>
  path.replaceAll('\\', '/'),
);
const readme = read('README.md');
const manifest = JSON.parse(read('package.json')) as Manifest;

/** The cells of the table rows below a heading of the README, without the table's own head. */
const rowsBelow = (heading: string): string[][] => {
  const section = readme.split(/^## /m).find((part) => part.startsWith(`${heading}\n`));
  assert.ok(section, `the README has no section "${heading}"`);
  const rows = section.split('\n').filter((line) => line.startsWith('|'));
  return rows.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
};
const code = (cell: string | undefined): string => /^`([^`]+)`/.exec(cell ?? '')?.[1] ?? '';
/** Each once. */
const sorted = (names: readonly string[]): string[] => [...new Set(names)].sort((a, b) => (a < b ? -1 : 1));
const codes = (text: string): string[] => [...text.matchAll(/`([^`\n]+)`/g)].map(([, inside]) => inside ?? '');
/** Text without fenced code, in which a `#` is no heading and brackets are no link. */
const prose = (text: string): string => text.replace(/^```[\s\S]*?^```/gm, '');

describe('the documents', () => {
  it('name only npm scripts that there are', () => {
    for (const page of pages)
      for (const [, run, short] of read(page).matchAll(/\bnpm (?:run ([\w:-]+)|(start|test)\b)/g))
        assert.ok(manifest.scripts[run ?? short ?? ''], `${page} names npm ${run ?? short}`);
    for (const script of Object.keys(manifest.scripts))
      assert.match(read('CONTRIBUTING.md'), new RegExp(`npm (run )?${script}\\b`), script);
  });

  it('list every operation as a tool, and no other', () => {
    const named = rowsBelow('From an MCP client').map(([cell]) => code(cell));
    assert.deepEqual(
      named.filter((name) => name !== '').toSorted(),
      operations.map(({ name }) => name),
    );
  });

  it('name every command that the help has, and no other', () => {
    const helped = sorted([...HELP.matchAll(/^ {2}coppice ([a-z]+)/gm)].map(([, name]) => name ?? ''));
    const named = rowsBelow('In the terminal').map(([cell]) => /^`coppice ([a-z]+)/.exec(cell ?? '')?.[1] ?? '');
    assert.deepEqual(sorted(named.filter(Boolean)), helped);
    for (const [, name] of readme.matchAll(/`coppice ([a-z]+)/g))
      assert.ok(helped.includes(name ?? ''), `coppice ${name}`);
  });

  it('name only flags and variables that the help has, or the settings know', () => {
    const own = ['COPPICE_AGENTS_PER_LEVEL'];
    const named: readonly string[] = readme.match(/\bCOPPICE_[A-Z_]+/g) ?? [];
    for (const name of named) assert.ok(HELP.includes(name) || own.includes(name), name);
    for (const name of HELP.match(/\bCOPPICE_[A-Z_]+/g) ?? []) assert.ok(named.includes(name), name);
    for (const [, , flag] of rowsBelow('Settings').slice(2))
      if (flag) assert.ok(HELP.includes(` ${code(flag)} `), `the help has no ${flag}`);
  });

  it('give the exit statuses of the program and of its help', () => {
    const rows = rowsBelow('In the terminal').filter(([cell]) => /^\d+$/.test(cell ?? ''));
    const statuses = rows.map(([cell]) => Number(cell));
    const helped = (/^Exit status: (.*?)\.$/ms.exec(HELP)?.[1] ?? '')
      .split(',')
      .map((part) => Number.parseInt(part, 10));
    assert.deepEqual(statuses, Object.values(EXIT));
    assert.deepEqual(statuses, helped);
    const states = Object.keys(RUN_STATES).filter((state) => hasEnded(state as RunState));
    assert.deepEqual(rows.flatMap(([, , state]) => codes(state ?? '')).toSorted(), states.toSorted());
  });

  it('list every setting of the editor and of the file, with its default', () => {
    const rows = rowsBelow('Settings').slice(2);
    const { properties } = manifest.contributes.configuration;
    const inEditor = rows.map(([cell]) => code(cell)).filter((name) => name !== '');
    assert.deepEqual(inEditor.toSorted(), Object.keys(properties).toSorted());
    const { planning, worktree, ...others } = configShape.shape;
    const inner = Object.entries({ planning, worktree }).flatMap(([name, { unwrap }]) =>
      Object.keys(unwrap().shape).map((key) => `${name}.${key}`),
    );
    const inFile = [...Object.keys(others), ...inner];
    assert.deepEqual(rows.map(([, cell]) => code(cell)).toSorted(), inFile.toSorted());
    for (const [, key, , , value = ''] of rows) {
      const [first = '', second] = code(key).split('.');
      const top = DEFAULTS[first as keyof typeof DEFAULTS];
      const ours = second === undefined ? top : (top as unknown as Record<string, unknown>)[second];
      if (typeof ours === 'number' || typeof ours === 'boolean') assert.match(value, new RegExp(`^${ours}\\b`), key);
      if (typeof ours === 'string') assert.equal(code(value), ours, key);
    }
  });

  it('name only commands and views of the editor that there are', () => {
    const { commands, views } = manifest.contributes;
    const titles = commands.map(({ category, title }) => `${category}: ${title}`);
    const named = [...readme.matchAll(/\*(Coppice: [^*]+)\*/g)].map(([, title]) => title ?? '');
    assert.ok(named.length > 5);
    for (const title of named) assert.ok(titles.includes(title), title);
    for (const { name } of Object.values(views).flat()) assert.ok(readme.includes(`*${name}*`), `the view ${name}`);
  });

  it('link only to what there is, headings included', () => {
    for (const page of pages)
      for (const [, target = ''] of prose(read(page)).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target)) continue;
        const [path = '', anchor] = target.split('#');
        const file = path === '' ? page : join(dirname(page), path);
        assert.ok(existsSync(join(root, file)), `${page} links to ${target}`);
        if (anchor) assert.ok(anchorsOf(read(file)).includes(anchor), `${page} links to ${target}`);
      }
  });

  it('name only files and folders of the project that there are', () => {
    const known = projectPaths();
    for (const page of pages)
      for (const name of codes(prose(read(page))).filter(isPath))
        assert.ok(
          known.some((path) => `/${path}`.endsWith(`/${name}`)),
          `${page} names ${name}`,
        );
  });

  it('list every decision in the index of decisions', () => {
    const index = read('docs/adr/README.md');
    const decisions = globSync('docs/adr/0*.md', { cwd: root }).toSorted();
    decisions.forEach((path, at) => {
      const number = String(at + 1).padStart(4, '0');
      assert.ok(path.includes(`/${number}-`) || path.includes(`\\${number}-`), `${path} is not number ${at + 1}`);
      const title = /^# \d+\. (.+)$/m.exec(read(path))?.[1];
      assert.ok(index.includes(`${at + 1}. [${title}](`), `the index does not have "${title}"`);
    });
  });
});

const anchorsOf = (text: string): string[] =>
  [...prose(text).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );

/** Sources and folders of the project; not what a repository of a person holds, nor what a build or a run makes. */
const isPath = (text: string): boolean =>
  /^[\w./-]+$/.test(text) &&
  (/^[\w./-]+\/[\w.-]*$/.test(text) || /^[\w-]+\.(ts|sql)$/.test(text)) &&
  !/^(\.coppice|\.cache|\.vscode|\.git|dist|node_modules|coppice|refs|application)\//.test(text) &&
  !text.startsWith('/');

/** Files, and folders with a slash at the end, as paths from the top. */
const projectPaths = (): string[] => {
  const folders = ['mcp-server', 'extension', 'test', 'docs', '.tools', 'media'];
  const files = folders
    .flatMap((folder) => globSync(`${folder}/**/*`, { cwd: root }))
    .map((p) => p.replaceAll('\\', '/'));
  const above = new Set(files.map((path) => `${path.split('/').slice(0, -1).join('/')}/`));
  return [...files, ...above, ...[...above].map((path) => path.slice(0, -1)), ...folders.map((folder) => `${folder}/`)];
};
