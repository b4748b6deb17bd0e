import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runFilter } from '../../mcp-server/agent/tools/process.ts';
import { systemClock } from '../../mcp-server/domain/clock.ts';
import { UserError } from '../../mcp-server/domain/errors.ts';
import type { SpawnBounded } from '../../mcp-server/skills/execute/bounded-process.ts';
import { runScript, type ScriptOutcome } from '../../mcp-server/skills/execute/run-script.ts';
import { IMPORT_LIMITS, type SkillBundle, writeBundle } from '../../mcp-server/skills/imports/bundle.ts';
import {
  fetchFromLangChain,
  langChainQuestion,
  parseToolSpec,
} from '../../mcp-server/skills/imports/from-langchain.ts';
import { type ImportPreview, previewBundle } from '../../mcp-server/skills/imports/preview.ts';

const MODULES = resolve(dirname(fileURLToPath(import.meta.url)), '../../node_modules');

const TOOLS = `
import { DynamicTool, StructuredTool, tool } from '@langchain/core/tools';
import { writeFileSync } from 'node:fs';
import { z } from 'zod';
console.log('a package may print what it likes');
globalThis.loaded = true;
export const add = tool(async ({ a, b }) => a + b, {
  name: 'add_numbers',
  description: 'Adds two numbers.',
  schema: z.object({ a: z.number().describe('the first'), b: z.number() }),
});
export class Shout extends StructuredTool {
  name = 'shout';
  description = 'Says it loudly.';
  schema = z.object({ text: z.string(), times: z.number().int().default(2), mark: z.string().optional() });
  async _call({ text, times, mark }) { console.log('working'); return text.toUpperCase().repeat(times) + (mark ?? '!'); }
}
export const lookUp = tool(async ({ key }) => ['found ' + key, { key, rows: [1, 2] }], {
  name: 'look_up', description: 'Looks up.', responseFormat: 'content_and_artifact',
  schema: { type: 'object', properties: { key: { type: 'string' } }, required: ['key'] },
});
export const echo = new DynamicTool({ name: 'echo', description: 'Says it again.', func: async (input) => input });
export const broken = tool(async () => { throw new Error('the city does not exist'); }, { name: 'broken', description: 'Fails.', schema: z.object({}) });
export const writer = tool(async ({ path }) => { writeFileSync(path, 'x'); return 'written'; }, { name: 'writer', description: 'Writes.', schema: z.object({ path: z.string() }) });
export class NeedsKey extends StructuredTool {
  constructor(fields) { super(); this.key = fields.apiKey; }
}
export const notATool = { invoke: 1 };
export const helper = () => 1;
`;

