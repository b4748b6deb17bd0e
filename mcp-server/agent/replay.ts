import { truncate } from '../domain/text.ts';
import type { Call, ToolCall, Turn } from '../domain/turn.ts';
import { asData } from './data-text.ts';
import { isJsonObject } from './tools/arguments.ts';

/** A tool call as it is shown to the model again, and its result. */
export interface Replayed {
  readonly call: ToolCall;
  readonly result: string;
}

/** Results of these are somebody's answer: calling again would do something else again. */
const ANSWERS = new Set(['delegate', 'ask_person', 'send_message', 'finish']);
const KEPT_ANSWER_CHARS = 1000;
const KEPT_ARGUMENT_CHARS = 300;

const NOT_JSON = '[Your arguments were not valid JSON; they are shown as {}.]\n';

/** The result in the place of one that is cut to save room. */
const stub = (call: Call): string => {
  if (ANSWERS.has(call.tool)) return truncate(call.output, KEPT_ANSWER_CHARS);
  const text = `[cut to save room: ${call.output.length} characters; call the tool again if you need it]`;
  return text.length < call.output.length ? text : call.output;
};

const shorter = (value: unknown): unknown =>
  typeof value === 'string' && value.length > KEPT_ARGUMENT_CHARS
    ? `${value.slice(0, 100)} [cut to save room: ${value.length} characters; the file has all of them]`
    : value;

/** Long texts in the arguments (the content of a file that was written) go when the results go. */
const stubArguments = (text: string): string =>
  text.length <= KEPT_ARGUMENT_CHARS
    ? text
    : JSON.stringify(JSON.parse(text), (key, value: unknown) => (key === '' ? value : shorter(value)));

const argumentsOf = (call: Call, cut: boolean): string => {
  if (!isJsonObject(call.arguments)) return '{}';
  return asData(cut ? stubArguments(call.arguments) : call.arguments);
};

const resultOf = (call: Call, cut: boolean): string => {
  if (call.state === 'waiting') return '(There is no result yet.)';
  const wasJson = call.arguments.trim() === '' || isJsonObject(call.arguments);
  return asData(`${wasJson ? '' : NOT_JSON}${cut ? stub(call) : call.output}`) || '(no output)';
};

const nameOf = (call: Call): string => call.tool.replace(/[^\w-]/g, '_').slice(0, 64) || 'unknown';

/**
 * The calls of a turn whose results are stored, fit to be sent again: arguments that are no JSON object never are (the
 * server answers such a prompt with an error), ids are distinct. Calls without a stored result were dropped.
 */
export const replayCalls = (turn: Turn, calls: readonly Call[], cut: boolean): readonly Replayed[] => {
  const taken = new Set<string>();
  return calls.map((call) => {
    const id = call.callId === '' || taken.has(call.callId) ? `call-${turn.seq}-${call.ordinal}` : call.callId;
    taken.add(id);
    return {
      call: { id, name: nameOf(call), arguments: argumentsOf(call, cut) },
      result: resultOf(call, cut),
    };
  });
};
