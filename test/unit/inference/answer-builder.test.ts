import assert from 'node:assert/strict';
import { AnswerBuilder, type ChatChunk } from '../../../mcp-server/inference/answer-builder.ts';

type Delta = NonNullable<NonNullable<ChatChunk['choices']>[number]['delta']>;

const build = (deltas: readonly Delta[], finish = 'stop'): AnswerBuilder => {
  const builder = new AnswerBuilder();
  for (const delta of deltas) builder.take({ choices: [{ delta }] });
  builder.take({ choices: [{ delta: {}, finish_reason: finish }] });
  return builder;
};
const calling = (index: number, args: string, more: object = {}): Delta => ({
  tool_calls: [{ index, function: { arguments: args }, ...more }],
});
const opening = (index: number, id: string, name: string, args = ''): Delta => ({
  tool_calls: [{ index, id, function: { name, arguments: args } }],
});

describe('a streamed answer', () => {
  it('joins its text and its reasoning', () => {
    const builder = build([
      { content: null },
      { reasoning_content: 'let me ' },
      { reasoning: 'think' },
      { content: 'he' },
      { content: 'llo' },
    ]);
    assert.deepEqual(builder.answer(), { content: 'hello', reasoning: 'let me think', toolCalls: [], finish: 'stop' });
  });

  it('joins the pieces of several calls by their index', () => {
    const builder = build(
      [opening(0, 'a', 'read', '{"p'), opening(1, 'b', 'list', '{'), calling(0, '":1}'), calling(1, '}')],
      'tool_calls',
    );
    assert.deepEqual(builder.answer()?.toolCalls, [
      { id: 'a', name: 'read', arguments: '{"p":1}' },
      { id: 'b', name: 'list', arguments: '{}' },
    ]);
  });

  it('gives an id to a call that has none, or one that is taken', () => {
    const builder = build([opening(0, '', 'read', '{}'), opening(1, 'x', 'read', '{}'), opening(2, 'x', 'read', '{}')]);
    assert.deepEqual(
      builder.answer()?.toolCalls.map((call) => call.id),
      ['call_0', 'x', 'call_2'],
    );
  });

  it('tells calls apart by their ids when a server sends no index', () => {
    const builder = build([
      { tool_calls: [{ id: 'a', function: { name: 'read', arguments: '{' } }] },
      { tool_calls: [{ function: { arguments: '}' } }] },
      { tool_calls: [{ id: 'b', function: { name: 'list', arguments: '{}' } }] },
    ]);
    assert.deepEqual(builder.answer()?.toolCalls, [
      { id: 'a', name: 'read', arguments: '{}' },
      { id: 'b', name: 'list', arguments: '{}' },
    ]);
  });

  it('ends with its calls whatever reason the server gives, and without them when there are none', () => {
    assert.equal(build([opening(0, 'a', 'read', '{}')], 'stop').answer()?.finish, 'tool_calls');
    assert.equal(build([{ content: 'x' }], 'tool_calls').answer()?.finish, 'stop');
  });

  it('keeps arguments that are no JSON, as the model wrote them', () => {
    assert.equal(build([opening(0, 'a', 'read', '{oops')], 'tool_calls').answer()?.toolCalls[0]?.arguments, '{oops');
  });

  it('cut at its length loses the first call that is not whole, and all after it', () => {
    const deltas = [opening(0, 'a', 'one', '{"x":1}'), opening(1, 'b', 'two', '{"x'), opening(2, 'c', 'three', '{}')];
    const answer = build(deltas, 'length').answer();
    assert.deepEqual(
      answer?.toolCalls.map((call) => call.name),
      ['one'],
    );
    assert.equal(answer?.finish, 'length');
  });

  it('cut at its length loses a call whose arguments are a number, which may have gone on', () => {
    assert.deepEqual(build([opening(0, 'a', 'one', '12')], 'length').answer()?.toolCalls, []);
    assert.deepEqual(build([opening(0, 'a', 'one', '')], 'length').answer()?.toolCalls, []);
  });

  it('is none without a reason for its end', () => {
    const builder = new AnswerBuilder();
    builder.take({ choices: [{ delta: { content: 'x' } }] });
    assert.equal(builder.answer(), null);
  });

  it('is refused beyond a million characters of text, reasoning or arguments, and beyond 256 calls', () => {
    const half = 'x'.repeat(600_000);
    for (const delta of [{ content: half }, { reasoning_content: half }, calling(0, half)]) {
      const builder = new AnswerBuilder();
      assert.equal(builder.take({ choices: [{ delta }] }), true);
      assert.equal(builder.take({ choices: [{ delta }] }), false);
    }
    const builder = new AnswerBuilder();
    const many = Array.from({ length: 257 }, (_, index) => ({ index, id: `c${index}`, function: { name: 'x' } }));
    assert.equal(builder.take({ choices: [{ delta: { tool_calls: many } }] }), false);
  });
});

describe('what an answer cost', () => {
  it('is what the server counted', () => {
    const builder = build([{ content: 'x' }]);
    builder.take({
      choices: [],
      usage: { prompt_tokens: 10, completion_tokens: 3, prompt_tokens_details: { cached_tokens: 7 } },
      timings: { cache_n: 6, prompt_n: 4, predicted_n: 3 },
    });
    assert.deepEqual(builder.usage(), { prompt: 10, completion: 3, cached: 7 });
  });

  it('is read from the timings where the usage says nothing', () => {
    const builder = build([{ content: 'x' }]);
    builder.take({ timings: { cache_n: 6, prompt_n: 4, predicted_n: 3 } });
    assert.deepEqual(builder.usage(), { prompt: 10, completion: 3, cached: 6 });
    builder.take({ usage: { prompt_tokens: 11, completion_tokens: 3 } });
    assert.deepEqual(builder.usage(), { prompt: 11, completion: 3, cached: 6 });
  });

  it('is what came so far while the server has not counted', () => {
    const builder = new AnswerBuilder();
    builder.take({
      choices: [{ delta: { content: null } }],
      prompt_progress: { total: 100, cache: 20, processed: 60 },
    });
    assert.deepEqual(builder.usage(), { prompt: 60, completion: 0, cached: 20 });
    builder.take({ choices: [{ delta: { content: 'a' } }] });
    builder.take({ choices: [{ delta: { reasoning_content: 'b' } }] });
    assert.deepEqual(builder.usage(), { prompt: 60, completion: 2, cached: 20 });
  });
});
