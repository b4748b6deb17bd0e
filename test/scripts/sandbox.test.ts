import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SpawnBounded } from '../../mcp-server/skills/execute/bounded-process.ts';
import { findBubblewrap } from '../../mcp-server/skills/execute/sandbox.ts';
import { processesWith, until } from '../support/coppice-process.ts';
import { node, returned, sandboxGround, spawn } from './sandbox-ground.ts';

describe('the script of a skill, in Python, shell or with commands,', () => {
  const ground = sandboxGround();
  const { run, attempts } = ground;

  it('reaches hosts only where it declares one, and then any', async () => {
    const connect = { connect: 'socket.create_connection(("127.0.0.1", port), 5)' };
    assert.equal((await attempts(connect))['connect'], 'ConnectionRefusedError');
    for (const hosts of [['*'], ['api.example.com']])
      assert.equal((await attempts(connect, { hosts }))['connect'], 'ok', hosts.join());
    assert.equal(ground.connections, 2);
  });

  it('leaves nothing running behind, whatever it does to get away', async () => {
    const mark = join(ground.top, 'docs');
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
    const { length } = readFileSync(join(ground.repository, 'docs/alive.txt'));
    assert.ok(length > 0);
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal(readFileSync(join(ground.repository, 'docs/alive.txt')).length, length);
    assert.deepEqual(readdirSync(join(ground.repository, '.coppice/tmp')), []);
  });

  it('leaves nothing running either where it is ended while it is only being started', async () => {
    const sandbox = await findBubblewrap({ spawn, node });
    assert.ok(sandbox);
    const argv = sandbox.wrap({ argv: ['/bin/sh', '-c', `sleep 20; : ${ground.top}`], mounts: [], network: false });
    const rest = { folder: '/', environment: {}, input: '', timeoutMs: 10_000, keepChars: 100, saysInner: true };
    // Bubblewrap takes some ms to make a sandbox; in some of them its processes hang on nothing.
    for (let at = 0; at < 120; at += 1) {
      const abort = new AbortController();
      setTimeout(() => abort.abort(), at % 20);
      assert.equal((await spawn({ ...rest, argv }, abort.signal)).kind, 'killed');
    }
    await until('all of it has ended', () => processesWith(ground.top).length === 0);
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
      attempt('read outside by a command', () => sh('cat ${ground.top}/outside.txt'));
      sh('echo x > ${ground.top}/new.txt || true');
      attempt('connect by a command', () => sh(process.execPath + ' -e "require(\\'net\\').connect(${ground.port()}, \\'127.0.0.1\\').on(\\'connect\\', () => process.exit()).on(\\'error\\', () => process.exit(1))"'));
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
    assert.deepEqual([existsSync(join(ground.top, 'new.txt')), ground.connections], [false, 0]);
  });

  it('reaches only the hosts that it names, in JavaScript', async () => {
    const text = `
      import net from 'node:net';
      const result = {};
      for (const host of ['localhost', '127.0.0.1', '203.0.113.7'])
        result[host] = await new Promise((resolve) => {
          try {
            net.connect(${ground.port()}, host).on('connect', () => resolve('ok')).on('error', ({ code }) => resolve(code));
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
      net.connect(${ground.port()}, '127.0.0.1').on('connect', () => process.exit(1)).on('error', ({ code }) => console.log(JSON.stringify({ ...result, connect: code })));`;
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
