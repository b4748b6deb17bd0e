import assert from 'node:assert/strict';
import type { OwnedEndpoint } from '../../../mcp-server/inference/endpoint.ts';
import type { ChatRequest, ShareOutcome } from '../../../mcp-server/inference/port.ts';
import { llamaUrl } from '../../support/env.ts';
import { type Rehearsal, type RehearsalOptions, say, startRehearsal } from '../../support/scripted-server.ts';
import { answered, endpointAt, never, readFile, startStub, until } from './support.ts';

const rules = (salt: string): string =>
  `Rules ${salt}: ${'look before you write and say what you have seen. '.repeat(60)}`;

const requestOf = (salt: string, user: string): ChatRequest => ({
  messages: [
    { role: 'system', content: rules(salt) },
    { role: 'user', content: user },
  ],
  tools: [readFile],
  maxTokens: 12,
  temperature: 0,
});

type Shared = Extract<ShareOutcome, { kind: 'shared' }>;
const shared = (outcome: ShareOutcome): Shared => {
  if (outcome.kind !== 'shared') throw new Error(`Not shared: ${JSON.stringify(outcome)}`);
  return outcome;
};

const salted = (): string => String(Math.random());

/** Takes every permit that is free. */
const takeAll = (endpoint: OwnedEndpoint): (() => void)[] => {
  const permits: (() => void)[] = [];
  for (let permit = endpoint.tryPermit(); permit; permit = endpoint.tryPermit()) permits.push(permit);
  return permits;
};

/** Shares as the holder of one permit does. */
const shareFrom = async (
  endpoint: OwnedEndpoint,
  request: ChatRequest,
  copies: number,
  signal = never(),
): Promise<ShareOutcome> => {
  const permit = endpoint.tryPermit();
  assert.ok(permit);
  try {
    return await endpoint.share(request, copies, signal);
  } finally {
    permit();
  }
};

/** The same over any llama-server that can save its slots. */
const contract = (name: string, open: () => Promise<{ readonly url: string; close(): Promise<void> }>): void => {
  describe(`a shared prefix on ${name}`, () => {
    let server: { readonly url: string; close(): Promise<void> };
    let endpoint: OwnedEndpoint;
    let total = 0;
    beforeEach(async () => {
      server = await open();
      endpoint = endpointAt(server.url);
      total = (await endpoint.facts()).totalSlots;
    });
    afterEach(async () => {
      assert.equal(endpoint.slots().busy, 0, 'a permit was kept');
      endpoint.close();
      await server.close();
    });
    const fanOut = (salt: string) =>
      Promise.all(
        Array.from({ length: total }, async (_, n) =>
          answered(await endpoint.chat(requestOf(salt, `You are number ${n}.`), never())),
        ),
      );

    it('is evaluated once and found by every call that starts with it', async () => {
      const salt = salted();
      const outcome = shared(await shareFrom(endpoint, requestOf(salt, 'anything'), total));
      assert.equal(outcome.slots, total);
      assert.ok(outcome.tokens > 500 && outcome.evaluated > outcome.tokens / 2 && outcome.evaluated <= outcome.tokens);
      for (const { usage } of await fanOut(salt))
        assert.ok(usage.cached >= outcome.tokens - 1, `${usage.cached} of ${outcome.tokens}`);
    });

    it('changes no answer', async () => {
      const salt = salted();
      const alone: string[] = [];
      for (let n = 0; n < total; n++) {
        const { answer } = answered(await endpoint.chat(requestOf(salt, `You are number ${n}.`), never()));
        alone.push(answer.content + answer.reasoning + JSON.stringify(answer.toolCalls.map((call) => call.name)));
      }
      await shareFrom(endpoint, requestOf(salt, 'anything'), total);
      const together = (await fanOut(salt)).map(
        ({ answer }) => answer.content + answer.reasoning + JSON.stringify(answer.toolCalls.map((call) => call.name)),
      );
      assert.deepEqual(together, alone);
    });

    it('is read from its file when it is wanted again', async () => {
      const salt = salted();
      const first = shared(await shareFrom(endpoint, requestOf(salt, 'anything'), total));
      for (let n = 0; n < total; n++) await endpoint.chat(requestOf(salted(), `Push it out ${n}.`), never());
      const again = shared(await shareFrom(endpoint, requestOf(salt, 'something else'), total));
      assert.deepEqual(again, { ...first, evaluated: 0 });
      for (const { usage } of await fanOut(salt)) assert.ok(usage.cached >= first.tokens - 1);
    });

    it('takes no more slots than are free, and none when there is no other', async () => {
      const others = Array.from({ length: total - 2 }, () => endpoint.tryPermit());
      assert.equal(shared(await shareFrom(endpoint, requestOf(salted(), 'x'), total)).slots, 2);
      for (const release of others) release?.();
      const all = takeAll(endpoint);
      assert.equal((await endpoint.share(requestOf(salted(), 'x'), total, never())).kind, 'failed');
      for (const release of all) release();
    });

    it('holds the permits of its slots for as long as it takes, and no more', async () => {
      const running = shareFrom(endpoint, requestOf(salted(), 'x'), 3);
      assert.equal(endpoint.slots().busy, 3);
      assert.equal(shared(await running).slots, 3);
      assert.equal(endpoint.slots().busy, 0);
    });

    it('is given up when it is stopped', async () => {
      const abort = new AbortController();
      abort.abort();
      assert.equal((await shareFrom(endpoint, requestOf(salted(), 'x'), total, abort.signal)).kind, 'failed');
    });
  });
};

