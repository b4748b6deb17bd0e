import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../mcp-server/domain/clock.ts';
import { UserError } from '../../../mcp-server/domain/errors.ts';
import { type Host, startHost } from '../../../mcp-server/faces/host/engine-host.ts';
import {
  ask,
  connectIfRunning,
  connectToEngine,
  connectToRunning,
} from '../../../mcp-server/faces/host/find-engine.ts';
import { openLog } from '../../../mcp-server/faces/host/log-file.ts';
import { ensurePrivateFolder, findRepository, runtimePlace } from '../../../mcp-server/faces/host/place.ts';
import { openMcpFace } from '../../../mcp-server/faces/mcp/face.ts';
import { createFakeEngine, type FakeEngine } from '../../support/fake-engine.ts';

const refused = (code: string) => (error: unknown) => error instanceof UserError && error.code === code;

describe('the place of a repository', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'coppice-place-')));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const makeRepository = async (path: string): Promise<void> => {
    await mkdir(join(path, '.git'), { recursive: true });
    await writeFile(join(path, '.git', 'HEAD'), 'ref: refs/heads/main\n');
  };

  it('is its top folder, from any folder in it and through links', async () => {
    const root = join(folder, 'with ümlaut');
    await makeRepository(root);
    await mkdir(join(root, 'a', 'b'), { recursive: true });
    await symlink(join(root, 'a'), join(folder, 'link'));
    const expected = { root, commonDir: join(root, '.git') };
    assert.deepEqual(await findRepository(join(root, 'a', 'b')), expected);
    assert.deepEqual(await findRepository(join(folder, 'link')), expected);
  });

  it('is another one for a linked worktree of the same repository', async () => {
    await makeRepository(join(folder, 'main'));
    const admin = join(folder, 'main', '.git', 'worktrees', 'other');
    await mkdir(admin, { recursive: true });
    await writeFile(join(admin, 'commondir'), '../..\n');
    await mkdir(join(folder, 'other'));
    await writeFile(join(folder, 'other', '.git'), `gitdir: ${admin}\n`);
    const other = await findRepository(join(folder, 'other'));
    assert.deepEqual(other, { root: join(folder, 'other'), commonDir: join(folder, 'main', '.git') });
    const options = { base: '/run/user/1', user: '1', platform: 'linux' } as const;
    const main = runtimePlace(await findRepository(join(folder, 'main')), options);
    assert.notEqual(runtimePlace(other, options).socket, main.socket);
  });

  it('is refused where there is none, and in a bare repository', async () => {
    await assert.rejects(findRepository(folder), refused('not-a-repository'));
    await assert.rejects(findRepository(join(folder, 'absent')), refused('not-a-repository'));
    for (const name of ['objects', 'refs']) await mkdir(join(folder, name));
    await writeFile(join(folder, 'HEAD'), 'ref: refs/heads/main\n');
    await assert.rejects(findRepository(folder), refused('unsupported-repository'));
  });

  it('has a socket name that fits every system, however deep the temporary folder', () => {
    const place = { root: '/r', commonDir: '/r/.git' };
    const deep = runtimePlace(place, { base: `/tmp/${'x'.repeat(120)}`, user: '1000', platform: 'linux' });
    assert.ok(Buffer.byteLength(deep.socket) <= 100);
    assert.match(
      runtimePlace(place, { base: 'C:\\T', user: 'me', platform: 'win32' }).socket,
      /^\\\\\.\\pipe\\coppice-me-/,
    );
  });

  it('has a folder for its socket that only the user can open', async () => {
    const uid = process.getuid?.() ?? 0;
    const own = join(folder, 'own');
    await ensurePrivateFolder(own, uid);
    await ensurePrivateFolder(own, uid);
    assert.equal((await stat(own)).mode & 0o777, 0o700);
    await chmod(own, 0o755);
    await assert.rejects(ensurePrivateFolder(own, uid), refused('permission-denied'));
    await chmod(own, 0o700);
    await assert.rejects(ensurePrivateFolder(own, uid + 1), refused('permission-denied'));
    await symlink(own, join(folder, 'link'));
    await assert.rejects(ensurePrivateFolder(join(folder, 'link'), uid), refused('permission-denied'));
  });
});

