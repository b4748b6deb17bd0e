import assert from 'node:assert/strict';
import type { EndpointOptions, OwnedEndpoint } from '../../../mcp-server/inference/endpoint.ts';
import type { ChatFailure, ChatOutcome } from '../../../mcp-server/inference/port.ts';
import {
  type Fault,
  fault,
  type Rehearsal,
  type RehearsalOptions,
  say,
  startRehearsal,
} from '../../support/scripted-server.ts';
import { answered, ask, endpointAt, failed, never, readFile, TestClock, until } from './support.ts';

/** Long enough that half of it is many pieces. */
const LONG = 'one two three four five six seven eight nine ten '.repeat(20);

describe('a call to a server that misbehaves', () => {
  let server: Rehearsal;
  let endpoint: OwnedEndpoint;
  const start = async (options: RehearsalOptions, more: Partial<EndpointOptions> = {}): Promise<void> => {
    server = await startRehearsal(options);
    endpoint = endpointAt(server.url, more);
  };
  const callWith = async (kind: Fault, more: Partial<EndpointOptions> = {}): Promise<ChatOutcome> => {
    await start({ answer: () => fault(kind, { content: LONG }) }, more);
    return endpoint.chat(ask('x', { maxTokens: 2000 }), never());
  };
  afterEach(async () => {
    endpoint.close();
    await server.close();
  });

  const failures: readonly [Fault, ChatFailure, retryable: boolean][] = [
    ['reset', 'unreachable', true],
    ['reset-mid-stream', 'unreachable', true],
    ['cut-stream', 'unreachable', true],
    ['malformed-json', 'malformed', true],
    ['huge-line', 'malformed', true],
    ['error-500', 'malformed', true],
    ['stream-error', 'pool-exhausted', true],
    ['rate-limited', 'overloaded', true],
    ['loading', 'loading', true],
    ['context-exceeded', 'context-exceeded', false],
    ['unauthorized', 'refused', false],
  ];
  for (const [kind, failure, retryable] of failures) {
    it(`fails as ${failure}${retryable ? ', to be tried again' : ''}, after: ${kind}`, async () => {
      const outcome = failed(await callWith(kind));
      assert.deepEqual({ failure: outcome.failure, retryable: outcome.retryable }, { failure, retryable });
    });
  }

  it('knows what a cut stream has cost', async () => {
    const { spent } = failed(await callWith('cut-stream'));
    assert.ok(spent.prompt > 5, `${spent.prompt} prompt tokens`);
    assert.ok(spent.completion > 5, `${spent.completion} completion tokens`);
  });

  it('is told when to come back', async () => {
    await start({ answer: () => fault('rate-limited', { retryAfterS: 7 }) });
    assert.equal(failed(await endpoint.chat(ask('x'), never())).retryAfterMs, 7000);
  });

  it('loses the half of a tool call that its length cut off', async () => {
    await start({
      answer: () => fault('truncated-tool-call', { toolCalls: [{ name: 'read_file', arguments: { path: 'a.ts' } }] }),
    });
    const { answer } = answered(await endpoint.chat(ask('x', { tools: [readFile] }), never()));
    assert.deepEqual({ calls: answer.toolCalls, finish: answer.finish }, { calls: [], finish: 'length' });
  });

  it('passes on a call of a tool that nobody offered: the agent answers it', async () => {
    await start({ answer: () => fault('wrong-tool-name', { toolCalls: [{ name: 'read_file', arguments: {} }] }) });
    const { answer } = answered(await endpoint.chat(ask('x', { tools: [readFile] }), never()));
    assert.equal(answer.toolCalls.length, 1);
    assert.notEqual(answer.toolCalls[0]?.name, 'read_file');
  });

  it('stalls when no headers come for 300 s', async () => {
    const clock = new TestClock();
    const before = clock.now();
    const outcome = failed(await clock.advanceUntil(callWith('hang-before-headers', { clock })));
    assert.deepEqual(
      { failure: outcome.failure, retryable: outcome.retryable },
      { failure: 'stalled', retryable: true },
    );
    assert.match(outcome.message, /sent nothing for 300 s/);
    assert.ok(clock.now() - before >= 300_000);
    assert.equal(clock.sleepers, 0);
    await until(() => server.stats().processing === 0, 'the slot is free');
  });

  it('stalls when a stream is silent for 120 s, and knows what it has cost', async () => {
    const clock = new TestClock();
    const outcome = failed(await clock.advanceUntil(callWith('stall-mid-stream', { clock })));
    assert.equal(outcome.failure, 'stalled');
    assert.match(outcome.message, /sent nothing for 120 s/);
    assert.ok(outcome.spent.completion > 0);
    await until(() => server.stats().processing === 0, 'the slot is free');
  });

  it('does not stall while pieces come, however long it takes in all', async () => {
    await start({ tokensPerSecond: 25, answer: () => say(LONG) });
    const clock = new TestClock();
    const endpoint = endpointAt(server.url, { clock });
    const call = endpoint.chat(ask('x', { maxTokens: 60 }), never());
    await until(() => server.requests[0]?.state === 'generating', 'the first token');
    const before = clock.now();
    assert.equal((await clock.advanceUntil(call, 400)).kind, 'answered');
    assert.ok(clock.now() - before > 120_000, 'longer than a stall in all');
    endpoint.close();
  });

  it('halves the permits when the shared memory ran out', async () => {
    await start({ slots: 4, answer: () => fault('stream-error') });
    await endpoint.facts();
    assert.equal(endpoint.slots().total, 4);
    await Promise.all([1, 2, 3].map(() => endpoint.chat(ask('x'), never())));
    assert.equal(endpoint.slots().total, 2);
  });

  it('is answered once the server is well again', async () => {
    await start({ answer: (_request, n) => (n === 1 ? fault('reset') : say('here I am')) });
    failed(await endpoint.chat(ask('x'), never()));
    assert.equal(answered(await endpoint.chat(ask('x'), never())).answer.content, 'here I am');
  });
});
