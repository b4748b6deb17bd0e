import http from 'node:http';
import https from 'node:https';
import { urlToHttpOptions } from 'node:url';
import type { Clock } from '../domain/clock.ts';

/** What a server answered: its headers have come, its body has not been read. */
export interface HttpReply {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: ReadonlyMap<string, string>;
  readonly stream: http.IncomingMessage;
}

export interface HttpRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Destroys the socket, before or after the headers: closing it is how a llama-server call is cancelled. */
  readonly signal: AbortSignal;
}

/** HTTP with no timeout but that of connecting. Rejects with the socket's error. */
export interface Http {
  send(request: HttpRequest): Promise<HttpReply>;
  /** Cuts the calls under way. */
  close(): void;
}

const MOST_TARGETS = 100;

/**
 * Each call has its own connection. llama-server closes one after every streamed answer, whatever its `Keep-Alive`
 * header says, so that a call which takes it over within the next millisecond is lost; and one that idles holds a
 * thread of the server. A new one costs 0.1 ms. No bound on their number: permits bound the calls.
 */
export const createHttp = (clock: Clock, connectMs: number): Http => {
  const options = { keepAlive: false, maxSockets: Number.POSITIVE_INFINITY };
  const plain = new http.Agent(options);
  const secure = new https.Agent(options);
  // A server has few routes, and each is called thousands of times.
  const targets = new Map<string, http.RequestOptions>();
  const targetOf = (url: string): http.RequestOptions => {
    const known = targets.get(url);
    if (known) return known;
    const target = urlToHttpOptions(new URL(url));
    if (targets.size >= MOST_TARGETS) targets.clear();
    targets.set(url, target);
    return target;
  };
  const open = (request: HttpRequest): http.ClientRequest => {
    const headers: Record<string, string> = { ...request.headers };
    if (request.body !== undefined) headers['content-length'] = String(Buffer.byteLength(request.body));
    const { method } = request;
    const target = targetOf(request.url);
    return target.protocol === 'https:'
      ? https.request({ ...target, method, headers, agent: secure })
      : http.request({ ...target, method, headers, agent: plain });
  };
  return {
    send: (request) =>
      new Promise((resolve, reject) => {
        if (request.signal.aborted) return reject(aborted());
        const outgoing = open(request);
        const cut = (): void => void outgoing.destroy(aborted());
        request.signal.addEventListener('abort', cut);
        outgoing.once('close', () => request.signal.removeEventListener('abort', cut));
        outgoing.on('error', reject);
        outgoing.once('response', (stream) => {
          // Without a listener a cut body would be an uncaught error; whoever reads it adds their own.
          stream.on('error', () => undefined);
          resolve({ status: stream.statusCode ?? 0, headers: lowerCase(stream.headers), stream });
        });
        limitConnecting(outgoing, clock, connectMs);
        outgoing.end(request.body);
      }),
    close: () => {
      plain.destroy();
      secure.destroy();
    },
  };
};

/** Reads a short body. Longer ones are cut at `maxChars`, and the connection with them. */
export const readText = async (stream: http.IncomingMessage, maxChars = 65_536): Promise<string> => {
  let text = '';
  stream.setEncoding('utf8');
  for await (const part of stream) {
    text += String(part);
    if (text.length > maxChars) return text.slice(0, maxChars);
  }
  return text;
};

const aborted = (): Error => Object.assign(new Error('The call was aborted.'), { name: 'AbortError' });

const lowerCase = (headers: http.IncomingHttpHeaders): ReadonlyMap<string, string> => {
  const map = new Map<string, string>();
  for (const name in headers) map.set(name, String(headers[name]));
  return map;
};

/** A host that drops packets would otherwise hold the call for minutes. */
const limitConnecting = (request: http.ClientRequest, clock: Clock, connectMs: number): void => {
  request.once('socket', (socket) => {
    if (!socket.connecting) return;
    const cancel = clock.alarm(connectMs, () => {
      request.destroy(Object.assign(new Error(`No connection after ${connectMs} ms`), { code: 'ETIMEDOUT' }));
    });
    socket.once('connect', cancel);
    socket.once('close', cancel);
  });
};