describe('the log file', () => {
  it('stays within twice its bound and keeps the newest lines', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'coppice-log-'));
    const path = join(folder, 'logs', 'engine.log');
    const log = openLog(path, { clock: systemClock, maxBytes: 2000 });
    for (let at = 0; at < 200; at++) log(`line ${at}`);
    assert.ok((await stat(path)).size <= 2000);
    assert.ok((await stat(`${path}.1`)).size <= 2000);
    assert.match(await readFile(path, 'utf8'), /line 199\n$/);
    await rm(folder, { recursive: true });
  });
});

describe('the host of an engine', () => {
  let folder: string;
  let engine: FakeEngine;
  let host: Host | undefined;
  let released: number;
  let present: boolean;
  const sockets: Socket[] = [];

  const start = async (idleMs = 60_000): Promise<string> => {
    const socket = join(folder, 'e.sock');
    host = await startHost({
      engine,
      version: '1.0.0',
      notices: ['Something was mended.'],
      pid: 42,
      socket,
      platform: process.platform,
      stateFile: join(folder, '.coppice', 'engine.json'),
      idleMs,
      stopMs: 5000,
      clock: systemClock,
      present: () => present,
      serve: openMcpFace({ engine, version: '1.0.0', log: () => {} }).serve,
      release: async () => {
        assert.ok(engine.stopped);
        released++;
      },
      log: () => {},
    });
    return socket;
  };
  const open = async (path: string): Promise<Socket> => {
    const socket = await connectIfRunning(path);
    assert.ok(socket);
    sockets.push(socket);
    return socket;
  };
  /** Sends lines, ends, and collects what comes back. */
  const converse = (path: string, text: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connect({ path, allowHalfOpen: true });
      let answer = '';
      socket.on('data', (chunk) => {
        answer += String(chunk);
      });
      socket.on('error', reject).on('end', () => {
        socket.end();
        resolve(answer);
      });
      socket.end(text);
    });

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'coppice-host-'));
    engine = createFakeEngine();
    released = 0;
    present = true;
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await host?.stop('the test is over');
    host = undefined;
    await rm(folder, { recursive: true, force: true });
  });

  it('is found from an environment that would look elsewhere, but only in a folder of this user alone', async () => {
    const socket = await start();
    const stateFile = join(folder, '.coppice', 'engine.json');
    const elsewhere = { folder, socket: join(folder, 'none.sock'), startLog: '' };
    const find = () => connectToRunning({ runtime: elsewhere, stateFile, uid: process.getuid?.() ?? null });
    const found = await find();
    assert.ok(found);
    sockets.push(found);
    assert.equal(JSON.parse(await readFile(stateFile, 'utf8')).socket, socket);
    await chmod(folder, 0o755);
    assert.equal(await find(), null);
    await chmod(folder, 0o700);
    await writeFile(stateFile, '{"socket": 5}');
    assert.equal(await find(), null);
  });

  it('says who it is, on the socket and in its state file', async () => {
    const path = await start();
    const hello = await ask(await open(path), 'coppice/hello', {}, 1000);
    assert.deepEqual(hello, { version: '1.0.0', pid: 42, idle: true, others: 0, notices: ['Something was mended.'] });
    const state = JSON.parse(await readFile(join(folder, '.coppice', 'engine.json'), 'utf8'));
    assert.deepEqual(state, { pid: 42, socket: path, version: '1.0.0' });
    assert.equal((await stat(join(folder, '.coppice', 'engine.json'))).mode & 0o777, 0o600);
  });

  it('stops gracefully when asked: engine, repository, then the connections', async () => {
    const path = await start();
    const socket = await open(path);
    assert.deepEqual(await ask(socket, 'coppice/stop', {}, 1000), { stopping: true });
    socket.resume();
    await new Promise((resolve) => socket.once('end', resolve));
    socket.end();
    assert.equal(released, 1);
    await host?.ended;
    assert.equal(await connectIfRunning(path), null);
    await assert.rejects(stat(join(folder, '.coppice', 'engine.json')));
  });

  it('does not leave for a newer version while it works, or while somebody else is connected', async () => {
    const path = await start();
    const socket = await open(path);
    engine.idle = false;
    assert.deepEqual(await ask(socket, 'coppice/stop', { unlessBusy: true }, 1000), { stopping: false });
    engine.idle = true;
    const other = await open(path);
    await ask(other, 'coppice/hello', {}, 1000);
    assert.deepEqual(await ask(socket, 'coppice/stop', { unlessBusy: true }, 1000), { stopping: false });
    other.destroy();
    await systemClock.sleep(30);
    assert.deepEqual(await ask(socket, 'coppice/stop', { unlessBusy: true }, 1000), { stopping: true });
  });

  it('leaves by itself when there is neither connection nor work', async () => {
    engine.idle = false;
    const path = await start(80);
    const socket = await open(path);
    await ask(socket, 'coppice/hello', {}, 1000);
    await systemClock.sleep(150);
    assert.equal(engine.stopped, false);
    engine.idle = true;
    await systemClock.sleep(150);
    assert.equal(engine.stopped, false, 'somebody is connected');
    socket.destroy();
    await host?.ended;
    assert.equal(engine.stopped, true);
  });

  it('leaves when its folder was deleted or moved away, at the next connection or soon, and leaves the next one its file', async () => {
    engine.idle = false;
    const path = await start(80);
    const file = join(folder, '.coppice', 'engine.json');
    await writeFile(file, 'of the next engine');
    present = false;
    const socket = await open(path);
    assert.equal(await ask(socket, 'coppice/hello', {}, 1000), null);
    await host?.ended;
    assert.equal(await connectIfRunning(path), null);
    assert.equal(await readFile(file, 'utf8'), 'of the next engine');
    present = true;
    engine = createFakeEngine();
    engine.idle = false;
    const connected = await open(await start(80));
    assert.ok(await ask(connected, 'coppice/hello', {}, 1000));
    present = false;
    await host?.ended;
    assert.equal(released, 2);
  });

  it('answers what was asked before the client ended its side', async () => {
    const path = await start();
    const answer = await converse(path, INITIALIZE + toolCall(2, 'run_list', {}));
    assert.deepEqual(
      answer
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { id: number }).id),
      [1, 2],
    );
  });

  it('lets nobody who has left wait: a waiting question is answered at once', async () => {
    const path = await start();
    engine.addRun({ run: 'r-9' as never });
    const before = Date.now();
    const answer = await converse(path, INITIALIZE + toolCall(2, 'run_wait', { run: 'r-9', seconds: 45 }));
    assert.match(answer, /"id":2/);
    assert.ok(Date.now() - before < 2000);
  });

  it('survives lines that are no JSON and no MCP', async () => {
    const path = await start();
    const answer = await converse(path, `nonsense\n{}\n5\n{"jsonrpc":"2.0","id":{"a":1}}\n${INITIALIZE}`);
    assert.match(answer, /"serverInfo"/);
    assert.match(await converse(path, INITIALIZE), /"serverInfo"/);
  });
});

