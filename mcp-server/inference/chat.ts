import type { Clock } from '../domain/clock.ts';
import { messageOf } from '../domain/errors.ts';
import type { Timings, Usage } from '../domain/turn.ts';
import { AnswerBuilder, type ChatChunk } from './answer-builder.ts';
import type { Client } from './client.ts';
import { readEvents, type StreamEnd } from './event-stream.ts';
import { classifyConnectionError, classifyServerError, type Failure, failure, retryAfter } from './failures.ts';
import type { HttpReply } from './http.ts';
import type { ChatOutcome } from './port.ts';
import { Watchdog } from './watchdog.ts';

/** How long nothing may happen, ms. No limit on how long a call takes in all. */
export interface ChatTimeouts {
  /** Until the headers: a slot is free, but a busy server may be in the middle of a long step. */
  readonly firstByteMs: number;
  /** Between two pieces of the stream, which also tell how far the prompt is. */
  readonly stallMs: number;
}

export interface ChatPlace {
  /** For messages. */
  readonly url: string;
  readonly client: Client;
  readonly clock: Clock;
  readonly timeouts: ChatTimeouts;
  /** Below `/v1`; `/chat/completions` when absent. */
  readonly path?: string;
  /** Sees each piece of the stream. */
  readonly onChunk?: (chunk: ChatChunk) => void;
}

/** One streamed call. Never rejects; an abort or a failure closes the socket, which frees the server's slot. */
export const chat = async (place: ChatPlace, body: object, signal: AbortSignal): Promise<ChatOutcome> => {
  if (signal.aborted) return { kind: 'aborted', spent: NOTHING };
  const call = new Call(place, signal);
  try {
    return await call.run(body);
  } catch (error) {
    return call.failed(classifyConnectionError(place.url, error));
  } finally {
    call.close();
  }
};

/** The state of one call: its socket, its watchdog, and what has come so far. */
class Call {
  readonly #place: ChatPlace;
  readonly #signal: AbortSignal;
  readonly #socket = new AbortController();
  readonly #cut = (): void => this.#socket.abort();
  readonly #watchdog: Watchdog;
  readonly #builder = new AnswerBuilder();
  readonly #startedAt: number;
  #headersAt: number;
  #firstTokenAt: number | null = null;
  /** The stream came to its proper end, so the connection can be used again. */
  #whole = false;
  /** Why reading stopped before the end. */
  #fault: Failure | null = null;

  constructor(place: ChatPlace, signal: AbortSignal) {
    const { firstByteMs, stallMs } = place.timeouts;
    this.#place = place;
    this.#signal = signal;
    this.#startedAt = place.clock.now();
    this.#headersAt = this.#startedAt;
    this.#watchdog = new Watchdog(place.clock, firstByteMs, this.#cut, Math.min(firstByteMs, stallMs));
    signal.addEventListener('abort', this.#cut);
  }

  async run(body: object): Promise<ChatOutcome> {
    const { client, clock, timeouts, url, path } = this.#place;
    const posted = await client.post(path ?? '/chat/completions', body, this.#socket.signal);
    this.#headersAt = clock.now();
    this.#watchdog.progress(timeouts.stallMs);
    if (posted.kind === 'error') {
      this.#whole = true;
      const wait = retryAfter(posted.retryAfter, clock.now());
      return this.failed(classifyServerError(posted.status, posted.body, wait));
    }
    const notStream = notAStream(url, posted.reply);
    if (notStream !== null) return this.failed(notStream);
    const end = await readEvents(posted.reply.stream, (data) => this.#take(data));
    this.#whole = end === 'done';
    return this.#whole ? this.#answered() : this.failed(this.#fault ?? brokenStream(url, end));
  }

  /** An abort or a stall shows as a lost connection, so they are asked first. */
  failed(why: Failure): ChatOutcome {
    const spent = this.#builder.usage();
    if (this.#signal.aborted) return { kind: 'aborted', spent };
    return { kind: 'failed', ...(this.#watchdog.stalled ? this.#stalled() : why), spent };
  }

  close(): void {
    this.#watchdog.stop();
    this.#signal.removeEventListener('abort', this.#cut);
    if (!this.#whole) this.#cut();
  }

  /** One piece of the stream; false ends the reading. */
  #take(data: string): boolean {
    this.#watchdog.progress();
    try {
      const chunk = JSON.parse(data) as ChatChunk;
      this.#place.onChunk?.(chunk);
      if (chunk.error) this.#fault = classifyServerError(errorStatus(chunk.error), chunk);
      else if (!this.#builder.take(chunk)) this.#fault = TOO_MUCH;
      if (this.#firstTokenAt === null && this.#builder.started) this.#firstTokenAt = this.#place.clock.now();
    } catch (error) {
      this.#fault = failure(
        'malformed',
        `The model server sent a broken piece of its answer: ${messageOf(error)}`,
        true,
      );
    }
    return this.#fault === null;
  }

  #answered(): ChatOutcome {
    const answer = this.#builder.answer();
    if (answer === null) return this.failed(NO_END);
    return { kind: 'answered', answer, usage: this.#builder.usage(), timings: this.#timings() };
  }

  /** The server's own numbers where it has any. Headers come when a slot has taken the call: until then it waited. */
  #timings(): Timings {
    const { prompt_ms: promptMs, predicted_ms: predictedMs } = this.#builder.timings;
    const now = this.#place.clock.now();
    const firstToken = this.#firstTokenAt ?? now;
    return {
      queueMs: this.#headersAt - this.#startedAt,
      promptMs: promptMs ?? firstToken - this.#headersAt,
      completionMs: predictedMs ?? now - firstToken,
      firstTokenMs: firstToken - this.#startedAt,
    };
  }

  #stalled(): Failure {
    const seconds = Math.round(this.#watchdog.limitMs / 1000);
    return failure('stalled', `The model server at ${this.#place.url} sent nothing for ${seconds} s.`, true);
  }
}

const NOTHING: Usage = { prompt: 0, completion: 0, cached: 0 };
/** It would cost as much again, so it is not tried again. */
const TOO_MUCH = failure('malformed', "The model's answer is larger than a million characters.", false);
const NO_END = failure('malformed', 'The model server ended its answer without a reason.', true);

const brokenStream = (url: string, end: StreamEnd): Failure =>
  end === 'line-too-long'
    ? failure('malformed', `The model server at ${url} sent a line of more than four million characters.`, true)
    : failure('unreachable', `The model server at ${url} closed the connection before its answer was whole.`, true);

/** A web page or a proxy's notice comes with status 200, too. */
const notAStream = (url: string, reply: HttpReply): Failure | null => {
  const type = reply.headers.get('content-type') ?? '';
  if (type.includes('text/event-stream')) return null;
  return failure('refused', `${url} answers with ${type || 'no content type'}, not with a stream of a model.`, false);
};

const errorStatus = (error: unknown): number =>
  typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'number' ? error.code : 500;
