import type { ToolCall } from '../domain/turn.ts';
import { jsonComplaint, Refused, serverError } from './errors.ts';
import type { OfferedTool, ParsedRequest, RehearsalMessage } from './script.ts';
import type { Segment, SegmentCache } from './tokens.ts';

/** Shown by `/props`: what the rendering below does, in the language of chat templates. */
export const CHAT_TEMPLATE = `{%- if tools or messages[0].role == 'system' %}<|im_start|>system
{%- if messages[0].role == 'system' %}{{ '\\n' + messages[0].content }}{% endif %}
{%- if tools %}{{ '\\n\\n# Tools\\n<tools>' }}{% for tool in tools %}{{ '\\n' + (tool | tojson) }}{% endfor %}{{ '\\n</tools>' }}{% endif %}<|im_end|>
{% endif %}{%- for message in messages %}
{%- if message.role == 'tool' %}<|im_start|>user
<tool_response>
{{ message.content }}
</tool_response><|im_end|>
{% elif message.role == 'assistant' %}<|im_start|>assistant
{{ message.content }}{% for call in message.tool_calls %}
<tool_call>
{{ call.function | tojson }}
</tool_call>{% endfor %}<|im_end|>
{% elif not loop.first or message.role != 'system' %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endif %}{%- endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`;

const GENERATION = '<|im_start|>assistant\n';

/** JSON with a space after each colon and comma, as chat templates write it. */
export const spacedJson = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(spacedJson).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const fields = Object.entries(value).map(([key, field]) => `${JSON.stringify(key)}: ${spacedJson(field)}`);
  return `{${fields.join(', ')}}`;
};

const parseArguments = (call: ToolCall): unknown => {
  if (call.arguments === '') return {};
  try {
    return JSON.parse(call.arguments) as unknown;
  } catch (error) {
    const complaint = jsonComplaint(call.arguments, error);
    throw new Refused(serverError(`Failed to parse tool call arguments as JSON: ${complaint}`));
  }
};

const callText = (name: string, args: string, gap: string): string =>
  `${gap}<tool_call>\n{"name": ${JSON.stringify(name)}, "arguments": ${args}}\n</tool_call>`;

const assistantText = (message: Pick<RehearsalMessage, 'content' | 'toolCalls'>): string => {
  const calls = message.toolCalls.map((call, at) =>
    callText(call.name, spacedJson(parseArguments(call)), at > 0 || message.content ? '\n' : ''),
  );
  return `${GENERATION}${message.content}${calls.join('')}<|im_end|>\n`;
};

const assistantSegment = (cache: SegmentCache, message: Pick<RehearsalMessage, 'content' | 'toolCalls'>): Segment => {
  if (message.toolCalls.length === 0) return cache.get('assistant', message.content, () => assistantText(message));
  const key = JSON.stringify([message.content, message.toolCalls.map((call) => [call.name, call.arguments])]);
  return cache.get('assistant with calls', key, () => assistantText(message));
};

const toolSegment = (cache: SegmentCache, content: string, first: boolean, last: boolean): Segment =>
  cache.get(`tool${first ? '<' : ''}${last ? '>' : ''}`, content, () => {
    const body = `\n<tool_response>\n${content}\n</tool_response>`;
    return `${first ? '<|im_start|>user' : ''}${body}${last ? '<|im_end|>\n' : ''}`;
  });

const toolJson = (tool: OfferedTool): unknown => ({ type: 'function', function: tool });

const systemSegment = (cache: SegmentCache, system: string, tools: readonly OfferedTool[]): Segment => {
  if (tools.length === 0) return cache.get('system', system, () => `<|im_start|>system\n${system}<|im_end|>\n`);
  return cache.get('system with tools', `${JSON.stringify(tools)}\n${system}`, () => {
    const list = tools.map((tool) => `\n${spacedJson(toolJson(tool))}`).join('');
    return `<|im_start|>system\n${system && `${system}\n\n`}# Tools\n<tools>${list}\n</tools><|im_end|>\n`;
  });
};

const messageSegment = (cache: SegmentCache, messages: readonly RehearsalMessage[], at: number): Segment => {
  const message = messages[at] as RehearsalMessage;
  const { role, content } = message;
  if (role === 'assistant') return assistantSegment(cache, message);
  if (role !== 'tool') return cache.get(role, content, () => `<|im_start|>${role}\n${content}<|im_end|>\n`);
  return toolSegment(cache, content, messages[at - 1]?.role !== 'tool', messages[at + 1]?.role !== 'tool');
};

/**
 * The prompt, message by message; the same messages always give the same segments. `tools` are those of the body: the
 * real server shows them to the model even where it may not call them.
 * Throws Refused for replayed tool-call arguments that are not JSON.
 */
export const renderPrompt = (
  cache: SegmentCache,
  request: Pick<ParsedRequest, 'messages'>,
  tools: readonly OfferedTool[],
): readonly Segment[] => {
  const { messages } = request;
  const system = messages[0]?.role === 'system' ? messages[0].content : null;
  const segments: Segment[] = [];
  if (system !== null || tools.length > 0) segments.push(systemSegment(cache, system ?? '', tools));
  for (let at = system === null ? 0 : 1; at < messages.length; at++) segments.push(messageSegment(cache, messages, at));
  segments.push(cache.get('generation', '', () => GENERATION));
  return segments;
};

/** What the slot holds after the answer: rendered as the next prompt will render it. A broken call is kept as text. */
export const renderAnswer = (
  cache: SegmentCache,
  answer: { readonly content: string; readonly toolCalls: readonly ToolCall[] },
): Segment => {
  try {
    return assistantSegment(cache, answer);
  } catch {
    const calls = answer.toolCalls.map((call) => callText(call.name, call.arguments, '\n')).join('');
    return assistantSegment(cache, { content: answer.content + calls, toolCalls: [] });
  }
};
