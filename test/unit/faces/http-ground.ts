import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as OldTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { SCOPES, type Scope } from '../../../mcp-server/faces/http/scopes.ts';
import { type HttpFace, type HttpLimits, startHttp } from '../../../mcp-server/faces/http/server.ts';
import { addToken, openTokenBook, type TokenPlace, tokenPlace } from '../../../mcp-server/faces/http/tokens.ts';
import { type McpFace, openMcpFace } from '../../../mcp-server/faces/mcp/face.ts';
import { createFakeEngine, type FakeEngine } from '../../support/fake-engine.ts';
import { createFakeSkills, type FakeSkills } from '../../support/fake-skills.ts';

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Fails when this has not come true after three seconds. */
export const until = async (what: string, probe: () => boolean): Promise<void> => {
  for (let at = 0; at < 300 && !probe(); at++) await pause(10);
  assert.ok(probe(), what);
};

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export const json = (answer: Answer): Record<string, never> => JSON.parse(answer.text) as Record<string, never>;

/** The HTTP face before a fake engine, new for each test; there is a token for each scope. */
export interface HttpGround {
  readonly place: TokenPlace;
  readonly engine: FakeEngine;
  readonly skills: FakeSkills;
  readonly face: McpFace;
  readonly http: HttpFace;
  readonly tokens: Readonly<Record<Scope, string>>;
  readonly logged: readonly string[];
  start(limits?: Partial<HttpLimits>, origins?: readonly string[]): Promise<void>;
  /** A request whose every header can be chosen. */
  send(path: string, options?: { method?: string; headers?: Record<string, string>; body?: string }): Promise<Answer>;
  /** Headers of whoever has this scope. */
  as(scope: Scope, more?: Record<string, string>): Record<string, string>;
  post(path: string, scope: Scope, body: unknown, more?: Record<string, string>): Promise<Answer>;
  /** A connected 2.x client in the newer era. */
  modern(scope: Scope): Promise<Client>;
  /** A connected 1.x client. */
  old(scope: Scope): Promise<OldClient>;
}

/** For the describe in which it is called. */
export const httpGround = (): HttpGround => {
  let folder: string;
  let place: TokenPlace;
  let engine: FakeEngine;
  let skills: FakeSkills;
  let face: McpFace;
  let http: HttpFace;
  let tokens: Record<Scope, string>;
  const logged: string[] = [];
  const closing: (() => Promise<unknown>)[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'coppice-http-'));
    place = tokenPlace(folder, '/some/repository');
    engine = createFakeEngine();
    skills = createFakeSkills();
    logged.length = 0;
    face = openMcpFace({ engine, version: '1.2.3', skills, log: (line) => logged.push(line) });
    tokens = {} as Record<Scope, string>;
    for (const scope of SCOPES) tokens[scope] = await addToken(place, { name: `${scope}er`, scope, now: 1 });
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close().catch(() => {});
    face.close();
    await rm(folder, { recursive: true, force: true });
  });

  const as: HttpGround['as'] = (scope, more = {}) => ({ Authorization: `Bearer ${tokens[scope]}`, ...more });
  const send: HttpGround['send'] = (path, options = {}) =>
    new Promise((resolve, reject) => {
      const { method = 'GET', headers = {}, body } = options;
      const req = request({ host: '127.0.0.1', port: http.port, path, method, headers }, (res) => {
        let text = '';
        res.on('data', (chunk) => (text += String(chunk)));
        res.on('end', () => resolve({ status: res.statusCode ?? 0, headers: res.headers, text }));
        res.on('error', reject);
      });
      req.on('error', reject);
      req.end(body);
    });

  return {
    get place() {
      return place;
    },
    get engine() {
      return engine;
    },
    get skills() {
      return skills;
    },
    get face() {
      return face;
    },
    get http() {
      return http;
    },
    get tokens() {
      return tokens;
    },
    logged,
    as,
    send,
    start: async (limits = {}, origins = []) => {
      http = await startHttp({
        face,
        port: 0,
        tokens: openTokenBook(place.list, []),
        origins,
        limits: { sweepMs: 50, ...limits },
        log: (line) => logged.push(line),
      });
      closing.push(() => http.close());
    },
    post: (path, scope, body, more = {}) => {
      const types = { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream' };
      return send(path, { method: 'POST', headers: as(scope, { ...types, ...more }), body: JSON.stringify(body) });
    },
    modern: async (scope) => {
      const client = new Client({ name: 'm', version: '1' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
      await client.connect(
        new StreamableHTTPClientTransport(new URL(`${http.url}/mcp`), { requestInit: { headers: as(scope) } }),
      );
      closing.push(() => client.close());
      return client;
    },
    old: async (scope) => {
      const client = new OldClient({ name: 'o', version: '1' });
      const transport = new OldTransport(new URL(`${http.url}/mcp`), { requestInit: { headers: as(scope) } });
      await client.connect(transport);
      closing.push(() => client.close());
      return client;
    },
  };
};
