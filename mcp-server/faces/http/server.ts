import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { traceOf, UserError } from '../../domain/errors.ts';
import type { McpFace } from '../mcp/face.ts';
import type { HttpClient, McpHttp } from '../mcp/http.ts';
import { HttpError, STATUS_OF, sendError, sendJson } from './exchange.ts';
import { authenticate, checkHost, checkOrigin } from './guard.ts';
import { createRequestCounts } from './metrics.ts';
import { answer, type RouteParts, routeName } from './routes.ts';
import type { TokenBook } from './tokens.ts';

/** What an HTTP server of one engine is made of. */
export interface HttpParts {
  readonly face: McpFace;
  /** 0: any free one. */
  readonly port: number;
  /** Null, in tests only: everybody may do everything. */
  readonly tokens: TokenBook | null;
  /** Origins of pages that may ask, besides the server's own. */
  readonly origins: readonly string[];
  readonly limits?: Partial<HttpLimits> | undefined;
  log(line: string): void;
}

/** Bounds that keep a client which sends slowly, or nothing, from holding the server. */
export interface HttpLimits {
  readonly headersMs: number;
  /** For a whole request to arrive; answers may take as long as they like. */
  readonly requestMs: number;
  readonly connections: number;
  /** Requests and streams that one client may have open, so that it leaves room for others. */
  readonly openByClient: number;
  /** How often it is looked who has lost the right to be served, ms. */
  readonly sweepMs: number;
}

const LIMITS: HttpLimits = { headersMs: 10_000, requestMs: 30_000, connections: 512, openByClient: 128, sweepMs: 5000 };

/** A server that listens on loopback. */
export interface HttpFace {
  readonly port: number;
  /** Without a slash at the end. */
  readonly url: string;
  close(): Promise<void>;
}

/** Listens on 127.0.0.1 and nowhere else. Throws UserError when the port is taken. */
export const startHttp = async (parts: HttpParts): Promise<HttpFace> => {
  const server = new LoopbackServer(parts, await parts.face.openHttp());
  await server.listen();
  return server;
};

class LoopbackServer implements HttpFace {
  readonly #parts: HttpParts;
  readonly #server: Server;
  readonly #closing = new AbortController();
  readonly #counts = createRequestCounts();
  readonly #routes: RouteParts;
  readonly #open = new Map<ServerResponse, string>();
  readonly #limits: HttpLimits;
  #sweeper: NodeJS.Timeout | undefined;

  constructor(parts: HttpParts, mcp: McpHttp) {
    this.#parts = parts;
    this.#limits = { ...LIMITS, ...parts.limits };
    const { headersMs, requestMs, connections } = this.#limits;
    this.#routes = {
      face: parts.face,
      mcp,
      counts: this.#counts,
      closing: this.#closing.signal,
    };
    this.#server = createServer(
      {
        headersTimeout: headersMs,
        requestTimeout: requestMs,
        connectionsCheckingInterval: Math.min(1000, headersMs),
        keepAliveTimeout: 5000,
        maxHeaderSize: 16 * 1024,
      },
      (req, res) => void this.#handle(req, res),
    );
    this.#server.maxConnections = connections;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen(this.#parts.port, '127.0.0.1', resolve);
    }).catch(async (error: NodeJS.ErrnoException) => {
      await this.#routes.mcp.close();
      if (error.code === 'EADDRINUSE')
        throw new UserError('bad-input', `The port ${this.#parts.port} is taken. Name another one with --port.`);
      throw new UserError('bad-input', `The port ${this.#parts.port} cannot be used: ${error.message}.`);
    });
    this.#server.on('error', (error) => this.#parts.log(`http: ${error.message}`));
    this.#sweeper = setInterval(() => void this.#sweep(), this.#limits.sweepMs);
    this.#sweeper.unref();
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    clearInterval(this.#sweeper);
    await this.#routes.mcp.close();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    setTimeout(() => this.#server.closeAllConnections(), 300).unref();
    await closed;
  }

  async #handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const url = URL.canParse(req.url ?? '', 'http://here') ? new URL(req.url ?? '', 'http://here') : null;
    const path = url?.pathname ?? '/';
    const route = path === '/health' ? 'health' : routeName(path);
    res.once('close', () => {
      this.#open.delete(res);
      this.#counts.count(route, res.statusCode);
    });
    res.setHeader('X-Content-Type-Options', 'nosniff');
    res.setHeader('Cache-Control', 'no-store');
    try {
      checkHost(req, this.port);
      checkOrigin(req, this.port, this.#parts.origins);
      this.#letPageRead(req, res);
      if (req.method === 'OPTIONS') return void res.writeHead(204).end();
      if (path === '/health') return sendJson(res, 200, { ok: true });
      const client = await this.#clientOf(req);
      this.#admit(res, client);
      await answer(this.#routes, { req, res, path, query: url?.searchParams ?? new URLSearchParams(), client });
    } catch (error) {
      this.#refuse(res, error, route);
    }
  }

  async #clientOf(req: IncomingMessage): Promise<HttpClient> {
    const { tokens } = this.#parts;
    return tokens ? authenticate(req, tokens) : { id: 'test', name: 'test', scope: 'land' };
  }

  #admit(res: ServerResponse, { id }: HttpClient): void {
    const { openByClient } = this.#limits;
    if ([...this.#open.values()].filter((one) => one === id).length >= openByClient)
      throw new HttpError(429, 'engine-busy', `A client has at most ${openByClient} requests open.`, {
        'Retry-After': '1',
      });
    this.#open.set(res, id);
  }

  /** Only for origins that have been let in. */
  #letPageRead(req: IncomingMessage, res: ServerResponse): void {
    const { origin } = req.headers;
    if (origin === undefined) return;
    res.setHeader('Access-Control-Allow-Origin', origin);
    res.setHeader('Vary', 'Origin');
    res.setHeader('Access-Control-Expose-Headers', 'Mcp-Session-Id, WWW-Authenticate, Location');
    if (req.method !== 'OPTIONS') return;
    res.setHeader('Access-Control-Allow-Methods', 'GET, POST, DELETE');
    const asked = req.headers['access-control-request-headers'];
    if (asked !== undefined) res.setHeader('Access-Control-Allow-Headers', asked);
  }

  #refuse(res: ServerResponse, error: unknown, route: string): void {
    if (error instanceof HttpError) return sendError(res, error, route === 'mcp');
    if (error instanceof UserError)
      return sendError(res, new HttpError(STATUS_OF[error.code], error.code, error.message), route === 'mcp');
    if (res.destroyed) return;
    this.#parts.log(`http ${route} failed: ${traceOf(error)}`);
    sendError(
      res,
      new HttpError(500, 'internal', 'Internal error in Coppice; the engine log has the details.'),
      route === 'mcp',
    );
  }

  /** Ends what is open to clients whose token has been taken back. */
  async #sweep(): Promise<void> {
    if (!this.#parts.tokens || this.#closing.signal.aborted) return;
    const good = await this.#parts.tokens.ids();
    const lost = new Set([...this.#open.values()].filter((id) => !good.has(id)));
    for (const id of lost) this.#routes.mcp.forget(id);
    for (const [res, id] of this.#open) if (lost.has(id)) res.destroy();
  }
}
