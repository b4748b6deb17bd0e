import type { ServerResponse } from 'node:http';
import type { Clock } from '../domain/clock.ts';
import { type Composed, compose, filler, withFault } from './answer.ts';
import { type Ground, sendStream, sendWhole, shownSlot, silence } from './delivery.ts';
import { contextExceeded, poolExhausted, Refused, serverError } from './errors.ts';
import { refusalOf } from './faults.ts';
import { type Job, noticesAtOnce, type RecordedRequest } from './job.ts';
import { understand, understandCompletion } from './request.ts';
import { answerByRules } from './rules/answer.ts';
import type { ParsedRequest, Script, ScriptedAnswer } from './script.ts';
import { Slots } from './slots.ts';
import { renderAnswer, renderPrompt } from './template.ts';
import { countTokens, type Segment, SegmentCache, tokenize } from './tokens.ts';
import { Totals } from './totals.ts';
import { CompletionStream, EventStream, refuse, type Signature } from './wire.ts';

/** How the server behaves; resolved from its options. */
export interface ChatSettings {
  readonly slots: number;
  /** What `/props` says: tokens that one request may use. */
  readonly contextSize: number;
  /** Tokens of a KV pool that all slots share; null when each has its own. */
  readonly poolTokens: number | null;
  readonly tokensPerSecond: number | null;
  readonly promptTokensPerSecond: number | null;
  readonly model: string;
  /** False: `/v1/embeddings` refuses. */
  readonly embeddings: boolean;
  readonly fingerprint: string;
  readonly clock: Clock;
  readonly disconnectCheckMs: number;
  /** Requests that are kept for `requests`. */
  readonly remembered: number;
}

/** Progress events during a long prefill come this often. */
const PROGRESS_MS = 250;
/** Without a pace, tokens travel in chunks of this many: a real server sends one by one, which only costs time here. */
const CHUNK_TOKENS = 16;

/** The queue, the slots, and the requests in them. Every rule about waiting and leaving is here. */
export class Chats {
  readonly settings: ChatSettings;
  readonly cache = new SegmentCache();
  readonly slots: Slots;
  readonly totals = new Totals();
  readonly requests: RecordedRequest[] = [];
  script: Script | null;
  latencyMs: (request: ParsedRequest) => number;
  readonly #running = new Set<Job>();
  #queue: Job[] = [];
  #arrived = 0;
  #tasks = 0;
  #closed = false;
  #deliveredAt = 0;

  constructor(settings: ChatSettings, script: Script | null, latencyMs: (request: ParsedRequest) => number) {
    this.settings = settings;
    this.slots = new Slots(settings.slots, settings.poolTokens !== null);
    this.script = script;
    this.latencyMs = latencyMs;
  }

  get queued(): number {
    return this.#queue.length;
  }

  get running(): ReadonlySet<Job> {
    return this.#running;
  }

  /** Any result that reaches any client puts off everybody's next look at their connection. */
  delivered(): void {
    this.#deliveredAt = this.settings.clock.now();
  }

  /** Takes a request in. Throws Refused for what llama-server refuses before it looks for a slot. */
  accept(body: Readonly<Record<string, unknown>>, response: ServerResponse): void {
    const { request, shownTools } = understand(body);
    const prompt = renderPrompt(this.cache, request, shownTools);
    const n = ++this.#arrived;
    const scripted = this.script?.(request, n) ?? null;
    const promptTokens = scripted?.promptTokens ?? countTokens(prompt);
    const record = this.#record(request, n, promptTokens);
    const early = scripted ? refusalOf(scripted, promptTokens, this.settings.contextSize) : null;
    const tooLong = promptTokens >= this.settings.contextSize;
    if (early || tooLong) {
      record.state = 'refused';
      throw new Refused(early ?? contextExceeded(promptTokens, this.settings.contextSize));
    }
    const latencyMs = scripted?.latencyMs ?? this.latencyMs(request);
    this.#admit({ kind: 'chat', record, request, scripted, prompt, promptTokens, latencyMs, response });
  }

  /** Takes a plain prompt in; it is in no list of requests. Throws Refused. */
  complete(body: Readonly<Record<string, unknown>>, response: ServerResponse): void {
    const { request, prompt: given } = understandCompletion(body);
    const tokens = typeof given === 'string' ? tokenize(given) : Int32Array.from(given);
    const prompt: readonly Segment[] = [{ text: typeof given === 'string' ? given : '', tokens }];
    if (tokens.length >= this.settings.contextSize)
      throw new Refused(contextExceeded(tokens.length, this.settings.contextSize));
    const record = newRecord(request, 0, tokens.length, this.settings.clock.now());
    const latencyMs = this.latencyMs(request);
    const promptTokens = tokens.length;
    this.#admit({ kind: 'completion', record, request, scripted: null, prompt, promptTokens, latencyMs, response });
  }

