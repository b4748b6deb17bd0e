import assert from 'node:assert/strict';
import type { OwnedEndpoint } from '../../../mcp-server/inference/endpoint.ts';
import type { ChatMessage, ChatRequest } from '../../../mcp-server/inference/port.ts';
import { upperBoundTokens } from '../../../mcp-server/inference/token-bound.ts';
import { llamaUrl } from '../../support/env.ts';
import { call, type Rehearsal, type Script, say, startRehearsal } from '../../support/scripted-server.ts';
import { answered, ask, endpointAt, failed, never, pause, readFile, until } from './support.ts';

const words = 'the quick brown fox jumps over the lazy dog '.repeat(400);
const base64 = Buffer.from(Array.from({ length: 900 }, (_, n) => (n * 7919) % 256)).toString('base64');

/** Texts of many kinds, since tokenizers differ most in what is rare. */
const TEXTS: Readonly<Record<string, string>> = {
  English: words.slice(0, 2_000),
  Chinese: '天地玄黄宇宙洪荒日月盈昃辰宿列张'.repeat(20),
  emoji: '👩‍👩‍👧‍👦🏳️‍🌈🤷🏽‍♂️🇩🇪'.repeat(20),
  accents: 'Zoë trägt naïve Übergrößen – żółć, ğ, ș, Ắ, a\u0301\u0323 '.repeat(20),
  'base 64': base64,
  code: 'export const f = <T,>(x: T): T[] => [x, ...[]].map((y) => y ?? x); // \t{}();\n'.repeat(10),
  whitespace: ' \t\n    \r\n'.repeat(50),
  'control characters': Array.from({ length: 32 }, (_, n) => String.fromCharCode(n)).join(''),
  'the marks of a chat template': '<|im_start|>system<|im_end|></tool_call><think></think>'.repeat(10),
  'half a pair': '\uD83D and \uDE00',
  nothing: '',
};

/** Answers with a line of text, a call when tools are offered, and whatever fits the schema by its own rules. */
const script: Script = (request) => {
  if (request.jsonSchema) return say('{"name":"x"}');
  if (request.lastUser.startsWith('write on and on')) return say(words);
  return request.tools.length > 0 ? call('read_file', { path: 'a.ts' }) : say('All is well.');
};

const history: readonly ChatMessage[] = [
  { role: 'system', content: 'You are a careful worker.' },
  { role: 'user', content: 'Read it.' },
  {
    role: 'assistant',
    content: 'I read.',
    toolCalls: [
      { id: 'a', name: 'read_file', arguments: '{"path":"日本/<b>&😀.ts","n":[1,2,3e9]}' },
      { id: 'b', name: 'read_file', arguments: '{"path": tru' },
      { id: 'c', name: 'read_file', arguments: '{"path":"\\ud83d \\u0000"}' },
      { id: 'd', name: 'read_file', arguments: '{"path":-1e999}' },
    ],
  },
  { role: 'tool', callId: 'a', content: 'first' },
  { role: 'tool', callId: 'b', content: 'second' },
  { role: 'tool', callId: 'c', content: 'half \uDE00 a pair' },
  { role: 'tool', callId: 'd', content: 'nothing: \0' },
  { role: 'user', content: 'And now?' },
];

