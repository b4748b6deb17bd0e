import assert from 'node:assert/strict';
import { realpathSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { complaintOf, entriesOf, folderWith, manifestOf, runBundled, runRaw } from './run-bundled.ts';

interface Row {
  readonly path: string;
  readonly why?: string;
  readonly purpose?: string | null;
}
interface RepositoryMap {
  readonly name: string;
  readonly files: number;
  readonly languages: readonly { readonly language: string; readonly percent: number }[];
  readonly folders: readonly Row[];
  readonly foldersLeftOut: number;
  readonly entryPoints: readonly Row[];
  readonly commands: readonly { readonly kind: string; readonly command: string; readonly from: string }[];
  readonly manifests: readonly string[];
  readonly tests: { readonly files: number };
  readonly documents: readonly string[];
  readonly largest: readonly (Row & { readonly tokens: number })[];
  readonly notes: readonly string[];
}

const map = (repository: string, input: object = {}): RepositoryMap => {
  const result = runBundled('repository-map', input, repository) as RepositoryMap;
  z.fromJSONSchema(manifestOf('repository-map').manifest.output as never).parse(result);
  return result;
};

const FIXTURE = {
  'package.json': JSON.stringify({
    name: 'shop',
    main: './src/index.ts',
    bin: { shop: 'dist/cli.js' },
    scripts: { test: 'mocha', 'build:web': 'esbuild', postinstall: 'x', lint: 'oxlint' },
  }),
  'pnpm-lock.yaml': '',
  'README.md': '# Shop\n',
  '.gitignore': '# built\ndist/\n*.log\n!keep.log\n/local\nsrc/**/gen-*.ts\n',
  'dist/cli.js': 'built',
  'a.log': 'x',
  'keep.log': 'x',
  'local/notes.py': 'x = 1',
  'src/index.ts': 'export const a = 1;\n'.repeat(50),
  'src/cart/total.ts': 'export const b = 2;\n'.repeat(200),
  'src/cart/deep/gen-1.ts': 'generated',
  'src/cart/.gitignore': 'secret.ts\n',
  'src/cart/secret.ts': 'secret',
  'test/unit/total.test.ts': 'test',
  'node_modules/left-pad/index.js': 'module',
  'services/api/pyproject.toml':
    '[project]\nname = "api"\n[project.scripts]\napi-server = "api.main:run" # starts it\n[tool.pytest.ini_options]\n[tool.ruff]\n',
  'services/api/api/main.py': 'def run():\n    pass\n',
  'services/go/go.mod': 'module example.com/go\n',
  'services/go/cmd/main.go': 'package main\n',
  'tools/Makefile': 'VERSION := 1\n.PHONY: test\ntest: build\n\tgo test\nbuild:\n\techo\nweird-target:\n',
};

describe('the script of repository-map', () => {
  let root = '';
  before(() => {
    root = folderWith(FIXTURE);
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  it('counts the languages that people wrote, without what is ignored, built or installed', () => {
    const { languages, files, notes } = map(root);
    assert.deepEqual(languages.map(({ language }) => language).toSorted(), [
      'Go',
      'Makefile',
      'Markdown',
      'Python',
      'TypeScript',
    ]);
    assert.equal(languages[0]?.language, 'TypeScript');
    assert.equal(files, Object.keys(FIXTURE).length - 6);
    assert.deepEqual(notes, []);
    assert.ok(Math.abs(languages.reduce((sum, { percent }) => sum + percent, 0) - 100) < 1);
  });

  it('obeys ignore files with folders, anchors, exceptions, double stars and nested ones', () => {
    const paths = map(root, { depth: 8 }).largest.map(({ path }) => path);
    for (const ignored of ['dist/cli.js', 'local/notes.py', 'src/cart/deep/gen-1.ts', 'src/cart/secret.ts'])
      assert.ok(!paths.includes(ignored), ignored);
    const only = folderWith({ '.gitignore': '*\n!*/\n!*.md\n', 'a.md': 'a', 'b.ts': 'b', 'c/d.md': 'd' });
    assert.equal(map(only).files, 2);
    rmSync(only, { recursive: true });
  });

  it('finds entry points by manifest before those by name, and says which are built', () => {
    const { entryPoints } = map(root);
    assert.deepEqual(entryPoints.slice(0, 3), [
      { path: 'dist/cli.js', why: '"bin" of package.json; is built' },
      { path: 'src/index.ts', why: '"main" of package.json' },
      { path: 'services/api/api.main:run', why: 'program api-server of services/api/pyproject.toml' },
    ]);
    assert.equal(entryPoints.filter(({ path }) => path === 'src/index.ts').length, 1);
    assert.ok(entryPoints.some(({ path }) => path === 'services/go/cmd/main.go'));
  });

  it('names the commands to test, build and check, with the package manager in use', () => {
    const commands = map(root).commands.map(({ kind, command, from }) => `${kind}: ${command} (${from})`);
    assert.deepEqual(commands, [
      'test: pnpm test (package.json)',
      'build: pnpm run build:web (package.json)',
      'check: pnpm run lint (package.json)',
      'test: make test (tools/Makefile)',
      'build: make build (tools/Makefile)',
      'test: python -m pytest (services/api/pyproject.toml)',
      'check: ruff check (services/api/pyproject.toml)',
      'build: go build ./... (services/go/go.mod)',
      'test: go test ./... (services/go/go.mod)',
      'check: go vet ./... (services/go/go.mod)',
    ]);
  });

  it('shows folders down to a depth with their purpose, and one folder alone', () => {
    const { folders, tests, documents } = map(root);
    assert.ok(folders.every(({ path }) => path.split('/').length <= 2));
    assert.equal(folders.find(({ path }) => path === 'test/unit')?.purpose, 'tests');
    assert.equal(folders.find(({ path }) => path === 'src')?.purpose, 'source');
    assert.deepEqual([tests.files, documents], [1, ['README.md']]);
    const part = map(root, { folder: './services/', depth: 1 });
    assert.deepEqual(
      part.folders.map(({ path }) => path),
      ['services', 'services/api', 'services/go'],
    );
    assert.deepEqual(map(root, { folder: 'nowhere' }).notes, ['There are no files in nowhere.']);
  });

  it('keeps to its bounds, and says what it left out', () => {
    const many = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`folder-${n}/file-${n}.ts`, 'x'.repeat(n)]));
    const big = folderWith(many);
    const result = map(big, { max_folders: 10 });
    assert.deepEqual([result.folders.length, result.foldersLeftOut, result.files], [10, 290, 300]);
    assert.ok(result.folders.some(({ path }) => path === 'folder-299'));
    assert.match(map(big, { max_files: 50 }).notes.join(), /Only the first 50 files/);
    assert.ok(runRaw('repository-map', '{"max_folders":200,"max_chars":3000}', big).text.length <= 3001);
    rmSync(big, { recursive: true });
  });

  it('maps its own repository: entry, commands, languages', () => {
    const result = map(fileURLToPath(new URL('../../../', import.meta.url)));
    assert.equal(result.languages[0]?.language, 'TypeScript');
    assert.ok(result.entryPoints.some(({ path }) => path === 'mcp-server/main.ts'));
    assert.ok(result.commands.some(({ kind, command }) => kind === 'test' && command === 'npm test'));
    assert.ok(result.folders.some(({ path, purpose }) => path === 'test/unit' && purpose === 'tests'));
    assert.ok(JSON.stringify(result).length <= 7500);
  });

  it('says what is wrong with its input', () => {
    assert.match(complaintOf('repository-map', 'no json', root), /is not JSON/);
    assert.match(complaintOf('repository-map', '[1]', root), /must be a JSON object/);
    assert.match(complaintOf('repository-map', { depht: 2 }, root), /no input "depht"; there are: depth/);
    assert.match(complaintOf('repository-map', { depth: 99 }, root), /"depth" must be a whole number from 1 to 8/);
    assert.match(complaintOf('repository-map', {}), /absolute path/);
    assert.match(complaintOf('repository-map', {}, `${root}/keep.log`), /not a folder/);
    assert.match(complaintOf('repository-map', `{"folder":"${'x'.repeat(5_000_000)}"}`, root), /larger than 4 MiB/);
  });

  it('works where it may read what is in the repository but not list the top, and names what stayed closed', () => {
    const held = runRaw('repository-map', '{}', root, entriesOf).json as RepositoryMap;
    assert.deepEqual({ ...held, notes: [] }, map(root));
    // Node denies the folder itself when the name of another granted one begins with it.
    const twins = folderWith({ 'lib/a.ts': 'a', 'lib-old/b.ts': 'b' });
    const { files, notes } = runRaw('repository-map', '{}', twins, entriesOf).json as RepositoryMap;
    if (files === 1) assert.match(notes.join(), /could not be read: lib\//);
    else assert.equal(files, 2);
    rmSync(twins, { recursive: true });
  });

  it('takes the input alone: what comes around it is no input', () => {
    const around = { input: { depth: 1 }, repository: realpathSync(root) };
    assert.match(complaintOf('repository-map', around, root), /no input "input"; there are: depth/);
    assert.match(complaintOf('repository-map', { repository: root }, root), /no input "repository"/);
  });
});