const withFiles = (more: RehearsalOptions = {}): Promise<Rehearsal> =>
  startRehearsal({ slots: 4, slotSavePath: 'memory', answer: (request) => say(`Heard: ${request.lastUser}`), ...more });

contract('the scripted server', () => withFiles({ promptTokensPerSecond: 50_000 }));
if (llamaUrl !== null)
  contract('a real llama-server', async () => ({ url: llamaUrl ?? '', close: async () => undefined }));

describe('sharing a prefix', () => {
  let server: Rehearsal;
  let endpoint: OwnedEndpoint;
  const start = async (options: RehearsalOptions): Promise<void> => {
    server = await withFiles(options);
    endpoint = endpointAt(server.url);
    await endpoint.facts();
  };
  afterEach(async () => {
    assert.equal(endpoint.slots().busy, 0, 'a permit was kept');
    endpoint.close();
    await server.close();
  });
  const share = (salt = 'a', signal = never()): Promise<ShareOutcome> =>
    shareFrom(endpoint, requestOf(salt, 'x'), 4, signal);

  it('costs nothing on a server without a folder for its slots, and says so from then on', async () => {
    await start({ slotSavePath: '' });
    const reason = 'The model server was not started with --slot-save-path.';
    assert.deepEqual(await share(), { kind: 'unsupported', reason });
    assert.equal(server.stats().promptTokens, 0);
    const { url } = server;
    await server.close();
    assert.deepEqual(await share(), { kind: 'unsupported', reason }, 'it was asked again');
    server = await withFiles({ port: Number(new URL(url).port) });
  });

  it('is tried again once the server may be another one', async () => {
    await start({ slotSavePath: '' });
    assert.equal((await share()).kind, 'unsupported');
    const port = Number(new URL(server.url).port);
    await server.close();
    assert.equal((await endpoint.chat(requestOf('a', 'x'), never())).kind, 'failed');
    server = await withFiles({ port });
    await endpoint.facts();
    assert.equal((await share()).kind, 'shared');
  });

  it('is not tried on a server that is no llama-server', async () => {
    await start({});
    const stub = await startStub((response, path) => {
      response.writeHead(path === '/v1/models' ? 200 : 404, { 'content-type': 'application/json' });
      response.end('{"data":[{"id":"other"}]}');
    });
    const other = endpointAt(stub.url, { slotsOverride: 4 });
    await other.facts();
    assert.equal((await shareFrom(other, requestOf('a', 'x'), 4)).kind, 'unsupported');
    assert.ok(!stub.seen.some(({ path }) => path.startsWith('/slots')));
    other.close();
    await stub.close();
  });

  it('learns from the calls that come after it that slots which share a pool lose it', async () => {
    await start({ kvUnified: true, slots: 8 });
    const outcome = shared(await shareFrom(endpoint, requestOf('a', 'x'), 8));
    assert.equal(outcome.slots, 8);
    server.setLatency(200);
    const asked = Array.from({ length: 8 }, (_, n) => endpoint.chat(requestOf('a', `number ${n}`), never()));
    const cached = (await Promise.all(asked)).map((one) => answered(one).usage.cached);
    assert.ok(cached.filter((tokens) => tokens > 500).length < 4);
    const again = await share('b');
    assert.equal(again.kind, 'unsupported');
    assert.match(again.kind === 'unsupported' ? again.reason : '', /share one KV cache/);
  });

  it('goes on being done where the calls after it do find it', async () => {
    await start({ latencyMs: 10 });
    await share();
    await Promise.all([1, 2, 3, 4].map((n) => endpoint.chat(requestOf('a', `number ${n}`), never())));
    assert.equal((await share('b')).kind, 'shared');
  });

  it('evaluates it anew when the server was started anew without anybody noticing', async () => {
    await start({});
    const port = Number(new URL(server.url).port);
    const first = shared(await share());
    await server.close();
    server = await withFiles({ port });
    assert.deepEqual(await share(), first);
  });

  it('fails, and gives its permits back, when the server dies in the middle', async () => {
    await start({ promptTokensPerSecond: 500 });
    const running = share();
    await until(async () => server.stats().processing === 1, 'the prefix is being evaluated');
    await server.close();
    const outcome = await running;
    assert.equal(outcome.kind, 'failed');
    server = await withFiles({});
  });

  it('fails, and gives its permits back, when it is stopped in the middle', async () => {
    await start({ promptTokensPerSecond: 500 });
    const abort = new AbortController();
    const running = share('a', abort.signal);
    await until(async () => server.stats().processing === 1, 'the prefix is being evaluated');
    abort.abort();
    assert.equal((await running).kind, 'failed');
    await until(async () => server.stats().processing === 0, 'the slot is free');
  });

  it('shares one prefix at a time', async () => {
    await start({ slots: 8, promptTokensPerSecond: 5000 });
    const [one, other] = await Promise.all([
      shareFrom(endpoint, requestOf('a', 'x'), 3),
      shareFrom(endpoint, requestOf('b', 'x'), 3),
    ]);
    assert.deepEqual([one.kind, other.kind], ['shared', 'failed']);
  });
});