  #admit(given: Parameters<typeof newJob>[0]): void {
    const { record, response } = given;
    const job = newJob(given, ++this.#tasks);
    if (response.destroyed) job.droppedAt = record.arrivedAt;
    response.on('close', () => this.#onClose(job));
    this.#queue.push(job);
    this.totals.deferred(this.#queue.length - (this.settings.slots - this.slots.busy));
    this.#startNext();
  }

  /** Ends every request; nothing keeps the process alive after it. */
  close(): void {
    this.#closed = true;
    for (const job of this.#queue) this.#end(job, 'cancelled');
    this.#queue = [];
    for (const job of this.#running) job.stop.abort();
  }

  #record(request: ParsedRequest, n: number, promptTokens: number): RecordedRequest {
    const record = newRecord(request, n, promptTokens, this.settings.clock.now());
    this.requests.push(record);
    if (this.requests.length > this.settings.remembered) this.requests.shift();
    return record;
  }

  #startNext(): void {
    while (!this.#closed && this.#queue[0]) {
      const job = this.#queue[0];
      const taken = this.slots.take(job.prompt, job.promptTokens);
      if (!taken) return;
      this.#queue.shift();
      job.slot = taken.slot;
      taken.slot.lastTask = job.task;
      job.cached = taken.cached;
      job.record.slot = taken.slot.id;
      job.record.cachedTokens = taken.cached;
      this.#running.add(job);
      this.totals.processing(this.#running.size);
      void this.#run(job);
    }
  }

  async #run(job: Job): Promise<void> {
    const signature = this.#signature(job);
    const stream = job.request.stream ? streamOf(job, signature) : null;
    let composed: Composed | null = null;
    try {
      composed = await this.#answer(job, stream, signature);
    } catch (error) {
      job.failure = serverError(String(error));
    }
    this.#finish(job, stream, composed);
  }

  /** The answer that was sent whole; null when something came between. */
  async #answer(job: Job, stream: EventStream | null, signature: Signature): Promise<Composed | null> {
    job.startedAt = this.settings.clock.now();
    this.#enter(job, 'prefill');
    if (job.scripted?.fault === 'hang-before-headers') {
      await silence(job, this.settings.clock);
      return null;
    }
    if (!(await this.#prefill(job, stream))) return null;
    job.generatingAt = this.settings.clock.now();
    this.#enter(job, 'generating');
    const composed = this.#compose(job);
    const ground: Ground = {
      settings: this.settings,
      deliver: (events) => this.#deliver(events),
      overflows: (produced) => this.#overflows(job, produced),
    };
    const sent = await (stream
      ? sendStream(job, stream, composed, ground)
      : sendWhole(job, signature, composed, ground));
    return sent ? composed : null;
  }

  #signature(job: Job): Signature {
    return {
      id: `chatcmpl-rehearsal-${job.record.n}`,
      created: Math.floor(this.settings.clock.now() / 1000),
      model: this.settings.model,
      fingerprint: this.settings.fingerprint,
    };
  }

  #enter(job: Job, state: 'prefill' | 'generating'): void {
    job.record.state = state;
    if (job.droppedAt !== null && noticesAtOnce(job)) job.stop.abort();
  }

  /** Waits for latency and evaluation. False when the request was stopped meanwhile. */
  async #prefill(job: Job, stream: EventStream | null): Promise<boolean> {
    const { clock, promptTokensPerSecond } = this.settings;
    const evaluated = job.promptTokens - job.cached;
    const duration = job.latencyMs + (promptTokensPerSecond ? (evaluated / promptTokensPerSecond) * 1000 : 0);
    const shown = job.request.returnProgress && job.scripted?.fault !== 'reset' ? stream : null;
    const progress = (share: number, timeMs: number): void => {
      const processed = job.cached + Math.floor(evaluated * share);
      shown?.opening({ total: job.promptTokens, cache: job.cached, processed, time_ms: Math.round(timeMs) });
    };
    progress(0, 0);
    for (let passed = 0; passed < duration && !job.stop.signal.aborted; ) {
      if (shown) this.#deliver(shown);
      const step = Math.min(duration - passed, shown ? PROGRESS_MS : duration);
      await clock.sleep(step, job.stop.signal);
      passed += step;
      if (passed < duration) progress(passed / duration, passed);
    }
    progress(1, duration);
    this.totals.evaluated(evaluated, job.cached, duration);
    return !job.stop.signal.aborted && !this.#overflows(job, 0);
  }

