import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { type OwnedEndpoint } from '../../../mcp-server/inference/endpoint.ts';
import { startRehearsal } from '../../../mcp-server/rehearsal/server.ts';
import { endpointAt, never, type Stub, startStub, TestClock, until } from './support.ts';

const reply = (response: ServerResponse, status: number, body: unknown, headers = {}): void => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
};

const vectors = (count: number, length = 3): object => ({
  object: 'list',
  data: Array.from({ length: count }, (_, at) => ({
    index: count - 1 - at,
    embedding: Array.from({ length }, () => count - at),
  })),
});

const MINUTE = 60_000;

describe('the vectors of a server', () => {
  const closers: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  const stub = async (answer: (response: ServerResponse, n: number, texts: readonly string[]) => void) => {
    let n = 0;
    const server: Stub = await startStub((response) => {
      n += 1;
      answer(response, n, (JSON.parse(server.seen.at(-1)?.body ?? '{}') as { input: string[] }).input);
    });
    closers.push(() => server.close());
    return server;
  };
  const at = (url: string, clock = new TestClock()): { endpoint: OwnedEndpoint; clock: TestClock } => {
    const endpoint = endpointAt(url, { clock });
    closers.push(() => endpoint.close());
    return { endpoint, clock };
  };

  it('come in the order of the texts, and are asked for once', async () => {
    const rehearsal = await startRehearsal({ embeddings: true });
    closers.push(() => rehearsal.close());
    const { endpoint } = at(rehearsal.url);
    const [bug, paint, same] = (await endpoint.embed(['find a bug', 'paint it', 'find a bug'], never())) ?? [];
    assert.ok(bug && paint);
    assert.deepEqual(bug, same);
    assert.notDeepEqual(bug, paint);
    assert.equal(endpoint.slots().busy, 0);
    const server = await stub((response, _n, texts) => reply(response, 200, vectors(texts.length)));
    const other = at(server.url).endpoint;
    const texts = Array.from({ length: 40 }, (_, one) => `text ${one}`);
    const first = await other.embed(texts, never());
    assert.deepEqual([first?.length, first?.[0], first?.[15]], [40, [1, 1, 1], [16, 16, 16]], 'sorted by their index');
    assert.deepEqual(await other.embed([...texts].reverse(), never()), [...(first ?? [])].reverse());
    assert.equal((await other.embed(['text 1', 'a new one'], never()))?.length, 2);
    const sizes = server.seen.map(({ body }) => (JSON.parse(body) as { input: string[] }).input.length);
    assert.deepEqual(sizes, [16, 16, 8, 1]);
    assert.ok(server.seen.every(({ path }) => path === '/v1/embeddings'));
  });

  it('are asked of texts that a server takes: never empty, never long', async () => {
    const server = await stub((response, _n, texts) => reply(response, 200, vectors(texts.length)));
    await at(server.url).endpoint.embed(['', '   ', 'x'.repeat(5_000)], never());
    const { input } = JSON.parse(server.seen[0]?.body ?? '') as { input: string[] };
    assert.deepEqual(
      input.map((text) => text.length),
      [1, 1_000],
    );
  });

  it('are not asked for again for some minutes where the server refused, however it did', async () => {
    const refusals: readonly (readonly [number, unknown])[] = [
      [501, { error: { code: 501, message: 'This server does not support embeddings.', type: 'not_supported_error' } }],
      [404, { error: { code: 404, message: 'File Not Found', type: 'not_found_error' } }],
      [
        400,
        { error: { code: 400, message: "Pooling type 'none' is not OAI compatible.", type: 'invalid_request_error' } },
      ],
      [200, { object: 'list', data: [] }],
      [200, { data: [{ index: 0, embedding: ['a'] }] }],
    ];
    for (const [status, body] of refusals) {
      const server = await stub((response) => reply(response, status, body));
      const { endpoint, clock } = at(server.url);
      assert.equal(await endpoint.embed(['a'], never()), null);
      clock.advance(9 * MINUTE);
      assert.equal(await endpoint.embed(['b'], never()), null);
      assert.equal(server.seen.length, 1, String(status));
      clock.advance(2 * MINUTE);
      await endpoint.embed(['b'], never());
      assert.equal(server.seen.length, 2, String(status));
    }
  });

  it('are asked for sooner again where the server was only busy, broken or away', async () => {
    const loading = { error: { code: 503, message: 'Loading model', type: 'unavailable_error' } };
    const server = await stub((response, n) => {
      if (n === 1) reply(response, 503, loading);
      else if (n === 2) reply(response, 429, {}, { 'retry-after': '120' });
      else if (n === 3) response.destroy();
      else if (n === 4) reply(response, 200, '{"data": [');
      else reply(response, 200, vectors(1));
    });
    const { endpoint, clock } = at(server.url);
    for (const [n, wait] of [1, 2, 1, 1].entries()) {
      assert.equal(await endpoint.embed(['a'], never()), null);
      assert.equal(await endpoint.embed(['a'], never()), null, 'not asked');
      assert.equal(server.seen.length, n + 1);
      clock.advance(wait * MINUTE);
    }
    assert.deepEqual(await endpoint.embed(['a'], never()), [[1, 1, 1]]);
  });

  it('end by their signal and their time, and give their slot back', async () => {
    const server = await stub(() => {});
    const { endpoint, clock } = at(server.url);
    const stop = new AbortController();
    const asking = endpoint.embed(['a'], stop.signal);
    assert.equal(endpoint.slots().busy, 1);
    assert.equal(await endpoint.embed(['b'], never()), null, 'no slot is free');
    await until(() => server.seen.length === 1, 'it is asked');
    stop.abort();
    assert.equal(await asking, null);
    assert.equal(endpoint.slots().busy, 0);
    assert.equal(await clock.advanceUntil(endpoint.embed(['a'], never())), null, 'an abort is no refusal');
    assert.equal(server.seen.length, 2);
    assert.equal(clock.sleepers, 0);
    assert.equal(await at('http://127.0.0.1:1').endpoint.embed(['a'], never()), null);
    assert.deepEqual(await at('http://127.0.0.1:1').endpoint.embed([], never()), []);
  });
});
