import assert from 'node:assert/strict';
import { eventData, rawPost } from '../../support/raw-http.ts';
import { startRehearsal } from '../../support/scripted-server.ts';
import { at, chunksOf, describeServers, has, type Json, json } from './any-server.ts';

describe('plain completions and slot files', () => {
  describeServers({ slotSavePath: 'memory' }, (server) => {
    const { post, chat, props } = server;
    const errorOf = async (body: unknown, path: string): Promise<Json & { status: number }> => {
      const response = await post(path, body);
      return { ...(at(json(response.text), 'error') as Json), status: response.status };
    };
    const system = (salt: string): string => `Rules of ${salt}: ${'keep to the path and '.repeat(120)}`;
    const messagesOf = (salt: string, user: string): Json[] => [
      { role: 'system', content: system(salt) },
      { role: 'user', content: user },
    ];
    const tokensOf = async (salt: string): Promise<readonly number[]> => {
      const prompts = await Promise.all(
        ['A', 'B'].map(async (user) =>
          String(json((await post('/apply-template', { messages: messagesOf(salt, user) })).text)['prompt']),
        ),
      );
      const [one, other] = prompts as [string, string];
      let shared = 0;
      while (one[shared] === other[shared]) shared++;
      const body = { content: one.slice(0, shared), add_special: true, parse_special: true };
      return json((await post('/tokenize', body)).text)['tokens'] as number[];
    };
    const complete = (prompt: unknown, more: Json = {}): ReturnType<typeof rawPost> =>
      post('/v1/completions', { prompt, max_tokens: 1, temperature: 0, ...more });
    const act = (slot: number | string, action: string, body: unknown = { filename: 'protocol-test.bin' }) =>
      post(`/slots/${slot}?action=${action}`, body);
    const totalSlots = async (): Promise<number> => Number((await props())['total_slots']);

    it('completes a list of tokens, and says in detail in which slot', async () => {
      const prompt = await tokensOf(`tokens ${Math.random()}`);
      const body = json((await complete(prompt, { verbose: true })).text);
      assert.equal(body['object'], 'text_completion');
      assert.equal(typeof at(body, 'choices', 0, 'text'), 'string');
      assert.equal(at(body, 'choices', 0, 'finish_reason'), 'length');
      assert.equal(at(body, 'usage', 'prompt_tokens'), prompt.length);
      assert.equal(at(body, 'usage', 'completion_tokens'), 1);
      assert.ok(Number(at(body, '__verbose', 'id_slot')) < (await totalSlots()));
      assert.ok(!('__verbose' in json((await complete(prompt)).text)));
    });

    it('streams a completion with its progress, and its usage on the last piece', async () => {
      const prompt = await tokensOf(`stream ${Math.random()}`);
      const { text } = await complete(prompt, { stream: true, return_progress: true, verbose: true });
      assert.equal(eventData(text).at(-1), '[DONE]');
      const chunks = chunksOf(text);
      assert.equal(at(chunks[0], 'prompt_progress', 'total'), prompt.length);
      assert.equal(at(chunks.at(-1), 'choices', 0, 'finish_reason'), 'length');
      assert.equal(at(chunks.at(-1), 'usage', 'prompt_tokens'), prompt.length);
      assert.equal(typeof at(chunks.at(-1), '__verbose', 'id_slot'), 'number');
    });

    it('refuses a prompt that is none', async () => {
      const missing = await errorOf({}, '/v1/completions');
      assert.deepEqual([missing.status, missing['type']], [400, 'invalid_request_error']);
      assert.equal(missing['message'], "[json.exception.out_of_range.403] key 'prompt' not found");
      assert.equal((await errorOf({ prompt: [] }, '/v1/completions'))['message'], '"prompt" must not be empty');
      assert.match(String((await errorOf({ prompt: 5 }, '/v1/completions'))['message']), /^"prompt" elements must be/);
      assert.equal(
        (await errorOf({ prompt: [1, -5] }, '/v1/completions'))['message'],
        'Prompt contains invalid tokens',
      );
    });

    it('saves a slot with exactly its prompt, and every slot that it is restored into has it cached', async () => {
      const salt = `shared ${Math.random()}`;
      const prompt = await tokensOf(salt);
      const slot = Number(at(json((await complete(prompt, { verbose: true })).text), '__verbose', 'id_slot'));
      const saved = json((await act(slot, 'save')).text);
      assert.deepEqual([saved['id_slot'], saved['filename']], [slot, 'protocol-test.bin']);
      assert.equal(saved['n_saved'], prompt.length);
      assert.ok(Number(saved['n_written']) > 0 && Number(at(saved, 'timings', 'save_ms')) >= 0);
      const total = await totalSlots();
      for (let id = 0; id < total; id++) {
        const restored = json((await act(id, 'restore')).text);
        assert.deepEqual([restored['id_slot'], restored['n_restored']], [id, prompt.length]);
        has(restored, 'filename', 'n_read', 'timings');
      }
      const answers = await Promise.all(
        Array.from({ length: total }, async (_, n) =>
          json((await chat({ messages: messagesOf(salt, `agent ${n}`) })).text),
        ),
      );
      for (const answer of answers) assert.ok(Number(at(answer, 'timings', 'cache_n')) >= prompt.length);
    });

    it('erases a slot', async () => {
      const salt = `erased ${Math.random()}`;
      const prompt = await tokensOf(salt);
      const slot = Number(at(json((await complete(prompt, { verbose: true })).text), '__verbose', 'id_slot'));
      assert.deepEqual(json((await act(slot, 'erase', '')).text), { id_slot: slot, n_erased: prompt.length });
      assert.deepEqual(json((await act(slot, 'erase', {})).text), { id_slot: slot, n_erased: 0 });
    });

    it('goes round with the number of a slot', async () => {
      const total = await totalSlots();
      const saved = json((await act(total + 1, 'save')).text);
      assert.equal(saved['id_slot'], total + 1);
    });

    it('refuses a file that is not there, and names that are no file of the folder', async () => {
      const missing = await act(0, 'restore', { filename: `missing-${Math.random()}.bin` });
      assert.equal(missing.status, 400);
      assert.deepEqual(at(json(missing.text), 'error'), {
        code: 400,
        type: 'invalid_request_error',
        message: 'Unable to restore slot: No available space in KV cache or invalid slot save file',
      });
      for (const filename of ['../x.bin', 'a/b', 'a\\b', '', '.', 'a..b', 'a:b', ' a', 'a.', 'a'.repeat(256)])
        for (const action of ['save', 'restore']) {
          const refused = await act(0, action, { filename });
          assert.equal(refused.status, 400, filename);
          assert.equal(at(json(refused.text), 'error', 'message'), 'Invalid filename', filename);
        }
      assert.equal((await act(0, 'save', { filename: '.a b-c_1' })).status, 200);
    });

    it('refuses what is not an action, not a slot or not a body', async () => {
      for (const [slot, action, body, status, message] of [
        [0, 'probe', {}, 400, 'Invalid action'],
        ['x', 'save', {}, 400, 'Invalid slot ID'],
        [0, 'save', {}, 500, "[json.exception.out_of_range.403] key 'filename' not found"],
        [0, 'save', { filename: 3 }, 500, '[json.exception.type_error.302] type must be string, but is number'],
      ] as const) {
        const refused = await act(slot, action, body);
        assert.equal(refused.status, status);
        assert.equal(at(json(refused.text), 'error', 'message'), message);
      }
    });
  });

  it('of a server that has no folder for slot files is a 501, whatever is asked', async () => {
    const server = await startRehearsal();
    for (const path of ['/slots/0?action=save', '/slots/x?action=none']) {
      const response = await rawPost(server.url + path, { filename: '../x' });
      assert.equal(response.status, 501);
      assert.deepEqual(json(response.text), {
        error: {
          code: 501,
          message: 'This server does not support slots action. Start it with `--slot-save-path`',
          type: 'not_supported_error',
        },
      });
    }
    await server.close();
  });

  it('of a shared pool makes a restored prefix worth no more than one request', async () => {
    const server = await startRehearsal({ slots: 4, kvUnified: true, slotSavePath: 'memory' });
    const ask = async (n: number): Promise<number> => {
      const messages = [
        { role: 'system', content: 'The rules. '.repeat(300) },
        { role: 'user', content: `agent ${n}` },
      ];
      const { text } = await rawPost(`${server.url}/v1/chat/completions`, { messages });
      return Number(at(json(text), 'timings', 'cache_n'));
    };
    server.setLatency(30);
    await ask(0);
    await rawPost(`${server.url}/slots/0?action=save`, { filename: 'x' });
    for (const id of [1, 2, 3]) await rawPost(`${server.url}/slots/${id}?action=restore`, { filename: 'x' });
    const cached = await Promise.all([1, 2, 3, 4].map(ask));
    assert.deepEqual(
      cached.map((tokens) => tokens > 300),
      [true, true, false, false],
    );
    await server.close();
  });
});
