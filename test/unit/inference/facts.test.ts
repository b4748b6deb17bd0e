import assert from 'node:assert/strict';
import type { UserErrorCode } from '../../../mcp-server/domain/errors.ts';
import { UserError } from '../../../mcp-server/domain/errors.ts';
import { say, startRehearsal } from '../../support/scripted-server.ts';
import { ask, endpointAt, never, startStub, TestClock, until } from './support.ts';

const isUserError =
  (code: UserErrorCode, words: RegExp) =>
  (error: unknown): boolean =>
    error instanceof UserError && error.code === code && words.test(error.message);

const noRoute = { '/health': { status: 404 }, '/props': { status: 404 } };
const stubOf = (routes: Record<string, { status?: number; json?: unknown }>) =>
  startStub((response, path) => {
    const route = routes[path] ?? { status: 404 };
    response.writeHead(route.status ?? 200, { 'content-type': 'application/json' });
    response.end(route.json === undefined ? 'nothing here' : JSON.stringify(route.json));
  });

describe('the facts of a server', () => {
  it('are read once, and set the number of permits', async () => {
    const server = await startRehearsal({ slots: 3, contextSize: 4096, model: 'rules' });
    const endpoint = endpointAt(server.url);
    assert.equal(endpoint.knownFacts(), null);
    assert.equal(endpoint.slots().total, 1);
    const [facts, again] = await Promise.all([endpoint.facts(), endpoint.facts()]);
    assert.equal(facts, again);
    assert.deepEqual(
      { ...facts, build: '' },
      {
        url: server.url,
        model: 'rules',
        totalSlots: 3,
        contextSize: 4096,
        supportsTools: true,
        build: '',
      },
    );
    assert.equal(endpoint.slots().total, 3);
    assert.equal(endpoint.knownFacts(), facts);
    await server.close();
  });

  it('are asked again after a failure that may mean another server', async () => {
    let answers = 0;
    const stub = await startStub((response, path) => {
      if (path === '/props') answers += 1;
      if (path.startsWith('/v1/')) response.destroy();
      else response.end(JSON.stringify({ total_slots: answers, default_generation_settings: { n_ctx: 100 } }));
    });
    const endpoint = endpointAt(stub.url);
    await endpoint.facts();
    await endpoint.chat(ask('x'), never());
    assert.equal(endpoint.knownFacts()?.totalSlots, 1);
    assert.equal((await endpoint.facts()).totalSlots, 2);
    await stub.close();
  });

  it('keep to the cap of the person for permits', async () => {
    const server = await startRehearsal({ slots: 8 });
    const endpoint = endpointAt(server.url, { slotsOverride: 2 });
    assert.equal((await endpoint.facts()).totalSlots, 8);
    assert.equal(endpoint.slots().total, 2);
    await server.close();
  });

  it('come from the list of models where the server is no llama-server', async () => {
    const json = {
      data: [
        { id: 'big', max_model_len: 4096 },
        { id: 'mine', meta: { n_ctx: 2048 } },
      ],
    };
    const stub = await stubOf({ ...noRoute, '/v1/models': { json } });
    assert.deepEqual(await endpointAt(stub.url, { model: 'mine', slotsOverride: 6 }).facts(), {
      url: stub.url,
      model: 'mine',
      totalSlots: 6,
      contextSize: 2048,
      supportsTools: true,
      build: '',
    });
    const plain = await endpointAt(stub.url).facts();
    assert.deepEqual([plain.model, plain.totalSlots, plain.contextSize], ['big', 1, 4096]);
    await stub.close();
  });

  it('cannot be had while it loads its model', async () => {
    const server = await startRehearsal({ loadingMs: 60_000 });
    const endpoint = endpointAt(server.url);
    await assert.rejects(endpoint.facts(), isUserError('model-unreachable', /still loading/));
    await server.close();
  });

  it('can be had once it has loaded', async () => {
    const server = await startRehearsal({ loadingMs: 60 });
    const endpoint = endpointAt(server.url);
    await until(
      () =>
        endpoint.facts().then(
          () => true,
          () => false,
        ),
      'the facts',
    );
    await server.close();
  });

  it('cannot be had with a wrong key, or without one', async () => {
    const server = await startRehearsal({ apiKey: 'right' });
    await assert.rejects(endpointAt(server.url).facts(), isUserError('model-refused', /wants an API key/));
    await assert.rejects(
      endpointAt(server.url, { apiKey: 'wrong' }).facts(),
      isUserError('model-refused', /refused the API key/),
    );
    assert.equal((await endpointAt(server.url, { apiKey: 'right' }).facts()).totalSlots, 4);
    await server.close();
  });

  it('cannot be had where nothing listens; the error says how to start a server', async () => {
    const server = await startRehearsal();
    await server.close();
    const words = new RegExp(`No model server listens at ${server.url}.* llama-server -m MODEL.gguf -np 4`);
    await assert.rejects(endpointAt(server.url).facts(), isUserError('model-unreachable', words));
  });

  it('cannot be had from something that is no model server', async () => {
    const stub = await stubOf({
      '/health': { json: 1 },
      '/props': { json: {} },
      '/v1/models': { json: { data: 'none' } },
    });
    await assert.rejects(endpointAt(stub.url).facts(), isUserError('model-unreachable', /not as a model server does/));
    await stub.close();
  });

  it('cannot be had from a server that keeps silent for 15 s', async () => {
    const stub = await startStub(() => undefined);
    const clock = new TestClock();
    const facts = endpointAt(stub.url, { clock }).facts();
    await assert.rejects(clock.advanceUntil(facts), isUserError('model-unreachable', /did not answer within 15 s/));
    assert.equal(clock.sleepers, 0);
    await stub.close();
  });

  it('are not waited for beyond an abort, which leaves others waiting', async () => {
    const server = await startRehearsal();
    const endpoint = endpointAt(server.url);
    const impatient = new AbortController();
    const dropped = endpoint.facts(impatient.signal);
    const patient = endpoint.facts(never());
    impatient.abort();
    await assert.rejects(dropped, { name: 'AbortError' });
    assert.equal((await patient).totalSlots, 4);
    await server.close();
  });
});

describe('an exact count of prompt tokens', () => {
  it('is null where the server has no such route, or does not answer', async () => {
    const stub = await stubOf({});
    const endpoint = endpointAt(stub.url);
    assert.equal(await endpoint.count(ask('x'), never()), null);
    assert.equal(await endpoint.count(ask('x'), never()), null);
    assert.equal(stub.seen.length, 1, 'asked once');
    await stub.close();
    assert.equal(await endpointAt(stub.url).count(ask('x'), never()), null);
  });

  it('is null when aborted', async () => {
    const server = await startRehearsal({ answer: () => say('x') });
    assert.equal(await endpointAt(server.url).count(ask('x'), AbortSignal.abort()), null);
    await server.close();
  });
});
