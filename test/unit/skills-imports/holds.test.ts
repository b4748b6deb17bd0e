import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runFilter } from '../../../mcp-server/agent/tools/process.ts';
import { permissionArguments } from '../../../mcp-server/skills/execute/node-permissions.ts';

const NOTHING = { read: [], write: [], commands: [], hosts: [] } as const;

/** Tells of each attempt how it went; `name: ok`, or its error's code. */
const SCRIPT = `
import { readFileSync } from 'node:fs';
import dgram from 'node:dgram';
import * as named from 'node:process';
import net from 'node:net';
import http from 'node:http';
const { pipe, port, database } = JSON.parse(readFileSync(0, 'utf8'));
const result = {};
const attempt = async (name, work) => {
  try { await work(); result[name] = 'ok'; } catch (error) { result[name] = error.code ?? error.cause?.code ?? error.message; }
};
const met = (socket) => new Promise((resolve, reject) => socket.on('connect', resolve).on('error', reject)).finally(() => socket.destroy());
await attempt('signal', () => process.kill(process.ppid, 0));
await attempt('named signal', () => named.kill(process.ppid, 0));
await attempt('raw signal', () => { if (process._kill(process.ppid, 0) !== 0) throw new Error('no'); });
await attempt('debugger', () => process._debugProcess(process.pid));
await attempt('local socket', () => met(net.connect(pipe)));
await attempt('local socket by options', () => met(new net.Socket().connect({ path: pipe, port })));
await attempt('local socket by a changing path', () => { let asked = 0; return met(net.connect({ port: 'x', get path() { return asked++ > 0 ? pipe : undefined; } })); });
await attempt('local socket over http', () => new Promise((resolve, reject) => http.get({ socketPath: pipe }, resolve).on('error', reject)));
await attempt('raw local socket', () => {
  let asked;
  const handle = process.stdout._handle;
  const Pipe = handle.constructor;
  handle.writeUtf8String = (req) => { asked = req; return 0; };
  process.stdout.write('x');
  delete handle.writeUtf8String;
  const error = new Pipe(0).connect(asked, pipe);
  if (error) throw new Error('no');
});
await attempt('server', () => new Promise((resolve, reject) => net.createServer().on('error', reject).listen(0, resolve)));
await attempt('host', () => met(net.connect(port, '127.0.0.1')));
await attempt('fetch', async () => { await (await fetch('http://127.0.0.1:' + port)).text(); });
await attempt('datagram', () => new Promise((resolve, reject) => { const one = dgram.createSocket('udp4'); one.send('x', 9, '127.0.0.1', (error) => { one.close(); error ? reject(error) : resolve(); }); }));
await attempt('database', async () => { const { DatabaseSync } = await import('node:sqlite'); new DatabaseSync(database).exec('create table t (a)'); });
process.stderr.write(JSON.stringify(result), () => process.exit(0));
`;

describe('a script that is held to its permissions', () => {
  let top = '';
  let engine: Server;
  let web: Server;
  beforeEach(async () => {
    top = realpathSync(mkdtempSync(join(tmpdir(), 'cop-holds-')));
    engine = createServer((socket) => socket.on('error', () => {}).resume());
    web = createHttp((_request, response) => response.end('hello'));
    await Promise.all([
      new Promise<void>((resolve) => engine.listen(join(top, 'engine.sock'), resolve)),
      new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve)),
    ]);
  });
  afterEach(() => {
    engine.close();
    web.close();
    rmSync(top, { recursive: true, force: true });
  });

  const tries = async (hosts: readonly string[]): Promise<Record<string, string>> => {
    const script = join(top, 'script.mjs');
    writeFileSync(script, SCRIPT);
    const held = await permissionArguments({ ...NOTHING, hosts }, top, { read: [script], write: [] });
    const outcome = await runFilter(
      {
        argv: [process.execPath, ...held, script],
        folder: top,
        environment: {},
        input: JSON.stringify({
          pipe: join(top, 'engine.sock'),
          port: (web.address() as AddressInfo).port,
          database: join(top, 'made.db'),
        }),
        timeoutMs: 15_000,
        keepChars: 10_000,
        commandsDir: null,
      },
      new AbortController().signal,
    );
    assert.equal(outcome.kind, 'exited', JSON.stringify(outcome));
    return JSON.parse(outcome.kind === 'exited' ? outcome.stderr : '') as Record<string, string>;
  };

  it('reaches no other program, no host and no database', async () => {
    const { database, ...rest } = await tries([]);
    for (const [what, how] of Object.entries(rest)) assert.equal(how, 'ERR_ACCESS_DENIED', what);
    assert.equal(database, 'ERR_UNKNOWN_BUILTIN_MODULE');
    assert.equal(existsSync(join(top, 'made.db')), false);
  });

  it('reaches hosts when it has declared one, and still nothing else', async () => {
    const { host, fetch: fetched, datagram, database, ...rest } = await tries(['api.example.com']);
    assert.deepEqual([host, fetched, datagram], ['ok', 'ok', 'ok']);
    assert.equal(database, 'ERR_UNKNOWN_BUILTIN_MODULE');
    for (const [what, how] of Object.entries(rest)) assert.equal(how, 'ERR_ACCESS_DENIED', what);
  });
});
