import type { ServerResponse } from 'node:http';
import type { Composed } from './answer.ts';
import type { Refusal } from './errors.ts';

/** Counts and durations of one finished request. */
export interface Measured {
  readonly promptTokens: number;
  readonly cached: number;
  readonly promptMs: number;
  readonly predictedMs: number;
  readonly completionTokens: number;
}

/** Who is answering: the constant part of every chunk. */
export interface Signature {
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly model: string;
  readonly fingerprint: string;
}

const perSecond = (count: number, ms: number): number => (ms > 0 ? (count / ms) * 1000 : 0);
const perToken = (count: number, ms: number): number => (count > 0 ? ms / count : 0);

const timingsOf = (measured: Measured): Record<string, number> => {
  const evaluated = measured.promptTokens - measured.cached;
  return {
    cache_n: measured.cached,
    prompt_n: evaluated,
    prompt_ms: measured.promptMs,
    prompt_per_token_ms: perToken(evaluated, measured.promptMs),
    prompt_per_second: perSecond(evaluated, measured.promptMs),
    predicted_n: measured.completionTokens,
    predicted_ms: measured.predictedMs,
    predicted_per_token_ms: perToken(measured.completionTokens, measured.predictedMs),
    predicted_per_second: perSecond(measured.completionTokens, measured.predictedMs),
  };
};

const usageOf = (measured: Measured): Record<string, unknown> => ({
  completion_tokens: measured.completionTokens,
  prompt_tokens: measured.promptTokens,
  total_tokens: measured.promptTokens + measured.completionTokens,
  prompt_tokens_details: { cached_tokens: measured.cached },
});

export const sendText = (response: ServerResponse, type: string, text: string, headers = {}): void => {
  response.writeHead(200, { 'content-type': type, 'content-length': Buffer.byteLength(text), ...headers });
  response.end(text);
};

export const sendJson = (response: ServerResponse, body: unknown): void =>
  sendText(response, 'application/json; charset=utf-8', JSON.stringify(body));

/** Sends an error body; the connection is closed after it, as the real server does. */
export const refuse = (response: ServerResponse, refusal: Refusal): void => {
  const text = JSON.stringify(refusal.body);
  response.writeHead(refusal.status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    connection: 'close',
    ...refusal.headers,
  });
  response.end(text);
};

const textChoice = (text: string, finish: string | null): Record<string, unknown> => ({
  text,
  index: 0,
  logprobs: null,
  finish_reason: finish,
});

/** What a plain completion says beside its text: usage always, and with `verbose` the slot. */
const completionEnd = (measured: Measured, slot: number | null): Record<string, unknown> => ({
  usage: usageOf(measured),
  ...(slot === null ? {} : { __verbose: { id_slot: slot } }),
  timings: timingsOf(measured),
});

/** The body of a plain completion that is not streamed; `slot` is shown when it is not null. */
export const wholeCompletion = (
  signature: Signature,
  composed: Composed,
  measured: Measured,
  slot: number | null,
): string =>
  JSON.stringify({
    choices: [textChoice(composed.content, composed.finish)],
    created: signature.created,
    model: signature.model,
    system_fingerprint: signature.fingerprint,
    object: 'text_completion',
    id: signature.id,
    ...completionEnd(measured, slot),
  });

/** The body of an answer that is not streamed. */
export const wholeBody = (signature: Signature, composed: Composed, measured: Measured): string => {
  const message: Record<string, unknown> = { role: 'assistant', content: composed.content };
  if (composed.reasoning) message['reasoning_content'] = composed.reasoning;
  if (composed.toolCalls.length > 0)
    message['tool_calls'] = composed.toolCalls.map((call) => ({
      type: 'function',
      function: { name: call.name, arguments: call.arguments },
      id: call.id,
    }));
  return JSON.stringify({
    choices: [{ finish_reason: composed.finish, index: 0, message }],
    created: signature.created,
    model: signature.model,
    system_fingerprint: signature.fingerprint,
    object: 'chat.completion',
    usage: usageOf(measured),
    id: signature.id,
    timings: timingsOf(measured),
  });
};

/** Server-sent events of one answer. Lines are collected until `flush` or `end`, so that a quick answer is one write. */
export class EventStream {
  readonly #response: ServerResponse;
  protected readonly tail: string;
  #pending = '';

  constructor(response: ServerResponse, signature: Signature, object = 'chat.completion.chunk') {
    this.#response = response;
    const { created, id, model, fingerprint } = signature;
    const constant = { created, id, model, system_fingerprint: fingerprint, object };
    this.tail = JSON.stringify(constant).slice(1, -1);
  }

  /** The first event of an answer; with `progress`, one event of the prefill. */
  opening(progress?: { total: number; cache: number; processed: number; time_ms: number }): void {
    const extra = progress ? `,"prompt_progress":${JSON.stringify(progress)}` : '';
    this.#chunk('{"role":"assistant","content":null}', null, extra);
  }

  delta(delta: Readonly<Record<string, unknown>>): void {
    this.#chunk(JSON.stringify(delta), null, '');
  }

  /** The last events: timings ride on the usage chunk when there is one, else on the finishing chunk. */
  closing(finish: string, measured: Measured, includeUsage: boolean): void {
    const timings = `"timings":${JSON.stringify(timingsOf(measured))}`;
    this.#chunk('{}', finish, includeUsage ? '' : `,${timings}`);
    if (includeUsage) this.line(`{"choices":[],${this.tail},"usage":${JSON.stringify(usageOf(measured))},${timings}}`);
    this.line('[DONE]');
  }

  line(data: string): void {
    this.#pending += `data: ${data}\n\n`;
  }

  flush(): void {
    this.#head();
    if (this.#pending) this.#response.write(this.#pending);
    this.#pending = '';
  }

  end(): void {
    this.#head();
    this.#response.end(this.#pending);
    this.#pending = '';
  }

  #chunk(delta: string, finish: string | null, extra: string): void {
    const reason = finish === null ? 'null' : `"${finish}"`;
    this.line(`{"choices":[{"finish_reason":${reason},"index":0,"delta":${delta}}],${this.tail}${extra}}`);
  }

  /** llama-server closes the connection after each streamed answer; that it does not announce it is not imitated. */
  #head(): void {
    if (!this.#response.headersSent)
      this.#response.writeHead(200, {
        'content-type': 'text/event-stream',
        'x-accel-buffering': 'no',
        connection: 'close',
      });
  }
}

/** The same for a plain completion: pieces of text, no opening of a message, usage always, on the last piece. */
export class CompletionStream extends EventStream {
  readonly #slot: () => number | null;

  /** `slot` is asked at the end; null shows none. */
  constructor(response: ServerResponse, signature: Signature, slot: () => number | null) {
    super(response, signature, 'text_completion');
    this.#slot = slot;
  }

  override opening(progress?: { total: number; cache: number; processed: number; time_ms: number }): void {
    if (progress) this.#piece(textChoice('', null), { prompt_progress: progress });
  }

  override delta(delta: Readonly<Record<string, unknown>>): void {
    this.#piece(textChoice(typeof delta['content'] === 'string' ? delta['content'] : '', null), {});
  }

  override closing(finish: string, measured: Measured): void {
    this.#piece(textChoice('', finish), completionEnd(measured, this.#slot()));
    this.line('[DONE]');
  }

  #piece(choice: Record<string, unknown>, extra: Record<string, unknown>): void {
    const more = JSON.stringify(extra).slice(1, -1);
    this.line(`{"choices":[${JSON.stringify(choice)}],${this.tail}${more && `,${more}`}}`);
  }
}
