import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type HttpFace, type HttpLimits, startHttp } from '../../../mcp-server/faces/http/server.ts';
import { addToken, openTokenBook, tokenPlace } from '../../../mcp-server/faces/http/tokens.ts';
import { type McpFace, openMcpFace } from '../../../mcp-server/faces/mcp/face.ts';
import { createFakeEngine, type FakeEngine } from '../../support/fake-engine.ts';
import { createFakeSkills } from '../../support/fake-skills.ts';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

describe('A hostile client over HTTP gets', () => {
  let folder: string;
  let engine: FakeEngine;
  let face: McpFace;
  let http: HttpFace;
  let tokens: Record<'reader' | 'runner', string>;
  const logged: string[] = [];

  const start = async (limits: Partial<HttpLimits> = {}): Promise<void> => {
    const place = tokenPlace(folder, '/some/repository');
    tokens = {
      reader: await addToken(place, { name: 'reader', scope: 'read', now: 1 }),
      runner: await addToken(place, { name: 'runner', scope: 'run', now: 1 }),
    };
    const log = (line: string): void => void logged.push(line);
    http = await startHttp({ face, port: 0, tokens: openTokenBook(place.list, []), origins: [], limits, log });
  };
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'coppice-http-'));
    logged.length = 0;
    engine = createFakeEngine();
    face = openMcpFace({ engine, version: '1', skills: createFakeSkills(), log: (line) => logged.push(line) });
  });
  afterEach(async () => {
    await http.close();
    face.close();
    await rm(folder, { recursive: true, force: true });
  });

  const as = (who: keyof typeof tokens): Record<string, string> => ({
    Authorization: `Bearer ${tokens[who]}`,
    'Content-Type': 'application/json',
    Accept: 'application/json, text/event-stream',
  });
  const send = (
    path: string,
    options: { readonly method?: string; readonly headers: Record<string, string>; readonly body?: string },
  ): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const { method = 'GET', headers, body } = options;
      const req = request({ host: '127.0.0.1', port: http.port, path, method, headers }, (res) => {
        res.resume().on('end', () => resolve({ status: res.statusCode ?? 0, headers: res.headers }));
      });
      req.on('error', reject).end(body);
    });
  const post = (path: string, body: unknown): Promise<Answer> =>
    send(path, { method: 'POST', headers: as('runner'), body: JSON.stringify(body) });

  it('no way to name further inference servers', async () => {
    await start();
    const options = { planning: { servers: [{ server: 'http://10.0.0.1' }] } };
    assert.equal((await post('/submit', { task: 'x', options })).status, 403);
    for (const [name, input] of [
      ['run_start', { task: 'x', options }],
      ['plan_create', { task: 'x', options }],
      ['workflow_run', { name: 'tdd', options }],
      ['skill_run', { name: 'code-review', options }],
      ['setup_check', { options }],
    ] as const) {
      const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: input } };
      assert.equal((await post('/mcp', call)).status, 403, name);
    }
    assert.deepEqual(engine.calls, []);
  });

  it('no body that is nested so deep that reading it fails', async () => {
    await start();
    const deep = '['.repeat(200_000) + ']'.repeat(200_000);
    const headers = as('runner');
    for (const path of ['/mcp', '/submit'])
      for (const body of [deep, `{"task":"x","options":${deep}}`])
        assert.equal((await send(path, { method: 'POST', headers, body })).status, 400, path);
    const brackets = await post('/submit', { task: `\\"${'['.repeat(1000)}` });
    assert.equal(brackets.status, 202);
    assert.deepEqual(logged, []);
  });

  it('nobody who names two hosts', async () => {
    await start();
    const answer = await new Promise<string>((resolve) => {
      const lines = ['GET /health HTTP/1.1', `Host: 127.0.0.1:${http.port}`, 'Host: evil.example.com', '', ''];
      const socket = connect(http.port, '127.0.0.1', () => socket.end(lines.join('\r\n')));
      let text = '';
      socket.on('data', (chunk) => (text += String(chunk))).on('close', () => resolve(text));
    });
    assert.match(answer, /^HTTP\/1\.1 403 /);
  });

  it('no client to so many places at once that none is left for others', async () => {
    await start({ openByClient: 2 });
    const streams = [1, 2].map(() => {
      const stream = request({ host: '127.0.0.1', port: http.port, path: '/events', headers: as('reader') });
      stream.on('error', () => {}).end();
      return stream;
    });
    await Promise.all(streams.map((stream) => new Promise((resolve) => stream.once('response', resolve))));
    const refused = await send('/events', { headers: as('reader') });
    assert.deepEqual([refused.status, refused.headers['retry-after']], [429, '1']);
    assert.equal((await send('/metrics', { headers: as('runner') })).status, 200);
    streams[0]?.destroy();
    let status = 429;
    for (let at = 0; at < 100 && status === 429; at++) {
      await pause(10);
      ({ status } = await send('/metrics', { headers: as('reader') }));
    }
    assert.equal(status, 200);
    streams[1]?.destroy();
  });
});
