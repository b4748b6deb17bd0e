import assert from 'node:assert/strict';
import type { ChatMessage } from '../../../mcp-server/inference/port.ts';
import { upperBoundTokens } from '../../../mcp-server/inference/token-bound.ts';
import { ask, readFile } from './support.ts';

describe('the upper bound of prompt tokens', () => {
  it('is at least the UTF-8 bytes of everything that is sent', () => {
    const text = 'häß 日本語 😀';
    const bytes = Buffer.byteLength(text);
    const bare = upperBoundTokens(ask(''));
    assert.equal(upperBoundTokens(ask(text)), bare + bytes);
    const call: ChatMessage = {
      role: 'assistant',
      content: text,
      toolCalls: [{ id: 'id', name: 'read_file', arguments: JSON.stringify({ path: text }) }],
    };
    const result: ChatMessage = { role: 'tool', callId: 'id', content: text };
    const { messages } = ask(text);
    const more = upperBoundTokens(ask('', { messages: [...messages, call, result] }));
    assert.ok(more >= bare + bytes * 4);
    assert.ok(upperBoundTokens(ask('', { tools: [readFile] })) > bare + JSON.stringify(readFile).length);
    const schema = { type: 'object', description: text };
    assert.ok(upperBoundTokens(ask('', { jsonSchema: { name: 'x', schema } })) > bare + bytes);
  });

  it('covers numbers that grow when they are printed anew', () => {
    const messages = (args: string): readonly ChatMessage[] => [
      { role: 'assistant', content: '', toolCalls: [{ id: 'a', name: 'b', arguments: args }] },
    ];
    const short = upperBoundTokens(ask('', { messages: messages('{"n":1e9}') }));
    const long = upperBoundTokens(ask('', { messages: messages('{"n":1000000000}') }));
    assert.equal(short, long);
  });

  it('measures a message once', () => {
    let reads = 0;
    const message = {
      role: 'user' as const,
      get content() {
        reads += 1;
        return 'x';
      },
    };
    const request = ask('', { messages: [message] });
    assert.equal(upperBoundTokens(request), upperBoundTokens(request));
    assert.equal(reads, 1);
  });
});
