import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { llamaUrl } from '../../support/env.ts';
import { eventData, type RawCall, rawCall, rawGet, rawPost } from '../../support/raw-http.ts';
import { type Rehearsal, startRehearsal } from '../../support/scripted-server.ts';

type Json = Record<string, unknown>;

const HELLO = [{ role: 'user', content: 'hello there' }];
const PING = {
  type: 'function',
  function: {
    name: 'ping',
    description: 'Ping',
    parameters: { type: 'object', properties: { v: { enum: ['a'] } }, required: ['v'] },
  },
};
/** Does not stop by itself, and takes a few seconds. */
const LONG = { messages: HELLO, max_tokens: 6000, ignore_eos: true };

const json = (text: string): Json => JSON.parse(text) as Json;
const at = (value: unknown, ...path: readonly (string | number)[]): unknown =>
  path.reduce<unknown>((inner, key) => (inner as Record<string | number, unknown> | undefined)?.[key], value);
const has = (value: unknown, ...keys: readonly string[]): void => {
  for (const key of keys) assert.ok(key in (value as Json), `${key} is missing in ${JSON.stringify(value)}`);
};

interface Chunk extends Json {
  readonly choices: readonly Json[];
}

const chunksOf = (text: string): readonly Chunk[] =>
  eventData(text)
    .filter((data) => data !== '[DONE]')
    .map((data) => JSON.parse(data) as Chunk);