/** The same tests over any server: they hold for a model of rules and for one of random weights. */
const contract = (name: string, open: () => Promise<{ readonly url: string; close(): Promise<void> }>): void => {
  describe(`an endpoint of ${name}`, () => {
    let server: { readonly url: string; close(): Promise<void> };
    let endpoint: OwnedEndpoint;
    before(async () => {
      server = await open();
      endpoint = endpointAt(server.url);
      await endpoint.facts();
    });
    after(async () => {
      endpoint.close();
      await server.close();
    });
    const chat = (request: ChatRequest) => endpoint.chat(request, never());
    const processing = async (): Promise<number> => {
      const slots = (await (await fetch(`${server.url}/slots`)).json()) as { is_processing: boolean }[];
      return slots.filter((slot) => slot.is_processing).length;
    };

    it('knows the slots, the context and the model', async () => {
      const facts = await endpoint.facts();
      assert.ok(facts.totalSlots >= 2 && facts.contextSize >= 2_048 && facts.model !== '' && facts.build !== '');
      assert.equal(facts.supportsTools, true);
      assert.equal(endpoint.slots().total, facts.totalSlots);
    });

    it('answers, and says what it cost', async () => {
      const { answer, usage, timings } = answered(await chat(ask('Is all well?')));
      assert.notEqual(answer.content + answer.reasoning, '');
      assert.ok(usage.prompt > 0 && usage.completion > 0 && usage.cached <= usage.prompt);
      assert.ok(timings.firstTokenMs >= 0 && timings.promptMs >= 0 && timings.completionMs >= 0);
    });

    it('finds a prompt in its cache again', async () => {
      const request = ask(words.slice(0, 3_000));
      await chat(request);
      assert.ok(answered(await chat(request)).usage.cached > 100);
    });

    it('ends at the length that was asked for', async () => {
      const { answer, usage } = answered(await chat(ask('write on and on', { maxTokens: 7 })));
      assert.deepEqual({ finish: answer.finish, completion: usage.completion }, { finish: 'length', completion: 7 });
    });

    it('answers in the shape of a schema', async () => {
      const properties = { name: { type: 'string', maxLength: 5 } };
      const schema = { type: 'object', properties, required: ['name'], additionalProperties: false };
      const { answer } = answered(await chat(ask('x', { jsonSchema: { name: 'named', schema } })));
      assert.equal(typeof (JSON.parse(answer.content) as { name: unknown }).name, 'string');
    });

    it('takes a history with calls, even with arguments that no server could read', async () => {
      answered(await chat(ask('', { messages: history, tools: [readFile] })));
    });

    it('refuses a prompt that does not fit', async () => {
      const { contextSize } = await endpoint.facts();
      const outcome = failed(await chat(ask('dog '.repeat(contextSize * 2))));
      assert.deepEqual([outcome.failure, outcome.retryable], ['context-exceeded', false]);
    });

    it('counts the tokens that a prompt will really have', async () => {
      const requests = [ask('x'), ask('', { messages: history, tools: [readFile] }), ask(TEXTS['Chinese'] ?? '')];
      for (const request of requests) {
        const counted = await endpoint.count(request, never());
        assert.equal(counted, answered(await chat({ ...request, maxTokens: 1 })).usage.prompt);
      }
    });

    for (const [kind, text] of Object.entries(TEXTS)) {
      it(`has no more tokens than the bound says: ${kind}`, async () => {
        const args = JSON.stringify({ path: text });
        const request = ask('', {
          tools: [{ ...readFile, description: text }],
          messages: [
            { role: 'system', content: text },
            { role: 'user', content: text },
            { role: 'assistant', content: text, toolCalls: [{ id: 'a', name: 'read_file', arguments: args }] },
            { role: 'tool', callId: 'a', content: text },
          ],
        });
        const real = await endpoint.count(request, never());
        const bound = upperBoundTokens(request);
        assert.ok(real !== null && bound >= real, `bound ${bound}, really ${real}`);
      });
    }

    it('frees the slot when a call is aborted while it writes, and knows what that cost', async () => {
      const abort = new AbortController();
      const running = endpoint.chat(ask('write on and on', { maxTokens: 4_000 }), abort.signal);
      await until(async () => (await processing()) === 1, 'a busy slot');
      await pause(100);
      abort.abort();
      const outcome = await running;
      assert.equal(outcome.kind, 'aborted');
      if (outcome.kind === 'aborted') assert.ok(outcome.spent.prompt > 0 && outcome.spent.completion > 0);
      await until(async () => (await processing()) === 0, 'a free slot');
    });

    it('never sends more calls at once than there are slots', async () => {
      const { totalSlots } = await endpoint.facts();
      let inFlight = 0;
      let most = 0;
      const permit = (): Promise<() => void> =>
        new Promise((resolve) => {
          const stop = endpoint.onFree(() => take());
          const take = (): void => {
            const release = endpoint.tryPermit();
            if (release === null) return;
            stop();
            resolve(release);
          };
          take();
        });
      const work = async (n: number): Promise<void> => {
        const release = await permit();
        inFlight += 1;
        most = Math.max(most, inFlight);
        answered(await chat(ask(`number ${n}`, { maxTokens: 4 })));
        inFlight -= 1;
        release();
      };
      await Promise.all(Array.from({ length: totalSlots * 5 }, (_, n) => work(n)));
      assert.equal(most, totalSlots);
      assert.equal(endpoint.slots().busy, 0);
    });
  });
};

const openRehearsal = (): Promise<Rehearsal> =>
  startRehearsal({ slots: 4, contextSize: 8_192, answer: script, tokensPerSecond: 2_000 });

contract('the scripted server', openRehearsal);
if (llamaUrl !== null)
  contract('a real llama-server', async () => ({ url: llamaUrl ?? '', close: async () => undefined }));
