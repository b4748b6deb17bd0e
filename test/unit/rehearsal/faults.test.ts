import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../../mcp-server/domain/clock.ts';
import { eventData, type RawCall, rawCall, rawGet, rawPost } from '../../support/raw-http.ts';
import {
  call,
  fault,
  inOrder,
  type Rehearsal,
  type RehearsalOptions,
  say,
  startRehearsal,
} from '../../support/scripted-server.ts';

type Json = Record<string, unknown>;

const HELLO = [{ role: 'user', content: 'hello there' }];
const PING = { type: 'function', function: { name: 'ping', parameters: { type: 'object', properties: {} } } };
const at = (value: unknown, ...path: readonly (string | number)[]): unknown =>
  path.reduce<unknown>((inner, key) => (inner as Record<string | number, unknown> | undefined)?.[key], value);
const json = (text: string): Json => JSON.parse(text) as Json;
const deltas = (text: string): readonly unknown[] =>
  eventData(text)
    .filter((data) => data !== '[DONE]')
    .map((data) => at(json(data), 'choices', 0, 'delta'));
const joined = (text: string, field: string): string =>
  deltas(text)
    .map((delta) => (at(delta, field) as string | null | undefined) ?? '')
    .join('');
const contentOf = (text: string): string => joined(text, 'content');
const finishOf = (text: string): unknown =>
  eventData(text)
    .filter((data) => data !== '[DONE]')
    .map((data) => at(json(data), 'choices', 0, 'finish_reason'))
    .findLast((reason) => typeof reason === 'string');

