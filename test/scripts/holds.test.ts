import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { createServer as createHttp, type Server as HttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Attempts, attemptHeld } from './held-script.ts';

const DENIED = 'ERR_ACCESS_DENIED';

const SYSTEM = `
import * as named from 'node:process';
import net from 'node:net';
import http from 'node:http';
import v8 from 'node:v8';
const { pipe, database } = input;
await attempt('signal', () => process.kill(process.ppid, 0));
await attempt('named signal', () => named.kill(process.ppid, 0));
await attempt('raw signal', () => { if (process._kill(process.ppid, 0) !== 0) throw new Error('no'); });
await attempt('debugger', () => process._debugProcess(process.pid));
await attempt('own debugger', async () => { const { Session } = await import('node:inspector'); new Session().connect(); });
await attempt('flags of V8', () => v8.setFlagsFromString('--allow-natives-syntax'));
await attempt('binding', () => process.binding('tcp_wrap'));
await attempt('linked binding', () => process._linkedBinding('tcp_wrap'));
await attempt('worker', async () => { const { Worker } = await import('node:worker_threads'); new Worker('0', { eval: true }); });
await attempt('loader', async () => { const { register } = await import('node:module'); register('data:text/javascript,'); });
await attempt('other program', () => process.execve('/bin/sh', ['sh']));
await attempt('child', async () => { const { execFileSync } = await import('node:child_process'); execFileSync('true'); });
await attempt('web assembly of the system', async () => { const { WASI } = await import('node:wasi'); new WASI({ version: 'preview1', preopens: { '/': '/' } }); });
await attempt('local socket', () => met(net.connect(pipe)));
await attempt('local socket by options', () => met(new net.Socket().connect({ path: pipe, port: 1 })));
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
await attempt('raw server', () => new Promise((resolve, reject) => { const one = net.createServer().on('error', reject); one._listen2('127.0.0.1', 0, 4); if (one._handle) resolve(); }));
await attempt('database', async () => { const { DatabaseSync } = await import('node:sqlite'); new DatabaseSync(database).exec('create table t (a)'); });
`;

/** A connection at the lowest place that a script can get at. */
const RAW = `
const lowest = await new Promise((resolve) => {
  const socket = new net.Socket();
  socket.on('error', () => {});
  // A declared host that is there gives a handle, whatever it is connected to then.
  try { socket.connect({ host: input.declared ?? '127.0.0.1', port: input.declaredPort ?? input.port }); } catch {}
  const handle = socket._handle;
  if (!handle) return resolve(null);
  Object.defineProperty(handle, 'connect', { value: (request) => { resolve({ Handle: handle.constructor, request }); return 0; } });
});
const raw = async (address, how = 'connect') => {
  if (lowest === null) throw 'no handle';
  if (new lowest.Handle(0)[how](lowest.request, address, input.port) !== 0) throw 'refused';
};
`;