  #compose(job: Job): Composed {
    const room = this.settings.contextSize - job.promptTokens;
    const limit = Math.max(1, Math.min(job.request.maxTokens ?? room, room));
    return compose(this.#answerOf(job, limit), {
      limit,
      chunkTokens: this.settings.tokensPerSecond === null ? CHUNK_TOKENS : 1,
      idBase: `call_${job.promptTokens.toString(36)}_${job.request.messages.length}`,
    });
  }

  #answerOf(job: Job, limit: number): ScriptedAnswer {
    const { scripted, request } = job;
    const dictated = scripted && (scripted.content ?? scripted.reasoning ?? scripted.toolCalls) !== undefined;
    if (dictated) return withFault(scripted, request);
    const answer = request.ignoreEos || job.kind === 'completion' ? filler(limit) : answerByRules(request);
    return withFault(scripted?.fault ? { ...answer, fault: scripted.fault } : answer, request);
  }

  #deliver(stream: EventStream): void {
    stream.flush();
    this.delivered();
  }

  /** True when a shared pool is full: then every running request has failed, this one among them. */
  #overflows(job: Job, produced: number): boolean {
    job.produced = produced;
    const { poolTokens } = this.settings;
    if (poolTokens === null) return false;
    let used = 0;
    for (const other of this.#running) used += other.promptTokens + other.produced;
    if (used <= poolTokens) return false;
    this.slots.forgetIdle();
    for (const other of this.#running) {
      other.failure = poolExhausted;
      other.stop.abort();
    }
    return true;
  }

  #finish(job: Job, stream: EventStream | null, composed: Composed | null): void {
    this.#running.delete(job);
    if (job.slot) {
      const answered = composed !== null && job.kind === 'chat';
      const held = answered ? [...job.prompt.slice(0, -1), renderAnswer(this.cache, composed)] : job.prompt;
      this.slots.release(job.slot, held);
    }
    if (job.failure && job.droppedAt === null) sendFailure(job, stream);
    job.record.completionTokens = job.produced;
    this.totals.generated(
      job.produced,
      job.promptTokens + job.produced,
      job.generatingAt && this.settings.clock.now() - job.generatingAt,
    );
    this.#end(job, composed ? 'answered' : job.stop.signal.aborted && !job.failure ? 'cancelled' : 'failed');
    this.delivered();
    this.#startNext();
  }

  #end(job: Job, state: 'answered' | 'cancelled' | 'failed'): void {
    job.ended = true;
    job.record.state = state;
    job.record.endedAt = this.settings.clock.now();
    this.totals.ended(state);
    if (state === 'cancelled') job.response.destroy();
  }

  #onClose(job: Job): void {
    if (job.ended || job.response.writableFinished) return;
    job.droppedAt = this.settings.clock.now();
    if (noticesAtOnce(job)) job.stop.abort();
    else void this.#stopWhenQuiet(job);
  }

  /** A request that writes nothing looks at its connection only after a second in which nobody got any result. */
  async #stopWhenQuiet(job: Job): Promise<void> {
    const { clock, disconnectCheckMs } = this.settings;
    for (;;) {
      const quietSince = Math.max(job.droppedAt ?? 0, this.#deliveredAt);
      const wait = quietSince + disconnectCheckMs - clock.now();
      if (job.ended || job.stop.signal.aborted) return;
      if (wait <= 0) break;
      await clock.sleep(wait, job.stop.signal);
    }
    job.stop.abort();
    if (job.record.state !== 'queued') return;
    this.#queue = this.#queue.filter((other) => other !== job);
    this.#end(job, 'cancelled');
  }
}

const newRecord = (request: ParsedRequest, n: number, promptTokens: number, now: number): RecordedRequest => ({
  n,
  request,
  state: 'queued',
  promptTokens,
  cachedTokens: 0,
  completionTokens: 0,
  slot: null,
  arrivedAt: now,
  endedAt: null,
});

const streamOf = (job: Job, signature: Signature): EventStream =>
  job.kind === 'chat'
    ? new EventStream(job.response, signature)
    : new CompletionStream(job.response, signature, () => shownSlot(job));

const newJob = (
  given: Pick<Job, 'kind' | 'record' | 'request' | 'scripted' | 'prompt' | 'promptTokens' | 'latencyMs' | 'response'>,
  task: number,
): Job => ({
  ...given,
  task,
  stop: new AbortController(),
  slot: null,
  cached: 0,
  produced: 0,
  startedAt: 0,
  generatingAt: 0,
  droppedAt: null,
  ended: false,
  failure: null,
});

/** Inside a stream the status has been sent: the error is one more event, and no `[DONE]` follows. */
const sendFailure = (job: Job, stream: EventStream | null): void => {
  const failure = job.failure ?? poolExhausted;
  if (!stream || !job.response.headersSent) {
    refuse(job.response, failure);
    return;
  }
  stream.line(JSON.stringify(failure.body));
  stream.end();
};
