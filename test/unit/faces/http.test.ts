import assert from 'node:assert/strict';
import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { UserError } from '../../../mcp-server/domain/errors.ts';
import { SCOPES, type Scope, scopeOf } from '../../../mcp-server/faces/http/scopes.ts';
import { startHttp } from '../../../mcp-server/faces/http/server.ts';
import {
  addToken,
  digestOf,
  ensureOwnToken,
  openTokenBook,
  readTokens,
  removeToken,
} from '../../../mcp-server/faces/http/tokens.ts';
import { operations } from '../../../mcp-server/operations/table.ts';
import { httpGround, json, pause, until } from './http-ground.ts';

describe('HTTP on loopback', () => {
  const ground = httpGround();
  const { start, send, as, post, modern, old } = ground;

  describe('lets in', () => {
    it('nobody without a good token, and says how to come back', async () => {
      await start();
      for (const path of [
        '/mcp',
        '/events',
        '/metrics',
        '/status/r-1',
        '/nothing',
        `/mcp?token=${ground.tokens.land}`,
      ]) {
        const answer = await send(path);
        assert.equal(answer.status, 401, path);
        assert.match(String(answer.headers['www-authenticate']), /^Bearer /);
      }
      for (const value of [
        'Bearer',
        'Bearer x',
        `Basic ${ground.tokens.land}`,
        `Bearer ${ground.tokens.land}x`,
        ground.tokens.land,
      ]) {
        const answer = await send('/metrics', { headers: { Authorization: value } });
        assert.equal(answer.status, 401, value);
      }
      assert.equal((await send('/metrics', { headers: as('read') })).status, 200);
    });

    it('nobody who comes by another name or from a foreign page, good token or not', async () => {
      await start({}, ['http://localhost:3000']);
      const good = `127.0.0.1:${ground.http.port}`;
      for (const host of [
        'evil.example.com',
        'evil.example.com:80',
        '127.0.0.1',
        `127.0.0.1:${ground.http.port + 1}`,
        `${good}.evil.com`,
      ])
        assert.equal((await send('/metrics', { headers: as('land', { Host: host }) })).status, 403, host);
      for (const origin of [
        'http://evil.example.com',
        'null',
        `https://127.0.0.1:${ground.http.port}`,
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
      assert.equal((await send('/health', { headers: { Host: `localhost:${ground.http.port}` } })).status, 200);
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
      assert.deepEqual(ground.engine.calls, []);
    });

    it('nobody for longer than a request takes', async () => {
      await start({ headersMs: 200, requestMs: 400 });
      const stall = (text: string): Promise<number> =>
        new Promise((resolve) => {
          const begun = Date.now();
          const socket = connect(ground.http.port, '127.0.0.1', () => socket.write(text));
          socket.on('error', () => {}).on('close', () => resolve(Date.now() - begun));
          socket.resume();
        });
      const line = `POST /submit HTTP/1.1\r\nHost: 127.0.0.1:${ground.http.port}\r\n`;
      const rest = `Authorization: Bearer ${ground.tokens.run}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{`;
      const [headers, body] = await Promise.all([stall(line), stall(line + rest)]);
      assert.ok(headers < 3000 && body < 3000, `${headers} ms, ${body} ms`);
      assert.equal((await send('/health')).status, 200);
    });

    it('nobody any more whose token was taken back, whatever is still open', async () => {
      await start();
      const client = await old('read');
      let lost = false;
      const stream = request(
        { host: '127.0.0.1', port: ground.http.port, path: '/events', headers: as('read') },
        (res) => {
          res.resume().on('close', () => {
            lost = true;
          });
        },
      );
      stream.on('error', () => {}).end();
      await pause(50);
      await removeToken(ground.place, 'reader');
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
      assert.deepEqual(ground.engine.calls, []);
    });

    it('no way to reach servers and programs that the person has not allowed', async () => {
      await start();
      const asked = { task: 'x', options: { permissions: { commands: 'any' } } };
      assert.equal((await post('/submit', 'run', asked)).status, 403);
      assert.equal((await post('/submit', 'run', { task: 'x', options: { server: 'http://10.0.0.1' } })).status, 403);
      const client = await modern('run');
      await assert.rejects(client.callTool({ name: 'run_start', arguments: asked }));
      assert.deepEqual(ground.engine.calls, []);
      assert.equal((await post('/submit', 'land', asked)).status, 202);
      assert.equal((await post('/submit', 'run', { task: 'x', options: { budget: 10 } })).status, 202);
    });
  });

  describe('keeps tokens', () => {
    it('as digests, in a file that nobody else can read', async () => {
      const text = await readFile(ground.place.list, 'utf8');
      for (const token of Object.values(ground.tokens))
        assert.ok(!text.includes(token) && text.includes(digestOf(token)));
      assert.equal((await stat(ground.place.list)).mode & 0o777, 0o600);
      await assert.rejects(addToken(ground.place, { name: 'reader', scope: 'run', now: 1 }), UserError);
      await assert.rejects(addToken(ground.place, { name: 'a b', scope: 'run', now: 1 }), UserError);
      await assert.rejects(removeToken(ground.place, 'nobody'), UserError);
    });

    it('but the own one, which scripts may read, until its scope changes', async () => {
      await ensureOwnToken(ground.place, 'run', 1);
      const first = (await readFile(ground.place.own, 'utf8')).trim();
      await ensureOwnToken(ground.place, 'run', 2);
      assert.equal((await readFile(ground.place.own, 'utf8')).trim(), first);
      assert.equal((await stat(ground.place.own)).mode & 0o777, 0o600);
      const book = openTokenBook(ground.place.list, [
        { name: 'COPPICE_TOKEN', scope: 'read', sha256: digestOf('given') },
      ]);
      assert.equal((await book.find(first))?.scope, 'run');
      assert.equal((await book.find('given'))?.name, 'COPPICE_TOKEN');
      await ensureOwnToken(ground.place, 'read', 3);
      assert.equal(await book.find(first), null);
      assert.equal((await book.find((await readFile(ground.place.own, 'utf8')).trim()))?.scope, 'read');
    });

    it('to itself when the file is open to others or damaged: then nobody is let in', async () => {
      await chmod(ground.place.list, 0o644);
      await assert.rejects(readTokens(ground.place.list), /chmod 600/);
      assert.equal(await openTokenBook(ground.place.list, []).find(ground.tokens.land), null);
      await chmod(ground.place.list, 0o600);
      await writeFile(ground.place.list, '{');
      await assert.rejects(readTokens(ground.place.list), /damaged/);
      assert.equal(await openTokenBook(ground.place.list, []).find(ground.tokens.land), null);
    });
  });

  it('says when the port is taken', async () => {
    await start();
    await assert.rejects(
      startHttp({ face: ground.face, port: ground.http.port, tokens: null, origins: [], log: () => {} }),
      (error) => error instanceof UserError && /taken/.test(error.message),
    );
  });
});
