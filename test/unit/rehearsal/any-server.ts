import assert from 'node:assert/strict';
import { llamaUrl } from '../../support/env.ts';
import { eventData, rawGet, rawPost } from '../../support/raw-http.ts';
import { type RehearsalOptions, startRehearsal } from '../../support/scripted-server.ts';

export type Json = Record<string, unknown>;

export const json = (text: string): Json => JSON.parse(text) as Json;

/** What lies there, whatever its type; undefined: nothing. */
export const at = (value: unknown, ...path: readonly (string | number)[]): unknown =>
  path.reduce<unknown>((inner, key) => (inner as Record<string | number, unknown> | undefined)?.[key], value);

/** Fails when one of these keys is missing. */
export const has = (value: unknown, ...keys: readonly string[]): void => {
  for (const key of keys) assert.ok(key in (value as Json), `${key} is missing in ${JSON.stringify(value)}`);
};

export interface Chunk extends Json {
  readonly choices: readonly Json[];
}

/** Of a streamed answer. */
export const chunksOf = (text: string): readonly Chunk[] =>
  eventData(text)
    .filter((data) => data !== '[DONE]')
    .map((data) => JSON.parse(data) as Chunk);

export const HELLO = [{ role: 'user', content: 'hello there' }];

/** A tool that can be offered. */
export const PING = {
  type: 'function',
  function: {
    name: 'ping',
    description: 'Ping',
    parameters: { type: 'object', properties: { v: { enum: ['a'] } }, required: ['v'] },
  },
};

/** A server that speaks the protocol. */
export interface AnyServer {
  readonly url: string;
  get(path: string): ReturnType<typeof rawGet>;
  post(path: string, body: unknown): ReturnType<typeof rawPost>;
  /** Says hello and wants a short answer, but for what the body says. */
  chat(body: Json): ReturnType<typeof rawPost>;
  props(): Promise<Json>;
}

/** The same facts about the scripted server, with these options, and about a real one where there is one. */
export const describeServers = (options: RehearsalOptions, facts: (server: AnyServer) => void): void => {
  describeServer('of the scripted server', () => startRehearsal(options), facts);
  if (llamaUrl)
    describeServer(
      'of a real llama-server',
      async () => ({ url: llamaUrl as string, close: async () => undefined }),
      facts,
    );
};

const describeServer = (
  name: string,
  open: () => Promise<{ url: string; close(): Promise<void> }>,
  facts: (server: AnyServer) => void,
): void => {
  describe(name, function () {
    this.timeout(30_000);
    let server: { url: string; close(): Promise<void> };
    before(async () => {
      server = await open();
    });
    after(() => server.close());

    const get: AnyServer['get'] = (path) => rawGet(server.url + path);
    const post: AnyServer['post'] = (path, body) => rawPost(server.url + path, body);
    facts({
      get url() {
        return server.url;
      },
      get,
      post,
      chat: (body) => post('/v1/chat/completions', { messages: HELLO, max_tokens: 8, ...body }),
      props: async () => json((await get('/props')).text),
    });
  });
};