/** Each would reach the server on loopback. */
const CONNECTIONS = `
import dgram from 'node:dgram';
import dns from 'node:dns';
import * as namedDns from 'node:dns/promises';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import tls from 'node:tls';
const { port } = input;
const url = 'http://127.0.0.1:' + port;
const got = (request) => new Promise((resolve, reject) => request.on('response', resolve).on('error', reject)).finally(() => request.destroy());
await attempt('socket', () => met(net.connect(port, '127.0.0.1')));
await attempt('socket by text', () => met(net.connect(String(port))));
await attempt('socket by options', () => met(net.createConnection({ port, host: '127.0.0.1' })));
await attempt('socket without a host', () => met(net.connect({ port })));
await attempt('socket by a list', () => met(new net.Socket().connect([{ port, host: '127.0.0.1' }])));
await attempt('socket of six', () => met(net.connect({ port, host: '::1', family: 6 })));
await attempt('socket of mapped six', () => met(net.connect({ port, host: '::ffff:127.0.0.1' })));
await attempt('socket by a number', () => met(net.connect({ port, host: '2130706433' })));
await attempt('socket by short numbers', () => met(net.connect({ port, host: '127.1' })));
await attempt('socket by sixteens', () => met(net.connect({ port, host: '0x7f.0.0.1' })));
await attempt('socket to all', () => met(net.connect({ port, host: '0.0.0.0' })));
await attempt('socket of many families', () => met(net.connect({ port, host: 'localhost', autoSelectFamily: true })));
await attempt('socket with a changing host', () => { let asked = 0; return met(net.connect({ port, get host() { return asked++ > 1 ? '127.0.0.1' : 'public.test'; } })); });
await attempt('socket with a lookup of its own', () => met(net.connect({ port, host: 'public.test', lookup: (_host, { all }, callback) => all ? callback(null, [{ address: '127.0.0.1', family: 4 }]) : callback(null, '127.0.0.1', 4) })));
await attempt('tls', () => met(tls.connect({ port, host: '127.0.0.1' })));
await attempt('tls on a socket', () => met(tls.connect({ socket: net.connect(port, '127.0.0.1') })));
await attempt('http', () => got(http.get(url)));
await attempt('http by its agent', () => got(http.get(url, { createConnection: (options) => new http.Agent().createConnection({ ...options, host: '127.0.0.1' }) })));
await attempt('http2', () => met(http2.connect(url)));
await attempt('fetch', async () => { await (await fetch(url)).text(); });
await attempt('web socket', () => new Promise((resolve, reject) => { const one = new WebSocket('ws://127.0.0.1:' + port); one.onerror = ({ error }) => reject(error ?? new Error('no')); one.onopen = resolve; }));
await attempt('event source', async () => { if (typeof EventSource === 'undefined') throw new Error('none'); });
${RAW}await attempt('raw socket', () => raw('127.0.0.1'));
await attempt('raw socket of six', () => raw('::1', 'connect6'));
await attempt('stolen by call', () => {
  const { call, apply } = Function.prototype;
  let stolen = [];
  Function.prototype.call = function (...args) { stolen.push(this); return Reflect.apply(this, args[0], args.slice(1)); };
  Function.prototype.apply = function (self, args) { stolen.push(this); return Reflect.apply(this, self, args ?? []); };
  const { iterator } = Symbol;
  const walk = Array.prototype[iterator];
  try { new net.Socket().on('error', () => {}).connect(port, '127.0.0.1'); } catch {} finally { Function.prototype.call = call; Function.prototype.apply = apply; }
  const found = stolen.filter((one) => one.name === 'connect');
  for (const one of found) return met(Reflect.apply(one, new net.Socket(), [{ port, host: '127.0.0.1' }]));
  throw Object.assign(new Error('none'), { code: 'nothing stolen' });
});
await attempt('datagram', () => new Promise((resolve, reject) => { const one = dgram.createSocket('udp4'); one.send('x', 9, '127.0.0.1', (error) => { one.close(); error ? reject(error) : resolve(); }); }));
await attempt('connected datagram', () => new Promise((resolve, reject) => { dgram.createSocket('udp4').on('error', reject).connect(9, '127.0.0.1', resolve); }));
await attempt('raw datagram', () => { const one = dgram.createSocket('udp4'); const state = Object.getOwnPropertySymbols(one).map((key) => one[key]).find((value) => value?.handle); if (state.handle.bind('127.0.0.1', 0, 0) !== 0) throw new Error('refused'); });
await attempt('name asked for', () => namedDns.resolve4('leak.test'));
await attempt('name asked for by a callback', () => new Promise((resolve, reject) => dns.resolve('leak.test', (error) => error ? reject(error) : resolve())));
await attempt('name asked for elsewhere', () => { const one = new dns.Resolver(); one.setServers(['127.0.0.1:' + port]); return new Promise((resolve, reject) => one.resolveTxt('leak.test', (error) => error ? reject(error) : resolve())); });
await attempt('name asked for by a handle', () => { const { _handle } = new dns.Resolver(); _handle.queryA({}, 'leak.test'); });
await attempt('name looked up', () => namedDns.lookup('leak.test'));
await attempt('name looked up by a callback', () => new Promise((resolve, reject) => dns.lookup('leak.test', (error) => error ? reject(error) : resolve())));
await attempt('address looked up', () => namedDns.lookupService('127.0.0.1', port));
await attempt('reverse', () => namedDns.reverse('127.0.0.1'));
`;

