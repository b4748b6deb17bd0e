import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
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
import { runFilter } from '../../mcp-server/agent/tools/process.ts';
import { systemClock } from '../../mcp-server/domain/clock.ts';
import { contentHash } from '../../mcp-server/skills/content-hash.ts';
import type { SpawnBounded } from '../../mcp-server/skills/execute/bounded-process.ts';
import { runScript, type ScriptOutcome, type ScriptRequest } from '../../mcp-server/skills/execute/run-script.ts';
import { findBubblewrap, type Sandbox } from '../../mcp-server/skills/execute/sandbox.ts';
import { NO_MANIFEST } from '../../mcp-server/skills/manifest.ts';
import type { SkillManifest, SkillPermissions } from '../../mcp-server/skills/port.ts';

const NOTHING: SkillPermissions = NO_MANIFEST.permissions;

const readIfThere = (file: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
};

const spawn: SpawnBounded = (request, signal) => runFilter({ ...request, commandsDir: null }, signal);
const node = { path: process.execPath, environment: {}, permissionModel: true };

for (const [title, find] of [
  ['running the script of a skill in a sandbox', findBubblewrap],
  ['running the script of a skill without a sandbox, as the person has granted', async () => null],
] as const)
  describe(title, () => {
    let top = '';
    let repository = '';
    let sandbox: Sandbox | null = null;
    before(async function () {
      sandbox = await find({ spawn, node });
      if (sandbox === null && find === findBubblewrap) this.skip(); // bubblewrap is not there, or may not make namespaces.
    });
    beforeEach(() => {
      top = realpathSync(mkdtempSync(join(tmpdir(), 'coppice-script-')));
      repository = join(top, 'repository');
      put('repository/src/a.txt', 'a');
      put('repository/docs/b.txt', 'b');
      put('repository/.git/config', 'secret');
      put('outside.txt', 'outside');
    });
    afterEach(() => rmSync(top, { recursive: true, force: true }));

    const put = (path: string, text: string): string => {
      mkdirSync(dirname(join(top, path)), { recursive: true });
      writeFileSync(join(top, path), text);
      return join(top, path);
    };

    const skillOf = (
      files: Readonly<Record<string, string>>,
      manifest: Partial<SkillManifest>,
      name = 'tool',
    ): ScriptRequest['skill'] => {
      const all: Record<string, string> = {
        'SKILL.md': '---\nname: tool\ndescription: A tool.\n---\nText\n',
        ...files,
      };
      rmSync(join(top, 'skills'), { recursive: true, force: true });
      for (const [path, text] of Object.entries(all)) put(`skills/${name}/${path}`, text);
      const hash = contentHash(Object.entries(all).map(([path, text]) => ({ path, bytes: Buffer.from(text) })));
      const folder = join(top, 'skills', name);
      const source = { kind: 'workspace' as const, root: join(top, 'skills') };
      return { name, folder, source, hash, manifest: { ...NO_MANIFEST, timeoutMs: 5_000, ...manifest } };
    };

    interface More {
      readonly input?: unknown;
      readonly signal?: AbortSignal;
      readonly permissions?: Partial<SkillPermissions>;
      readonly timeoutMs?: number;
      readonly root?: string;
    }

    const runSkill = (skill: ScriptRequest['skill'], more: More = {}): Promise<ScriptOutcome> =>
      runScript(
        {
          spawn,
          node,
          sandbox,
          clock: systemClock,
          tempDir: join(top, 'temp'),
          repository,
          environment: { PATH: process.env['PATH'], OPENAI_API_KEY: 'secret', NODE_OPTIONS: '--no-such-option' },
        },
        {
          skill,
          input: more.input ?? {},
          root: more.root ?? repository,
          outputChars: 10_000,
          unconfined: sandbox === null,
        },
        more.signal ?? new AbortController().signal,
      );

    const run = (name: string, text: string, more: More = {}): Promise<ScriptOutcome> => {
      const permissions = { ...NOTHING, ...more.permissions };
      const manifest = { entry: name, permissions, ...(more.timeoutMs !== undefined && { timeoutMs: more.timeoutMs }) };
      return runSkill(skillOf({ [name]: text }, manifest), more);
    };

    const returned = async (outcome: Promise<ScriptOutcome>): Promise<unknown> => {
      const found = await outcome;
      assert.equal(found.kind, 'returned', JSON.stringify(found));
      return found.kind === 'returned' && found.output;
    };
    const failed = async (outcome: Promise<ScriptOutcome>) => {
      const found = await outcome;
      assert.ok(found.kind === 'failed', JSON.stringify(found));
      return found;
    };
    const JS = "import { readFileSync } from 'node:fs';\nconst input = JSON.parse(readFileSync(0, 'utf8'));\n";

    it('gives JSON in and takes JSON out, in JavaScript, TypeScript, Python, shell and anything with #!', async () => {
      const input = { text: 'hi', n: 1 };
      assert.deepEqual(await returned(run('a.mjs', `${JS}console.log(JSON.stringify({ got: input }));`, { input })), {
        got: input,
      });
      assert.deepEqual(
        await returned(run('a.ts', `${JS}const n: number = input.n;\nconsole.log(n + 1);`, { input })),
        2,
      );
      const cjs = "const input = JSON.parse(require('fs').readFileSync(0));console.log(JSON.stringify(input.text))";
      assert.equal(await returned(run('a.cjs', cjs, { input })), 'hi');
      const python = 'import json,sys\njson.dump({"n": json.load(sys.stdin)["n"] + 41}, sys.stdout)\n';
      assert.deepEqual(await returned(run('a.py', python, { input })), { n: 42 });
      assert.deepEqual(await returned(run('a.sh', 'cat', { input })), input);
      assert.deepEqual(await returned(run('scripts/a', '#!/bin/sh\ncat', { input })), input);
      assert.equal(await returned(run('a.sh', 'cat > /dev/null')), null);
      await assert.rejects(run('scripts/data', 'echo 1'), { code: 'wrong-state' });
    });

    it('runs a skill whatever its name is, also those of the folders around it', async () => {
      for (const name of ['work', 'worker', 'skill', 'tmp']) {
        const text = `${JS}
        import { readdirSync, writeFileSync } from 'node:fs';
        writeFileSync('made.txt', 'x');
        console.log(JSON.stringify([readdirSync('.'), readdirSync(process.env.COPPICE_SKILL_FOLDER)]));`;
        const seen = await returned(runSkill(skillOf({ 'a.mjs': text }, { entry: 'a.mjs' }, name)));
        assert.deepEqual(seen, [['made.txt'], ['SKILL.md', 'a.mjs']], name);
      }
    });

    it('takes arguments for what they are: nothing in the input is ever a command', async () => {
      const input = { text: '$(touch mark); `touch mark`\n"\'' };
      assert.deepEqual(await returned(run('a.sh', 'cat', { input })), input);
    });

    it('shows the script its own empty folder, its skill and its permissions, and no secrets', async () => {
      const text = `${JS}
      import { readdirSync } from 'node:fs';
      console.log(JSON.stringify({ env: process.env, cwd: process.cwd(), files: readdirSync('.'), own: readFileSync(process.env.COPPICE_SKILL_FOLDER + '/SKILL.md', 'utf8') }));`;
      const seen = (await returned(run('a.mjs', text, { permissions: { hosts: ['example.com'] } }))) as {
        readonly env: Record<string, string>;
        readonly cwd: string;
        readonly files: readonly string[];
        readonly own: string;
      };
      assert.equal(seen.env['OPENAI_API_KEY'], undefined);
      assert.equal(seen.env['NODE_OPTIONS'], undefined);
      assert.equal(seen.env['COPPICE_SKILL'], 'tool');
      assert.equal(seen.env['COPPICE_REPOSITORY'], repository);
      assert.deepEqual(JSON.parse(seen.env['COPPICE_SKILL_PERMISSIONS'] ?? ''), { ...NOTHING, hosts: ['example.com'] });
      assert.deepEqual([seen.env['HOME'], seen.env['TMPDIR']], [seen.cwd, seen.cwd]);
      assert.deepEqual(seen.files, []);
      assert.match(seen.own, /name: tool/);
      assert.equal(seen.cwd.startsWith(join(top, 'temp')), true);
      assert.deepEqual(readdirSync(join(top, 'temp')), []);
    });

    /** What a script of JavaScript may do with these permissions. */
    const tries = async (permissions: Partial<SkillPermissions>, more: More = {}): Promise<Record<string, string>> => {
      const text = `${JS}
      import { writeFileSync, symlinkSync } from 'node:fs';
      import { execFileSync } from 'node:child_process';
      const result = {};
      const attempt = (name, work) => { try { work(); result[name] = 'ok'; } catch (error) { result[name] = error.code ?? error.message; } };
      const { root, top } = input;
      attempt('read src', () => readFileSync(root + '/src/a.txt'));
      attempt('read docs', () => readFileSync(root + '/docs/b.txt'));
      attempt('read git', () => readFileSync(root + '/.git/config'));
      attempt('read outside', () => readFileSync(top + '/outside.txt'));
      attempt('read passwd', () => readFileSync('/etc/passwd'));
      attempt('write own', () => writeFileSync('x.txt', 'x'));
      attempt('write src', () => writeFileSync(root + '/src/new.txt', 'x'));
      attempt('write docs', () => writeFileSync(root + '/docs/new.txt', 'x'));
      attempt('write git', () => writeFileSync(root + '/.git/hook', 'x'));
      attempt('write skill', () => writeFileSync(process.env.COPPICE_SKILL_FOLDER + '/SKILL.md', 'x'));
      attempt('link', () => symlinkSync('/etc/passwd', 'passwd'));
      attempt('program', () => execFileSync('true'));
      console.log(JSON.stringify(result));`;
      const input = { root: more.root ?? repository, top };
      return (await returned(run('a.mjs', text, { ...more, input, permissions }))) as Record<string, string>;
    };
    const DENIED = 'ERR_ACCESS_DENIED';

    it('holds JavaScript without permissions to its own folders', async () => {
      const { 'write own': own, link, ...rest } = await tries({});
      assert.equal(own, 'ok');
      assert.notEqual(link, 'ok');
      for (const [what, how] of Object.entries(rest)) assert.equal(how, DENIED, what);
      assert.equal(existsSync(join(repository, 'src/new.txt')), false);
    });

    it('holds JavaScript to the paths and programs that it declared', async () => {
      const reads = await tries({ read: ['src/**'] });
      assert.deepEqual([reads['read src'], reads['read docs'], reads['write src']], ['ok', DENIED, DENIED]);
      const writes = await tries({ write: ['./docs/*.txt'] });
      assert.deepEqual([writes['write docs'], writes['read docs'], writes['write src']], ['ok', 'ok', DENIED]);
      const programs = await tries({ commands: ['true'] });
      assert.deepEqual([programs['program'], programs['read src']], ['ok', DENIED]);
    });

    it('keeps .git out of a permission for everything', async () => {
      const all = await tries({ read: ['**'], write: ['**'] });
      assert.deepEqual([all['read src'], all['write docs']], ['ok', 'ok']);
      assert.deepEqual(
        [all['read git'], all['write git'], all['read outside'], all['read passwd']],
        [DENIED, DENIED, DENIED, DENIED],
      );
    });

    /** Of each name in the repository: whether it can be listed, and whether a file in it can be read and written. */
    const reach = async (names: readonly string[], permissions: Partial<SkillPermissions>): Promise<unknown> => {
      const text = `${JS}
      import { readdirSync, writeFileSync } from 'node:fs';
      const can = (what) => { try { what(); return true; } catch { return false; } };
      const places = input.names.map((name) => process.env.COPPICE_ROOT + '/' + name);
      console.log(JSON.stringify(places.map((place) => [
        can(() => readdirSync(place)),
        can(() => readFileSync(place + '/f')),
        can(() => writeFileSync(place + '/new', 'x')),
      ].map(Number).join(''))));`;
      return returned(run('a.mjs', text, { input: { names }, permissions }));
    };

    it('lets folders be listed whose name another granted one begins with, and nothing else', async () => {
      const names = ['test', 'test-results', 'test/deep', 'src', '.git', '.gi', '.g*', '.vs', '.vscode'];
      for (const name of names) put(`repository/${name}/f`, 'x');
      put('repository/.gitignore', 'x');
      const closed = ['000', '000'];
      const open = ['110', '110', '110', '110'];
      // One grant of ".gi*" would let .git in, and one of a name with an asterisk too.
      assert.deepEqual(await reach(names, { read: ['**'] }), [...open, '000', '010', '000', '110', '000']);
      const written = (await reach(names, { read: ['**'], write: ['**'] })) as readonly string[];
      assert.deepEqual(written.slice(0, 5), ['111', '111', '111', '111', '000']);
      const two = { read: ['test/**', 'test-results/**'] };
      const four = ['test', 'test-results', 'src', '.git'];
      assert.deepEqual(await reach(four, two), ['110', '110', ...closed]);
      assert.deepEqual(await reach(four, { write: two.read }), ['111', '111', ...closed]);
      const nested = { read: ['test/**'], write: ['test/deep/**'] };
      assert.deepEqual(await reach(['test', 'test/deep', 'test-results'], nested), ['110', '111', '000']);
      put('repository/test-more/f', 'x');
      const [shorter, ...rest] = (await reach([...four, 'test-more'], two)) as readonly string[];
      assert.ok(shorter === '010' || shorter === '110', 'what Node 24 denies is a listing only');
      assert.deepEqual(rest, ['110', ...closed, '000'], 'what is not declared stays closed');
    });

    it('refuses paths that lead out of the repository, or into .git', async () => {
      for (const permissions of [
        { write: ['../x/**'] },
        { read: ['../outside.txt'] },
        { write: ['.git/hooks/**'] },
        { read: ['.GIT/config'] },
      ])
        await assert.rejects(tries(permissions), { code: 'permission-denied' }, JSON.stringify(permissions));
      mkdirSync(join(top, 'elsewhere'));
      symlinkSync(join(top, 'elsewhere'), join(repository, 'linked'));
      await assert.rejects(tries({ write: ['linked/**'] }), { code: 'permission-denied' });
    });

    it('runs exactly the content of its hash, or nothing', async () => {
      const skill = skillOf({ 'a.sh': 'echo 1' }, { entry: 'a.sh' });
      assert.equal(await returned(runSkill(skill)), 1);
      put('skills/tool/a.sh', 'echo 2');
      await assert.rejects(runSkill(skill), { code: 'wrong-state' });
      assert.deepEqual(readdirSync(join(top, 'temp')), []);
    });

    it('runs no link, nothing outside of the skill, and no skill without a script', async () => {
      await assert.rejects(runSkill(skillOf({}, { entry: null })), { code: 'wrong-state' });
      await assert.rejects(runSkill(skillOf({}, { entry: 'missing.mjs' })), { code: 'wrong-state' });
      await assert.rejects(runSkill(skillOf({}, { entry: '../../../outside.txt' })), { code: 'wrong-state' });
      const skill = skillOf({}, { entry: 'link.sh' });
      symlinkSync(put('evil.sh', 'echo 1'), join(skill.folder, 'link.sh'));
      await assert.rejects(runSkill(skill), { code: 'wrong-state' });
    });

    it('says how a script failed: its exit code with its reason, no JSON, too much, no such program', async () => {
      const exit = await failed(run('a.sh', 'echo why >&2; exit 3'));
      assert.deepEqual(
        [exit.reason, exit.message, exit.notes],
        ['exit', 'The script failed with exit code 3: why', 'why'],
      );
      const said = await failed(run('a.sh', `echo '{"error":"no such city"}'; exit 1`));
      assert.match(said.message, /exit code 1: no such city/);
      const text = await failed(run('a.sh', 'echo hello'));
      assert.deepEqual([text.reason, /it wrote: hello/.test(text.message)], ['output', true]);
      const much = await failed(run('a.mjs', "process.stdout.write('\"' + 'x'.repeat(5_000_000) + '\"');"));
      assert.equal(much.reason, 'output');
      const none = await failed(run('scripts/a', '#!/no/such/program\n'));
      assert.equal(none.reason, 'unstartable');
    });

    it('ends the script and all that it started, when its time is over and when it is no longer wanted', async () => {
      // No other process of this machine sleeps for just so long.
      const seconds = `${60 + (process.pid % 1000)}.${Date.now() % 1_000_000}`;
      const sleeps = (): readonly string[] =>
        readdirSync('/proc').filter((pid) => {
          if (!/^\d+$/.test(pid)) return false;
          const line = readIfThere(`/proc/${pid}/cmdline`);
          return line.startsWith('sleep\0') && line.includes(seconds);
        });
      const script = `sleep ${seconds} & setsid sleep ${seconds} & trap '' TERM; wait; sleep ${seconds}`;
      const late = await failed(run('a.sh', script, { timeoutMs: 300 }));
      assert.equal(late.reason, 'timeout');
      const stop = new AbortController();
      const timer = setTimeout(() => stop.abort(), 300);
      const unwanted = await failed(run('a.sh', script, { signal: stop.signal }));
      clearTimeout(timer);
      assert.equal(unwanted.reason, 'abort');
      // Without a sandbox, what has left the group lives on.
      if (sandbox !== null) assert.deepEqual(sleeps(), []);
      else for (const pid of sleeps()) process.kill(Number(pid), 'SIGKILL');
      assert.deepEqual(readdirSync(join(top, 'temp')), []);
    });

    it('survives a script that does not read its input', async () => {
      const input = { text: 'x'.repeat(3_000_000) };
      assert.equal(await returned(run('a.sh', 'echo 1', { input })), 1);
    });

    it('lets a script on an agent’s copy reach the packages of the repository, if it asks for them', async () => {
      put('repository/node_modules/thing/package.json', '{"name":"thing","type":"module","exports":"./index.js"}');
      put('repository/node_modules/thing/index.js', 'export const answer = 42;');
      const copy = dirname(dirname(put('copy/src/a.txt', 'copy')));
      const text = `import { createRequire } from 'node:module';
      const { answer } = await import(createRequire(process.env.COPPICE_REPOSITORY + '/package.json').resolve('thing'));
      console.log(answer);`;
      assert.equal(await returned(run('a.mjs', text, { root: copy, permissions: { read: ['node_modules/**'] } })), 42);
      assert.equal((await failed(run('a.mjs', text, { root: copy }))).reason, 'exit');
    });

    it('leaves the skill itself as it was', async () => {
      const skill = skillOf({ 'a.py': 'import b\nprint(b.x)\n', 'b.py': 'x = 1\n' }, { entry: 'a.py' });
      chmodSync(join(skill.folder, 'a.py'), 0o644);
      assert.equal(await returned(runSkill(skill)), 1);
      assert.deepEqual(readdirSync(skill.folder).sort(), ['SKILL.md', 'a.py', 'b.py']);
    });
  });
