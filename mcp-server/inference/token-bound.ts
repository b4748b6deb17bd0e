import { replayable } from './body.ts';
import type { ChatMessage, ChatRequest, ToolSpec } from './port.ts';

/** What a chat template writes around a prompt, a set of tools, a message and a call, in tokens. */
const AROUND = { prompt: 256, tools: 512, tool: 64, message: 48, call: 64 } as const;
/** Templates print JSON anew, with a space after each comma and colon: never more than half as many as bytes. */
const JSON_GROWTH = 1.5;

const known = new WeakMap<object, number>();

/**
 * Never fewer than the prompt tokens of the request, and known without a server: a byte-level tokenizer makes no more
 * tokens than there are UTF-8 bytes. English is about a quarter of it. A template that adds a long text of its own
 * (a default system prompt, when the request has none) is the one thing that it cannot know.
 */
export const upperBoundTokens = (request: ChatRequest): number => {
  let tokens: number = AROUND.prompt;
  for (const message of request.messages) tokens += remembered(message, messageBound);
  if (request.tools.length > 0) tokens += AROUND.tools;
  for (const tool of request.tools) tokens += remembered(tool, toolBound);
  if (request.jsonSchema !== undefined) tokens += remembered(request.jsonSchema.schema, jsonBound);
  return tokens;
};

/** Messages and tools never change, so each is measured once. */
const remembered = <T extends object>(key: T, measure: (value: T) => number): number => {
  const before = known.get(key);
  if (before !== undefined) return before;
  const tokens = measure(key);
  known.set(key, tokens);
  return tokens;
};

const messageBound = (message: ChatMessage): number => {
  const own = AROUND.message + Buffer.byteLength(message.content);
  if (message.role === 'tool') return own + Buffer.byteLength(message.callId);
  return message.role === 'assistant' ? message.toolCalls.reduce((sum, call) => sum + callBound(call), own) : own;
};

const callBound = (call: { readonly id: string; readonly name: string; readonly arguments: string }): number => {
  const sent = replayable(call.arguments);
  // `1e9` is three bytes as the model wrote it and ten as the template prints it.
  const printed = JSON.stringify(JSON.parse(sent));
  const bytes = Math.max(Buffer.byteLength(sent), Buffer.byteLength(printed));
  return AROUND.call + Buffer.byteLength(call.id) + Buffer.byteLength(call.name) + Math.ceil(bytes * JSON_GROWTH);
};

const toolBound = (tool: ToolSpec): number => AROUND.tool + jsonBound(tool);

const jsonBound = (value: object): number => Math.ceil(Buffer.byteLength(JSON.stringify(value)) * JSON_GROWTH);
