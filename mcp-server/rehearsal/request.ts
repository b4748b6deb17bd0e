import type { ToolCall } from '../domain/turn.ts';
import { invalidRequest, jsonComplaint, Refused, serverError } from './errors.ts';
import { checkSchema } from './schema.ts';
import type { OfferedTool, ParsedRequest, RehearsalMessage } from './script.ts';

type Body = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Body =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const textOr = (value: unknown, otherwise: string): string => (typeof value === 'string' ? value : otherwise);
const numberOr = <T>(value: unknown, otherwise: T): number | T => (typeof value === 'number' ? value : otherwise);

/** Parses a request body. Throws Refused with the 500 that llama-server gives for text that is not JSON. */
export const parseBody = (text: string): Body => {
  try {
    const body: unknown = JSON.parse(text);
    return isRecord(body) ? body : {};
  } catch (error) {
    throw new Refused(serverError(jsonComplaint(text, error)));
  }
};

const contentOf = (message: Body): string => {
  const content = message['content'];
  if (content === null || content === undefined) return '';
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) throw new Refused(invalidRequest("Expected 'content' to be a string or an array"));
  return content.map((part: unknown) => (isRecord(part) ? textOr(part['text'], '') : '')).join('\n');
};

const toolCallsOf = (message: Body): readonly ToolCall[] => {
  const calls = message['tool_calls'];
  if (!Array.isArray(calls)) return [];
  return calls.filter(isRecord).map((call) => {
    const made = isRecord(call['function']) ? call['function'] : {};
    const args = made['arguments'];
    return {
      id: textOr(call['id'], ''),
      name: textOr(made['name'], ''),
      arguments: typeof args === 'string' ? args : JSON.stringify(args ?? {}),
    };
  });
};

const toMessage = (message: unknown): RehearsalMessage => {
  if (!isRecord(message) || (message['role'] !== 'assistant' && !('content' in message)))
    throw new Refused(invalidRequest("All non-assistant messages must contain 'content'"));
  const content = contentOf(message);
  if (typeof message['role'] !== 'string')
    throw new Refused(serverError(`Failed to parse messages: Missing 'role' in message: ${JSON.stringify(message)}`));
  return {
    role: message['role'],
    content,
    reasoning: textOr(message['reasoning_content'], ''),
    toolCalls: toolCallsOf(message),
    callId: textOr(message['tool_call_id'], ''),
  };
};

const messagesOf = (body: Body): readonly RehearsalMessage[] => {
  if (!('messages' in body)) throw new Refused(invalidRequest("'messages' is required"));
  if (!Array.isArray(body['messages'])) throw new Refused(invalidRequest("Expected 'messages' to be an array"));
  return body['messages'].map(toMessage);
};

const toolsOf = (body: Body): readonly OfferedTool[] => {
  const tools = body['tools'];
  if (tools === undefined || tools === null) return [];
  if (!Array.isArray(tools)) {
    const got = JSON.stringify(tools);
    throw new Refused(serverError(`Failed to parse tools: Expected 'tools' to be an array, got ${got}`));
  }
  return tools.filter(isRecord).map((tool) => {
    const made = isRecord(tool['function']) ? tool['function'] : {};
    return {
      name: textOr(made['name'], ''),
      description: textOr(made['description'], ''),
      parameters: isRecord(made['parameters']) ? made['parameters'] : {},
    };
  });
};

/** The object form, which names a tool, is taken as `auto` without a word: so does the real server. */
const toolChoiceOf = (body: Body): 'auto' | 'none' | 'required' => {
  const choice = body['tool_choice'];
  if (typeof choice !== 'string') return 'auto';
  if (choice === 'auto' || choice === 'none' || choice === 'required') return choice;
  throw new Refused(invalidRequest(`Invalid tool_choice: ${choice}`));
};

const formatSchema = (format: Body): Body | null => {
  const type = format['type'];
  if (type === 'text') return null;
  if (type === 'json_object') return isRecord(format['schema']) ? format['schema'] : {};
  if (type === 'json_schema') {
    const wrapper = isRecord(format['json_schema']) ? format['json_schema'] : {};
    return isRecord(wrapper['schema']) ? wrapper['schema'] : {};
  }
  const complaint = `response_format type must be one of "text" or "json_object", but got: ${String(type)}`;
  throw new Refused(invalidRequest(complaint));
};