describe('a script that Node holds to its permissions', () => {
  let top = '';
  let engine: Server;
  let web: HttpServer;
  let port = 0;
  let connections = 0;
  beforeEach(async () => {
    top = realpathSync(mkdtempSync(join(tmpdir(), 'cop-holds-')));
    connections = 0;
    engine = createServer((socket) => socket.on('error', () => {}).resume());
    web = createHttp((request, response) => {
      if (request.url === '/away') response.writeHead(302, { location: `http://127.0.0.1:${port}/` });
      response.end('hello');
    });
    web.on('connection', () => (connections += 1));
    await Promise.all([
      new Promise<void>((resolve) => engine.listen(join(top, 'engine.sock'), resolve)),
      new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve)),
    ]);
    ({ port } = web.address() as AddressInfo);
  });
  afterEach(() => {
    engine.close();
    web.close();
    web.closeAllConnections();
    rmSync(top, { recursive: true, force: true });
  });

  const tries = (hosts: readonly string[], script: string, input: object = {}): Promise<Attempts> =>
    attemptHeld(top, hosts, script, { pipe: join(top, 'engine.sock'), port, database: join(top, 'made.db'), ...input });

  for (const hosts of [[], ['api.example.com'], ['*']])
    it(`reaches no other program, no database and no code below Node with hosts [${hosts.join()}]`, async () => {
      const { database, 'raw server': raw, ...rest } = await tries(hosts, SYSTEM);
      for (const [what, how] of Object.entries(rest)) assert.equal(how, DENIED, what);
      assert.notEqual(raw, 'ok');
      assert.equal(database, 'ERR_UNKNOWN_BUILTIN_MODULE');
      assert.equal(existsSync(join(top, 'made.db')), false);
    });

  for (const hosts of [[], ['public.test', '*.example.org', '127.0.0.2', 'localhost.example.org', '*.1']])
    it(`connects to nothing but what it has declared, in none of many ways, with hosts [${hosts.join()}]`, async () => {
      const all = await tries(hosts, CONNECTIONS);
      for (const [what, how] of Object.entries(all)) assert.notEqual(how, 'ok', what);
      for (const what of ['socket', 'fetch', 'http', 'tls', 'datagram', 'name asked for', 'name looked up'])
        assert.equal(all[what], DENIED, what);
      assert.equal(connections, 0);
    });

  it('is not helped by a handle of a connection that is allowed', async () => {
    const input = { declared: '127.0.0.1', declaredPort: port + 1 };
    const all = await tries([`127.0.0.1:${port + 1}`], CONNECTIONS, input);
    for (const [what, how] of Object.entries(all)) assert.notEqual(how, 'ok', what);
    assert.deepEqual([all['raw socket'], all['raw socket of six']], ['refused', 'refused']);
    assert.equal(connections, 0);
  });

  const REACH = `
    import dns from 'node:dns';
    import net from 'node:net';
    import http from 'node:http';
    const { port } = input;
    const url = 'http://' + input.host + ':' + port;
    await attempt('socket', () => met(net.connect(port, input.host)));
    await attempt('with a dot at its end', () => met(net.connect(port, input.host + '.')));
    await attempt('in capitals', () => met(net.connect({ port, host: input.host.toUpperCase() })));
    await attempt('fetch', async () => { if (await (await fetch(url)).text() !== 'hello') throw new Error('no'); });
    await attempt('http', () => new Promise((resolve, reject) => http.get(url, (response) => { response.resume(); resolve(); }).on('error', reject)));
    await attempt('lookup', () => dns.promises.lookup(input.host));
    await attempt('lookup of all', async () => { const [{ address }] = await dns.promises.lookup(input.host, { all: true }); await met(net.connect(port, address === '127.0.0.1' || address === '::1' ? input.host : address)); });
    await attempt('redirect', async () => { await fetch(url + '/away'); });
    await attempt('other port', () => met(net.connect(port + 1, input.host)));`;

  it('reaches what it has declared: a name, an address, a port; and follows no redirect beyond', async () => {
    for (const hosts of [['localhost'], [`localhost:${port}`]]) {
      const { redirect, 'other port': other, ...rest } = await tries(hosts, REACH, { host: 'localhost' });
      for (const [what, how] of Object.entries(rest)) assert.equal(how, 'ok', `${what} with ${hosts.join()}`);
      assert.equal(redirect, DENIED);
      assert.equal(other, hosts[0] === 'localhost' ? 'ECONNREFUSED' : DENIED);
    }
    const literal = await tries(['127.0.0.1'], REACH, { host: '127.0.0.1' });
    assert.deepEqual([literal['socket'], literal['fetch'], literal['redirect']], ['ok', 'ok', 'ok']);
    assert.equal((await tries(['*'], REACH, { host: '127.0.0.1' }))['fetch'], 'ok');
  });

  it('is not led into this machine or its network by a name', async () => {
    const hosts = ['api.test', '*.api.test', '*.meta.test', '*.six.test', '*.mapped.test', '*.lan.test', '*.nat.test'];
    const script = `
      import net from 'node:net';
      for (const host of input.hosts) await attempt(host, () => met(net.connect(input.port, host)));
      // What was looked up and refused does not count as known.
      await attempt('afterwards', () => met(net.connect(input.port, '127.0.0.1')));`;
    const names = hosts.map((host) => host.replace('*', 'a'));
    const all = await tries(hosts, script, { hosts: names });
    assert.deepEqual(Object.keys(all), [...names, 'afterwards']);
    for (const [host, how] of Object.entries(all)) assert.equal(how, DENIED, host);
    assert.equal(connections, 0);
  });

  it('cannot put an address of its own into what is known of a declared name', async () => {
    const script = `
      import async_hooks from 'node:async_hooks';
      import dns from 'node:dns';
      import net from 'node:net';
      const { port } = input;
      ${RAW}
      // Nobody has this address, but it is a public one.
      const evil = [{ address: '203.0.113.7', family: 4 }];
      const caught = [];
      await attempt('hooks', () => async_hooks.createHook({ init() {} }).enable());
      await attempt('requests under way', () => process._getActiveRequests());
      await attempt('accessor of all objects', () => { for (const name of ['callback', 'oncomplete']) Object.defineProperty(Object.prototype, name, { set(value) { caught.push(value); }, configurable: true }); });
      await attempt('other next tick', () => { process.nextTick = (callback, ...rest) => { caught.push(callback); }; });
      await attempt('other lookup', () => { dns.lookup = (_host, _options, callback) => callback(null, evil); });
      await attempt('other promised lookup', () => { dns.promises.lookup = async () => evil; });
      Array.prototype[Symbol.iterator] = function* () { yield '127.0.0.1'; };
      String.prototype.charCodeAt = () => 0;
      String.prototype.slice = () => 'public.test';
      String.prototype.toLowerCase = () => 'public.test';
      Array.isArray = () => false;
      Object.assign = (to) => ({ host: 'public.test', port });
      const long = 'a'.repeat(63) + '.';
      for (const host of ['public.test', long.repeat(4) + 'example.org', 'x.example.org']) await attempt(host, () => new Promise((resolve, reject) => { dns.lookup(host, {}, (error) => (error ? reject(error) : resolve())); setTimeout(reject, 200, new Error('late')); }));
      for (const callback of caught) try { callback(null, evil); } catch {}
      await attempt('afterwards', () => raw('203.0.113.7'));`;
    const input = { declared: '127.0.0.2', declaredPort: 1 };
    const { afterwards, ...rest } = await tries(['public.test', '*.example.org', '127.0.0.2'], script, input);
    for (const [what, how] of Object.entries(rest)) assert.notEqual(how, 'ok', what);
    assert.equal(afterwards, 'refused');
    assert.equal(connections, 0);
  });

  it('cannot get hold of what it has declared, to change it', async () => {
    const script = `
      import dns from 'node:dns';
      import net from 'node:net';
      const caught = new Set();
      for (const name of ['0', '1']) Object.defineProperty(Array.prototype, name, { configurable: true, set(value) {
        caught.add(value);
        Object.defineProperty(this, name, { value, writable: true, configurable: true, enumerable: true });
      } });
      await new Promise((resolve) => dns.lookup('public.test', resolve));
      for (const name of ['0', '1']) delete Array.prototype[name];
      for (const one of caught) try { Object.assign(one, { name: 'localhost', wild: false, port: 0 }); } catch {}
      await attempt('afterwards', () => met(net.connect(input.port, 'localhost')));`;
    assert.deepEqual(await tries(['public.test'], script, {}), { afterwards: DENIED });
    assert.equal(connections, 0);
  });
});
