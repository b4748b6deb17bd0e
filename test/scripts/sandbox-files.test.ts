import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { SkillPermissions } from '../../mcp-server/skills/port.ts';
import { returned, sandboxGround } from './sandbox-ground.ts';

/** Something of the person's in their home folder. */
const ownFile = (): string => {
  const file = readdirSync(homedir(), { withFileTypes: true }).find((entry) => entry.isFile());
  return join(homedir(), file?.name ?? 'nothing');
};

describe('the script of a skill, in Python, shell or with commands,', () => {
  const ground = sandboxGround();
  const { put, run, attempts } = ground;

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
    assert.equal(readFileSync(join(ground.repository, 'src/a.txt'), 'utf8'), 'in src/a.txt');
    assert.deepEqual(
      [existsSync('/tmp/own.txt'), existsSync(join(ground.top, 'new.txt')), ground.connections],
      [false, false, 0],
    );
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
      assert.equal(readFileSync(join(ground.repository, path), 'utf8'), 'x', path);
    assert.equal(existsSync(join(ground.repository, 'empty')), false, 'what stayed empty is taken away');
  });

  it('does not lose its folder to another one that ends meanwhile', async () => {
    const text = (says: string, waitsFor: string, then: string) =>
      `import os, time\nos.chdir(os.environ['COPPICE_ROOT'])\nopen('docs/${says}', 'w').close()\nwhile not os.path.exists('docs/${waitsFor}'): time.sleep(0.01)\n${then}\nprint('1')`;
    const asked = { write: ['made', 'docs'] };
    // The first one makes the folder, and ends when the second one is at work.
    const first = run('a.py', text('first', 'second', ''), asked);
    while (!existsSync(join(ground.repository, 'docs/first'))) await new Promise((resolve) => setTimeout(resolve, 5));
    const second = run('a.py', text('second', 'ended', `open('made/new.txt', 'w').close()`), asked);
    await returned(first);
    put('repository/docs/ended', '');
    await returned(second);
  });

  it('takes links inside of what it declares as they are, also where it declares them', async () => {
    put('repository/lib/l.txt', 'in lib');
    symlinkSync('../lib', join(ground.repository, 'src/linked'));
    const all = await attempts(
      {
        'read by the link': 'open(root + "/src/linked/l.txt").read()',
        'write by the link': 'write(root + "/src/linked/new.txt")',
        'write in a folder of a folder': 'write(root + "/docs/more/new.txt")',
      },
      { read: ['src/**', 'src/linked/l.txt'], write: ['src/linked/**', 'docs/**', 'docs/more/**'] },
    );
    assert.deepEqual(Object.values(all), ['ok', 'ok', 'ok']);
    for (const path of ['lib/new.txt', 'docs/more/new.txt']) assert.ok(existsSync(join(ground.repository, path)), path);
  });

  it('reads what git keeps where it declares that command, of an agent’s copy as well', async () => {
    const git = (folder: string, ...args: string[]) =>
      execFileSync('git', ['-C', folder, '-c', 'user.name=a', '-c', 'user.email=a@example.com', ...args]);
    rmSync(join(ground.repository, '.git'), { recursive: true });
    git(ground.top, 'init', '-q', ground.repository);
    git(ground.repository, 'add', 'src');
    git(ground.repository, 'commit', '-q', '-m', 'first');
    const copy = join(ground.repository, '.coppice/worktrees/one');
    git(ground.repository, 'worktree', 'add', '-q', copy);
    const lines = {
      log: 'subprocess.run(["git", "-C", root, "log"], check=True, stdout=subprocess.DEVNULL)',
      'log of a folder': 'subprocess.run(["git", "-C", root + "/src", "log"], check=True, stdout=subprocess.DEVNULL)',
      'write to it':
        'write(root + "/.git/config" if os.path.isdir(root + "/.git") else root + "/../../../.git/config")',
      'write a hook': 'write(root + "/../../../.git/hooks/pre-commit")',
    };
    for (const root of [ground.repository, copy]) {
      const read = (asked: Partial<SkillPermissions>) => attempts(lines, { read: ['src/**'], ...asked }, { root });
      const all = Object.values(await read({ commands: ['git'] })).map((how) => how === 'ok');
      assert.deepEqual(all, [true, true, false, false], root);
      assert.ok(!Object.values(await read({})).includes('ok'));
      const { log, 'write to it': write } = await attempts(lines, { write: ['**'], commands: ['git'] }, { root });
      assert.ok(log === 'ok' && write !== 'ok', write);
    }
  });

  it('is led nowhere by a file that says where git keeps something', async () => {
    const root = join(ground.repository, 'copy');
    const own = join(root, '.git');
    // All of this may come with an archive.
    for (const path of ['src/a.txt', 'worktrees/x/gitdir', 'HEAD']) put(`repository/copy/${path}`, `${own}\n`);
    const lines = { outside: 'open(top + "/outside.txt").read()', 'the rest': 'open(root + "/HEAD").read()' };
    for (const to of [ground.top, join(root, 'worktrees/x')]) {
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
    symlinkSync(join(ground.top, 'outside.txt'), join(ground.repository, 'src/out.txt'));
    symlinkSync(ground.top, join(ground.repository, 'away'));
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
    assert.equal(readFileSync(join(ground.repository, '.mcp.json'), 'utf8'), 'in .mcp.json');
    assert.equal(existsSync(join(ground.top, 'new.txt')), false);
  });

  it('works on an agent’s copy, and sees no other copy and nothing else of the repository', async () => {
    const root = join(ground.repository, '.coppice/worktrees/one');
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
});
