import { createHash } from 'node:crypto';
import type { Clock } from '../domain/clock.ts';
import type { Client, Posted } from './client.ts';
import { classifyServerError, retryAfter } from './failures.ts';
import { readText } from './http.ts';
import { withTimeLimit } from './time-limit.ts';

/** A text as numbers: what means the same points the same way. */
export type Vector = readonly number[];

export interface EmbeddingsPlace {
  readonly client: Client;
  readonly clock: Clock;
  /** Its name as known now. */
  readonly model: () => string;
  /** A permit that is free at once: the server computes vectors in the slots that also answer. */
  readonly tryPermit: () => (() => void) | null;
}

/** Texts of one request: long enough to be quick, short enough that agents get the slot back soon. */
const BATCH = 16;
const BATCH_MS = 5_000;
/** A server takes no text that is longer than its physical batch, 512 tokens as a rule. */
const LONGEST_TEXT = 1_000;
const MOST_KEPT = 1_000;
/** How long a server that cannot do it is left alone. */
const CANNOT_MS = 600_000;
/** The same for one that was busy, slow or away. */
const NOT_NOW_MS = 60_000;
const MAX_BODY_CHARS = 8_000_000;

/** Vectors of one server. It remembers them by text, and that the server has none to give. */
export class Embeddings {
  readonly #place: EmbeddingsPlace;
  /** The oldest come first. */
  readonly #kept = new Map<string, Vector>();
  #askAgainAt = 0;

  constructor(place: EmbeddingsPlace) {
    this.#place = place;
  }

  /** The server may have another model from now on. */
  reset(): void {
    this.#kept.clear();
  }

  /** As `Endpoint.embed` promises. */
  async embed(texts: readonly string[], signal: AbortSignal): Promise<readonly Vector[] | null> {
    const model = this.#place.model();
    const wanted = new Map(texts.map((text) => [keyOf(model, text), sent(text)]));
    const found = new Map<string, Vector>();
    for (const key of wanted.keys()) this.#take(key, found);
    const missing = [...wanted].filter(([key]) => !found.has(key));
    for (let at = 0; at < missing.length; at += BATCH) {
      const batch = missing.slice(at, at + BATCH);
      const made = await this.#ask(
        batch.map(([, text]) => text),
        model,
        signal,
      );
      if (made === null) return null;
      batch.forEach(([key], index) => this.#keep(key, made[index] ?? [], found));
    }
    return texts.map((text) => found.get(keyOf(model, text)) ?? []);
  }

  #take(key: string, into: Map<string, Vector>): void {
    const vector = this.#kept.get(key);
    if (vector) this.#keep(key, vector, into);
  }

  #keep(key: string, vector: Vector, into: Map<string, Vector>): void {
    into.set(key, vector);
    this.#kept.delete(key);
    this.#kept.set(key, vector);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MOST_KEPT) break;
      this.#kept.delete(oldest);
    }
  }

  async #ask(input: readonly string[], model: string, signal: AbortSignal): Promise<readonly Vector[] | null> {
    const { clock, tryPermit } = this.#place;
    if (clock.now() < this.#askAgainAt || signal.aborted) return null;
    const release = tryPermit();
    // Whoever waits for a turn comes first.
    if (release === null) return null;
    try {
      return await withTimeLimit(clock, BATCH_MS, signal, (limited) => this.#post(input, model, limited));
    } catch {
      if (!signal.aborted) this.#rest(NOT_NOW_MS);
      return null;
    } finally {
      release();
    }
  }

  async #post(input: readonly string[], model: string, signal: AbortSignal): Promise<readonly Vector[] | null> {
    const posted = await this.#place.client.post('/embeddings', { model, input, encoding_format: 'float' }, signal);
    if (posted.kind === 'error') {
      this.#rest(this.#pauseAfter(posted));
      return null;
    }
    const vectors = vectorsOf(JSON.parse(await readText(posted.reply.stream, MAX_BODY_CHARS)), input.length);
    if (vectors === null) this.#rest(CANNOT_MS);
    return vectors;
  }

  #pauseAfter({ status, body, retryAfter: header }: Extract<Posted, { kind: 'error' }>): number {
    const after = retryAfter(header, this.#place.clock.now());
    const { failure } = classifyServerError(status, body, after);
    return failure === 'loading' || failure === 'overloaded' ? Math.max(NOT_NOW_MS, after ?? 0) : CANNOT_MS;
  }

  #rest(ms: number): void {
    this.#askAgainAt = this.#place.clock.now() + ms;
  }
}

/** Servers refuse an empty text. */
const sent = (text: string): string => text.trim().slice(0, LONGEST_TEXT) || '-';

const keyOf = (model: string, text: string): string =>
  createHash('sha256')
    .update(JSON.stringify([model, sent(text)]))
    .digest('base64');

/** One vector for each text, all of one length; null when the answer is anything else. */
const vectorsOf = (answer: unknown, count: number): readonly Vector[] | null => {
  const data: unknown = isRecord(answer) ? answer['data'] : null;
  if (!Array.isArray(data) || data.length !== count) return null;
  const vectors: Vector[] = [];
  for (const one of data as readonly unknown[]) {
    const { index, embedding } = isRecord(one) ? one : {};
    if (typeof index !== 'number' || !isVector(embedding)) return null;
    vectors[index] = embedding;
  }
  const length = vectors[0]?.length;
  return Object.keys(vectors).length === count && vectors.length === count && vectors.every((v) => v.length === length)
    ? vectors
    : null;
};

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

const isVector = (value: unknown): value is Vector =>
  Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === 'number' && Number.isFinite(one));
