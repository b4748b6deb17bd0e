import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Clock, systemClock } from '../domain/clock.ts';
import { type ChatSettings, Chats } from './chats.ts';
import { embeddingsPage } from './embeddings.ts';
import { invalidKey, loading, noSlot, notFound, Refused, serverError, unsupported } from './errors.ts';
import type { RecordedRequest } from './job.ts';
import { metricsPage, modelsPage, propsPage, slotsPage } from './pages.ts';
import { parseBody, understand } from './request.ts';
import type { ParsedRequest, Script } from './script.ts';
import { SlotFiles } from './slot-files.ts';
import { renderPrompt } from './template.ts';
import { countTokens, pieceEnd, tokenize } from './tokens.ts';
import type { RehearsalStats } from './totals.ts';
import { refuse, sendJson, sendText } from './wire.ts';

export type { RecordedRequest } from './job.ts';
export type { RehearsalStats } from './totals.ts';

/** Milliseconds before the first token of an answer. */
export type Latency = number | ((request: ParsedRequest) => number);

export interface RehearsalOptions {
  /** 0, the default, takes a free one. Always on 127.0.0.1. */
  readonly port?: number;
  readonly slots?: number;
  /** Tokens for each slot. */
  readonly contextSize?: number;
  readonly latencyMs?: Latency;
  /** Null, the default: an answer comes at once as soon as it has begun. */
  readonly tokensPerSecond?: number | null;
  /** Adds evaluation time for each prompt token that the slot's cache lacks. Null, the default: none. */
  readonly promptTokensPerSecond?: number | null;
  /** One key, or several with commas between them. */
  readonly apiKey?: string;
  /** 503 for so long after the start. */
  readonly loadingMs?: number;
  /** The alias that `/props` and `/v1/models` give. */
  readonly model?: string;
  /** It gives embeddings, by the words that texts have in common; without this it refuses as a server without them. */
  readonly embeddings?: boolean;
  readonly answer?: Script;
  readonly clock?: Clock;
  /** All slots share one pool of `slots * contextSize`; each says that it has all of it. */
  readonly kvUnified?: boolean;
  /** Not empty: slots can be saved and restored. The files are kept in memory; the path is never touched. */
  readonly slotSavePath?: string;
  /** How long nobody must get any result until a silent request sees that its client left; 1000 as measured. */
  readonly disconnectCheckMs?: number;
  /** How many chat requests `requests` keeps; 256. */
  readonly remembered?: number;
}

/** A running server. */
export interface Rehearsal {
  /** `http://127.0.0.1:port`, without a slash at the end. */
  readonly url: string;
  /** The last chat requests in their order of arrival. Live: they change while they run. */
  readonly requests: readonly RecordedRequest[];
  stats(): RehearsalStats;
  /** Replaces the script; null lets the rules answer. */
  script(script: Script | null): void;
  setLatency(latency: Latency): void;
  /** Drops every connection and frees the port. */
  close(): Promise<void>;
}

const MAX_BODY = 256 * 1024 * 1024;
const PUBLIC = new Set(['/', '/health', '/v1/health']);

type Route = (chats: Chats, request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

const readText = async (request: IncomingMessage): Promise<string> => {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > MAX_BODY) throw new Refused(serverError('The request body is too large'));
    parts.push(part);
  }
  return (parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)).toString('utf8');
};

