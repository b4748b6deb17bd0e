import type { ServerResponse } from 'node:http';
import {
  contextExceeded,
  invalidKey,
  loading,
  poolExhausted,
  type Refusal,
  rateLimited,
  serverError,
} from './errors.ts';
import type { Fault, ScriptedAnswer } from './script.ts';
import type { EventStream } from './wire.ts';

const HUGE = 8_000_000;

type Refuse = (answer: ScriptedAnswer, promptTokens: number, contextSize: number) => Refusal;

const REFUSALS: Partial<Record<Fault, Refuse>> = {
  'error-500': () => serverError('The model produced output that does not match the expected peg-native format'),
  'rate-limited': (answer) => rateLimited(answer.retryAfterS ?? 1),
  loading: () => loading,
  unauthorized: () => invalidKey,
  'context-exceeded': (_answer, promptTokens, size) => contextExceeded(Math.max(promptTokens, size + 1), size),
};

/** A fault that is an ordinary error response, sent at once and without a slot; null for the others. */
export const refusalOf = (answer: ScriptedAnswer, promptTokens: number, contextSize: number): Refusal | null =>
  (answer.fault && REFUSALS[answer.fault]?.(answer, promptTokens, contextSize)) ?? null;

/** A reset throws away what the client has not read yet, so it is given this long, ms. */
const READ_FIRST_MS = 25;

/** Resets the connection after what was written has been read. */
const reset = (response: ServerResponse): void => {
  const { socket } = response;
  if (socket) setTimeout(() => socket.resetAndDestroy(), READ_FIRST_MS).unref();
};

/** What became of an answer in its middle. `silent`: nothing more comes, and the connection stays open. */
export type Midway = 'go-on' | 'ended' | 'silent';

const STREAM: Partial<Record<Fault, (stream: EventStream, response: ServerResponse) => Midway>> = {
  'stall-mid-stream': (stream) => {
    stream.flush();
    return 'silent';
  },
  'cut-stream': (stream) => {
    stream.end();
    return 'ended';
  },
  'reset-mid-stream': (stream, response) => {
    stream.flush();
    reset(response);
    return 'ended';
  },
  'stream-error': (stream) => {
    stream.line(JSON.stringify(poolExhausted.body));
    stream.end();
    return 'ended';
  },
  'malformed-json': (stream) => {
    stream.line('{"choices":[{"delta":{"content":"this line stops in the mid');
    return 'go-on';
  },
  'huge-line': (stream) => {
    stream.delta({ content: 'x'.repeat(HUGE) });
    return 'go-on';
  },
};

/** Breaks a stream after half of its answer. */
export const breakStream = (fault: Fault | undefined, stream: EventStream, response: ServerResponse): Midway =>
  (fault && STREAM[fault]?.(stream, response)) ?? 'go-on';

const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8' };

/** Promises the whole text and sends half of it. */
const sendHalf = (text: string, response: ServerResponse): void => {
  response.writeHead(200, { ...JSON_TYPE, 'content-length': Buffer.byteLength(text) });
  response.write(text.slice(0, Math.floor(text.length / 2)));
};

const WHOLE: Partial<Record<Fault, (text: string, response: ServerResponse) => Midway>> = {
  'stall-mid-stream': (text, response) => {
    sendHalf(text, response);
    return 'silent';
  },
  'cut-stream': (text, response) => {
    sendHalf(text, response);
    response.socket?.end();
    return 'ended';
  },
  'reset-mid-stream': (text, response) => {
    sendHalf(text, response);
    reset(response);
    return 'ended';
  },
  'malformed-json': (text, response) => {
    response.writeHead(200, JSON_TYPE);
    response.end(text.slice(0, Math.floor(text.length / 2)));
    return 'ended';
  },
  'huge-line': (text, response) => {
    response.writeHead(200, JSON_TYPE);
    response.end(text.replace('"content":"', `"content":"${'x'.repeat(HUGE)}`));
    return 'ended';
  },
};

/** The same for an answer that is not streamed; `go-on`: nothing was sent yet. */
export const breakWhole = (fault: Fault | undefined, text: string, response: ServerResponse): Midway =>
  (fault && WHOLE[fault]?.(text, response)) ?? 'go-on';

/** Resets the connection before anything was sent. */
export const resetNow = (response: ServerResponse): void => {
  response.socket?.resetAndDestroy();
};
