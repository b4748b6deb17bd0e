import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Clock, systemClock } from '../../../mcp-server/domain/clock.ts';
import { createEndpoint, type EndpointOptions, type OwnedEndpoint } from '../../../mcp-server/inference/endpoint.ts';
import type { ChatOutcome, ChatRequest, ToolSpec } from '../../../mcp-server/inference/port.ts';

/** Time that stands still until a test moves it. */
export class TestClock implements Clock {
  #now = 1_000_000;
  readonly #sleepers = new Set<{ readonly at: number; readonly wake: () => void }>();

  now(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const sleeper = { at: this.#now + ms, wake: resolve };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', () => {
        this.#sleepers.delete(sleeper);
        resolve();
      });
    });
  }

  alarm(ms: number, ring: () => void): () => void {
    const sleeper = { at: this.#now + ms, wake: ring };
    this.#sleepers.add(sleeper);
    return () => void this.#sleepers.delete(sleeper);
  }

  get sleepers(): number {
    return this.#sleepers.size;
  }

  advance(ms: number): void {
    this.#now += ms;
    for (const sleeper of Array.from(this.#sleepers)) {
      if (sleeper.at > this.#now) continue;
      this.#sleepers.delete(sleeper);
      sleeper.wake();
    }
  }

  /** Moves on in steps until the promise settles; real input and output happens between the steps. */
  async advanceUntil<T>(promise: Promise<T>, stepMs = 5_000): Promise<T> {
    const settled = promise.then(
      () => true,
      () => true,
    );
    await pause(50);
    const end = Date.now() + 5_000;
    while (!(await Promise.race([settled, pause(1)]))) {
      if (Date.now() > end) throw new Error('It never settled.');
      this.advance(stepMs);
    }
    return promise;
  }
}

export const pause = (ms: number): Promise<void> => systemClock.sleep(ms);

/** Waits until the condition holds; fails after five seconds. */
export const until = async (holds: () => boolean | Promise<boolean>, what: string): Promise<void> => {
  for (const end = Date.now() + 5_000; Date.now() < end; await pause(10)) if (await holds()) return;
  throw new Error(`Not in time: ${what}.`);
};

export const never = (): AbortSignal => new AbortController().signal;

export const readFile: ToolSpec = {
  name: 'read_file',
  description: 'Reads a text file.',
  parameters: { type: 'object', properties: { path: { type: 'string' } }, required: ['path'] },
};

export const ask = (content: string, more: Partial<ChatRequest> = {}): ChatRequest => ({
  messages: [
    { role: 'system', content: 'You are a careful worker.' },
    { role: 'user', content },
  ],
  tools: [],
  maxTokens: 64,
  temperature: 0,
  ...more,
});

export const endpointAt = (url: string, more: Partial<EndpointOptions> = {}): OwnedEndpoint =>
  createEndpoint({ url, model: null, apiKey: null, clock: systemClock, ...more });

export const answered = (outcome: ChatOutcome): Extract<ChatOutcome, { kind: 'answered' }> => {
  if (outcome.kind !== 'answered') throw new Error(`Not answered: ${JSON.stringify(outcome)}`);
  return outcome;
};

export const failed = (outcome: ChatOutcome): Extract<ChatOutcome, { kind: 'failed' }> => {
  if (outcome.kind !== 'failed') throw new Error(`Not failed: ${JSON.stringify(outcome)}`);
  return outcome;
};

/** The chunk that a server streams, as one line of an event stream. */
export const event = (chunk: object): string => `data: ${JSON.stringify(chunk)}\n\n`;
export const delta = (fields: object): string => event({ choices: [{ index: 0, delta: fields, finish_reason: null }] });
export const end = (reason: string): string =>
  `${event({ choices: [{ index: 0, delta: {}, finish_reason: reason }] })}data: [DONE]\n\n`;

export interface Stub {
  readonly url: string;
  readonly seen: { readonly path: string; readonly headers: IncomingMessage['headers']; readonly body: string }[];
  close(): Promise<void>;
}

/** A server of raw bytes, for what the scripted one would never send. */
export const startStub = async (answer: (response: ServerResponse, path: string) => void): Promise<Stub> => {
  const seen: Stub['seen'] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (part) => {
      body += String(part);
    });
    request.on('end', () => {
      seen.push({ path: request.url ?? '', headers: request.headers, body });
      answer(response, request.url ?? '');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};

/** Answers every call with this event stream. */
export const startStream = (...parts: readonly string[]): Promise<Stub> =>
  startStub((response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const part of parts) response.write(part);
    response.end();
  });
