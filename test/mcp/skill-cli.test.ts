import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Ended, openStage, processesWith, type Stage, until } from '../support/coppice-process.ts';
import { makeRepository, type TestRepository } from '../support/repository.ts';
import { type HubServer, startHub } from '../unit/skills-imports/hub-server.ts';
import { makeZip } from '../unit/skills-imports/zip-writer.ts';

const MODULES = join(import.meta.dirname, '..', '..', 'node_modules');
const SCHEMA = {
  type: 'object',
  properties: { a: { type: 'number' }, b: { type: 'number' } },
  required: ['a', 'b'],
};
const ADD = [
  "let text = '';",
  'for await (const chunk of process.stdin) text += chunk;',
  'const { a, b } = JSON.parse(text);',
  'if (a === 99) await new Promise((resolve) => setTimeout(resolve, 50_000));',
  'process.stdout.write(JSON.stringify({ sum: a + b }));',
].join('\n');
const FILES = {
  'README.md': '# Project\n',
  'src/a.ts': 'export const a = 1;\n',
  '.agents/skills/greet/SKILL.md':
    '---\nname: hello\ndescription: Greet somebody. Use it.\n---\n# Greet\n\nSay hello.\n',
  '.agents/skills/add/SKILL.md': '---\nname: add\ndescription: Adds numbers. Use for sums.\n---\n# Add\n\nAdds.\n',
  '.agents/skills/add/manifest.json': JSON.stringify({ entry: 'add.mjs', input: SCHEMA }),
  '.agents/skills/add/add.mjs': ADD,
};
const TOOLS = `import { tool } from '@langchain/core/tools';
const schema = ${JSON.stringify(SCHEMA)};
export const add = tool(async ({ a, b }) => String(a + b), { name: 'add_numbers', description: 'Adds.', schema });
`;

const WEATHER = '---\nname: weather\ndescription: Says how the weather is.\n---\nLook out of the window.\n';

const jsonOf = ({ stdout }: Ended): unknown => JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
const hashIn = ({ stdout }: Ended): string => /^Hash: +([0-9a-f]{64})$/m.exec(stdout)?.[1] ?? '';

interface Listed {
  readonly skills: readonly { readonly name: string; readonly state: string; readonly pinned: boolean }[];
  readonly imported: readonly { readonly name: string; readonly pin: string }[];
}

