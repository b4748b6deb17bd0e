import { type ClientRequest, type IncomingHttpHeaders, request } from 'node:http';

/** One exchange over plain HTTP, on a connection of its own. */
export interface RawResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** False when the connection broke before the body's end. */
  readonly complete: boolean;
}

export interface RawCall {
  /** Resolves with the status as soon as the headers are there; rejects when the connection breaks before. */
  readonly headers: Promise<number>;
  readonly response: Promise<RawResponse>;
  /** Everything of the body so far. */
  text(): string;
  /** Closes the connection. */
  drop(): void;
}

const never = (): void => undefined;

/** Starts an exchange. A string body is sent as it is, anything else as JSON. */
export const rawCall = (url: string, method: string, body?: unknown, headers: Record<string, string> = {}): RawCall => {
  const payload = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
  const { promise: head, resolve: gotHead, reject: noHead } = Promise.withResolvers<number>();
  const { promise: whole, resolve: gotWhole, reject: noWhole } = Promise.withResolvers<RawResponse>();
  let text = '';
  const call: ClientRequest = request(url, { method, agent: false, headers }, (response) => {
    const status = response.statusCode ?? 0;
    gotHead(status);
    response.setEncoding('utf8');
    response.on('data', (part: string) => {
      text += part;
    });
    response.on('error', never);
    response.on('close', () => gotWhole({ status, headers: response.headers, text, complete: response.complete }));
  });
  let answered = false;
  call.on('response', () => {
    answered = true;
  });
  call.on('error', (error) => {
    noHead(error);
    if (!answered) noWhole(error);
  });
  head.catch(never);
  whole.catch(never);
  call.end(payload);
  return { headers: head, response: whole, text: () => text, drop: () => call.destroy() };
};

/** A whole exchange. */
export const rawGet = (url: string, headers: Record<string, string> = {}): Promise<RawResponse> =>
  rawCall(url, 'GET', undefined, headers).response;
export const rawPost = (url: string, body: unknown, headers: Record<string, string> = {}): Promise<RawResponse> =>
  rawCall(url, 'POST', body, headers).response;

/** The `data:` lines of an event stream. */
export const eventData = (text: string): readonly string[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => line.slice('data: '.length));
