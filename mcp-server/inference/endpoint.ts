import type { Clock } from '../domain/clock.ts';
import { messageOf } from '../domain/errors.ts';
import { type Dialect, toBody } from './body.ts';
import { type ChatTimeouts, chat } from './chat.ts';
import { createClient } from './client.ts';
import { Embeddings } from './embeddings.ts';
import { type Discovered, discover } from './facts.ts';
import { createHttp, readText } from './http.ts';
import type { ChatFailure, ChatOutcome, ChatRequest, Endpoint, ServerFacts } from './port.ts';
import { PrefixSharing } from './prefix-sharing.ts';
import { createSlotActions } from './slot-actions.ts';
import { SlotPool } from './slots.ts';
import { withTimeLimit } from './time-limit.ts';
import { upperBoundTokens } from './token-bound.ts';

/** All in ms, and all of them limits on silence. */
export interface EndpointTimeouts extends ChatTimeouts {
  readonly connectMs: number;
}

export interface EndpointOptions {
  /** `http://host:port`; a trailing `/v1` is allowed. */
  readonly url: string;
  /** Null: whatever the server has loaded. */
  readonly model: string | null;
  readonly apiKey: string | null;
  readonly clock: Clock;
  readonly timeouts?: Partial<EndpointTimeouts>;
  /** Fewer calls at once than the server has slots; for a server that does not tell its slots, their number. */
  readonly slotsOverride?: number;
  /** Shared by the endpoints of one server; an own one when absent. */
  readonly pool?: SlotPool;
}

/** An endpoint whose connections can be closed: idle ones at once, calls under way fail. */
export interface OwnedEndpoint extends Endpoint {
  close(): void;
}

const DEFAULT_TIMEOUTS: EndpointTimeouts = { connectMs: 10_000, firstByteMs: 300_000, stallMs: 120_000 };

/** A count needs no slot, so it is quick; a caller does without it rather than wait. */
const COUNT_MS = 15_000;

/** Failures after which the server may be another one: what it said of itself is asked again. */
const FORGET_AFTER: ReadonlySet<ChatFailure> = new Set([
  'unreachable',
  'stalled',
  'loading',
  'refused',
  'context-exceeded',
]);

/** The root of a server's routes: no trailing slash, no `/v1`. */
export const rootOf = (url: string): string => url.trim().replace(/\/+$/, '').replace(/\/v1$/, '');