const INITIALIZE = `${JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
})}\n{"jsonrpc":"2.0","method":"notifications/initialized"}\n`;

const toolCall = (id: number, name: string, args: object): string =>
  `${JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args } })}\n`;

describe('an engine that is started', () => {
  /** Says hello on the socket that its argument names, and leaves with its first client. */
  const ENGINE = `
    const server = require('net').createServer((client) => {
      const hello = { jsonrpc: '2.0', id: 'coppice/hello', result: { version: '1' } };
      client.on('data', () => client.write(JSON.stringify(hello) + '\\n'));
      client.on('error', () => {});
      client.on('close', () => process.exit());
    });
    server.listen(process.argv[1]);
    setTimeout(() => process.exit(), 10_000);`;

  it('does without flags that its Node does not know', async () => {
    const folder = await realpath(await mkdtemp(join(tmpdir(), 'coppice-flags-')));
    const runtime = { folder, socket: join(folder, 'e.sock'), startLog: join(folder, 'e.log') };
    const finder = (flags: readonly string[]) => ({
      root: folder,
      runtime,
      stateFile: join(folder, 'engine.json'),
      uid: process.getuid?.() ?? null,
      version: '1',
      launch: { command: process.execPath, flags, args: ['-e', ENGINE, runtime.socket], environment: process.env },
      clock: systemClock,
      startMs: 10_000,
      warn: (line: string) => assert.fail(line),
    });
    try {
      const socket = await connectToEngine(finder(['--no-such-flag-of-v8']));
      const gone = once(socket, 'close');
      socket.destroy();
      await gone;
      assert.match(await readFile(runtime.startLog, 'utf8'), /bad option: --no-such-flag-of-v8/);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
