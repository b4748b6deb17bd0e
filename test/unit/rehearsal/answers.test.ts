import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventData, type RawCall, rawCall } from '../../support/raw-http.ts';
import { at, type Chunk, chunksOf, describeServers, HELLO, has, type Json, json, PING } from './any-server.ts';

/** Does not stop by itself, and takes a few seconds. */
const LONG = { messages: HELLO, max_tokens: 6000, ignore_eos: true };

describe('the protocol', () => {
  describeServers({ tokensPerSecond: 1500, contextSize: 8192 }, (server) => {
    const { get, post, chat, props } = server;
    const begin = (body: Json): RawCall => rawCall(`${server.url}/v1/chat/completions`, 'POST', body);
    const gauge = async (metric: string): Promise<number> =>
      Number(new RegExp(`^llamacpp:${metric} (\\S+)$`, 'm').exec((await get('/metrics')).text)?.[1]);

    describe('an answer', () => {
      it('as a whole carries usage and timings', async () => {
        const response = await chat({});
        assert.equal(response.status, 200);
        const body = json(response.text);
        has(body, 'id', 'created', 'model', 'system_fingerprint');
        assert.equal(body['object'], 'chat.completion');
        assert.match(String(body['id']), /^chatcmpl-/);
        assert.equal(at(body, 'choices', 0, 'message', 'role'), 'assistant');
        assert.equal(typeof at(body, 'choices', 0, 'message', 'content'), 'string');
        const usage = body['usage'] as Record<string, number>;
        assert.equal(usage['total_tokens'], Number(usage['prompt_tokens']) + Number(usage['completion_tokens']));
        const timings = body['timings'] as Record<string, number>;
        has(timings, 'prompt_ms', 'predicted_ms', 'prompt_per_second', 'predicted_per_token_ms');
        assert.equal(timings['cache_n'], at(usage, 'prompt_tokens_details', 'cached_tokens'));
        assert.equal(Number(timings['cache_n']) + Number(timings['prompt_n']), usage['prompt_tokens']);
        assert.equal(timings['predicted_n'], usage['completion_tokens']);
      });

      it('streams: a role, pieces, a finish with timings, [DONE]', async () => {
        const response = await chat({ stream: true });
        assert.equal(response.headers['content-type'], 'text/event-stream');
        assert.equal(eventData(response.text).at(-1), '[DONE]');
        const chunks = chunksOf(response.text);
        assert.deepEqual(chunks[0]?.choices, [
          { finish_reason: null, index: 0, delta: { role: 'assistant', content: null } },
        ]);
        const last = chunks.at(-1);
        assert.ok(['stop', 'length'].includes(String(at(last, 'choices', 0, 'finish_reason'))));
        assert.deepEqual(at(last, 'choices', 0, 'delta'), {});
        has(last, 'timings');
        for (const chunk of chunks) {
          assert.equal(chunk['object'], 'chat.completion.chunk');
          assert.ok(!('usage' in chunk), 'usage was not asked for');
        }
      });

      it('streams usage on a chunk of its own, with the timings, when asked', async () => {
        const { text } = await chat({ stream: true, stream_options: { include_usage: true } });
        const chunks = chunksOf(text);
        const last = chunks.at(-1) as Chunk;
        assert.deepEqual(last.choices, []);
        has(last, 'usage', 'timings');
        assert.ok(!('timings' in (chunks.at(-2) as Chunk)));
        assert.notEqual(at(chunks.at(-2), 'choices', 0, 'finish_reason'), null);
      });

      it('streams the progress of the prompt when asked', async () => {
        const messages = [{ role: 'user', content: 'progress '.repeat(300) }];
        const { text } = await chat({ messages, stream: true, return_progress: true });
        const seen = chunksOf(text).flatMap((chunk) =>
          'prompt_progress' in chunk ? [chunk['prompt_progress'] as Json] : [],
        );
        assert.ok(seen.length >= 2);
        for (const progress of seen) has(progress, 'total', 'cache', 'processed', 'time_ms');
        assert.equal(seen[0]?.['processed'], seen[0]?.['cache']);
        assert.equal(seen.at(-1)?.['processed'], seen[0]?.['total']);
      });

      it('evaluates only what the slot does not hold, and always the last token', async () => {
        const messages = [{ role: 'user', content: `remember ${Math.random()} ${'and more '.repeat(200)}` }];
        const first = json((await chat({ messages })).text);
        const again = json((await chat({ messages })).text);
        const total = Number(at(first, 'usage', 'prompt_tokens'));
        assert.ok(Number(at(first, 'timings', 'cache_n')) < total / 2);
        assert.equal(at(again, 'timings', 'cache_n'), total - 1);
        assert.equal(at(again, 'timings', 'prompt_n'), 1);
      });

      it('stops at max_tokens, and gives one token when asked for none', async () => {
        const cut = json((await chat({ max_tokens: 3, ignore_eos: true })).text);
        assert.equal(at(cut, 'choices', 0, 'finish_reason'), 'length');
        assert.equal(at(cut, 'usage', 'completion_tokens'), 3);
        const none = json((await chat({ max_tokens: 0 })).text);
        assert.equal(at(none, 'usage', 'completion_tokens'), 1);
      });

      it('stops at the end of the context, and calls that length too', async () => {
        const size = Number(at(await props(), 'default_generation_settings', 'n_ctx'));
        const probe = json((await post('/v1/chat/completions/input_tokens', { messages: HELLO })).text);
        const words = Math.floor((size - Number(probe['input_tokens'])) * 0.9);
        const messages = [{ role: 'user', content: ' the'.repeat(words) }];
        const body = json((await chat({ messages, max_tokens: size, ignore_eos: true })).text);
        assert.equal(at(body, 'choices', 0, 'finish_reason'), 'length');
        assert.equal(at(body, 'usage', 'total_tokens'), size);
      });

      it('obeys a JSON schema in either form', async () => {
        const schema = {
          type: 'object',
          properties: { a: { enum: ['u'] } },
          required: ['a'],
          additionalProperties: false,
        };
        const forms = [
          { json_schema: schema },
          { response_format: { type: 'json_schema', json_schema: { name: 'x', schema } } },
        ];
        for (const form of forms) {
          const body = json((await chat({ ...form, max_tokens: 400 })).text);
          assert.deepEqual(json(String(at(body, 'choices', 0, 'message', 'content'))), { a: 'u' });
        }
      });

      it('makes no calls under a JSON schema, whatever tools it is offered', async () => {
        const schema = {
          type: 'object',
          properties: { a: { enum: ['u'] } },
          required: ['a'],
          additionalProperties: false,
        };
        const form = { type: 'json_schema', json_schema: { name: 'x', schema } };
        const body = json((await chat({ response_format: form, tools: [PING], max_tokens: 400 })).text);
        assert.ok(!('tool_calls' in (at(body, 'choices', 0, 'message') as Json)));
      });

      it('takes any model name and any parameter', async () => {
        const response = await chat({ model: 'no-such-model', no_such_parameter: { deep: true } });
        assert.equal(response.status, 200);
        assert.equal(json(response.text)['model'], (await props())['model_alias']);
      });

      it('takes a named tool_choice for auto without a word', async () => {
        const response = await chat({ tools: [PING], tool_choice: { type: 'function', function: { name: 'ping' } } });
        assert.equal(response.status, 200);
      });
    });

    describe('waiting and leaving', () => {
      const stream = { ...LONG, stream: true };
      const open: RawCall[] = [];
      const start = (body: Json): RawCall => {
        const call = begin(body);
        open.push(call);
        return call;
      };
      const quiet = async (): Promise<void> => {
        for (const call of open.splice(0)) call.drop();
        for (let tries = 0; tries < 40; tries++) {
          if ((await gauge('requests_processing')) + (await gauge('requests_deferred')) === 0) return;
          await sleep(tries < 2 ? 100 : 1300);
        }
        assert.fail('requests are still running');
      };
      afterEach(quiet);

      it('gives a request beyond the slots no headers until one is free', async () => {
        const total = Number((await props())['total_slots']);
        const running = Array.from({ length: total }, () => start(stream));
        await Promise.all(running.map((call) => call.headers));
        const waiting = start(stream);
        assert.equal(await Promise.race([waiting.headers, sleep(300, 'nothing yet')]), 'nothing yet');
        assert.equal(await gauge('requests_deferred'), 1);
        assert.equal(await gauge('requests_processing'), total);
        const full = await get('/slots?fail_on_no_slot=1');
        assert.equal(full.status, 503);
        assert.deepEqual(json(full.text), {
          error: { code: 503, message: 'no slot available', type: 'unavailable_error' },
        });
        running[0]?.drop();
        assert.equal(await waiting.headers, 200);
      });

      it('frees the slot of a stream that is left at once', async () => {
        const call = start(stream);
        await call.headers;
        call.drop();
        await sleep(150);
        assert.equal(await gauge('requests_processing'), 0);
      });

      it('cancels a silent request that is left, when nobody else gets results', async () => {
        const call = start({ ...LONG, stream: false });
        await sleep(150);
        call.drop();
        await sleep(1400);
        assert.equal(await gauge('requests_processing'), 0);
      });

      it('does not cancel a silent request that is left while a neighbour streams', async () => {
        const neighbour = start(stream);
        await neighbour.headers;
        const call = start({ ...LONG, stream: false });
        await sleep(150);
        call.drop();
        await sleep(1400);
        assert.equal(await gauge('requests_processing'), 2);
      });

      it('keeps a waiting request that is left in the queue while a neighbour streams', async () => {
        const total = Number((await props())['total_slots']);
        const running = Array.from({ length: total }, () => start(stream));
        await Promise.all(running.map((call) => call.headers));
        const waiting = start(stream);
        await sleep(150);
        waiting.drop();
        await sleep(1400);
        assert.equal(await gauge('requests_deferred'), 1);
      });
    });
  });
});