describe('a LangChain tool as a skill', function () {
  this.timeout(60_000);
  let top = '';
  let repository = '';
  before(() => {
    top = realpathSync(mkdtempSync(join(tmpdir(), 'coppice-langchain-')));
    repository = join(top, 'repository');
    put('repository/package.json', '{"name":"fixture","private":true}');
    const manifest = {
      name: '@acme/tools',
      version: '1.2.3',
      type: 'module',
      exports: { './all': './all.js', './one': { import: './one.js' }, './bad': './bad.js' },
    };
    put('repository/node_modules/@acme/tools/package.json', JSON.stringify(manifest));
    put('repository/node_modules/@acme/tools/all.js', TOOLS);
    put('repository/node_modules/@acme/tools/one.js', "export { add } from './all.js';\nexport const more = 1;\n");
    put(
      'repository/node_modules/@acme/tools/bad.js',
      `import { writeFileSync } from 'node:fs';\nwriteFileSync(${JSON.stringify(join(top, 'mark'))}, 'x');\n`,
    );
    mkdirSync(join(repository, 'node_modules', '@langchain'));
    symlinkSync(join(MODULES, '@langchain', 'core'), join(repository, 'node_modules', '@langchain', 'core'));
    symlinkSync(join(MODULES, 'zod'), join(repository, 'node_modules', 'zod'));
  });
  after(() => rmSync(top, { recursive: true, force: true }));

  const put = (path: string, text: string): void => {
    mkdirSync(dirname(join(top, path)), { recursive: true });
    writeFileSync(join(top, path), text);
  };
  const spawn: SpawnBounded = (request, signal) => runFilter({ ...request, commandsDir: null }, signal);
  const parts = () => ({
    spawn,
    node: { path: process.execPath, environment: {}, permissionModel: true },
    repository,
    tempDir: join(repository, '.coppice', 'tmp'),
    environment: { PATH: process.env['PATH'], OPENAI_API_KEY: 'secret' },
    limits: IMPORT_LIMITS,
    clock: systemClock,
  });
  const never = new AbortController().signal;
  const fetched = async (spec: string) => {
    const found = await fetchFromLangChain(parts(), spec, never);
    assert.ok(found.kind === 'skill', JSON.stringify(found));
    return found;
  };
  const shown = (bundle: SkillBundle): ImportPreview =>
    previewBundle(bundle, {
      origin: { kind: 'langchain', spec: 'x' },
      pin: 'x',
      folder: `/x/${bundle.name}`,
      remarks: [],
    });

  const run = async (
    spec: string,
    input: unknown,
    at = join(repository, '.coppice', 'tmp'),
  ): Promise<ScriptOutcome> => {
    const { bundle } = await fetched(spec);
    const folder = join(top, 'installed', bundle.name);
    rmSync(folder, { recursive: true, force: true });
    await writeBundle(bundle, folder);
    const { manifest, hash } = shown(bundle);
    const skill = {
      name: bundle.name,
      folder,
      source: { kind: 'workspace' as const, root: dirname(folder) },
      hash,
      manifest,
    };
    return runScript({ ...parts(), tempDir: at }, { skill, input, root: repository, outputChars: 10_000 }, never);
  };
  const output = async (spec: string, input: unknown, at?: string): Promise<unknown> => {
    const outcome = await run(spec, input, at);
    assert.ok(outcome.kind === 'returned', JSON.stringify(outcome));
    return outcome.output;
  };
  const refused = (spec: string, code: string, words: RegExp) =>
    assert.rejects(
      fetchFromLangChain(parts(), spec, never),
      (error) => error instanceof UserError && error.code === code && words.test(error.message),
    );

  it('becomes a skill with the tool’s description, its input as JSON schema, and a pin to the package’s version', async () => {
    const { bundle, pin, spec } = await fetched('@acme/tools/all#add');
    assert.deepEqual([bundle.name, pin, spec], ['add-numbers', '@acme/tools@1.2.3', '@acme/tools/all#add']);
    assert.deepEqual(
      bundle.files.map(({ path }) => path),
      ['SKILL.md', 'manifest.json', 'scripts/run.mjs'],
    );
    const preview = shown(bundle);
    assert.deepEqual([preview.kind, preview.description], ['script', 'Adds two numbers.']);
    assert.deepEqual(preview.diagnostics, []);
    assert.deepEqual(preview.manifest.permissions, {
      read: ['node_modules/**', 'package.json'],
      write: [],
      commands: [],
      hosts: ['*'],
    });
    const input = preview.manifest.input as {
      readonly properties: Record<string, unknown>;
      readonly required: readonly string[];
    };
    assert.deepEqual(input.required, ['a', 'b']);
    assert.deepEqual(input.properties['a'], { type: 'number', description: 'the first' });
  });

  it('asks for no field that the tool fills in by itself', async () => {
    const { bundle } = await fetched('@acme/tools/all#Shout');
    assert.equal(bundle.name, 'shout');
    assert.deepEqual((shown(bundle).manifest.input as { readonly required: unknown }).required, ['text']);
  });

  it('runs: functions, classes, JSON schemas, plain text tools, artifacts', async () => {
    assert.deepEqual(await output('@acme/tools/all#add', { a: 2, b: 40 }), { content: '42' });
    assert.deepEqual(await output('@acme/tools/all#Shout', { text: 'hi' }), { content: 'HIHI!' });
    assert.deepEqual(await output('@acme/tools/all#Shout', { text: 'hi', times: 1, mark: '?' }), { content: 'HI?' });
    assert.deepEqual(await output('@acme/tools/all#lookUp', { key: 'k' }), {
      content: 'found k',
      artifact: { key: 'k', rows: [1, 2] },
    });
    assert.deepEqual(await output('@acme/tools/all#echo', { input: 'again' }), { content: 'again' });
  });

  it('runs from wherever its copy lies', async () => {
    assert.deepEqual(await output('@acme/tools/one#add', { a: 1, b: 1 }, join(top, 'elsewhere')), { content: '2' });
  });

  it('says what failed: the tool, its input, another version of the package', async () => {
    const failed = await run('@acme/tools/all#broken', {});
    assert.ok(failed.kind === 'failed' && /the city does not exist/.test(failed.message), JSON.stringify(failed));
    const input = await run('@acme/tools/all#add', { a: 'x' });
    assert.ok(input.kind === 'failed' && /schema/.test(input.message), JSON.stringify(input));
    const { bundle } = await fetched('@acme/tools/all#add');
    const folder = join(top, 'installed', 'older');
    await writeBundle(bundle, folder);
    const file = join(repository, 'node_modules/@acme/tools/package.json');
    const before = readFileSync(file, 'utf8');
    writeFileSync(file, before.replace('1.2.3', '2.0.0'));
    const { manifest, hash } = shown(bundle);
    const skill = { name: 'older', folder, source: { kind: 'workspace' as const, root: top }, hash, manifest };
    const late = await runScript(
      parts(),
      { skill, input: { a: 1, b: 1 }, root: repository, outputChars: 1_000 },
      never,
    );
    writeFileSync(file, before);
    assert.ok(late.kind === 'failed' && /2\.0\.0 now.*Update the skill/.test(late.message), JSON.stringify(late));
  });

  it('writes nowhere, neither when it is looked at nor when it runs', async () => {
    await refused('@acme/tools/bad', 'not-found', /could not be imported: .*restricted/);
    assert.equal(existsSync(join(top, 'mark')), false);
    const outcome = await run('@acme/tools/all#writer', { path: join(repository, 'mark') });
    assert.ok(outcome.kind === 'failed' && /restricted/.test(outcome.message), JSON.stringify(outcome));
    assert.equal(existsSync(join(repository, 'mark')), false);
  });

  it('lets the person choose among several tools, and takes the only one', async () => {
    const found = await fetchFromLangChain(parts(), '@acme/tools/all', never);
    assert.deepEqual(found, {
      kind: 'choose',
      specs: ['Shout', 'add', 'broken', 'echo', 'lookUp', 'writer'].map((name) => `@acme/tools/all#${name}`),
    });
    assert.equal((await fetched('@acme/tools/one')).spec, '@acme/tools/one#add');
  });

  it('says what is missing: the package, the path, the export, a constructor’s argument', async () => {
    await refused('@acme/nothing#X', 'not-found', /npm install @acme\/nothing @langchain\/core/);
    await refused('@acme/tools/none#X', 'not-found', /could not be imported/);
    await refused('@acme/tools/all#Nothing', 'not-found', /no LangChain tool Nothing.*add/);
    await refused('@acme/tools/all#helper', 'not-found', /no LangChain tool helper/);
    await refused('@acme/tools/all#notATool', 'not-found', /no LangChain tool notATool/);
    await refused('@acme/tools/all#NeedsKey', 'bad-input', /NeedsKey could not be made: .*apiKey/);
  });

  it('takes only names of packages', () => {
    assert.deepEqual(parseToolSpec('@langchain/community/tools/calculator#Calculator'), {
      spec: '@langchain/community/tools/calculator',
      name: '@langchain/community',
      exported: 'Calculator',
    });
    assert.deepEqual(parseToolSpec('pkg'), { spec: 'pkg', name: 'pkg', exported: null });
    for (const text of [
      '',
      '../x#Y',
      './x',
      '/etc/passwd',
      'file:///x',
      'data:text/javascript,1',
      'node:fs#x',
      'https://x/y',
      '@x',
      'a/../b#C',
      'a#b-c',
      "a'#b",
      'a b',
    ])
      assert.throws(() => parseToolSpec(text), { code: 'bad-input' }, text);
  });

  it('says before anything runs that looking at it runs code', () => {
    assert.match(langChainQuestion('@acme/tools/all#add'), /runs the code of the package @acme\/tools/);
  });
});
