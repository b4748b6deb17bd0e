import { messageOf } from '../domain/errors.ts';
import { oneLine } from '../domain/text.ts';
import type { ChatFailure } from './port.ts';

/** How to start a llama-server that suits us. */
export const START_COMMAND =
  'llama-server -m MODEL.gguf -np 4 -c 131072 --jinja --metrics --slots --slot-save-path DIR --threads-http 64';

/** Why a call failed, and whether the same call may succeed later. */
export interface Failure {
  readonly failure: ChatFailure;
  readonly message: string;
  readonly retryable: boolean;
  readonly retryAfterMs: number | null;
}

/** The error object of a body, in any of the shapes that servers use. */
interface ServerError {
  readonly type: string;
  readonly code: string;
  readonly message: string;
}

const MAX_RETRY_AFTER_MS = 600_000;

export const failure = (kind: ChatFailure, message: string, retryable: boolean): Failure => ({
  failure: kind,
  message,
  retryable,
  retryAfterMs: null,
});

/** By its type first: llama-server sends the same status for very different errors. */
export const classifyServerError = (status: number, body: unknown, retryAfterMs: number | null = null): Failure => {
  const error = serverError(body);
  const said = oneLine(error.message || `status ${status}`, 500);
  const known = byMeaning(error, said) ?? byStatus(status, error, said);
  return { ...known, retryAfterMs: known.retryable ? retryAfterMs : null };
};

const byMeaning = (error: ServerError, said: string): Failure | null => {
  const { type, code, message } = error;
  if (type === 'exceed_context_size_error' || code === 'context_length_exceeded' || TOO_LONG.test(message))
    return failure('context-exceeded', `The prompt does not fit the model's context: ${said}`, false);
  if (message.includes('Context size has been exceeded'))
    return failure('pool-exhausted', 'The memory that the server shares between its slots ran out.', true);
  if (type === 'unavailable_error') return failure('loading', `The model server is not ready: ${said}`, true);
  if (type === 'authentication_error' || type === 'permission_error')
    return failure('refused', `The model server refused the API key: ${said}`, false);
  if (message.includes('does not match the expected'))
    return failure('malformed', `The server could not parse the model's answer: ${said}`, true);
  if (REQUEST_ERRORS.has(type) || REQUEST_FAULT.test(message))
    return failure('refused', `The model server refused the request: ${said}`, false);
  return null;
};

const TOO_LONG = /maximum context length|context (length|window) (of|is|exceeded)/i;
const REQUEST_ERRORS = new Set(['invalid_request_error', 'not_found_error', 'not_supported_error', 'BadRequestError']);
/** llama-server answers 500 for what is wrong with the request itself: its JSON, a replayed tool call, a template. */
const REQUEST_FAULT = /json\.exception|Failed to parse tool call arguments|chat template|jinja/i;

/** Any other 500 may be a flaky server. It is retryable: the engine bounds the attempts. */
const byStatus = (status: number, error: ServerError, said: string): Failure => {
  if (status === 429 || error.type === 'rate_limit_error' || error.type === 'overloaded_error')
    return failure('overloaded', `The model server is overloaded: ${said}`, true);
  if (status === 503) return failure('overloaded', `The model server is unavailable: ${said}`, true);
  if (status === 401 || status === 403)
    return failure('refused', `The model server refused the API key: ${said}`, false);
  if (status === 408 || status === 409 || status >= 500)
    return failure('unreachable', `The model server failed (${status}): ${said}`, true);
  return failure('refused', `The model server refused the request (${status}): ${said}`, false);
};

/** No HTTP answer at all. */
export const classifyConnectionError = (url: string, error: unknown): Failure => {
  const cause = rootCause(error);
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : '';
  return failure('unreachable', connectionWords(url, code, messageOf(cause)), true);
};

/** What went wrong with a connection, for people. */
const connectionWords = (url: string, code: string, message: string): string => {
  switch (code) {
    case 'ECONNREFUSED':
      return `No model server listens at ${url}.`;
    case 'ECONNRESET':
    case 'EPIPE':
      return `The model server at ${url} closed the connection.`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `The host of ${url} is not known.`;
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `The model server at ${url} cannot be reached.`;
    default:
      return `The model server at ${url} cannot be reached: ${oneLine(message, 300)}`;
  }
};

/** The socket's own error below those that wrap it. */
const rootCause = (error: unknown): unknown => {
  let inner = error;
  while (inner instanceof Error && inner.cause !== undefined) inner = inner.cause;
  // A host with several addresses fails with one error for each.
  return inner instanceof AggregateError ? (inner.errors[0] ?? inner) : inner;
};

/** `Retry-After` in either of its forms, ms; null when absent or senseless. */
export const retryAfter = (header: string | null | undefined, now: number): number | null => {
  if (header === null || header === undefined || header === '') return null;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - now;
  return Number.isFinite(ms) ? Math.min(Math.max(0, Math.round(ms)), MAX_RETRY_AFTER_MS) : null;
};

const serverError = (body: unknown): ServerError => {
  if (typeof body === 'string') return { type: '', code: '', message: body };
  if (typeof body !== 'object' || body === null) return { type: '', code: '', message: '' };
  if ('error' in body && body.error) return serverError(body.error);
  const field = (name: string): string => {
    const value = (body as Record<string, unknown>)[name];
    return typeof value === 'string' ? value : '';
  };
  return { type: field('type'), code: field('code'), message: field('message') || field('detail') };
};