describe('the scripted server', () => {
  let server: Rehearsal;
  const start = async (options: RehearsalOptions = {}): Promise<void> => {
    server = await startRehearsal({ model: 'tested', ...options });
  };
  const chat = (body: Json = {}): RawCall =>
    rawCall(`${server.url}/v1/chat/completions`, 'POST', { messages: HELLO, stream: true, ...body });
  const answered = async (body: Json = {}): Promise<Awaited<RawCall['response']>> => chat(body).response;
  const states = (): readonly string[] => server.requests.map((request) => request.state);
  afterEach(() => server.close());

  describe('answers as the script says', () => {
    it('with text, then with the rules when the script has none', async () => {
      await start({ answer: inOrder(say('first'), say('second')) });
      assert.equal(contentOf((await answered()).text), 'first');
      assert.equal(at(json((await answered({ stream: false })).text), 'choices', 0, 'message', 'content'), 'second');
      assert.match(contentOf((await answered()).text), /rules, not intelligence/);
    });

    it('with calls, whose pieces join to the arguments', async () => {
      const content = 'line\n'.repeat(60);
      await start({ answer: () => call('write_file', { path: 'a.md', content }) });
      const { text } = await answered({ tools: [PING] });
      const made = deltas(text).flatMap((delta) => (at(delta, 'tool_calls', 0) ?? []) as Json[]);
      assert.ok(made.length > 2);
      assert.equal(at(made[0], 'function', 'name'), 'write_file');
      assert.equal(at(made[0], 'type'), 'function');
      const args = made.map((piece) => at(piece, 'function', 'arguments')).join('');
      assert.deepEqual(json(args), { path: 'a.md', content });
      assert.equal(finishOf(text), 'tool_calls');
    });

    it('with the reasoning apart from the content', async () => {
      await start({ answer: () => say('two', { reasoning: 'one and one' }) });
      const { text } = await answered();
      assert.equal(joined(text, 'reasoning_content'), 'one and one');
      assert.equal(contentOf(text), 'two');
      const whole = json((await answered({ stream: false })).text);
      assert.equal(at(whole, 'choices', 0, 'message', 'reasoning_content'), 'one and one');
    });

    it('and cuts a call in the middle of its arguments at max_tokens', async () => {
      await start({ answer: () => call('write_file', { path: 'a.md', content: 'many words '.repeat(50) }) });
      const body = json((await answered({ stream: false, max_tokens: 30 })).text);
      assert.equal(at(body, 'choices', 0, 'finish_reason'), 'length');
      assert.equal(at(body, 'usage', 'completion_tokens'), 30);
      const args = String(at(body, 'choices', 0, 'message', 'tool_calls', 0, 'function', 'arguments'));
      assert.ok(args.startsWith('{"path"'));
      assert.throws(() => JSON.parse(args));
    });

    it('after the latency that is set', async () => {
      await start({ latencyMs: 150, answer: (_request, n) => (n === 2 ? say('now', { latencyMs: 0 }) : say('later')) });
      const begun = performance.now();
      await answered();
      const first = performance.now() - begun;
      await answered();
      const second = performance.now() - begun - first;
      assert.ok(first >= 145 && second < 100, `${first} ${second}`);
      server.setLatency(() => 0);
      await answered();
      assert.ok(performance.now() - begun - first - second < 100);
    });

    it('and shows the script what was asked', async () => {
      await start();
      const seen: unknown[] = [];
      server.script((request, n) => {
        seen.push([n, request.system, request.lastUser, request.lastTool, request.tools.map((tool) => tool.name)]);
        return say('ok');
      });
      const made = [{ id: 'c', type: 'function', function: { name: 'ping', arguments: '{}' } }];
      const messages = [
        { role: 'system', content: 'S' },
        { role: 'user', content: 'U' },
        { role: 'assistant', content: null, tool_calls: made },
        { role: 'tool', tool_call_id: 'c', content: 'pong' },
      ];
      await answered({ messages, tools: [PING] });
      await answered({ tools: [PING], tool_choice: 'none' });
      assert.deepEqual(seen, [
        [1, 'S', 'U', { name: 'ping', callId: 'c', content: 'pong' }, ['ping']],
        [2, '', 'hello there', null, []],
      ]);
    });
  });

  describe('imitates the slots', () => {
    it('with the cache of the conversation that grows, whichever slot holds it', async () => {
      await start({ slots: 2, answer: (request) => say(`answer to ${request.lastUser}`) });
      const long = (name: string): Json => ({ role: 'user', content: `${name} ${'words '.repeat(100)}` });
      const grown = (name: string): Json[] => [
        long(name),
        { role: 'assistant', content: `answer to ${String(long(name)['content'])}` },
        { role: 'user', content: 'go on' },
      ];
      for (const name of ['a', 'b']) await answered({ messages: [long(name)] });
      for (const name of ['b', 'a']) await answered({ messages: grown(name) });
      const [, , b, a] = server.requests;
      assert.notEqual(b?.slot, a?.slot);
      for (const request of [a, b]) {
        const evaluated = (request?.promptTokens ?? 0) - (request?.cachedTokens ?? 0);
        assert.ok(evaluated > 0 && evaluated < 15, `only the end is evaluated, not ${evaluated}`);
      }
      assert.equal(
        server.stats().cachedTokens,
        (a?.cachedTokens ?? 0) + (b?.cachedTokens ?? 0) + (server.requests[1]?.cachedTokens ?? 0),
      );
    });

    it('and never more at once than there are', async () => {
      // Long enough for all of them to arrive while the first are answered.
      await start({ slots: 3, latencyMs: 250, answer: () => say('ok') });
      await Promise.all(Array.from({ length: 20 }, () => answered()));
      assert.equal(server.stats().maxProcessing, 3);
      assert.equal(server.stats().maxDeferred, 17);
      assert.equal(server.stats().answered, 20);
    });

    it('and the silent prefill that is not cancelled while a neighbour streams, unless it shows progress', async () => {
      await start({ slots: 3, tokensPerSecond: 500, disconnectCheckMs: 200, latencyMs: 0 });
      server.script((request) => (request.ignoreEos ? undefined : say('late', { latencyMs: 5000 })));
      const neighbour = chat({ ignore_eos: true, max_tokens: 2000 });
      await neighbour.headers;
      const silent = chat();
      const shown = chat({ return_progress: true });
      await shown.headers;
      for (const left of [silent, shown]) left.drop();
      await sleep(500);
      assert.deepEqual(states(), ['generating', 'prefill', 'cancelled']);
      neighbour.drop();
      await sleep(500);
      assert.deepEqual(states(), ['cancelled', 'cancelled', 'cancelled']);
    });

    it('and the shared pool, where everybody fails together', async () => {
      await start({ slots: 2, contextSize: 100, kvUnified: true, tokensPerSecond: 2000 });
      const props = json((await rawGet(`${server.url}/props`)).text);
      assert.equal(at(props, 'default_generation_settings', 'n_ctx'), 200);
      const body = { ignore_eos: true, max_tokens: 150 };
      const [streamed, whole] = await Promise.all([answered(body), answered({ ...body, stream: false })]);
      const message = { error: { code: 500, message: 'Context size has been exceeded.', type: 'server_error' } };
      assert.equal(streamed.status, 200);
      assert.deepEqual(json(eventData(streamed.text).at(-1) ?? ''), message);
      assert.equal(whole.status, 500);
      assert.deepEqual(json(whole.text), message);
      assert.equal((await answered({ max_tokens: 5, ignore_eos: true })).status, 200);
    });

    it('and stops at once, and with nothing left behind, when it is closed', async () => {
      await start({ slots: 1, latencyMs: 60_000 });
      const calls = [chat({ return_progress: true }), chat()];
      await calls[0]?.headers;
      while (server.stats().deferred === 0) await sleep(5);
      await server.close();
      const [running, waiting] = await Promise.allSettled(calls.map((one) => one.response));
      assert.equal(running?.status === 'fulfilled' && running.value.complete, false);
      assert.equal(waiting?.status, 'rejected');
      assert.deepEqual(states(), ['cancelled', 'cancelled']);
    });
  });

  describe('lets in only', () => {
    it('who has a key, but says to everybody that it is healthy', async () => {
      await start({ apiKey: 'a,b' });
      assert.equal((await rawGet(`${server.url}/health`)).status, 200);
      for (const headers of [{ authorization: 'Bearer b' }, { 'x-api-key': 'a' }])
        assert.equal((await rawGet(`${server.url}/props`, headers)).status, 200);
      const refused = await rawPost(`${server.url}/v1/chat/completions`, { messages: HELLO });
      assert.equal(refused.status, 401);
      assert.deepEqual(json(refused.text), {
        error: { code: 401, message: 'Invalid API Key', type: 'authentication_error' },
      });
    });

    it('nobody while it loads', async () => {
      let now = 1000;
      await start({ loadingMs: 500, clock: { ...systemClock, now: () => now, sleep: () => Promise.resolve() } });
      const refused = await rawGet(`${server.url}/health`);
      assert.equal(refused.status, 503);
      assert.deepEqual(json(refused.text), {
        error: { code: 503, message: 'Loading model', type: 'unavailable_error' },
      });
      now += 500;
      assert.equal((await rawGet(`${server.url}/health`)).status, 200);
    });
  });

  describe('breaks on purpose', () => {
    const words = 'some words that take a few chunks to say, because half of them come before the break. '.repeat(4);

    it('before the headers, and frees the slot when the client leaves', async () => {
      await start({ slots: 1, answer: inOrder(fault('hang-before-headers'), say('next')) });
      const hanging = chat({ return_progress: true });
      const next = chat();
      assert.equal(await Promise.race([hanging.headers, next.headers, sleep(100, 'nothing')]), 'nothing');
      hanging.drop();
      assert.equal(contentOf((await next.response).text), 'next');
    });

    it('in the middle, with silence', async () => {
      await start({ slots: 1, answer: inOrder(fault('stall-mid-stream', { content: words }), say('next')) });
      const stalled = chat();
      await stalled.headers;
      await sleep(50);
      const half = contentOf(stalled.text());
      assert.ok(half.length > 0 && half.length < words.length && words.startsWith(half));
      stalled.drop();
      assert.equal(contentOf((await answered()).text), 'next');
    });

    it('with an end that lacks [DONE]', async () => {
      await start({ answer: () => fault('cut-stream', { content: words }) });
      const { status, text, complete } = await answered();
      assert.deepEqual([status, complete], [200, true]);
      assert.ok(!text.includes('[DONE]'));
      assert.equal(finishOf(text), undefined);
      assert.equal((await answered({ stream: false })).complete, false);
    });

    it('with a reset, before the headers or in the middle', async () => {
      await start({ answer: (_request, n) => fault(n === 1 ? 'reset' : 'reset-mid-stream', { content: words }) });
      await assert.rejects(answered({ return_progress: true }), { code: 'ECONNRESET' });
      const broken = await answered();
      assert.equal(broken.complete, false);
      assert.ok(contentOf(broken.text.replace(/\n[^\n]*$/, '')).length > 0);
    });

    it('with an error status', async () => {
      const kinds = ['error-500', 'rate-limited', 'loading', 'unauthorized', 'context-exceeded'] as const;
      await start({ answer: (_request, n) => fault(kinds[n - 1] ?? 'reset', { retryAfterS: 7 }) });
      const seen = [];
      for (const _ of kinds) seen.push(await answered());
      assert.deepEqual(
        seen.map((response) => [response.status, at(json(response.text), 'error', 'type')]),
        [
          [500, 'server_error'],
          [429, 'rate_limit_error'],
          [503, 'unavailable_error'],
          [401, 'authentication_error'],
          [400, 'exceed_context_size_error'],
        ],
      );
      assert.equal(seen[1]?.headers['retry-after'], '7');
    });

    it('with a line that is not JSON', async () => {
      await start({ answer: () => fault('malformed-json', { content: words }) });
      const lines = eventData((await answered()).text);
      assert.equal(lines.filter((line) => line !== '[DONE]').filter((line) => !line.endsWith('}')).length, 1);
      const whole = await answered({ stream: false });
      assert.equal(whole.complete, true);
      assert.throws(() => json(whole.text));
    });

    it('with a call that is cut, and with one that nobody offered', async () => {
      const kinds = ['truncated-tool-call', 'wrong-tool-name'] as const;
      await start({ answer: (_request, n) => fault(kinds[n - 1] ?? 'reset') });
      const cut = json((await answered({ stream: false, tools: [PING] })).text);
      assert.equal(at(cut, 'choices', 0, 'finish_reason'), 'length');
      assert.throws(() => json(String(at(cut, 'choices', 0, 'message', 'tool_calls', 0, 'function', 'arguments'))));
      const wrong = json((await answered({ stream: false, tools: [PING] })).text);
      assert.equal(at(wrong, 'choices', 0, 'message', 'tool_calls', 0, 'function', 'name'), 'no_such_tool');
    });

    it('with one huge line', async () => {
      await start({ answer: () => fault('huge-line', { content: words }) });
      const longest = Math.max(...eventData((await answered()).text).map((line) => line.length));
      assert.ok(longest > 8_000_000);
    });

    it('with an error inside a stream of status 200', async () => {
      await start({ answer: () => fault('stream-error', { content: words }) });
      const { status, text } = await answered();
      assert.equal(status, 200);
      assert.match(eventData(text).at(-1) ?? '', /Context size has been exceeded\./);
      assert.equal((await answered({ stream: false })).status, 500);
    });
  });
});
