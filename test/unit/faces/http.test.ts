import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as OldTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ResourceUpdatedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { UserError } from '../../../mcp-server/domain/errors.ts';
import { SCOPES, type Scope, scopeOf } from '../../../mcp-server/faces/http/scopes.ts';
import { type HttpFace, type HttpLimits, startHttp } from '../../../mcp-server/faces/http/server.ts';
import {
  addToken,
  digestOf,
  ensureOwnToken,
  openTokenBook,
  readTokens,
  removeToken,
  type TokenPlace,
  tokenPlace,
} from '../../../mcp-server/faces/http/tokens.ts';
import { type McpFace, openMcpFace } from '../../../mcp-server/faces/mcp/face.ts';
import { operations } from '../../../mcp-server/operations/table.ts';
import { createFakeEngine, type FakeEngine, fakeAgent } from '../../support/fake-engine.ts';
import { createFakeSkills, type FakeSkills } from '../../support/fake-skills.ts';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const until = async (what: string, probe: () => boolean): Promise<void> => {
  for (let at = 0; at < 300 && !probe(); at++) await pause(10);
  assert.ok(probe(), what);
};

const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } },
};

describe('HTTP on loopback', () => {
  let folder: string;
  let place: TokenPlace;
  let engine: FakeEngine;
  let skills: FakeSkills;
  let face: McpFace;
  let http: HttpFace;
  let tokens: Record<Scope, string>;
  const logged: string[] = [];
  const closing: (() => Promise<unknown>)[] = [];

  const start = async (limits: Partial<HttpLimits> = {}, origins: readonly string[] = []): Promise<void> => {
    http = await startHttp({
      face,
      port: 0,
      tokens: openTokenBook(place.list, []),
      origins,
      limits: { sweepMs: 50, ...limits },
      log: (line) => logged.push(line),
    });
    closing.push(() => http.close());
  };
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'coppice-http-'));
    place = tokenPlace(folder, '/some/repository');
    engine = createFakeEngine();
    skills = createFakeSkills();
    logged.length = 0;
    face = openMcpFace({ engine, version: '1.2.3', skills, log: (line) => logged.push(line) });
    tokens = {} as Record<Scope, string>;
    for (const scope of SCOPES) tokens[scope] = await addToken(place, { name: `${scope}er`, scope, now: 1 });
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close().catch(() => {});
    face.close();
    await rm(folder, { recursive: true, force: true });
  });

  interface Answer {
    readonly status: number;
    readonly headers: Readonly<Record<string, string | string[] | undefined>>;
    readonly text: string;
  }
  /** A request whose every header can be chosen. */
  const send = (
    path: string,
    options: { method?: string; headers?: Record<string, string>; body?: string } = {},
  ): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const { method = 'GET', headers = {}, body } = options;
      const req = request({ host: '127.0.0.1', port: http.port, path, method, headers }, (res) => {
        let text = '';
        res.on('data', (chunk) => (text += String(chunk)));
        res.on('end', () => resolve({ status: res.statusCode ?? 0, headers: res.headers, text }));
        res.on('error', reject);
      });
      req.on('error', reject);
      req.end(body);
    });
  const as = (scope: Scope, more: Record<string, string> = {}): Record<string, string> => ({
    Authorization: `Bearer ${tokens[scope]}`,
    ...more,
  });
  const post = (path: string, scope: Scope, body: unknown, more: Record<string, string> = {}): Promise<Answer> =>
    send(path, {
      method: 'POST',
      headers: as(scope, {
        'Content-Type': 'application/json',
        Accept: 'application/json, text/event-stream',
        ...more,
      }),
      body: JSON.stringify(body),
    });
  const json = (answer: Answer): Record<string, never> => JSON.parse(answer.text) as Record<string, never>;

  const modern = async (scope: Scope): Promise<Client> => {
    const client = new Client({ name: 'm', version: '1' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
    await client.connect(
      new StreamableHTTPClientTransport(new URL(`${http.url}/mcp`), { requestInit: { headers: as(scope) } }),
    );
    closing.push(() => client.close());
    return client;
  };
  const old = async (scope: Scope): Promise<OldClient> => {
    const client = new OldClient({ name: 'o', version: '1' });
    const transport = new OldTransport(new URL(`${http.url}/mcp`), { requestInit: { headers: as(scope) } });
    await client.connect(transport);
    closing.push(() => client.close());
    return client;
  };

  describe('lets in', () => {
    it('nobody without a good token, and says how to come back', async () => {
      await start();
      for (const path of ['/mcp', '/events', '/metrics', '/status/r-1', '/nothing', `/mcp?token=${tokens.land}`]) {
        const answer = await send(path);
        assert.equal(answer.status, 401, path);
        assert.match(String(answer.headers['www-authenticate']), /^Bearer /);
      }
      for (const value of ['Bearer', 'Bearer x', `Basic ${tokens.land}`, `Bearer ${tokens.land}x`, tokens.land]) {
        const answer = await send('/metrics', { headers: { Authorization: value } });
        assert.equal(answer.status, 401, value);
      }
      assert.equal((await send('/metrics', { headers: as('read') })).status, 200);
    });

    it('nobody who comes by another name or from a foreign page, good token or not', async () => {
      await start({}, ['http://localhost:3000']);
      const good = `127.0.0.1:${http.port}`;
      for (const host of [
        'evil.example.com',
        'evil.example.com:80',
        '127.0.0.1',
        `127.0.0.1:${http.port + 1}`,
        `${good}.evil.com`,
      ])
        assert.equal((await send('/metrics', { headers: as('land', { Host: host }) })).status, 403, host);
      for (const origin of [
        'http://evil.example.com',
        'null',
        `https://127.0.0.1:${http.port}`,
        'http://localhost:30001',
      ])
        assert.equal((await send('/metrics', { headers: as('land', { Origin: origin }) })).status, 403, origin);
      const page = await send('/metrics', { headers: as('read', { Origin: 'http://localhost:3000' }) });
      assert.equal(page.status, 200);
      assert.equal(page.headers['access-control-allow-origin'], 'http://localhost:3000');
      const ask = await send('/mcp', {
        method: 'OPTIONS',
        headers: { Origin: 'http://localhost:3000', 'Access-Control-Request-Headers': 'authorization' },
      });
      assert.deepEqual([ask.status, ask.headers['access-control-allow-headers']], [204, 'authorization']);
      assert.equal((await send('/health', { headers: { Host: `localhost:${http.port}` } })).status, 200);
      assert.equal((await send('/health', { headers: { Host: 'evil.example.com' } })).status, 403);
    });

    it('only JSON, and only as much as anybody needs', async () => {
      await start();
      const headers = as('land', { 'Content-Type': 'text/plain' });
      for (const path of ['/mcp', '/submit'])
        assert.equal((await send(path, { method: 'POST', headers, body: '{}' })).status, 415);
      const large = JSON.stringify({ task: 'x'.repeat(1024 * 1024) });
      const sized = await send('/submit', {
        method: 'POST',
        headers: as('land', { 'Content-Type': 'application/json' }),
        body: large,
      });
      assert.equal(sized.status, 413);
      const chunked = as('land', { 'Content-Type': 'application/json', 'Transfer-Encoding': 'chunked' });
      const unsized = await send('/mcp', { method: 'POST', headers: chunked, body: large }).catch(() => ({
        status: 413,
      }));
      assert.equal(unsized.status, 413);
      const broken = await send('/mcp', {
        method: 'POST',
        headers: as('land', { 'Content-Type': 'application/json' }),
        body: '{',
      });
      assert.equal(broken.status, 400);
      assert.equal((json(broken)['error'] as unknown as { code: number }).code, -32700);
      assert.equal((await send('/mcp', { method: 'PUT', headers: as('land') })).status, 405);
      assert.equal((await send('/nothing', { headers: as('land') })).status, 404);
      assert.equal((await send('/status/%ff', { headers: as('land') })).status, 400);
      assert.deepEqual(engine.calls, []);
    });

    it('nobody for longer than a request takes', async () => {
      await start({ headersMs: 200, requestMs: 400 });
      const stall = (text: string): Promise<number> =>
        new Promise((resolve) => {
          const begun = Date.now();
          const socket = connect(http.port, '127.0.0.1', () => socket.write(text));
          socket.on('error', () => {}).on('close', () => resolve(Date.now() - begun));
          socket.resume();
        });
      const line = `POST /submit HTTP/1.1\r\nHost: 127.0.0.1:${http.port}\r\n`;
      const rest = `Authorization: Bearer ${tokens.run}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{`;
      const [headers, body] = await Promise.all([stall(line), stall(line + rest)]);
      assert.ok(headers < 3000 && body < 3000, `${headers} ms, ${body} ms`);
      assert.equal((await send('/health')).status, 200);
    });

    it('nobody any more whose token was taken back, whatever is still open', async () => {
      await start();
      const client = await old('read');
      let lost = false;
      const stream = request({ host: '127.0.0.1', port: http.port, path: '/events', headers: as('read') }, (res) => {
        res.resume().on('close', () => {
          lost = true;
        });
      });
      stream.on('error', () => {}).end();
      await pause(50);
      await removeToken(place, 'reader');
      assert.equal((await send('/metrics', { headers: as('read') })).status, 401);
      await until('the stream ends', () => lost);
      await assert.rejects(client.listTools());
    });
  });

  describe('gives each scope', () => {
    it('the tools that it may call, and no others', async () => {
      await start();
      for (const scope of SCOPES) {
        const mine = operations
          .filter((one) => SCOPES.indexOf(scopeOf(one)) <= SCOPES.indexOf(scope))
          .map(({ name }) => name);
        for (const connectAs of [modern, old]) {
          const { tools } = await (await connectAs(scope)).listTools();
          assert.deepEqual(
            tools.map(({ name }) => name),
            mine,
          );
        }
      }
      const names = (scope: Scope): string[] =>
        operations.filter((one) => scopeOf(one) === scope).map(({ name }) => name);
      assert.ok(names('read').includes('review_diff') && names('run').includes('run_start'));
      assert.ok(['review_land', 'review_discard'].every((name) => names('land').includes(name)));
    });

    it('403 for a call beyond it, in MCP and beside it', async () => {
      await start();
      const call = (name: string, input: object) => ({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: { name, arguments: input },
      });
      const land = await post('/mcp', 'run', call('review_land', { run: 'r-1' }));
      assert.equal(land.status, 403);
      assert.match(String(land.headers['www-authenticate']), /insufficient_scope.*scope="land"/);
      assert.equal((await post('/mcp', 'read', [call('run_start', { task: 'x' })])).status, 403);
      assert.equal((await post('/mcp', 'read', call('skill_anything', {}))).status, 403);
      assert.equal((await post('/submit', 'skills', { task: 'x' })).status, 403);
      assert.equal((await post('/chat/a-1', 'read', { text: 'x' })).status, 403);
      assert.deepEqual(engine.calls, []);
    });

    it('no way to reach servers and programs that the person has not allowed', async () => {
      await start();
      const asked = { task: 'x', options: { permissions: { commands: 'any' } } };
      assert.equal((await post('/submit', 'run', asked)).status, 403);
      assert.equal((await post('/submit', 'run', { task: 'x', options: { server: 'http://10.0.0.1' } })).status, 403);
      const client = await modern('run');
      await assert.rejects(client.callTool({ name: 'run_start', arguments: asked }));
      assert.deepEqual(engine.calls, []);
      assert.equal((await post('/submit', 'land', asked)).status, 202);
      assert.equal((await post('/submit', 'run', { task: 'x', options: { budget: 10 } })).status, 202);
    });
  });

  describe('serves MCP to', () => {
    for (const [name, connectAs] of [
      ['the 2.x client in the newer era', modern],
      ['the 1.x client', old],
    ] as const)
      it(name, async () => {
        await start();
        const client = await connectAs('run');
        const started = await client.callTool({ name: 'run_start', arguments: { task: 'Do it' } });
        assert.equal((started.structuredContent as { run: string }).run, 'r-1');
        const messages: (string | undefined)[] = [];
        const progress = { onprogress: (one: { message?: string | undefined }) => void messages.push(one.message) };
        const input = { name: 'run_wait', arguments: { run: 'r-1', seconds: 20 } };
        const waiting =
          client instanceof OldClient ? client.callTool(input, undefined, progress) : client.callTool(input, progress);
        await until('progress is told', () => messages.length > 0);
        engine.patchRun('r-1', { state: 'completed', endedAt: 5 });
        assert.equal(((await waiting).structuredContent as { state: string }).state, 'completed');
        const { contents } = await client.readResource({ uri: 'run://r-1' });
        assert.match((contents[0] as { text: string }).text, /completed/);
      });

    it('clients of both eras the changes that they follow', async () => {
      await start();
      engine.addRun();
      const older: string[] = [];
      const newer: string[] = [];
      const one = await old('read');
      one.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => void older.push(params.uri));
      await one.subscribeResource({ uri: 'run://r-1' });
      const two = await modern('read');
      two.setNotificationHandler('notifications/resources/updated', async ({ params }) => void newer.push(params.uri));
      two.setNotificationHandler('notifications/resources/list_changed', async () => void newer.push('list'));
      await two.listen({ resourceSubscriptions: ['run://r-1'], resourcesListChanged: true });
      await pause(200);
      engine.emit({ type: 'agent.acted', run: 'r-1', agent: 'a-1' });
      engine.emit({ type: 'agent.acted', run: 'r-2', agent: 'a-2' });
      skills.put('new-one');
      await until('both are told', () => older.length > 0 && newer.includes('run://r-1') && newer.includes('list'));
      assert.deepEqual([...new Set(older)], ['run://r-1']);
    });

    it('nobody the answers of another client', async () => {
      await start();
      engine.addRun();
      engine.addRun();
      const clients = await Promise.all([old('read'), old('run'), modern('read'), modern('run')]);
      const answers = await Promise.all(
        clients.flatMap((client, at) =>
          Array.from({ length: 10 }, () =>
            client
              .readResource({ uri: `run://r-${(at % 2) + 1}` })
              .then(({ contents }) => [at, (contents[0] as { text: string }).text] as const),
          ),
        ),
      );
      for (const [at, text] of answers) assert.match(text, new RegExp(`"run":"r-${(at % 2) + 1}"`));
      const opened = await post('/mcp', 'read', INITIALIZE);
      const session = String(opened.headers['mcp-session-id']);
      const list = { jsonrpc: '2.0', id: 2, method: 'tools/list', params: {} };
      assert.equal((await post('/mcp', 'land', list, { 'Mcp-Session-Id': session })).status, 404, 'another token');
      assert.equal((await post('/mcp', 'read', list, { 'Mcp-Session-Id': session })).status, 200);
      assert.equal((await send('/mcp', { headers: { 'Mcp-Session-Id': session } })).status, 401, 'no session lets in');
      assert.equal((await post('/mcp', 'read', list)).status, 400);
      const del = { method: 'DELETE', headers: as('read', { 'Mcp-Session-Id': session }) };
      assert.equal((await send('/mcp', del)).status, 200);
      assert.equal((await post('/mcp', 'read', list, { 'Mcp-Session-Id': session })).status, 404);
    });

    it('a client that goes away no longer than it stays: its call is cancelled', async () => {
      await start();
      engine.addRun();
      const client = await modern('read');
      const cancel = new AbortController();
      let ended = false;
      const { waitRun } = engine;
      engine.waitRun = (id, ms, signal) => {
        signal.addEventListener('abort', () => (ended = true), { once: true });
        return waitRun(id, ms, signal);
      };
      const waiting = client.callTool(
        { name: 'run_wait', arguments: { run: 'r-1', seconds: 40 } },
        { signal: cancel.signal },
      );
      await until('it waits', () => engine.calls.includes('waitRun'));
      cancel.abort();
      await assert.rejects(waiting);
      await until('the waiting ends', () => ended);
    });
  });

  describe('answers beside MCP', () => {
    it('tasks, status and conversations', async () => {
      await start();
      const submitted = await post('/submit', 'run', { task: 'Do it', key: 'k' });
      assert.deepEqual([submitted.status, submitted.headers['location']], [202, '/status/r-1']);
      const again = await post('/submit', 'run', { task: 'Do it' }, { 'Idempotency-Key': 'k' });
      assert.equal(json(again)['run'], 'r-1');
      assert.equal(json(await send('/status/r-1', { headers: as('read') }))['task'], 'Do it');
      const none = await send('/status/r-9', { headers: as('read') });
      assert.deepEqual(
        [none.status, none.text],
        [404, '{"error":{"code":"not-found","message":"There is no run r-9."}}'],
      );
      engine.addAgent(fakeAgent());
      assert.equal((await send('/chat/a-1', { headers: as('read') })).status, 200);
      assert.equal((await post('/chat/a-1', 'run', { text: 'Hello' })).status, 202);
      assert.ok(engine.calls.includes('messageAgent a-1 Hello'));
      assert.equal((await post('/submit', 'run', { tsak: 'x' })).status, 400);
      assert.equal((await post('/submit', 'run', [1])).status, 400);
      engine.fail('runStatus', new TypeError('secret detail'));
      const bug = await send('/status/r-1', { headers: as('read') });
      assert.equal(bug.status, 500);
      assert.doesNotMatch(bug.text, /secret/);
      assert.match(logged.join('\n'), /secret detail/);
    });

    it('events as a stream that goes on after the last one seen', async () => {
      await start();
      for (let at = 1; at <= 3; at++) engine.emit({ type: 'agent.acted', action: `step ${at}` });
      let text = '';
      const req = request(
        { host: '127.0.0.1', port: http.port, path: '/events', headers: as('read', { 'Last-Event-ID': '1' }) },
        (res) => void res.on('data', (chunk) => (text += String(chunk))),
      );
      req.on('error', () => {}).end();
      await until('what was missed arrives', () => text.includes('step 3'));
      engine.emit({ type: 'run.ended', state: 'completed' });
      await until('what is new arrives', () => text.includes('event: run.ended'));
      assert.deepEqual(
        [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => id),
        ['2', '3', '4'],
      );
      req.destroy();
      assert.equal((await send('/events?after=x', { headers: as('read') })).status, 400);
    });

    it('numbers for Prometheus', async () => {
      await start();
      engine.addRun();
      await send('/status/r-1', { headers: as('read') });
      const { text, headers } = await send('/metrics', { headers: as('read') });
      assert.match(String(headers['content-type']), /^text\/plain; version=0\.0\.4/);
      assert.match(text, /^coppice_build_info\{version="1\.2\.3"\} 1$/m);
      assert.match(text, /^coppice_runs\{state="running"\} 1$/m);
      assert.match(text, /^coppice_tokens\{kind="used"\} 100$/m);
      assert.match(text, /^coppice_http_requests_total\{route="status",status="200"\} 1$/m);
      for (const line of text.trim().split('\n'))
        assert.match(line, /^(# (HELP|TYPE) coppice_\w+ .+|coppice_\w+(\{.*\})? [\d.]+)$/);
    });

    it('nothing of a token in any log', async () => {
      await start();
      await send(`/nothing?access_token=${tokens.land}`, { headers: as('land') });
      engine.fail('runStatus', new TypeError('x'));
      await send(`/status/r-1?token=${tokens.land}`, { headers: as('land') });
      assert.ok(logged.length > 0);
      for (const token of Object.values(tokens)) assert.ok(!logged.join('\n').includes(token));
    });
  });

  describe('keeps tokens', () => {
    it('as digests, in a file that nobody else can read', async () => {
      const text = await readFile(place.list, 'utf8');
      for (const token of Object.values(tokens)) assert.ok(!text.includes(token) && text.includes(digestOf(token)));
      assert.equal((await stat(place.list)).mode & 0o777, 0o600);
      await assert.rejects(addToken(place, { name: 'reader', scope: 'run', now: 1 }), UserError);
      await assert.rejects(addToken(place, { name: 'a b', scope: 'run', now: 1 }), UserError);
      await assert.rejects(removeToken(place, 'nobody'), UserError);
    });

    it('but the own one, which scripts may read, until its scope changes', async () => {
      await ensureOwnToken(place, 'run', 1);
      const first = (await readFile(place.own, 'utf8')).trim();
      await ensureOwnToken(place, 'run', 2);
      assert.equal((await readFile(place.own, 'utf8')).trim(), first);
      assert.equal((await stat(place.own)).mode & 0o777, 0o600);
      const book = openTokenBook(place.list, [{ name: 'COPPICE_TOKEN', scope: 'read', sha256: digestOf('given') }]);
      assert.equal((await book.find(first))?.scope, 'run');
      assert.equal((await book.find('given'))?.name, 'COPPICE_TOKEN');
      await ensureOwnToken(place, 'read', 3);
      assert.equal(await book.find(first), null);
      assert.equal((await book.find((await readFile(place.own, 'utf8')).trim()))?.scope, 'read');
    });

    it('to itself when the file is open to others or damaged: then nobody is let in', async () => {
      await chmod(place.list, 0o644);
      await assert.rejects(readTokens(place.list), /chmod 600/);
      assert.equal(await openTokenBook(place.list, []).find(tokens.land), null);
      await chmod(place.list, 0o600);
      await writeFile(place.list, '{');
      await assert.rejects(readTokens(place.list), /damaged/);
      assert.equal(await openTokenBook(place.list, []).find(tokens.land), null);
    });
  });

  it('says when the port is taken', async () => {
    await start();
    await assert.rejects(
      startHttp({ face, port: http.port, tokens: null, origins: [], log: () => {} }),
      (error) => error instanceof UserError && /taken/.test(error.message),
    );
  });
});
