import type { ChatMessage, ChatRequest, ToolSpec } from './port.ts';

/** Which fields a server understands: `llama` adds what only llama-server knows. */
export type Dialect = 'llama' | 'openai';

/** The JSON body of a call; the same one is counted and sent. Equal requests give equal bytes. */
export const toBody = (request: ChatRequest, model: string, dialect: Dialect = 'llama'): Record<string, unknown> => {
  const body: Record<string, unknown> = {
    model,
    messages: request.messages.map(wireMessage),
    stream: true,
    stream_options: { include_usage: true },
    max_tokens: request.maxTokens,
    temperature: request.temperature,
  };
  if (dialect === 'llama') {
    // A prefill without progress cannot be cancelled while another slot streams.
    body['return_progress'] = true;
    body['cache_prompt'] = true;
  }
  if (request.tools.length > 0) {
    body['tools'] = request.tools.map(wireTool);
    body['parallel_tool_calls'] = true;
  }
  if (request.jsonSchema !== undefined) {
    const { name, schema } = request.jsonSchema;
    body['response_format'] = { type: 'json_schema', json_schema: { name, schema, strict: true } };
  }
  return body;
};

const wireTools = new WeakMap<ToolSpec, object>();

/** Tools never change, so each is put into the protocol's words once. */
const wireTool = (tool: ToolSpec): object => {
  let wire = wireTools.get(tool);
  if (wire === undefined) {
    const { name, description, parameters } = tool;
    wire = { type: 'function', function: wellFormed({ name, description, parameters }) };
    wireTools.set(tool, wire);
  }
  return wire;
};

const wellFormed = (value: object): unknown =>
  JSON.parse(JSON.stringify(value, (_key, part: unknown) => (typeof part === 'string' ? part.toWellFormed() : part)));

const wireMessage = (message: ChatMessage): object => {
  // Half of a surrogate pair, as a text cut at a length may have one, is a parse error for llama-server: 500.
  const content = message.content.toWellFormed();
  if (message.role === 'tool') return { role: 'tool', tool_call_id: message.callId, content };
  const { role } = message;
  if (message.role !== 'assistant' || message.toolCalls.length === 0) return { role, content };
  return { role, content, tool_calls: message.toolCalls.map(wireCall) };
};

const wireCall = (call: { readonly id: string; readonly name: string; readonly arguments: string }): object => ({
  id: call.id,
  type: 'function',
  function: { name: call.name.toWellFormed(), arguments: replayable(call.arguments) },
});

/** A history with arguments that are no JSON object makes llama-server answer 500, so they are wrapped in one. */
export const replayable = (text: string): string =>
  isJsonObject(text) && !isStrange(text) ? text : JSON.stringify({ invalid_arguments: text.toWellFormed() });

/** True for the text of one whole JSON object. */
export const isJsonObject = (text: string): boolean => {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
};

const MAY_BE_STRANGE = /\\ud[89a-f]|e\+?\d{3}|\d{300}/i;

/** JSON that JavaScript reads and llama-server does not: half of a surrogate pair, a number beyond a double. */
const isStrange = (text: string): boolean => {
  if (text.isWellFormed() && !MAY_BE_STRANGE.test(text)) return false;
  let strange = false;
  JSON.parse(text, (key, value: unknown) => {
    const bad =
      typeof value === 'string' ? !value.isWellFormed() : typeof value === 'number' && !Number.isFinite(value);
    strange ||= bad || !key.isWellFormed();
    return value;
  });
  return strange;
};