/** The same facts about any server that speaks the protocol. */
const describeServer = (name: string, open: () => Promise<{ url: string; close(): Promise<void> }>): void => {
  describe(name, function () {
    this.timeout(30_000);
    let server: { url: string; close(): Promise<void> };
    before(async () => {
      server = await open();
    });
    after(() => server.close());

    const get = (path: string): ReturnType<typeof rawGet> => rawGet(server.url + path);
    const post = (path: string, body: unknown): ReturnType<typeof rawPost> => rawPost(server.url + path, body);
    const chat = (body: Json): ReturnType<typeof rawPost> =>
      post('/v1/chat/completions', { messages: HELLO, max_tokens: 8, ...body });
    const begin = (body: Json): RawCall => rawCall(`${server.url}/v1/chat/completions`, 'POST', body);
    const gauge = async (metric: string): Promise<number> =>
      Number(new RegExp(`^llamacpp:${metric} (\\S+)$`, 'm').exec((await get('/metrics')).text)?.[1]);
    const errorOf = async (body: unknown, path = '/v1/chat/completions'): Promise<Json & { status: number }> => {
      const response = await post(path, body);
      assert.match(String(response.headers['content-type']), /^application\/json/);
      assert.equal(response.headers.connection, 'close');
      const error = at(json(response.text), 'error') as Json;
      assert.equal(error['code'], response.status);
      return { ...error, status: response.status };
    };
    const props = async (): Promise<Json> => json((await get('/props')).text);

    describe('discovery', () => {
      it('is healthy', async () => {
        const response = await get('/health');
        assert.equal(response.status, 200);
        assert.deepEqual(json(response.text), { status: 'ok' });
      });

      it('says its slots, its context, its template and what that can do', async () => {
        const page = await props();
        assert.equal(typeof page['total_slots'], 'number');
        assert.equal(typeof at(page, 'default_generation_settings', 'n_ctx'), 'number');
        has(page, 'default_generation_settings', 'model_alias', 'model_path', 'modalities', 'build_info');
        has(page, 'endpoint_slots', 'endpoint_props', 'endpoint_metrics', 'bos_token', 'eos_token');
        assert.equal(page['is_sleeping'], false);
        assert.match(String(page['chat_template']), /<\|im_start\|>/);
        for (const can of ['tools', 'tool_calls', 'parallel_tool_calls', 'system_role'])
          assert.equal(at(page, 'chat_template_caps', `supports_${can}`), true, can);
      });

      it('lists one model, with the context of one slot', async () => {
        const page = json((await get('/v1/models')).text);
        assert.equal(page['object'], 'list');
        const model = at(page, 'data', 0) as Json;
        has(model, 'id', 'aliases', 'object', 'created', 'owned_by', 'meta');
        has(model['meta'], 'n_ctx', 'n_ctx_train', 'n_vocab', 'n_params', 'size', 'ftype');
        assert.equal(at(model, 'meta', 'n_ctx'), at(await props(), 'default_generation_settings', 'n_ctx'));
        assert.equal(model['id'], (await props())['model_alias']);
      });

      it('lists its slots', async () => {
        const slots = JSON.parse((await get('/slots')).text) as Json[];
        assert.equal(slots.length, (await props())['total_slots']);
        for (const slot of slots) has(slot, 'id', 'n_ctx', 'speculative', 'is_processing');
      });

      it('counts in the format of Prometheus', async () => {
        const response = await get('/metrics');
        assert.equal(response.headers['content-type'], 'text/plain; version=0.0.4');
        for (const metric of [
          'prompt_tokens_total',
          'prompt_tokens_cached_total',
          'prompt_seconds_total',
          'tokens_predicted_total',
          'tokens_predicted_seconds_total',
          'n_decode_total',
          'n_tokens_max',
          'spec_decode_num_draft_tokens_total',
          'prompt_tokens_seconds',
          'predicted_tokens_seconds',
          'requests_processing',
          'requests_deferred',
          'n_busy_slots_per_decode',
        ])
          assert.match(
            response.text,
            new RegExp(`^# TYPE llamacpp:${metric} (?:counter|gauge)\nllamacpp:${metric} \\S+$`, 'm'),
          );
      });

      it('counts and splits tokens', async () => {
        const { text } = await post('/tokenize', { content: 'hello there', with_pieces: true });
        const tokens = json(text)['tokens'] as { id: number; piece: string }[];
        assert.equal(tokens.map((token) => token.piece).join(''), 'hello there');
        const plain = json((await post('/tokenize', { content: 'hello there' })).text);
        assert.deepEqual(plain, { tokens: tokens.map((token) => token.id) });
        assert.deepEqual(json((await post('/tokenize', {})).text), { tokens: [] });
      });

      it('applies the template', async () => {
        const { text } = await post('/apply-template', { messages: HELLO });
        assert.deepEqual(json(text), {
          prompt: '<|im_start|>user\nhello there<|im_end|>\n<|im_start|>assistant\n',
        });
      });

      it('applies it to calls and results', async () => {
        const called = { id: '1', type: 'function', function: { name: 'ping', arguments: '{"v":1}' } };
        const messages = [
          { role: 'system', content: 'S' },
          {
            role: 'user',
            content: [
              { type: 'text', text: 'hi' },
              { type: 'text', text: 'ho' },
            ],
          },
          { role: 'assistant', content: 'A', tool_calls: [called] },
          { role: 'tool', tool_call_id: '1', content: 'R' },
          { role: 'tool', tool_call_id: '2', content: 'R2' },
          { role: 'user', content: 'Q' },
        ];
        assert.equal(
          json((await post('/apply-template', { messages })).text)['prompt'],
          '<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nhi\nho<|im_end|>\n' +
            '<|im_start|>assistant\nA\n<tool_call>\n{"name": "ping", "arguments": {"v": 1}}\n</tool_call><|im_end|>\n' +
            '<|im_start|>user\n<tool_response>\nR\n</tool_response>\n<tool_response>\nR2\n</tool_response><|im_end|>\n' +
            '<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n',
        );
      });

      it('shows offered tools in the prompt', async () => {
        const { text } = await post('/apply-template', { messages: HELLO, tools: [PING] });
        assert.ok(String(json(text)['prompt']).includes('{"type": "function", "function": {"name": "ping", "descr'));
      });

      it('counts a prompt exactly as it charges for it', async () => {
        const path = '/v1/chat/completions/input_tokens';
        const counted = json((await post(path, { messages: HELLO, tools: [PING] })).text);
        assert.equal(counted['object'], 'response.input_tokens');
        const charged = json((await chat({ tools: [PING] })).text);
        assert.equal(at(charged, 'usage', 'prompt_tokens'), counted['input_tokens']);
        const without = json((await post(path, { messages: HELLO })).text);
        assert.ok(Number(without['input_tokens']) < Number(counted['input_tokens']));
      });
    });

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

    describe('a refusal', () => {
      it('of text that is not JSON is a 500', async () => {
        const error = await errorOf('{bad');
        assert.equal(error.status, 500);
        assert.equal(error['type'], 'server_error');
        assert.match(
          String(error['message']),
          /^\[json\.exception\.parse_error\.101\] parse error at line 1, column 2: /,
        );
      });

      it('names what is wrong with the messages', async () => {
        for (const [body, message] of [
          [{}, "'messages' is required"],
          [{ messages: 'x' }, "Expected 'messages' to be an array"],
          [{ messages: [{ role: 'user' }] }, "All non-assistant messages must contain 'content'"],
          [{ messages: [{ role: 'user', content: 5 }] }, "Expected 'content' to be a string or an array"],
        ] as const) {
          const error = await errorOf(body);
          assert.deepEqual(error, { code: 400, status: 400, type: 'invalid_request_error', message });
        }
        const error = await errorOf({ messages: [{ content: 'x' }] });
        assert.equal(error.status, 500);
        assert.equal(error['message'], 'Failed to parse messages: Missing \'role\' in message: {"content":"x"}');
      });

      it('of tools that are no list is a 500', async () => {
        const error = await errorOf({ messages: HELLO, tools: { a: 1 } });
        assert.equal(error.status, 500);
        assert.match(String(error['message']), /^Failed to parse tools: Expected 'tools' to be an array, got /);
      });

      it('of replayed arguments that are not JSON is a 500', async () => {
        const broken = { id: 'a', type: 'function', function: { name: 'ping', arguments: '{' } };
        const messages = [
          ...HELLO,
          { role: 'assistant', content: '', tool_calls: [broken] },
          { role: 'tool', tool_call_id: 'a', content: 'x' },
        ];
        const error = await errorOf({ messages });
        assert.equal(error.status, 500);
        assert.match(String(error['message']), /^Failed to parse tool call arguments as JSON: \[json\.exception/);
      });

      it('of a tool_choice of another maker', async () => {
        const error = await errorOf({ messages: HELLO, tools: [PING], tool_choice: 'any' });
        assert.equal(error.status, 400);
        assert.equal(error['message'], 'Invalid tool_choice: any');
      });

      it('of a schema with an unknown type, and of an unknown response format', async () => {
        const schema = await errorOf({ messages: HELLO, json_schema: { type: 'wat' } });
        assert.equal(schema.status, 400);
        assert.match(String(schema['message']), /JSON schema error at #: unrecognized type wat$/);
        const format = await errorOf({ messages: HELLO, response_format: { type: 'wat' } });
        assert.equal(format.status, 400);
        assert.match(String(format['message']), /^response_format type must be one of .* but got: wat$/);
      });

      it('of a grammar beside tools', async () => {
        const error = await errorOf({ messages: HELLO, tools: [PING], grammar: 'root ::= [a-z]' });
        assert.equal(error.status, 400);
        assert.equal(error['message'], 'Cannot use custom grammar constraints with tools.');
      });

      it('of a prompt that is too long says both numbers, streamed or not', async () => {
        const size = Number(at(await props(), 'default_generation_settings', 'n_ctx'));
        const messages = [{ role: 'user', content: ' hello'.repeat(size * 2) }];
        const counted = json((await post('/v1/chat/completions/input_tokens', { messages })).text);
        for (const stream of [true, false]) {
          const error = await errorOf({ messages, stream });
          const tokens = Number(error['n_prompt_tokens']);
          assert.equal(tokens, counted['input_tokens']);
          assert.deepEqual(error, {
            status: 400,
            code: 400,
            type: 'exceed_context_size_error',
            message: `request (${tokens} tokens) exceeds the available context size (${size} tokens), try increasing it`,
            n_prompt_tokens: tokens,
            n_ctx: size,
          });
        }
      });

      it('of an unknown path or method is a 404', async () => {
        for (const call of [rawCall(`${server.url}/nope`, 'GET'), rawCall(`${server.url}/health`, 'POST', {})]) {
          const response = await call.response;
          assert.equal(response.status, 404);
          assert.deepEqual(json(response.text), {
            error: { message: 'File Not Found', type: 'not_found_error', code: 404 },
          });
        }
      });

      it('of embeddings is a 501', async () => {
        const error = await errorOf({ input: 'x' }, '/v1/embeddings');
        assert.equal(error.status, 501);
        assert.equal(error['type'], 'not_supported_error');
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
};

describe('the protocol', () => {
  describeServer(
    'of the scripted server',
    (): Promise<Rehearsal> => startRehearsal({ tokensPerSecond: 1500, contextSize: 8192 }),
  );
  if (llamaUrl)
    describeServer('of a real llama-server', async () => ({ url: llamaUrl as string, close: async () => undefined }));
});
