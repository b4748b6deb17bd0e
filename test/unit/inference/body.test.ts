import assert from 'node:assert/strict';
import { toBody } from '../../../mcp-server/inference/body.ts';
import { ask, readFile } from './support.ts';

const callWith = (args: string) =>
  ask('x', {
    messages: [
      { role: 'user', content: 'x' },
      { role: 'assistant', content: '', toolCalls: [{ id: 'a', name: 'read_file', arguments: args }] },
      { role: 'tool', callId: 'a', content: 'text' },
    ],
  });
const argumentsIn = (args: string): string => {
  const messages = toBody(callWith(args), 'm')['messages'] as { tool_calls?: { function: { arguments: string } }[] }[];
  return messages[1]?.tool_calls?.[0]?.function.arguments ?? '';
};

describe('the body of a call', () => {
  it('is always streamed, with usage and progress, and names no slot', () => {
    const body = toBody(ask('x'), 'm');
    assert.equal(body['stream'], true);
    assert.deepEqual(body['stream_options'], { include_usage: true });
    assert.equal(body['return_progress'], true);
    assert.equal(body['cache_prompt'], true);
    assert.equal('id_slot' in body, false);
    assert.equal('tools' in body, false);
    assert.equal('tool_choice' in body, false);
  });

  it('spares other servers the fields that only llama-server knows', () => {
    const body = toBody(ask('x'), 'm', 'openai');
    assert.equal('return_progress' in body || 'cache_prompt' in body, false);
  });

  it('has the same bytes for equal requests', () => {
    const make = (): string => JSON.stringify(toBody(ask('x', { tools: [{ ...readFile }] }), 'm'));
    assert.equal(make(), make());
  });

  it('carries tools, calls and results as the protocol wants them', () => {
    const body = toBody({ ...callWith('{"path":"a"}'), tools: [readFile] }, 'm');
    assert.deepEqual(body['messages'], [
      { role: 'user', content: 'x' },
      {
        role: 'assistant',
        content: '',
        tool_calls: [{ id: 'a', type: 'function', function: { name: 'read_file', arguments: '{"path":"a"}' } }],
      },
      { role: 'tool', tool_call_id: 'a', content: 'text' },
    ]);
    assert.deepEqual(body['tools'], [{ type: 'function', function: { ...readFile } }]);
  });

  it('wraps arguments that the server could not read again', () => {
    assert.equal(argumentsIn('{"path":"a"}'), '{"path":"a"}');
    for (const broken of ['{', '', '[1]', 'null', '"x"'])
      assert.deepEqual(JSON.parse(argumentsIn(broken)), { invalid_arguments: broken });
  });

  it('wraps arguments that only JavaScript can read', () => {
    for (const strange of [
      '{"a":"\\ud83d"}',
      '{"\\uDE00":1}',
      '{"a":[-1e999]}',
      `{"a":${'9'.repeat(400)}}`,
      '{"a":"\ud83d"}',
    ])
      assert.deepEqual(JSON.parse(argumentsIn(strange)), { invalid_arguments: strange.toWellFormed() });
    for (const fine of ['{"a":"\\ud83d\\ude00"}', '{"a":"\\\\ud83d"}', '{"a":1e300}'])
      assert.equal(argumentsIn(fine), fine);
  });

  it('has no half of a surrogate pair', () => {
    const body = toBody(ask('cut \ud83d here'), 'm');
    assert.deepEqual((body['messages'] as object[])[1], { role: 'user', content: 'cut \ufffd here' });
  });

  it('asks for a shape by its schema', () => {
    const schema = { type: 'object' };
    assert.deepEqual(toBody(ask('x', { jsonSchema: { name: 'plan', schema } }), 'm')['response_format'], {
      type: 'json_schema',
      json_schema: { name: 'plan', schema, strict: true },
    });
  });
});
