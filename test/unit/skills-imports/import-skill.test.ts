import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { runFilter } from '../../../mcp-server/agent/tools/process.ts';
import { systemClock } from '../../../mcp-server/domain/clock.ts';
import { UserError } from '../../../mcp-server/domain/errors.ts';
import { IMPORT_LIMITS } from '../../../mcp-server/skills/imports/bundle.ts';
import { createClawHub } from '../../../mcp-server/skills/imports/from-clawhub.ts';
import { createImporter, type Importer, type ImportRequest } from '../../../mcp-server/skills/imports/import-skill.ts';
import { type ImportPreview, previewText } from '../../../mcp-server/skills/imports/preview.ts';
import type { SkillSource } from '../../../mcp-server/skills/port.ts';
import { openSkills } from '../../../mcp-server/skills/registry.ts';
import { createFetchCommit } from '../../../mcp-server/worktrees/fetch-skills.ts';
import { makeRepository, type TestRepository } from '../../support/repository.ts';
import { type HubServer, startHub } from './hub-server.ts';
import { makeZip } from './zip-writer.ts';

const never = new AbortController().signal;
const text = (name: string, body = 'Do it.'): string =>
  `---\nname: ${name}\ndescription: About ${name}.\nlicense: MIT\n---\n${body}\n`;
const MANIFEST = {
  permissions: { read: ['src/**'], write: ['docs/**'], commands: ['git'], hosts: ['api.example.com'] },
  entry: 'scripts/run.sh',
};

