import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node';
import { type AuthInfo, isInitializeRequest } from '@modelcontextprotocol/server';
import { messageOf } from '../../domain/errors.ts';
import type { McpCore } from './core.ts';
import { createEventStore } from './event-store.ts';
import type { HttpClient } from './http.ts';
import { Followed } from './resources.ts';
import { createMcpServer } from './server.ts';

/** Of one client; the one that was used least lately makes room. */
const MOST_SESSIONS = 32;
/** A session that nobody uses for so long ends, ms. */
const IDLE_MS = 30 * 60_000;
/** When a client whose stream broke should come back, ms. */
const RETRY_MS = 1000;

interface Session {
  readonly owner: string;
  readonly transport: NodeStreamableHTTPServerTransport;
  readonly end: () => void;
  usedAt: number;
  /** Requests and streams that are open. */
  open: number;
}

/** Sessions of clients of the older era: each has a server of its own, so that it can be told of changes. */
export class Sessions {
  readonly #core: McpCore;
  readonly #sessions = new Map<string, Session>();
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;

  constructor(core: McpCore, now: () => number) {
    this.#core = core;
    this.#now = now;
    this.#timer = setInterval(() => this.#endIdle(), 60_000);
    this.#timer.unref();
  }

  async handle(
    req: IncomingMessage & { auth?: AuthInfo },
    res: ServerResponse,
    body: unknown,
    client: HttpClient,
  ): Promise<void> {
    const id = req.headers['mcp-session-id'];
    if (id === undefined) {
      const opens = req.method === 'POST' && (Array.isArray(body) ? body : [body]).some(isInitializeRequest);
      if (!opens) return refuse(res, 400, 'Begin with "initialize"; afterwards Mcp-Session-Id is required.');
      return (await this.#open(client)).handleRequest(req, res, body);
    }
    const session = this.#sessions.get(String(id));
    // A session's id says which session is meant, never who asks: another client's session is not there.
    if (!session || session.owner !== client.id) return refuse(res, 404, 'There is no such session. Begin anew.');
    session.usedAt = this.#now();
    session.open += 1;
    res.once('close', () => {
      session.open -= 1;
      session.usedAt = this.#now();
    });
    return session.transport.handleRequest(req, res, body);
  }

  /** Ends the sessions of one client, or all of them. */
  endAll(owner?: string): void {
    for (const session of this.#sessions.values()) if (owner === undefined || session.owner === owner) session.end();
  }

  close(): void {
    clearInterval(this.#timer);
    this.endAll();
  }

  async #open(client: HttpClient): Promise<NodeStreamableHTTPServerTransport> {
    this.#makeRoom(client.id);
    const ending = new AbortController();
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      eventStore: createEventStore(),
      retryInterval: RETRY_MS,
      onsessioninitialized: (id) => {
        const end = (): void => {
          if (!this.#sessions.delete(id)) return;
          ending.abort();
          void server.close().catch(() => {});
        };
        this.#sessions.set(id, { owner: client.id, transport, end, usedAt: this.#now(), open: 0 });
      },
      onsessionclosed: (id) => this.#sessions.get(id)?.end(),
    });
    const server = createMcpServer(this.#core, {
      scope: client.scope,
      ending: ending.signal,
      followed: new Followed(),
    });
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- the SDK's server is no event target
    server.server.onerror = (error) => this.#core.log(`http session: ${messageOf(error)}`);
    await server.connect(transport);
    return transport;
  }

  #makeRoom(owner: string): void {
    const own = [...this.#sessions.values()].filter((session) => session.owner === owner);
    if (own.length < MOST_SESSIONS) return;
    own.sort((a, b) => Number(a.open > 0) - Number(b.open > 0) || a.usedAt - b.usedAt);
    own[0]?.end();
  }

  #endIdle(): void {
    const before = this.#now() - IDLE_MS;
    for (const session of this.#sessions.values()) if (session.open === 0 && session.usedAt < before) session.end();
  }
}

const refuse = (res: ServerResponse, status: number, message: string): void => {
  res.writeHead(status, { 'Content-Type': 'application/json' });
  res.end(JSON.stringify({ jsonrpc: '2.0', error: { code: -32_000, message }, id: null }));
};
