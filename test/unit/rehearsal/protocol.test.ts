import assert from 'node:assert/strict';
import { rawCall } from '../../support/raw-http.ts';
import { at, describeServers, HELLO, has, type Json, json, PING } from './any-server.ts';

describe('the protocol', () => {
  describeServers({ tokensPerSecond: 1500, contextSize: 8192 }, (server) => {
    const { get, post, chat, props } = server;
    const errorOf = async (body: unknown, path = '/v1/chat/completions'): Promise<Json & { status: number }> => {
      const response = await post(path, body);
      assert.match(String(response.headers['content-type']), /^application\/json/);
      assert.equal(response.headers.connection, 'close');
      const error = at(json(response.text), 'error') as Json;
      assert.equal(error['code'], response.status);
      return { ...error, status: response.status };
    };

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
  });
});