const readBody = async (request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> =>
  parseBody(await readText(request));

const promptOf = (chats: Chats, body: Readonly<Record<string, unknown>>): ReturnType<typeof renderPrompt> => {
  const { request, shownTools } = understand(body);
  return renderPrompt(chats.cache, request, shownTools);
};

const piecesOf = (text: string): { id: number; piece: string }[] => {
  const ids = tokenize(text);
  let at = 0;
  return Array.from(ids, (id) => {
    const end = pieceEnd(text, at);
    const piece = text.slice(at, end);
    at = end;
    return { id, piece };
  });
};

const tokenizePage: Route = async (_chats, request, response) => {
  const body = await readBody(request);
  const text = typeof body['content'] === 'string' ? body['content'] : '';
  sendJson(response, { tokens: body['with_pieces'] === true ? piecesOf(text) : Array.from(tokenize(text)) });
};

const slotsRoute: Route = (chats, request, response) => {
  const wantsFree = request.url?.includes('fail_on_no_slot=1') === true;
  chats.delivered();
  if (wantsFree && chats.slots.busy === chats.slots.all.length) throw new Refused(noSlot);
  sendJson(response, slotsPage(chats));
};

const metricsRoute: Route = (chats, _request, response) => {
  chats.delivered();
  sendText(response, 'text/plain; version=0.0.4', metricsPage(chats));
};

const chat: Route = async (chats, request, response) => chats.accept(await readBody(request), response);
const completion: Route = async (chats, request, response) => chats.complete(await readBody(request), response);
const health: Route = (_chats, _request, response) => sendJson(response, { status: 'ok' });
const models: Route = (chats, _request, response) => sendJson(response, modelsPage(chats));

const ROUTES: Readonly<Record<string, Route>> = {
  'GET /health': health,
  'GET /v1/health': health,
  'GET /props': (chats, _request, response) => sendJson(response, propsPage(chats)),
  'GET /slots': slotsRoute,
  'GET /models': models,
  'GET /v1/models': models,
  'GET /metrics': metricsRoute,
  'POST /v1/chat/completions': chat,
  'POST /chat/completions': chat,
  'POST /v1/completions': completion,
  'POST /v1/chat/completions/input_tokens': async (chats, request, response) => {
    const prompt = promptOf(chats, await readBody(request));
    sendJson(response, { input_tokens: countTokens(prompt), object: 'response.input_tokens' });
  },
  'POST /apply-template': async (chats, request, response) => {
    const prompt = promptOf(chats, await readBody(request));
    sendJson(response, { prompt: prompt.map((segment) => segment.text).join('') });
  },
  'POST /tokenize': tokenizePage,
  'POST /v1/embeddings': async (chats, request, response) => {
    if (!chats.settings.embeddings) throw new Refused(unsupported('embeddings'));
    sendJson(response, embeddingsPage(await readBody(request), chats.settings.model));
  },
};

const allowed = (request: IncomingMessage, keys: readonly string[]): boolean => {
  const bearer = (request.headers.authorization ?? '').replace(/^Bearer /, '');
  return keys.length === 0 || keys.includes(bearer) || keys.includes(String(request.headers['x-api-key'] ?? ''));
};

const settingsOf = (options: RehearsalOptions): ChatSettings => {
  const slots = options.slots ?? 4;
  const perSlot = options.contextSize ?? 32_768;
  return {
    slots,
    contextSize: options.kvUnified ? perSlot * slots : perSlot,
    poolTokens: options.kvUnified ? perSlot * slots : null,
    tokensPerSecond: options.tokensPerSecond ?? null,
    promptTokensPerSecond: options.promptTokensPerSecond ?? null,
    model: options.model ?? 'rehearsal-rules',
    embeddings: options.embeddings === true,
    fingerprint: 'coppice-rehearsal',
    clock: options.clock ?? systemClock,
    disconnectCheckMs: options.disconnectCheckMs ?? 1000,
    remembered: options.remembered ?? 256,
  };
};

const latencyOf = (latency: Latency): ((request: ParsedRequest) => number) =>
  typeof latency === 'function' ? latency : () => latency;

const listen = (server: Server, port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });

const handlerOf = (chats: Chats, options: RehearsalOptions): ((q: IncomingMessage, s: ServerResponse) => void) => {
  const keys = (options.apiKey ?? '').split(',').filter(Boolean);
  const files = new SlotFiles(Boolean(options.slotSavePath));
  const readyAt = chats.settings.clock.now() + (options.loadingMs ?? 0);
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = (request.url ?? '/').split('?')[0] as string;
    if (!PUBLIC.has(path) && !allowed(request, keys)) throw new Refused(invalidKey);
    if (chats.settings.clock.now() < readyAt) throw new Refused(loading);
    if (request.method === 'POST' && path.startsWith('/slots/'))
      return files.act(chats, request, response, await readText(request));
    const route = ROUTES[`${request.method} ${path}`];
    if (!route) throw new Refused(notFound);
    await route(chats, request, response);
  };
  return (request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (response.headersSent || response.destroyed) response.destroy();
      else refuse(response, error instanceof Refused ? error.refusal : serverError(String(error)));
    });
  };
};

/**
 * Starts the built-in rule-based model: a server that speaks llama-server's protocol, with its slots, its queue, its
 * prefix cache and its oddities. Its answers come from rules, not from intelligence. Rejects when the port is taken.
 */
export const startRehearsal = async (options: RehearsalOptions = {}): Promise<Rehearsal> => {
  const chats = new Chats(settingsOf(options), options.answer ?? null, latencyOf(options.latencyMs ?? 0));
  const server = createServer({ keepAlive: true }, handlerOf(chats, options));
  server.keepAliveTimeout = 5000;
  const port = await listen(server, options.port ?? 0);
  return {
    url: `http://127.0.0.1:${port}`,
    requests: chats.requests,
    stats: () => chats.totals.stats(chats.running.size, chats.queued),
    script: (script) => {
      chats.script = script;
    },
    setLatency: (latency) => {
      chats.latencyMs = latencyOf(latency);
    },
    close: async () => {
      chats.close();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
};