const schemaOf = (body: Body): Body | null => {
  const format = body['response_format'];
  const schema = isRecord(body['json_schema'])
    ? body['json_schema']
    : isRecord(format) && 'type' in format
      ? formatSchema(format)
      : null;
  if (schema) checkSchema(schema);
  return schema;
};

const lastToolOf = (messages: readonly RehearsalMessage[]): ParsedRequest['lastTool'] => {
  const result = messages.findLast((message) => message.role === 'tool');
  if (!result) return null;
  const call = messages.flatMap((message) => message.toolCalls).findLast((candidate) => candidate.id === result.callId);
  return { name: call?.name ?? '', callId: result.callId, content: result.content };
};

/** What both kinds of request say in the same words. */
const common = (
  body: Body,
): Pick<
  ParsedRequest,
  'maxTokens' | 'stream' | 'includeUsage' | 'returnProgress' | 'ignoreEos' | 'temperature' | 'model' | 'body'
> => {
  const options = isRecord(body['stream_options']) ? body['stream_options'] : {};
  const maxTokens = numberOr(body['max_tokens'], numberOr(body['max_completion_tokens'], null));
  return {
    maxTokens: maxTokens !== null && maxTokens < 0 ? null : maxTokens,
    stream: body['stream'] === true,
    includeUsage: options['include_usage'] === true,
    returnProgress: body['return_progress'] === true,
    ignoreEos: body['ignore_eos'] === true,
    temperature: numberOr(body['temperature'], null),
    model: typeof body['model'] === 'string' ? body['model'] : null,
    body,
  };
};

const PROMPT_SHAPE =
  '"prompt" elements must be a string, a list of tokens, a JSON object containing a prompt string, or a list of mixed strings & tokens.';

/** Reads a body of `/v1/completions`: a text or a list of tokens. Throws Refused with the measured status and words. */
export const understandCompletion = (
  body: Body,
): { readonly request: ParsedRequest; readonly prompt: string | readonly number[] } => {
  const { prompt } = body;
  if (prompt === undefined)
    throw new Refused(invalidRequest("[json.exception.out_of_range.403] key 'prompt' not found"));
  if (Array.isArray(prompt) && prompt.length === 0) throw new Refused(invalidRequest('"prompt" must not be empty'));
  if (typeof prompt !== 'string' && !isTokens(prompt)) throw new Refused(invalidRequest(PROMPT_SHAPE));
  if (typeof prompt !== 'string' && prompt.some((token) => token < 0))
    throw new Refused(invalidRequest('Prompt contains invalid tokens'));
  const nothing = { messages: [], tools: [], toolChoice: 'none', jsonSchema: null, lastTool: null } as const;
  return { prompt, request: { ...nothing, system: '', firstUser: '', lastUser: '', ...common(body) } };
};

const isTokens = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every((token) => Number.isInteger(token));

/** A chat request and the tools that its prompt shows. */
export interface UnderstoodRequest {
  readonly request: ParsedRequest;
  readonly shownTools: readonly OfferedTool[];
}

/** Reads a body of `/v1/chat/completions`. Throws Refused with the measured status and words. */
export const understand = (body: Body): UnderstoodRequest => {
  const messages = messagesOf(body);
  const shownTools = toolsOf(body);
  const toolChoice = toolChoiceOf(body);
  const jsonSchema = schemaOf(body);
  if (shownTools.length > 0 && typeof body['grammar'] === 'string')
    throw new Refused(invalidRequest('Cannot use custom grammar constraints with tools.'));
  const request: ParsedRequest = {
    messages,
    tools: toolChoice === 'none' || jsonSchema ? [] : shownTools,
    toolChoice,
    jsonSchema,
    ...common(body),
    system: messages[0]?.role === 'system' ? messages[0].content : '',
    firstUser: messages.find((message) => message.role === 'user')?.content ?? '',
    lastUser: messages.findLast((message) => message.role === 'user')?.content ?? '',
    lastTool: lastToolOf(messages),
  };
  return { request, shownTools };
};
