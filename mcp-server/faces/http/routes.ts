import type { IncomingMessage, ServerResponse } from 'node:http';
import type { McpFace } from '../mcp/face.ts';
import type { HttpClient, McpHttp } from '../mcp/http.ts';
import { streamEvents } from './event-stream.ts';
import { HttpError, readJson, sendJson } from './exchange.ts';
import { demand, demandCalls, demandOperation } from './guard.ts';
import { metricsText, type RequestCounts } from './metrics.ts';

/** One request that has been let in. */
export interface Request {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly client: HttpClient;
}

/** What the routes work on. */
export interface RouteParts {
  readonly face: McpFace;
  readonly mcp: McpHttp;
  readonly counts: RequestCounts;
  /** Aborts when the server closes. */
  readonly closing: AbortSignal;
}

interface Route {
  /** Of metrics and messages. */
  readonly name: string;
  readonly pattern: RegExp;
  readonly methods: Readonly<Record<string, (parts: RouteParts, request: Request, id: string) => Promise<void>>>;
}

const mcp = async (parts: RouteParts, { req, res, client }: Request): Promise<void> => {
  const body = req.method === 'POST' ? await readJson(req) : undefined;
  demandCalls(client.scope, parts.face.operations, body);
  await parts.mcp.handle(req, res, body, client);
};

const submit = async (parts: RouteParts, request: Request): Promise<void> => {
  const body = objectOf(await readJson(request.req));
  const key = request.req.headers['idempotency-key'];
  const input = key === undefined || 'key' in body ? body : { ...body, key: String(key) };
  const run = await call(parts, request, 'run_start', input);
  sendJson(request.res, 202, run, { Location: `/status/${encodeURIComponent(String(run['run']))}` });
};

const status = async (parts: RouteParts, request: Request, run: string): Promise<void> =>
  sendJson(request.res, 200, await call(parts, request, 'run_status', { run }));

const transcript = async (parts: RouteParts, request: Request, agent: string): Promise<void> =>
  sendJson(request.res, 200, await call(parts, request, 'agent_transcript', { agent }));

const message = async (parts: RouteParts, request: Request, agent: string): Promise<void> => {
  const body = objectOf(await readJson(request.req));
  sendJson(request.res, 202, await call(parts, request, 'agent_message', { ...body, agent }));
};

const events = async (parts: RouteParts, { req, res, query, client }: Request): Promise<void> => {
  demand(client.scope, 'read');
  await streamEvents(parts.face.engine, req, res, query, parts.closing);
};

const metrics = async (parts: RouteParts, { res, client }: Request): Promise<void> => {
  demand(client.scope, 'read');
  const text = await metricsText(parts.face.engine, parts.face.version, parts.counts);
  res.writeHead(200, { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' });
  res.end(text);
};

const ROUTES: readonly Route[] = [
  { name: 'mcp', pattern: /^\/mcp$/, methods: { GET: mcp, POST: mcp, DELETE: mcp } },
  { name: 'submit', pattern: /^\/submit$/, methods: { POST: submit } },
  { name: 'status', pattern: /^\/status\/([^/]+)$/, methods: { GET: status } },
  { name: 'events', pattern: /^\/events$/, methods: { GET: events } },
  { name: 'chat', pattern: /^\/chat\/([^/]+)$/, methods: { GET: transcript, POST: message } },
  { name: 'metrics', pattern: /^\/metrics$/, methods: { GET: metrics } },
];

/** The name of a path's route, for counting. */
export const routeName = (path: string): string => ROUTES.find(({ pattern }) => pattern.test(path))?.name ?? 'none';

/** Answers a request that has been let in. Throws HttpError and UserError. */
export const answer = async (parts: RouteParts, request: Request): Promise<void> => {
  const route = ROUTES.find(({ pattern }) => pattern.test(request.path));
  if (!route) throw new HttpError(404, 'not-found', `There is no ${request.path}.`);
  const handle = route.methods[request.req.method ?? ''];
  if (!handle) {
    const known = Object.keys(route.methods).join(', ');
    throw new HttpError(405, 'bad-input', `${request.path} knows ${known}.`, { Allow: known });
  }
  await handle(parts, request, decoded(route.pattern.exec(request.path)?.[1] ?? ''));
};

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new HttpError(400, 'bad-input', 'The path is not encoded as it should be.');
  }
};

const objectOf = (body: unknown): Record<string, unknown> => {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Record<string, unknown>;
  throw new HttpError(400, 'bad-input', 'Send a JSON object.');
};

/** Calls an operation of the table as every face does: input checked, output in the shape of its schema. */
const call = async (
  parts: RouteParts,
  request: Request,
  name: string,
  input: Record<string, unknown>,
): Promise<Record<string, unknown>> => {
  const operation = parts.face.operations.find((one) => one.name === name);
  if (!operation) throw new HttpError(404, 'not-found', `There is no operation ${name}.`);
  demandOperation(request.client.scope, operation, input);
  const parsed = operation.input.safeParse(input);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new HttpError(400, 'bad-input', `${issue?.path.join('.') || 'The body'}: ${issue?.message ?? 'is wrong'}`);
  }
  const gone = new AbortController();
  request.res.once('close', () => gone.abort());
  const signal = AbortSignal.any([parts.closing, gone.signal]);
  return operation.output.parse(await operation.handle(parts.face.engine, parsed.data, signal));
};