describe('coppice skill', function () {
  this.timeout(60_000);
  let stage: Stage;
  let source: TestRepository;
  let hub: HubServer;
  before(async () => {
    hub = await startHub();
    const weather = makeZip([{ name: 'SKILL.md', data: WEATHER }]);
    hub.skills = { weather: { owner: 'ann', latest: '1.1.0', versions: { '1.0.0': weather, '1.1.0': weather } } };
    stage = openStage({ repo: makeRepository(FILES), environment: { COPPICE_SKILL_HUB: hub.url } });
    source = makeRepository({
      'skills/one/SKILL.md': '---\nname: one\ndescription: The first. Use it.\nlicense: MIT\n---\n# One\n\nDo it.\n',
      'skills/one/scripts/x.sh': '#!/bin/sh\n',
      'skills/two/SKILL.md': '---\nname: two\ndescription: The second.\n---\n# Two\n\nDo it.\n',
    });
    source.git('tag', 'v1');
  });
  after(async () => {
    await stage.close();
    await hub.close();
    source.remove();
  });

  const skill = async (status: number, ...args: readonly string[]): Promise<Ended> => {
    const ended = await stage.run('skill', ...args);
    assert.equal(ended.status, status, `skill ${args.join(' ')}: ${ended.stdout}${ended.stderr}`);
    return ended;
  };
  const stateOf = async (name: string): Promise<string | undefined> =>
    (jsonOf(await skill(0, 'list', '--json')) as Listed).skills.find((one) => one.name === name)?.state;
  /** Agrees to what was shown. */
  const agree = async (...args: readonly string[]): Promise<Ended> =>
    skill(0, ...args, '--yes', '--expect', hashIn(await skill(5, ...args)));

  it('lists, finds and shows them', async () => {
    const listed = await skill(0);
    assert.match(listed.stdout, /^Of this repository\n {2}add +needs review +\d+ tokens {2}\(script\) Adds numbers/);
    assert.match(listed.stdout, /^That come with Coppice\n(.*\n)* {2}repository-map +bundled/m);
    assert.match((await skill(0, 'search', 'map', 'the', 'repository')).stdout, /^repository-map /);
    assert.match((await skill(0, 'show', 'code-review')).stdout, /^State: +bundled, instructions$[^]*^# Code review$/m);
    assert.match((await skill(0, 'show', 'repository-map', '--file', 'manifest.json')).stdout, /"entry"/);
    const kept = await skill(2, 'show', 'add', '--file', 'add.mjs', '--json');
    assert.match((jsonOf(kept) as { message: string }).message, /Until you trust it only its instructions/);
  });

  it('checks them as compilers do, and a folder that is not installed', async () => {
    const own = await skill(0, 'check');
    assert.match(own.stdout, /^\.agents\/skills\/greet\/SKILL\.md:2:7: warning: .* \(name-mismatch\)$/m);
    assert.match(own.stdout, /^14 skills checked: 1 warning\.$/m);
    assert.equal((await skill(0, 'check', 'add')).stdout, '1 skill checked: no problems.\n');
    stage.repo.write('drawer/broken/SKILL.md', '');
    const broken = await skill(1, 'check', './drawer');
    assert.match(broken.stdout, /^drawer\/broken\/SKILL\.md:1:1: error: .* \(empty\)$/m);
    assert.equal((jsonOf(await skill(1, 'check', 'drawer/broken', '--json')) as { ok: boolean }).ok, false);
    assert.match((await skill(2, 'check', 'drawer')).stderr, /no skill drawer\. A folder is written .* \.\/drawer$/m);
    assert.match((await skill(2, 'check', './none')).stderr, /There is nothing at .*none\.$/m);
    // Who writes a skill need not do so in a repository.
    const lonely = join(stage.environment['HOME'] ?? '', 'lonely');
    mkdirSync(lonely);
    writeFileSync(join(lonely, 'SKILL.md'), '---\nname: lonely\ndescription: Is alone. Use it.\n---\nGo.\n');
    const alone = execFileSync(process.execPath, [stage.script, 'skill', 'check', 'SKILL.md'], { cwd: lonely });
    assert.equal(String(alone), '1 skill checked: no problems.\n');
  });

  it('runs one that comes along, with parameters of the right type', async () => {
    const map = await skill(0, 'run', 'repository-map', '--param', 'depth=1', '--json');
    const result = jsonOf(map) as { type: string; ok: boolean; result: { files: number } };
    assert.deepEqual([result.type, result.ok, result.result.files > 2], ['skill.result', true, true]);
    assert.match(
      (await skill(2, 'run', 'repository-map', '--param', 'depth=x')).stderr,
      /input of the skill is wrong: d/,
    );
    assert.match((await skill(2, 'run', 'repository-map', '--input', '{')).stderr, /--input is not valid JSON/);
    assert.match((await skill(2, 'run', 'nobody')).stderr, /There is no skill nobody/);
    assert.match((await skill(2, 'remove', 'add')).stderr, /delete its folder: .*\/add$/m);
    assert.match((await skill(2, 'remove', 'repository-map')).stderr, /comes with Coppice/);
  });

  it('follows an agent that carries one out', async () => {
    const said = await skill(3, 'run', 'code-review', 'src/a.ts', '--server', 'rehearsal');
    assert.match(said.stdout, /code-review: worker created[^]*\nnothing: 1 of 1 agent completed/);
    const lines = (await skill(3, 'run', 'code-review', 'src/a.ts', '--server', 'rehearsal', '--json')).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; run: string; skill?: string });
    assert.deepEqual([lines[0]?.type, lines.at(-2)?.type], ['run.created', 'run.result']);
    assert.partialDeepStrictEqual(lines.at(-1), { type: 'skill.result', skill: 'code-review', run: lines[0]?.run });
    const left = await skill(0, 'run', 'code-review', '--server', 'rehearsal', '--detach');
    assert.match(left.stdout, /^r-\w+\n$/);
  });

  it('trusts only what was looked at, and runs it only then', async () => {
    assert.match(
      (await skill(5, 'run', 'add')).stderr,
      /needs your trust .* run its script add\.mjs.* skill trust add$/m,
    );
    const shown = await skill(5, 'trust', 'add');
    assert.match(shown.stdout, /^Files: +SKILL\.md, add\.mjs, manifest\.json$/m);
    assert.match(shown.stderr, new RegExp(`same command with: --yes --expect ${hashIn(shown)}$`, 'm'));
    await skill(5, 'trust', 'add', '--yes');
    await skill(2, 'trust', 'add', '--yes', '--expect', 'a'.repeat(64));
    assert.equal(await stateOf('add'), 'needs-review');
    assert.match((await agree('trust', 'add')).stdout, /add is trusted as it is now\.\n$/);
    assert.equal((await skill(0, 'run', 'add', '--param', 'a=1', '--param', 'b=2')).stdout, '{\n  "sum": 3\n}\n');
    assert.match((await skill(0, 'pin', 'add')).stdout, /is pinned/);
    stage.repo.write('.agents/skills/add/add.mjs', `${ADD}\n`);
    await until('the change is seen', async () => (await stateOf('add')) === 'needs-review');
    await agree('trust', 'add');
    await skill(0, 'unpin', 'add');
  });

  it('ends a script at Ctrl-C', async () => {
    const scripts = (): number => processesWith(`${stage.repo.root}/.coppice/tmp`).length;
    const running = stage.start('skill', 'run', 'add', '--input', '{"a":99,"b":1}');
    await until('the script runs', () => scripts() > 0);
    running.child.kill('SIGINT');
    const ended = await running.ended;
    assert.deepEqual([ended.status, ended.stdout], [130, '']);
    await until('the script has ended', () => scripts() === 0);
  });

  it('takes trust back', async () => {
    assert.match((await skill(0, 'distrust', 'add')).stdout, /not trusted any more/);
    assert.match((await skill(5, 'run', 'add')).stderr, /needs your trust/);
  });

  it('imports from git what was looked at, updates and removes it', async () => {
    const commit = source.git('rev-parse', 'HEAD');
    const several = await skill(2, 'import', 'git', source.root);
    assert.match(several.stdout, /^There are several:\n {2}skills\/one\n {2}skills\/two\n$/);
    const from = ['import', 'git', `${source.root}@v1`, '--path', 'skills/one'];
    const shown = await skill(5, ...from);
    assert.match(shown.stdout, /^Licence: MIT$[^]*scripts\/x\.sh +10 B +script$[^]*^It asks for no permissions\.$/m);
    const preview = jsonOf(await skill(5, ...from, '--json')) as { kind: string; hash: string };
    assert.deepEqual([preview.kind, preview.hash], ['preview', hashIn(shown)]);
    assert.match((await skill(2, ...from, '--yes', '--expect', 'v1')).stderr, /not what --expect names/);
    assert.equal(await stateOf('one'), undefined);
    await skill(0, ...from, '--yes', '--expect', commit);
    assert.equal(await stateOf('one'), 'needs-review');
    assert.match((await skill(0, 'update', 'one')).stdout, /up to date/);
    stage.repo.write('.coppice/skills/one/mine.md', 'Mine.\n');
    assert.match((await skill(5, 'update', 'one')).stderr, /--force$/m);
    assert.match((await skill(2, 'remove', 'one')).stderr, /changed by hand: mine\.md.*--force/);
    const gone = await skill(0, 'remove', 'one', '--force', '--json');
    assert.equal(readFileSync(join((jsonOf(gone) as { movedTo: string }).movedTo, 'mine.md'), 'utf8'), 'Mine.\n');
  });

  it('finds skills in the hub, and imports a version of one', async () => {
    assert.match((await skill(0, 'search', 'weather', '--hub')).stdout, /^ann\/weather {2}\[1\.1\.0\] About weather$/m);
    assert.match((await agree('import', 'clawhub', 'ann/weather@1.0.0')).stdout, /^Imported weather into /m);
    assert.match((await skill(0)).stdout, /^ {2}weather from ClawHub, .*, at 1\.0\.0$/m);
    assert.match((await skill(2, 'import', 'clawhub', 'ann/nothing')).stderr, /nothing/);
    assert.match((await skill(0, 'remove', 'weather')).stdout, /^Removed weather/);
  });

  it('imports a tool of LangChain after a word about its code, and runs it', async () => {
    const acme = join(stage.repo.root, 'node_modules', '@acme', 'tools');
    mkdirSync(acme, { recursive: true });
    mkdirSync(join(stage.repo.root, 'node_modules', '@langchain'));
    symlinkSync(join(MODULES, '@langchain', 'core'), join(stage.repo.root, 'node_modules', '@langchain', 'core'));
    const about = { name: '@acme/tools', version: '1.2.3', type: 'module', exports: { './all': './all.js' } };
    writeFileSync(join(acme, 'package.json'), JSON.stringify(about));
    writeFileSync(join(acme, 'all.js'), TOOLS);
    const from = ['import', 'langchain', '@acme/tools/all#add'];
    const asked = await skill(5, ...from);
    assert.match(asked.stdout, /runs the code of the package @acme\/tools/);
    assert.match(asked.stderr, /--agree$/m);
    const shown = await skill(5, ...from, '--agree');
    assert.match(shown.stdout, /@acme\/tools@1\.2\.3$[^]*^ {2}talk to any host$/m);
    await skill(0, ...from, '--yes', '--expect', hashIn(shown));
    await agree('trust', 'add-numbers');
    assert.equal((await skill(0, 'run', 'add-numbers', '--param', 'a=20', '--param', 'b=22')).stdout, '42\n');
  });

  it('writes a new one, and lets a person decide on drafts', async () => {
    const made = jsonOf(await skill(0, 'new', 'mine', '--description', 'Mine. Use it.', '--json')) as { file: string };
    assert.match(readFileSync(made.file, 'utf8'), /Mine\. Use it\./);
    assert.match((await skill(2, 'new', 'mine')).stderr, /exists already/);
    assert.equal((await skill(0, 'drafts')).stdout, 'There are no drafts.\n');
    const draft = '---\nname: triple\ndescription: Triples a number. Use it.\n---\n# Triple\n\nThree times.\n';
    stage.repo.write('.coppice/drafts/triple/SKILL.md', draft);
    await until('the draft is seen', async () => (await stateOf('triple')) === 'draft');
    assert.match((await skill(0, 'drafts')).stdout, /^triple: Triples a number/);
    assert.match((await skill(0, 'draft', 'show', 'triple')).stdout, /^\+Three times\.$/m);
    assert.match((await skill(0, 'draft', 'test', 'triple')).stdout, /It has no tests\.\nThe draft triple passes\.\n$/);
    assert.match((await skill(2, 'trust', 'triple')).stderr, /is a draft\. .* skill draft approve triple$/m);
    await agree('draft', 'approve', 'triple');
    assert.equal(await stateOf('triple'), 'trusted');
    stage.repo.write('.coppice/drafts/other/SKILL.md', draft.replace('triple', 'other'));
    await until('the draft is seen', async () => (await stateOf('other')) === 'draft');
    assert.match((await skill(0, 'draft', 'discard', 'other')).stdout, /^Discarded other; its files are in /);
    assert.match((await skill(2, 'draft', 'show', 'other')).stderr, /There is no draft other/);
  });
});