describe('importing a skill', () => {
  let top = '';
  let state = '';
  let source: TestRepository;
  let hub: HubServer;
  let importer: Importer;
  let hidden: SkillSource | null = null;
  beforeEach(async () => {
    top = realpathSync(mkdtempSync(join(tmpdir(), 'coppice-import-')));
    state = join(top, 'repository', '.coppice');
    mkdirSync(state, { recursive: true });
    source = makeRepository({
      'skills/one/SKILL.md': text('one'),
      'skills/one/scripts/run.sh': 'echo 1\n',
      'skills/one/manifest.json': JSON.stringify(MANIFEST),
      'skills/two/SKILL.md': text('two'),
      'README.md': 'hello\n',
    });
    hub = await startHub();
    hub.skills = {
      weather: {
        owner: 'ann',
        latest: '1.0.0',
        versions: { '1.0.0': makeZip([{ name: 'SKILL.md', data: text('weather') }]) },
      },
    };
    hidden = null;
    importer = makeImporter();
  });
  afterEach(async () => {
    await hub.close();
    source.remove();
    rmSync(top, { recursive: true, force: true });
  });

  const makeImporter = (): Importer => {
    const environment = { PATH: process.env['PATH'], HOME: top };
    const tempDir = join(state, 'tmp');
    const fetchCommit = createFetchCommit({
      tempDir,
      baseDir: top,
      environment,
      clock: systemClock,
      limits: { storedBytes: 50_000_000, timeoutMs: 20_000 },
    });
    let seed = 0;
    return createImporter({
      stateDir: state,
      clock: { ...systemClock, now: () => Date.parse('2026-11-20T12:00:00Z') },
      random: () => {
        seed = (seed + 0.137) % 1;
        return seed;
      },
      limits: IMPORT_LIMITS,
      fetchCommit,
      hub: createClawHub({
        baseUrl: hub.url,
        fetch,
        clock: systemClock,
        maxBytes: 1_000_000,
        limits: IMPORT_LIMITS,
        fetchCommit,
      }),
      langChain: {
        spawn: (request, signal) => runFilter({ ...request, commandsDir: null }, signal),
        node: { path: process.execPath, environment: {}, permissionModel: true },
        repository: join(top, 'repository'),
        tempDir,
        environment,
        limits: IMPORT_LIMITS,
      },
      hides: () => hidden,
    });
  };

  const git = (path: string | null, more: Partial<Extract<ImportRequest, { kind: 'git' }>> = {}): ImportRequest => ({
    kind: 'git',
    url: source.root,
    path,
    ...more,
  });
  const preview = async (request: ImportRequest): Promise<ImportPreview> => {
    const outcome = await importer.preview(request, never);
    assert.ok(outcome.kind === 'preview', JSON.stringify(outcome));
    return outcome.preview;
  };
  const install = async (request: ImportRequest, options = {}) =>
    importer.install(request, (await preview(request)).hash, options, never);
  const refused = (work: Promise<unknown>, code: string, words: RegExp) =>
    assert.rejects(work, (error) => error instanceof UserError && error.code === code && words.test(error.message));
  const installed = (...path: readonly string[]): string => join(state, 'skills', ...path);
  const lock = (): { readonly skills: readonly Record<string, unknown>[] } =>
    JSON.parse(readFileSync(join(state, 'skills.lock.json'), 'utf8'));

  it('shows what it would bring and what that asks for, and writes nothing', async () => {
    const shown = await preview(git('skills/one'));
    assert.deepEqual(
      [shown.name, shown.description, shown.license, shown.kind],
      ['one', 'About one.', 'MIT', 'script'],
    );
    assert.deepEqual(
      shown.files.map(({ path, script }) => [path, script]),
      [
        ['SKILL.md', false],
        ['manifest.json', false],
        ['scripts/run.sh', true],
      ],
    );
    assert.deepEqual(shown.manifest.permissions, MANIFEST.permissions);
    assert.equal(shown.pin, source.git('rev-parse', 'HEAD'));
    assert.deepEqual(readdirSync(state), ['tmp']);
    const words = previewText(shown);
    for (const word of [
      'scripts/run.sh',
      'read src/**',
      'write docs/**',
      'run git',
      'talk to any host: nothing holds it to api.example.com',
      'Nothing on this machine holds its script to this.',
      'MIT',
      'until you trust',
    ])
      assert.ok(words.includes(word), word);
  });

  it('lets the person choose when a repository holds several skills', async () => {
    const outcome = await importer.preview(git(null), never);
    assert.deepEqual(outcome, { kind: 'choose', of: 'path', choices: ['skills/one', 'skills/two'] });
    assert.equal((await preview(git('two'))).name, 'two');
    assert.equal((await preview({ kind: 'git', url: join(source.root, 'skills', 'two') })).name, 'two');
    await refused(importer.preview(git('three'), never), 'not-found', /skills\/one, skills\/two/);
  });

  it('installs what was shown, pinned to the commit, where the registry finds it untrusted with the same hash', async () => {
    const shown = await preview(git('one'));
    const done = await importer.install(git('one'), shown.hash, {}, never);
    assert.equal(readFileSync(installed('one', 'SKILL.md'), 'utf8'), text('one'));
    const [locked] = lock().skills;
    assert.deepEqual(locked?.['origin'], { kind: 'git', url: source.root, ref: null, path: 'skills/one' });
    assert.deepEqual(
      [locked?.['pin'], locked?.['hash'], locked?.['importedAt']],
      [shown.pin, shown.hash, '2026-11-20T12:00:00.000Z'],
    );
    assert.equal(done.state, 'as-imported');
    assert.deepEqual(readdirSync(join(state, 'tmp')), []);
    const registry = await openSkills({
      repository: join(top, 'repository'),
      home: null,
      bundled: null,
      grants: join(top, 'grants.json'),
      clock: systemClock,
      watch: false,
    });
    const [found] = registry.list();
    assert.deepEqual([found?.name, found?.hash, found?.state], ['one', shown.hash, 'needs-review']);
    await registry.close();
  });

  it('installs nothing when the source has something else by now', async () => {
    const shown = await preview(git('one'));
    source.write('skills/one/SKILL.md', text('one', 'Something else.'));
    source.commit('Change');
    await refused(makeImporter().install(git('one'), shown.hash, {}, never), 'wrong-state', /look again/);
    await refused(importer.install(git('two'), shown.hash, {}, never), 'wrong-state', /look again/);
    assert.equal(existsSync(installed('one')), false);
  });

  it('leaves out links, submodules and settings of other programs, and says so', async () => {
    symlinkSync('/etc/passwd', join(source.root, 'skills', 'two', 'passwd'));
    source.write('skills/two/.vscode/tasks.json', '{}');
    source.write('skills/two/.mcp.json', '{}');
    source.git('update-index', '--add', '--cacheinfo', `160000,${source.git('rev-parse', 'HEAD')},skills/two/sub`);
    source.git('add', 'skills/two/passwd', 'skills/two/.vscode', 'skills/two/.mcp.json');
    source.git('commit', '-q', '-m', 'More');
    const shown = await preview(git('two'));
    assert.deepEqual(shown.leftOut, ['.mcp.json', '.vscode/tasks.json', 'passwd', 'sub']);
    await install(git('two'));
    assert.deepEqual(readdirSync(installed('two')), ['SKILL.md']);
  });

  it('refuses names in a repository that are not safe to write', async () => {
    for (const path of ['skills/two/a\\..\\b', 'skills/two/aux.txt', 'skills/two/a:b', 'skills/two/skill.MD']) {
      source.git('update-index', '--add', '--cacheinfo', `100644,${source.git('rev-parse', 'HEAD:README.md')},${path}`);
      source.git('commit', '-q', '-m', 'Bad name');
      await refused(importer.preview(git('two'), never), 'bad-input', /Not imported/);
      source.git('reset', '-q', '--hard', 'HEAD~1');
    }
  });

  it('says that a skill would hide another one of its name', async () => {
    hidden = { kind: 'bundled' };
    assert.match((await preview(git('one'))).remarks.join(), /take its place/);
  });

  it('takes another name when it is given one, and no bad one', async () => {
    await install(git('one', { name: 'uno' }));
    assert.deepEqual(readdirSync(installed()), ['uno']);
    for (const name of ['../x', 'A', 'a b', '', 'a--b', 'x'.repeat(65)])
      await refused(importer.preview(git('one', { name }), never), 'bad-input', /name of a skill/);
  });

  it('lists what is there, what was changed by hand, and what is gone', async () => {
    await install(git('one'));
    await install(git('two'));
    await install({ kind: 'clawhub', slug: 'ann/weather' });
    writeFileSync(installed('one', 'SKILL.md'), 'mine');
    writeFileSync(installed('one', 'notes.md'), 'mine');
    rmSync(installed('one', 'scripts'), { recursive: true });
    rmSync(installed('two'), { recursive: true });
    const list = await importer.list();
    assert.deepEqual(
      list.map(({ name, state }) => [name, state]),
      [
        ['one', 'changed-by-hand'],
        ['two', 'missing'],
        ['weather', 'as-imported'],
      ],
    );
    assert.deepEqual(list[0]?.changes, { added: ['notes.md'], changed: ['SKILL.md'], removed: ['scripts/run.sh'] });
    assert.deepEqual(list[2]?.origin, { kind: 'clawhub', slug: 'ann/weather', version: null });
    assert.equal(list[2]?.pin, '1.0.0');
  });

  it('tells changes by hand also where a file is called like something that every object has', async () => {
    await install(git('one'));
    for (const name of ['constructor', '__proto__']) {
      const file = join(state, 'skills', 'one', name);
      writeFileSync(file, 'x');
      const [one] = await importer.list();
      assert.deepEqual([one?.state, one?.changes.added], ['changed-by-hand', [name]]);
      rmSync(file);
    }
  });

  it('shows what an update would change in files and in permissions, and then makes it', async () => {
    await install(git('one'));
    source.write('skills/one/SKILL.md', text('one', 'Do it better.'));
    source.write('skills/one/more.md', 'more');
    const permissions = { ...MANIFEST.permissions, hosts: ['evil.example.com'] };
    source.write('skills/one/manifest.json', JSON.stringify({ ...MANIFEST, permissions }));
    const commit = source.commit('Better');
    const request = await importer.updateRequest('one', false);
    const { change, pin } = await preview(request);
    assert.deepEqual(change?.files, { added: ['more.md'], changed: ['SKILL.md', 'manifest.json'], removed: [] });
    assert.deepEqual([change?.asksMore, change?.asksLess], [['talk to evil.example.com'], ['talk to api.example.com']]);
    assert.equal(pin, commit);
    assert.match(previewText(await preview(request)), /now also asks to talk to evil\.example\.com/);
    await install(request);
    assert.equal(readFileSync(installed('one', 'more.md'), 'utf8'), 'more');
    assert.deepEqual(
      lock().skills.map((one) => one['pin']),
      [commit],
    );
  });

  it('never takes away what was changed by hand without being told to, and then keeps it', async () => {
    await install(git('one'));
    writeFileSync(installed('one', 'SKILL.md'), 'mine');
    source.write('skills/one/SKILL.md', text('one', 'Better.'));
    source.commit('Better');
    assert.deepEqual((await preview(git('one'))).change?.changedByHand, ['SKILL.md']);
    await refused(install(git('one')), 'wrong-state', /changed by hand: SKILL\.md/);
    await refused(importer.remove('one', {}), 'wrong-state', /changed by hand: SKILL\.md/);
    assert.equal(readFileSync(installed('one', 'SKILL.md'), 'utf8'), 'mine');
    await install(git('one'), { replaceChanged: true });
    const [kept = ''] = readdirSync(join(state, 'removed-skills'));
    assert.equal(readFileSync(join(state, 'removed-skills', kept, 'SKILL.md'), 'utf8'), 'mine');
    writeFileSync(installed('one', 'SKILL.md'), 'mine again');
    const { movedTo, changes } = await importer.remove('one', { evenIfChanged: true });
    assert.equal(readFileSync(join(movedTo ?? '', 'SKILL.md'), 'utf8'), 'mine again');
    assert.deepEqual(changes.changed, ['SKILL.md']);
    assert.deepEqual(await importer.list(), []);
  });

  it('removes into the trash, and also what is gone already', async () => {
    await install(git('one'));
    const { movedTo } = await importer.remove('one', {});
    assert.equal(movedTo?.startsWith(join(state, 'trash', 'one-')), true);
    assert.equal(existsSync(installed('one')), false);
    await install(git('two'));
    rmSync(installed('two'), { recursive: true });
    assert.deepEqual((await importer.remove('two', {})).movedTo, null);
    await refused(importer.remove('two', {}), 'not-found', /No skill two/);
  });

  it('takes no place of a skill that was not imported, or was from elsewhere, and follows no link', async () => {
    mkdirSync(installed('one'), { recursive: true });
    writeFileSync(installed('one', 'SKILL.md'), 'my own');
    await refused(install(git('one')), 'wrong-state', /was not imported/);
    assert.equal(readFileSync(installed('one', 'SKILL.md'), 'utf8'), 'my own');
    await install(git('two'));
    await refused(install({ kind: 'clawhub', slug: 'weather', name: 'two' }), 'wrong-state', /from elsewhere/);
    rmSync(installed(), { recursive: true });
    mkdirSync(join(top, 'elsewhere'));
    symlinkSync(join(top, 'elsewhere'), installed());
    await refused(install(git('two')), 'wrong-state', /plain folder/);
    assert.deepEqual(readdirSync(join(top, 'elsewhere')), []);
  });

  it('leaves everything as it was when the list cannot be written', async () => {
    await install(git('one'));
    const before = readFileSync(join(state, 'skills.lock.json'), 'utf8');
    source.write('skills/one/SKILL.md', text('one', 'Better.'));
    source.commit('Better');
    mkdirSync(join(state, 'skills.lock.json.new'));
    await assert.rejects(install(git('one')));
    assert.equal(readFileSync(installed('one', 'SKILL.md'), 'utf8'), text('one'));
    assert.equal(readFileSync(join(state, 'skills.lock.json'), 'utf8'), before);
    assert.deepEqual(
      (await importer.list()).map((one) => one.state),
      ['as-imported'],
    );
  });

  it('touches nothing while the list is corrupt', async () => {
    await install(git('one'));
    writeFileSync(join(state, 'skills.lock.json'), 'garbage');
    for (const work of [() => install(git('two')), () => importer.remove('one', {}), () => importer.list()])
      await refused(work(), 'wrong-state', /cannot be read/);
    assert.equal(existsSync(installed('one', 'SKILL.md')), true);
    assert.equal(readFileSync(join(state, 'skills.lock.json'), 'utf8'), 'garbage');
  });

  it('keeps imports at once apart', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const { hash } = await preview(git('one'));
    await Promise.all(names.map((name) => importer.install(git('one', { name }), hash, {}, never)));
    assert.deepEqual(
      (await importer.list()).map(({ name, state }) => [name, state]),
      names.map((name) => [name, 'as-imported']),
    );
  });

  it('keeps the mode of scripts, and nothing else of modes', async () => {
    chmodSync(join(source.root, 'skills/one/scripts/run.sh'), 0o777);
    source.commit('Executable');
    await install(git('one'));
    assert.equal(lstatSync(installed('one', 'scripts', 'run.sh')).mode & 0o6111, 0o111);
    assert.equal(lstatSync(installed('one', 'SKILL.md')).mode & 0o7111, 0);
  });

  it('imports a repository that is itself a skill, under the repository’s name', async () => {
    const root = join(top, 'My_Skill.git');
    const single = makeRepository({ 'notes.md': 'x' }, root);
    cpSync(join(source.root, 'skills', 'two'), root, { recursive: true });
    single.commit('A skill');
    assert.equal((await preview({ kind: 'git', url: single.root })).name, 'my-skill');
  });

  it('runs nothing of a package before the person has agreed to that', async () => {
    const module = join(top, 'repository', 'node_modules', 'thing', 'index.js');
    mkdirSync(dirname(module), { recursive: true });
    writeFileSync(module, 'console.error("it ran"); export const x = 1;');
    writeFileSync(join(dirname(module), 'package.json'), '{"name":"thing","type":"module","exports":"./index.js"}');
    const asked = await importer.preview({ kind: 'langchain', spec: 'thing#x', agreed: false }, never);
    assert.ok(asked.kind === 'agree' && /runs the code of the package thing/.test(asked.question));
    assert.equal(existsSync(join(state, 'tmp')), false);
    const request: ImportRequest = { kind: 'langchain', spec: 'thing#x', agreed: false };
    await refused(importer.install(request, 'a'.repeat(64), {}, never), 'wrong-state', /look again/);
  });

  it('says what skills of other hosts need, and what is wrong with them', async () => {
    const metadata = 'metadata:\n  openclaw:\n    requires:\n      bins: [curl, jq]\n      env: [API_KEY]\n';
    source.write('skills/two/SKILL.md', `---\nname: zwei\ndescription: Zwei.\n${metadata}---\nText\n`);
    source.commit('Needs');
    const shown = await preview(git('two'));
    assert.match(shown.remarks.join(' '), /curl, jq.*API_KEY/);
    assert.ok(shown.diagnostics.some(({ code }) => code === 'name-mismatch'));
    assert.match(previewText(shown), /Problems:/);
  });
});