/** One inference server over HTTP. Nothing is asked before the first call. */
export const createEndpoint = (options: EndpointOptions): OwnedEndpoint => {
  const root = rootOf(options.url);
  const timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts };
  const http = createHttp(options.clock, timeouts.connectMs);
  const client = createClient(root, options.apiKey, http);
  const pool = options.pool ?? new SlotPool(options.slotsOverride);
  const { model, apiKey, clock } = options;
  const slotsWhenUnknown = Math.max(1, options.slotsOverride ?? 1);
  const knowledge = new Knowledge(() => discover({ root, model, apiKey, http, clock, slotsWhenUnknown }), pool);
  const modelName = (): string => options.model ?? knowledge.last?.facts.model ?? 'default';
  const tryPermit = () => pool.tryPermit();
  const bodyOf = (request: ChatRequest): Record<string, unknown> => toBody(request, modelName(), knowledge.dialect);
  const place = { url: root, client, clock, timeouts };
  const sharing = new PrefixSharing({
    actions: createSlotActions({ root, apiKey, http, clock }),
    model: () => options.model ?? knowledge.last?.facts.model ?? '',
    isLlamaServer: () => knowledge.last?.isLlamaServer === true,
    tryPermit,
    complete: (body, onChunk, signal) => chat({ ...place, path: '/completions', onChunk }, body, signal),
  });
  const embeddings = new Embeddings({ client, clock, model: modelName, tryPermit });
  const count = async (body: object, signal: AbortSignal): Promise<number | null> => {
    const posted = await client.post('/chat/completions/input_tokens', body, signal);
    if (posted.kind === 'ok') return inputTokens(await readText(posted.reply.stream));
    knowledge.cannotCount = posted.status === 404 || posted.status === 405;
    return null;
  };
  const countPrompt = async (request: ChatRequest, signal: AbortSignal): Promise<number | null> => {
    if (knowledge.cannotCount) return null;
    return await withTimeLimit(clock, COUNT_MS, signal, (limited) => count(bodyOf(request), limited)).catch(() => null);
  };
  /** A prompt that the server did not count must not be free: a budget would bound nothing. */
  const withPrompt = async (request: ChatRequest, outcome: ChatOutcome, signal: AbortSignal): Promise<ChatOutcome> => {
    if (outcome.kind !== 'answered' || outcome.usage.prompt > 0) return outcome;
    const prompt = (await countPrompt(request, signal)) || upperBoundTokens(request);
    return { ...outcome, usage: { ...outcome.usage, prompt } };
  };

  return {
    url: root,
    facts: (signal) => knowledge.read(signal),
    knownFacts: () => knowledge.last?.facts ?? null,
    slots: () => pool.status(),
    tryPermit,
    onFree: (listener) => pool.onFree(listener),
    chat: async (request, signal) => {
      const generation = pool.generation;
      const outcome = await withPrompt(request, await chat(place, bodyOf(request), signal), signal);
      learn(outcome, generation, pool, knowledge);
      if (outcome.kind === 'answered') sharing.observe(request, outcome.usage);
      if (mayBeAnother(outcome)) for (const one of [sharing, embeddings]) one.reset();
      return outcome;
    },
    count: countPrompt,
    embed: (texts, signal) => embeddings.embed(texts, signal),
    share: (common, copies, signal) => sharing.share(common, copies, signal),
    close: () => http.close(),
  };
};

const mayBeAnother = (outcome: ChatOutcome): boolean => outcome.kind === 'failed' && FORGET_AFTER.has(outcome.failure);

const learn = (outcome: ChatOutcome, generation: number, pool: SlotPool, knowledge: Knowledge): void => {
  if (outcome.kind === 'answered') pool.answered();
  if (outcome.kind !== 'failed') return;
  if (outcome.failure === 'pool-exhausted') pool.exhausted(generation);
  if (mayBeAnother(outcome)) knowledge.forget();
};

const inputTokens = (body: string): number | null => {
  const value: unknown = JSON.parse(body);
  if (typeof value !== 'object' || value === null || !('input_tokens' in value)) return null;
  return typeof value.input_tokens === 'number' ? value.input_tokens : null;
};

/** What the server said of itself. Several who ask at once share one question. */
class Knowledge {
  readonly #ask: () => Promise<Discovered>;
  readonly #pool: SlotPool;
  #asked: Promise<ServerFacts> | null = null;
  /** Kept after `forget`, for whoever does not want to wait. */
  last: Discovered | null = null;
  cannotCount = false;

  constructor(ask: () => Promise<Discovered>, pool: SlotPool) {
    this.#ask = ask;
    this.#pool = pool;
  }

  get dialect(): Dialect {
    return this.last?.isLlamaServer === false ? 'openai' : 'llama';
  }

  forget(): void {
    this.#asked = null;
    this.cannotCount = false;
  }

  async read(signal?: AbortSignal): Promise<ServerFacts> {
    signal?.throwIfAborted();
    this.#asked ??= this.#learn();
    return signal === undefined ? await this.#asked : await orAbort(this.#asked, signal);
  }

  async #learn(): Promise<ServerFacts> {
    try {
      this.last = await this.#ask();
      this.#pool.know(this.last.facts.totalSlots);
      return this.last.facts;
    } catch (error) {
      this.#asked = null;
      throw error;
    }
  }
}

/** Waits no longer than the signal allows; the others who wait are not disturbed. */
const orAbort = <T>(promise: Promise<T>, signal: AbortSignal): Promise<T> =>
  new Promise((resolve, reject) => {
    const stop = (): void =>
      reject(signal.reason instanceof Error ? signal.reason : new Error(messageOf(signal.reason)));
    signal.addEventListener('abort', stop, { once: true });
    void promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
