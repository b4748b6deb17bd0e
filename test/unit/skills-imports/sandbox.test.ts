import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
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
import { type AddressInfo, createServer, type Server } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { runFilter } from '../../../mcp-server/agent/tools/process.ts';
import { systemClock } from '../../../mcp-server/domain/clock.ts';
import { contentHash } from '../../../mcp-server/skills/content-hash.ts';
import type { SpawnBounded } from '../../../mcp-server/skills/execute/bounded-process.ts';
import { runScript, type ScriptOutcome, type ScriptRequest } from '../../../mcp-server/skills/execute/run-script.ts';
import { findBubblewrap, type Sandbox } from '../../../mcp-server/skills/execute/sandbox.ts';
import { NO_MANIFEST } from '../../../mcp-server/skills/manifest.ts';
import type { SkillPermissions } from '../../../mcp-server/skills/port.ts';

const spawn: SpawnBounded = (request, signal) => runFilter({ ...request, commandsDir: null }, signal);
const node = { path: process.execPath, environment: {}, permissionModel: true };

/** Something of the person's in their home folder. */
const ownFile = (): string => {
  const file = readdirSync(homedir(), { withFileTypes: true }).find((entry) => entry.isFile());
  return join(homedir(), file?.name ?? 'nothing');
};

describe('the script of a skill, in Python, shell or with commands,', () => {
  let top = '';
  let repository = '';
  let sandbox: Sandbox | null = null;
  let server: Server = createServer();
  let connections = 0;

  before(async () => {
    sandbox = await findBubblewrap({ spawn, node });
  });
  beforeEach(async function () {
    // Bubblewrap is not there, or may not make namespaces.
    if (sandbox === null && !this.currentTest?.title.includes('where there is no sandbox')) this.skip();
    top = realpathSync(mkdtempSync(join(tmpdir(), 'coppice-sandbox-')));
    repository = join(top, 'repository');
    for (const path of [
      'src/a.txt',
      'docs/b.txt',
      '.git/config',
      '.coppice/state.db',
      '.vscode/tasks.json',
      '.mcp.json',
      'top.txt',
    ])
      put(`repository/${path}`, `in ${path}`);
    put('outside.txt', 'outside');
    connections = 0;
    server = createServer((socket) => socket.on('error', () => {}).end('hello')).on(
      'connection',
      () => (connections += 1),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => {
    server.close();
    rmSync(top, { recursive: true, force: true });
  });

  const put = (path: string, text: string): string => {
    mkdirSync(dirname(join(top, path)), { recursive: true });
    writeFileSync(join(top, path), text);
    return join(top, path);
  };
  const port = (): number => (server.address() as AddressInfo).port;

  interface More {
    readonly root?: string;
    readonly unconfined?: boolean;
    readonly without?: boolean;
    readonly permissionModel?: boolean;
    readonly source?: ScriptRequest['skill']['source'];
  }

  const run = (
    name: string,
    text: string,
    asked: Partial<SkillPermissions> = {},
    more: More = {},
  ): Promise<ScriptOutcome> => {
    const files: Record<string, string> = {
      'SKILL.md': '---\nname: tool\ndescription: A tool.\n---\nText\n',
      [name]: text,
    };
    rmSync(join(top, 'skills'), { recursive: true, force: true });
    for (const [path, content] of Object.entries(files)) put(`skills/tool/${path}`, content);
    const hash = contentHash(Object.entries(files).map(([path, content]) => ({ path, bytes: Buffer.from(content) })));
    const permissions = { ...NO_MANIFEST.permissions, ...asked };
    const source = more.source ?? { kind: 'workspace', root: join(top, 'skills') };
    const manifest = { ...NO_MANIFEST, timeoutMs: 10_000, entry: name, permissions };
    const skill = { name: 'tool', folder: join(top, 'skills/tool'), source, hash, manifest };
    const environment = { PATH: process.env['PATH'], HOME: process.env['HOME'], SSH_AUTH_SOCK: '/tmp/agent' };
    const parts = {
      spawn,
      node: { ...node, permissionModel: more.permissionModel ?? true },
      sandbox: more.without ? null : sandbox,
      clock: systemClock,
      tempDir: join(repository, '.coppice/tmp'),
      repository,
      environment,
    };
    const { root = repository, unconfined = false } = more;
    return runScript(parts, { skill, input: {}, root, outputChars: 50_000, unconfined }, new AbortController().signal);
  };
  const returned = async (outcome: Promise<ScriptOutcome>): Promise<unknown> => {
    const found = await outcome;
    assert.equal(found.kind, 'returned', JSON.stringify(found));
    return found.kind === 'returned' && found.output;
  };

  /** Of each attempt in Python: `ok`, or the name of its exception. */
  const attempts = async (
    lines: Readonly<Record<string, string>>,
    asked: Partial<SkillPermissions> = {},
    more: More = {},
  ) => {
    const tries = Object.entries(lines).map(([name, code]) => `attempt(${JSON.stringify(name)}, lambda: ${code})`);
    const text = `
import ctypes, json, os, pathlib, signal, socket, subprocess, sys
root, top, port, engine = ${JSON.stringify([more.root ?? repository, top, port(), process.pid])}
result = {}
def write(path):
  with open(path, 'w') as file: file.write('x')
def syscall(*args):
  if ctypes.CDLL(None, use_errno=True).syscall(*args) < 0: raise OSError(ctypes.get_errno(), 'no')
def attempt(name, work):
  try:
    work()
    result[name] = 'ok'
  except BaseException as error: result[name] = type(error).__name__
${tries.join('\n')}
print(json.dumps(result))
`;
    return (await returned(run('a.py', text, asked, more))) as Record<string, string>;
  };

  it('sees and changes nothing beyond what it declares, and no network', async () => {
    const all = await attempts({
      'read src': 'open(root + "/src/a.txt").read()',
      'read docs': 'open(root + "/docs/b.txt").read()',
      'list the top': 'os.listdir(root).index("docs")',
      'read git': 'open(root + "/.git/config").read()',
      'read the state': 'open(root + "/.coppice/state.db").read()',
      'read outside': 'open(top + "/outside.txt").read()',
      'read the home folder': `open(${JSON.stringify(ownFile())}).read()`,
      'read passwords': 'open("/etc/shadow").read()',
      'other people': 'open("/etc/passwd").read().index("root")',
      'write src': 'write(root + "/src/a.txt")',
      'write beside': 'write(root + "/new.txt")',
      'write outside': 'write(top + "/new.txt")',
      'write the system': 'write("/usr/bin/new")',
      'write at the top': 'write("/new")',
      'write the skill': 'write(os.environ["COPPICE_SKILL_FOLDER"] + "/SKILL.md")',
      'read by a link': '(os.symlink(top + "/outside.txt", "link"), open("link").read())',
      'read by a hard link': 'os.link(top + "/outside.txt", "hard")',
      'read through the engine': 'open(f"/proc/{engine}/root{top}/outside.txt").read()',
      'read through the first process': 'open("/proc/1/root" + top + "/outside.txt").read()',
      'end the engine': 'os.kill(engine, 0)',
      connect: 'socket.create_connection(("127.0.0.1", port), 2)',
      'connect elsewhere': 'socket.create_connection(("203.0.113.7", 80), 2)',
      'ask for a name': 'socket.getaddrinfo("example.com", 80)',
      'run what connects': 'subprocess.run(["sh", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}"], check=True)',
      mount: 'syscall(165, b"none", b"/tmp", b"tmpfs", 0, None)',
      'mount the system to write': 'syscall(165, b"none", b"/usr", b"", 4096 | 32, None)',
      'new namespaces': 'subprocess.run(["unshare", "--user", "true"], check=True)',
      'be somebody else': 'os.setuid(12345)',
      'change the root': 'os.chroot(".")',
      'make a device': 'os.mknod("device", 0o60600, os.makedev(254, 0))',
      'type into the terminal': '__import__("fcntl").ioctl(os.open("/dev/tty", os.O_RDWR), 0x5412, b"x")',
      'load a module of the kernel': 'syscall(175, None, 0, b"")',
      'write own': 'write("own.txt")',
      'write temporary': 'write("/tmp/own.txt")',
    });
    const { 'read src': src, 'write own': own, 'write temporary': temporary, 'write outside': outside, ...rest } = all;
    // Where this repository lies is temporary itself, so what is written outside of it is in a folder that goes with it.
    assert.deepEqual([src, own, temporary, outside], ['FileNotFoundError', 'ok', 'ok', 'ok']);
    for (const [what, how] of Object.entries(rest)) assert.notEqual(how, 'ok', what);
    assert.equal(readFileSync(join(repository, 'src/a.txt'), 'utf8'), 'in src/a.txt');
    assert.deepEqual([existsSync('/tmp/own.txt'), existsSync(join(top, 'new.txt')), connections], [false, false, 0]);
  });

  it('reads and writes what it declares, and what it makes there stays', async () => {
    const asked = { read: ['src/**'], write: ['docs/*.txt', 'made/deep/**', 'report.md', 'empty/**'] };
    const all = await attempts(
      {
        'read src': 'open(root + "/src/a.txt").read()',
        'write docs': 'write(root + "/docs/new.txt")',
        'write a new folder': 'write(root + "/made/deep/new.txt")',
        'write a new file': 'write(root + "/report.md")',
        'write src': 'write(root + "/src/new.txt")',
        'write beside': 'write(root + "/made/new.txt")',
        'read the top': 'open(root + "/top.txt").read()',
      },
      asked,
    );
    const denied = Object.entries(all).filter(([, how]) => how !== 'ok');
    assert.deepEqual(
      denied.map(([what]) => what),
      ['write src', 'write beside', 'read the top'],
    );
    for (const path of ['docs/new.txt', 'made/deep/new.txt', 'report.md'])
      assert.equal(readFileSync(join(repository, path), 'utf8'), 'x', path);
    assert.equal(existsSync(join(repository, 'empty')), false, 'what stayed empty is taken away');
  });

  it('does not lose its folder to another one that ends meanwhile', async () => {
    const text = (says: string, waitsFor: string, then: string) =>
      `import os, time\nos.chdir(os.environ['COPPICE_ROOT'])\nopen('docs/${says}', 'w').close()\nwhile not os.path.exists('docs/${waitsFor}'): time.sleep(0.01)\n${then}\nprint('1')`;
    const asked = { write: ['made', 'docs'] };
    // The first one makes the folder, and ends when the second one is at work.
    const first = run('a.py', text('first', 'second', ''), asked);
    while (!existsSync(join(repository, 'docs/first'))) await new Promise((resolve) => setTimeout(resolve, 5));
    const second = run('a.py', text('second', 'ended', `open('made/new.txt', 'w').close()`), asked);
    await returned(first);
    put('repository/docs/ended', '');
    await returned(second);
  });

  it('takes links inside of what it declares as they are, also where it declares them', async () => {
    put('repository/lib/l.txt', 'in lib');
    symlinkSync('../lib', join(repository, 'src/linked'));
    const all = await attempts(
      {
        'read by the link': 'open(root + "/src/linked/l.txt").read()',
        'write by the link': 'write(root + "/src/linked/new.txt")',
        'write in a folder of a folder': 'write(root + "/docs/more/new.txt")',
      },
      { read: ['src/**', 'src/linked/l.txt'], write: ['src/linked/**', 'docs/**', 'docs/more/**'] },
    );
    assert.deepEqual(Object.values(all), ['ok', 'ok', 'ok']);
    for (const path of ['lib/new.txt', 'docs/more/new.txt']) assert.ok(existsSync(join(repository, path)), path);
  });

  it('reads what git keeps where it declares that command, of an agent’s copy as well', async () => {
    const git = (folder: string, ...args: string[]) =>
      execFileSync('git', ['-C', folder, '-c', 'user.name=a', '-c', 'user.email=a@example.com', ...args]);
    rmSync(join(repository, '.git'), { recursive: true });
    git(top, 'init', '-q', repository);
    git(repository, 'add', 'src');
    git(repository, 'commit', '-q', '-m', 'first');
    const copy = join(repository, '.coppice/worktrees/one');
    git(repository, 'worktree', 'add', '-q', copy);
    const lines = {
      log: 'subprocess.run(["git", "-C", root, "log"], check=True, stdout=subprocess.DEVNULL)',
      'log of a folder': 'subprocess.run(["git", "-C", root + "/src", "log"], check=True, stdout=subprocess.DEVNULL)',
      'write to it':
        'write(root + "/.git/config" if os.path.isdir(root + "/.git") else root + "/../../../.git/config")',
      'write a hook': 'write(root + "/../../../.git/hooks/pre-commit")',
    };
    for (const root of [repository, copy]) {
      const read = (asked: Partial<SkillPermissions>) => attempts(lines, { read: ['src/**'], ...asked }, { root });
      const all = Object.values(await read({ commands: ['git'] })).map((how) => how === 'ok');
      assert.deepEqual(all, [true, true, false, false], root);
      assert.ok(!Object.values(await read({})).includes('ok'));
      const { log, 'write to it': write } = await attempts(lines, { write: ['**'], commands: ['git'] }, { root });
      assert.ok(log === 'ok' && write !== 'ok', write);
    }
  });

  it('is led nowhere by a file that says where git keeps something', async () => {
    const root = join(repository, 'copy');
    const own = join(root, '.git');
    // All of this may come with an archive.
    for (const path of ['src/a.txt', 'worktrees/x/gitdir', 'HEAD']) put(`repository/copy/${path}`, `${own}\n`);
    const lines = { outside: 'open(top + "/outside.txt").read()', 'the rest': 'open(root + "/HEAD").read()' };
    for (const to of [top, join(root, 'worktrees/x')]) {
      writeFileSync(own, `gitdir: ${to}\n`);
      assert.ok(!Object.values(await attempts(lines, { commands: ['git'] }, { root })).includes('ok'), to);
    }
  });

  it('changes no setting of the machine and reads no key of its servers, also as root', async () => {
    const all = await attempts({
      'change a setting': 'open("/proc/sys/vm/swappiness", "r+").close()',
      'change another one': 'open("/proc/sys/kernel/core_pattern", "r+").close()',
      'read keys': '[pathlib.Path("/etc/ssl/private").iterdir().__next__()]',
      'write to what is open': 'open("/dev/fd/%d" % os.pipe()[1], "w").close()',
    });
    const reached = Object.keys(all).filter((what) => all[what] === 'ok');
    assert.deepEqual(reached, ['write to what is open']);
  });

  it('reaches all but what is protected with a permission for everything', async () => {
    const lines = {
      'read src': 'open(root + "/src/a.txt").read()',
      'read the top': 'open(root + "/top.txt").read()',
      'write src': 'write(root + "/src/new.txt")',
      'write the top': 'write(root + "/top.txt")',
      'read git': 'open(root + "/.git/config").read()',
      'write git': 'write(root + "/.git/hooks")',
      'read the state': 'open(root + "/.coppice/state.db").read()',
      'write tasks': 'write(root + "/.vscode/tasks.json")',
      'write servers': 'write(root + "/.mcp.json")',
      'read servers': 'open(root + "/.mcp.json").read()',
      'move git': 'os.rename(root + "/.git", root + "/src/git")',
      'make other tasks': 'os.mkdir(root + "/.idea")',
      'read outside': 'open(top + "/outside.txt").read()',
    };
    symlinkSync(join(top, 'outside.txt'), join(repository, 'src/out.txt'));
    symlinkSync(top, join(repository, 'away'));
    const linked = {
      'read by a link': 'open(root + "/src/out.txt").read()',
      'write by a link': 'write(root + "/away/new.txt")',
    };
    // What is written by the link is gone with the sandbox.
    const allowed = (all: Readonly<Record<string, string>>) =>
      Object.keys(all).filter((what) => all[what] === 'ok' && what !== 'write by a link');
    const read = await attempts({ ...lines, ...linked }, { read: ['**'] });
    assert.deepEqual(allowed(read), ['read src', 'read the top']);
    const write = await attempts({ ...lines, ...linked }, { write: ['**'] });
    assert.deepEqual(allowed(write), ['read src', 'read the top', 'write src', 'write the top']);
    assert.equal(readFileSync(join(repository, '.mcp.json'), 'utf8'), 'in .mcp.json');
    assert.equal(existsSync(join(top, 'new.txt')), false);
  });

  it('works on an agent’s copy, and sees no other copy and nothing else of the repository', async () => {
    const root = join(repository, '.coppice/worktrees/one');
    for (const name of ['one', 'two']) put(`repository/.coppice/worktrees/${name}/src/a.txt`, name);
    writeFileSync(join(root, '.git'), 'gitdir: elsewhere');
    const all = await attempts(
      {
        'read own': 'open(root + "/src/a.txt").read()',
        'write own': 'write(root + "/src/new.txt")',
        'write git': 'write(root + "/.git")',
        'read the other': 'open(root + "/../two/src/a.txt").read()',
        'read the repository': 'open(root + "/../../../src/a.txt").read()',
      },
      { write: ['**'] },
      { root },
    );
    assert.deepEqual(
      Object.keys(all).filter((what) => all[what] === 'ok'),
      ['read own', 'write own'],
    );
    assert.equal(readFileSync(join(root, '.git'), 'utf8'), 'gitdir: elsewhere');
  });

  it('reaches hosts only where it declares one, and then any', async () => {
    const connect = { connect: 'socket.create_connection(("127.0.0.1", port), 5)' };
    assert.equal((await attempts(connect))['connect'], 'ConnectionRefusedError');
    for (const hosts of [['*'], ['api.example.com']])
      assert.equal((await attempts(connect, { hosts }))['connect'], 'ok', hosts.join());
    assert.equal(connections, 2);
  });

  it('leaves nothing running behind, whatever it does to get away', async () => {
    const mark = join(top, 'docs');
    mkdirSync(mark);
    const text = `import os, subprocess, sys, time
root = os.environ['COPPICE_ROOT']
for _ in range(3):
  if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
      sys.stdout.close(); os.close(1); os.close(2)
      while True:
        open(root + '/docs/alive.txt', 'a').write('x')
        time.sleep(0.02)
    os._exit(0)
time.sleep(0.2)
os.write(1, b'1')`;
    assert.equal(await returned(run('a.py', text, { write: ['docs/**'] })), 1);
    // The kernel ends what is left a moment after the program that held it.
    await new Promise((resolve) => setTimeout(resolve, 200));
    const { length } = readFileSync(join(repository, 'docs/alive.txt'));
    assert.ok(length > 0);
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal(readFileSync(join(repository, 'docs/alive.txt')).length, length);
    assert.deepEqual(readdirSync(join(repository, '.coppice/tmp')), []);
  });

  it('starts commands that it declares, in JavaScript, and they are held like itself', async () => {
    const text = `
      import { execFileSync } from 'node:child_process';
      import { readFileSync } from 'node:fs';
      const { COPPICE_ROOT: root } = process.env;
      const result = {};
      const attempt = (name, work) => { try { result[name] = String(work()).trim(); } catch (error) { result[name] = 'no'; } };
      const sh = (line) => execFileSync('sh', ['-c', line], { stdio: ['ignore', 'pipe', 'ignore'] });
      attempt('read', () => readFileSync(root + '/docs/b.txt'));
      attempt('read by a command', () => sh('cat ' + root + '/docs/b.txt'));
      attempt('read src', () => readFileSync(root + '/src/a.txt'));
      attempt('read src by a command', () => sh('cat ' + root + '/src/a.txt'));
      attempt('read outside by a command', () => sh('cat ${top}/outside.txt'));
      sh('echo x > ${top}/new.txt || true');
      attempt('connect by a command', () => sh(process.execPath + ' -e "require(\\'net\\').connect(${port()}, \\'127.0.0.1\\').on(\\'connect\\', () => process.exit()).on(\\'error\\', () => process.exit(1))"'));
      attempt('node by its name', () => execFileSync('node', ['-p', '1']));
      console.log(JSON.stringify(result));`;
    const found = await returned(run('a.mjs', text, { read: ['docs/**'], commands: ['sh', 'node'] }));
    assert.deepEqual(found, {
      read: 'in docs/b.txt',
      'read by a command': 'in docs/b.txt',
      'read src': 'no',
      'read src by a command': 'no',
      'read outside by a command': 'no',
      'connect by a command': 'no',
      'node by its name': '1',
    });
    assert.deepEqual([existsSync(join(top, 'new.txt')), connections], [false, 0]);
  });

  it('reaches only the hosts that it names, in JavaScript', async () => {
    const text = `
      import net from 'node:net';
      const result = {};
      for (const host of ['localhost', '127.0.0.1', '203.0.113.7'])
        result[host] = await new Promise((resolve) => {
          try {
            net.connect(${port()}, host).on('connect', () => resolve('ok')).on('error', ({ code }) => resolve(code));
          } catch ({ code }) {
            resolve(code);
          }
        });
      process.stdout.write(JSON.stringify(result), () => process.exit());`;
    const found = await returned(run('a.mjs', text, { hosts: ['localhost'] }));
    const denied = 'ERR_ACCESS_DENIED';
    assert.deepEqual(found, { localhost: 'ok', '127.0.0.1': denied, '203.0.113.7': denied });
  });

  it('finds the Python that the person has, wherever that is', async () => {
    const of = (command: string, ...args: string[]) => execFileSync(command, args, { encoding: 'utf8' }).trim();
    const code = 'import sys; print(sys.prefix)';
    const prefix = of('python3', '-c', code);
    const text = 'import json, sys\nprint(json.dumps(sys.prefix))';
    assert.equal(await returned(run('a.py', text)), prefix);
    assert.equal(await returned(run('tool', `#!/usr/bin/env python3\n${text}`)), prefix);
    assert.deepEqual(
      await returned(
        run('a.sh', 'python3 -c "import sys; print(repr(sys.prefix).replace(chr(39), chr(34)))"', {
          commands: ['python3'],
        }),
      ),
      prefix,
    );
  });

  it('is not run at all where there is no sandbox, unless just that was granted or it came with Coppice', async () => {
    const text = 'echo 1';
    await assert.rejects(run('a.sh', text, {}, { without: true }), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'permission-denied');
      return /Nothing on this machine holds.*it was not run.*bubblewrap/s.test(error.message);
    });
    const program = 'console.log(1)';
    await assert.rejects(run('a.mjs', program, { commands: ['sh'] }, { without: true }), { code: 'permission-denied' });
    assert.equal(await returned(run('a.mjs', program, {}, { without: true })), 1, 'Node holds it');
    assert.equal(await returned(run('a.sh', text, {}, { without: true, unconfined: true })), 1);
    assert.equal(await returned(run('a.sh', text, {}, { without: true, source: { kind: 'bundled' } })), 1);
  });

  it('is held by the sandbox alone, where Node knows no permissions', async () => {
    const text = `
      import { readFileSync } from 'node:fs';
      import net from 'node:net';
      const result = {};
      const attempt = (name, work) => { try { result[name] = String(work()); } catch (error) { result[name] = error.code; } };
      const { COPPICE_ROOT: root } = process.env;
      attempt('read docs', () => readFileSync(root + '/docs/b.txt'));
      attempt('read src', () => readFileSync(root + '/src/a.txt'));
      net.connect(${port()}, '127.0.0.1').on('connect', () => process.exit(1)).on('error', ({ code }) => console.log(JSON.stringify({ ...result, connect: code })));`;
    const more = { permissionModel: false };
    const found = await returned(run('a.mjs', text, { read: ['docs/**'] }, more));
    assert.deepEqual(found, { 'read docs': 'in docs/b.txt', 'read src': 'ENOENT', connect: 'ECONNREFUSED' });
    await assert.rejects(run('a.mjs', text, {}, { ...more, without: true }), { code: 'permission-denied' });
  });

  it('is confined where there is a sandbox, also when all was granted', async () => {
    const all = await attempts({ out: 'open(top + "/outside.txt").read()' }, {}, { unconfined: true });
    assert.equal(all['out'], 'FileNotFoundError');
  });
});

describe('Looking for a sandbox', () => {
  it('finds none where its program fails, hangs or lies, and never throws', async () => {
    const ended = (stdout: string, code = 0) => ({ kind: 'exited', code, stdout, stderr: '', cut: false }) as const;
    for (const outcome of [
      { kind: 'unstartable', code: 'ENOENT' },
      { kind: 'killed', by: 'timeout', stderr: '' },
      ended('', 1),
      ended('no version'),
    ] as const)
      assert.equal(await findBubblewrap({ spawn: async () => outcome, node }), null);
    const broken: SpawnBounded = async () => {
      throw new Error('no');
    };
    assert.equal(await findBubblewrap({ spawn: broken, node }), null);
  });
});
