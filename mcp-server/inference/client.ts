import type { APIError, OpenAI } from 'openai';
import { type Http, type HttpReply, readText } from './http.ts';

/** The largest delay that a Node timer takes: the package cannot be told to have no timeout. */
const NO_TIMEOUT_MS = 2_147_483_647;
/** Headers that leave this process. The package adds a dozen, some of them from environment variables. */
const SENT = ['accept', 'authorization', 'content-type'];

/** What a POST gave: headers of a 2xx answer, or the whole body of another one. */
export type Posted =
  | { readonly kind: 'ok'; readonly reply: HttpReply }
  | {
      readonly kind: 'error';
      readonly status: number;
      /** Parsed when it was JSON, else its text. */
      readonly body: unknown;
      readonly retryAfter: string | null;
    };

/** POSTs to the OpenAI routes of one server. Rejects when there was no HTTP answer; the cause is the socket's error. */
export interface Client {
  post(path: string, body: object, signal: AbortSignal): Promise<Posted>;
}

/**
 * The openai package speaks the protocol; `node:http` carries it, because Node's fetch has a fixed limit of
 * 300 s for headers and costs twice the CPU. The package is loaded at the first call (0.1 s).
 */
export const createClient = (root: string, apiKey: string | null, carrier: Http): Client => {
  let loading: Promise<OpenAI> | null = null;
  const load = async (): Promise<OpenAI> => {
    const { OpenAI } = await import('openai');
    return new OpenAI({
      baseURL: `${root}/v1`,
      apiKey: apiKey ?? 'none',
      ...(apiKey === null && { defaultHeaders: { Authorization: null } }),
      // Null, not absent: absent ones are read from the environment, and an administrator's key would be sent.
      adminAPIKey: null,
      organization: null,
      project: null,
      maxRetries: 0,
      timeout: NO_TIMEOUT_MS,
      logLevel: 'off',
      fetch: (url, init) => send(carrier, url, init),
    });
  };
  return {
    post: async (path, body, signal) => {
      loading ??= load();
      const client = await loading;
      try {
        const reply = (await client.post(path, { body, signal, stream: true }).asResponse()) as Response & Carried;
        return { kind: 'ok', reply: reply.carried };
      } catch (error) {
        if (!isStatusError(error)) throw error;
        const retryAfter = error.headers?.get('retry-after') ?? null;
        return { kind: 'error', status: error.status, body: error.error ?? error.message, retryAfter };
      }
    },
  };
};

/** The package throws the same class for a status and for a lost connection; only the first has a number. */
const isStatusError = (error: unknown): error is APIError & { readonly status: number } =>
  error instanceof Error && 'status' in error && typeof error.status === 'number';

interface Carried {
  readonly carried: HttpReply;
}

/** The part of `fetch` and of `Response` that the package uses; the body stays Node's own stream. */
const send = async (carrier: Http, url: unknown, init: RequestInit | undefined): Promise<Response> => {
  const given = init?.headers instanceof Headers ? init.headers : new Headers(init?.headers);
  const headers: Record<string, string> = {};
  for (const name of SENT) {
    const value = given.get(name);
    if (value !== null) headers[name] = value;
  }
  const carried = await carrier.send({
    method: init?.method ?? 'GET',
    url: String(url),
    headers,
    body: typeof init?.body === 'string' ? init.body : '',
    signal: init?.signal ?? new AbortController().signal,
  });
  const reply = {
    ok: carried.status >= 200 && carried.status < 300,
    status: carried.status,
    url,
    headers: { get: (name: string) => carried.headers.get(name) ?? null, entries: () => carried.headers.entries() },
    body: null,
    text: () => readText(carried.stream),
    carried,
  };
  return reply as unknown as Response;
};
