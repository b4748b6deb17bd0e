import assert from 'node:assert/strict';
import { upperBoundTokens } from '../../../mcp-server/inference/token-bound.ts';
import {
  answered,
  ask,
  delta,
  end,
  endpointAt,
  event,
  failed,
  never,
  type Stub,
  startStream,
  startStub,
  until,
} from './support.ts';

describe('a call to a server of another kind', () => {
  let stub: Stub;
  afterEach(() => stub.close());
  const chat = (signal = never()) => endpointAt(stub.url).chat(ask('x'), signal);

  it('is answered without usage, timings or progress', async () => {
    stub = await startStream(delta({ content: 'a' }), delta({ content: 'b' }), end('stop'));
    const { answer, usage } = answered(await chat());
    assert.equal(answer.content, 'ab');
    assert.deepEqual(usage, { prompt: upperBoundTokens(ask('x')), completion: 2, cached: 0 });
  });

  it('is charged what the server counts when it is asked, should its answer not say', async () => {
    stub = await startStub((response, path) => {
      const counting = path.endsWith('/input_tokens');
      response.writeHead(200, { 'content-type': counting ? 'application/json' : 'text/event-stream' });
      response.end(counting ? '{"input_tokens":37}' : delta({ content: 'a' }) + end('stop'));
    });
    assert.deepEqual(answered(await chat()).usage, { prompt: 37, completion: 1, cached: 0 });
  });

  it('is charged its upper bound when the server fills in zeros and cannot count', async () => {
    stub = await startStub((response, path) => {
      const counting = path.endsWith('/input_tokens');
      response.writeHead(counting ? 404 : 200, { 'content-type': 'text/event-stream' });
      const zeros = event({ choices: [], usage: { prompt_tokens: 0, completion_tokens: 0 } });
      response.end(counting ? '' : delta({ content: 'a' }) + zeros + end('stop'));
    });
    const { usage } = answered(await chat());
    assert.deepEqual(usage, { prompt: upperBoundTokens(ask('x')), completion: 1, cached: 0 });
  });

  it('is not asked again for what it counted itself', async () => {
    const counted = event({ choices: [], usage: { prompt_tokens: 5, completion_tokens: 1 } });
    stub = await startStream(delta({ content: 'a' }), counted, end('stop'));
    assert.equal(answered(await chat()).usage.prompt, 5);
    assert.equal(stub.seen.length, 1);
  });

  it('measures time itself when the server does not', async () => {
    stub = await startStream(delta({ content: 'a' }), end('stop'));
    const { timings } = answered(await chat());
    for (const ms of Object.values(timings)) assert.ok(ms >= 0 && ms < 5_000);
  });

  it('is refused by a page that is no stream', async () => {
    stub = await startStub((response) => {
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end('<html>');
    });
    const outcome = failed(await chat());
    assert.equal(outcome.failure, 'refused');
    assert.match(outcome.message, /text\/html/);
  });

  it('fails when the stream ends properly but without a reason', async () => {
    stub = await startStream(delta({ content: 'a' }), 'data: [DONE]\n\n');
    assert.equal(failed(await chat()).failure, 'malformed');
  });

  it('fails when a piece is of another shape', async () => {
    for (const piece of [event({ choices: [{ delta: { content: { text: 'x' } } }] }), 'data: null\n\n']) {
      stub = await startStream(piece, end('stop'));
      assert.equal(failed(await chat()).failure, 'malformed');
      await stub.close();
    }
  });

  it('fails once an answer is larger than a million characters, and is not tried again', async () => {
    const piece = delta({ content: 'x'.repeat(300_000) });
    stub = await startStream(piece, piece, piece, piece, end('stop'));
    const outcome = failed(await chat());
    assert.deepEqual(
      { failure: outcome.failure, retryable: outcome.retryable },
      { failure: 'malformed', retryable: false },
    );
    assert.equal(outcome.spent.completion, 4);
  });

  it('hangs up on a server that goes on after a broken piece', async () => {
    let left = false;
    stub = await startStub((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: {"broken\n\n');
      response.on('close', () => {
        left = true;
      });
    });
    assert.equal(failed(await chat()).failure, 'malformed');
    await until(() => left, 'the end of the connection');
  });

  it('sends the key, and nothing about this machine', async () => {
    stub = await startStream(delta({ content: 'a' }), end('stop'));
    await endpointAt(`${stub.url}/v1/`, { apiKey: 'secret' }).chat(ask('x'), never());
    await endpointAt(stub.url).chat(ask('x'), never());
    const [withKey, without] = stub.seen.filter(({ path }) => path === '/v1/chat/completions');
    assert.ok(withKey && without);
    assert.equal(withKey.headers.authorization, 'Bearer secret');
    assert.equal(without.headers.authorization, undefined);
    const names = Object.keys(withKey.headers).sort();
    assert.deepEqual(names, ['accept', 'authorization', 'connection', 'content-length', 'content-type', 'host']);
  });

  it('names the model that it was told to, else the one that the server has', async () => {
    stub = await startStub((response, path) => {
      response.writeHead(path === '/v1/models' ? 200 : 404);
      response.end(JSON.stringify({ data: [{ id: 'small', max_model_len: 4096 }] }));
    });
    const endpoint = endpointAt(stub.url);
    await endpoint.facts();
    await endpoint.chat(ask('x'), never());
    await endpointAt(stub.url, { model: 'mine' }).chat(ask('x'), never());
    const models = stub.seen
      .filter((one) => one.body !== '')
      .map((one) => (JSON.parse(one.body) as { model: string }).model);
    assert.deepEqual(models, ['small', 'mine']);
  });

  it('whose connection nobody takes is unreachable, and worth another try', async () => {
    stub = await startStream();
    await stub.close();
    const outcome = failed(await chat());
    assert.deepEqual(
      { failure: outcome.failure, retryable: outcome.retryable },
      { failure: 'unreachable', retryable: true },
    );
    assert.match(outcome.message, /No model server listens at http/);
  });

  it('is aborted before it begins without asking the server', async () => {
    stub = await startStream(end('stop'));
    assert.deepEqual(await chat(AbortSignal.abort()), {
      kind: 'aborted',
      spent: { prompt: 0, completion: 0, cached: 0 },
    });
    assert.equal(stub.seen.length, 0);
  });

  it('leaves no listener on the signal that it was given', async () => {
    stub = await startStream(delta({ content: 'a' }), end('stop'));
    const { signal } = new AbortController();
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...all: Parameters<typeof addEventListener>) => {
      listeners += 1;
      addEventListener.apply(signal, all);
    };
    signal.removeEventListener = (...all: Parameters<typeof removeEventListener>) => {
      listeners -= 1;
      removeEventListener.apply(signal, all);
    };
    answered(await chat(signal));
    assert.equal(listeners, 0);
  });
});
