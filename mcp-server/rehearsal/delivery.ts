import type { Clock } from '../domain/clock.ts';
import type { Composed } from './answer.ts';
import { poolExhausted } from './errors.ts';
import { breakStream, breakWhole, resetNow } from './faults.ts';
import type { Job } from './job.ts';
import { type EventStream, type Measured, type Signature, sendText, wholeBody, wholeCompletion } from './wire.ts';

/** What sending an answer needs of the server around it. */
export interface Ground {
  readonly settings: { readonly clock: Clock; readonly tokensPerSecond: number | null };
  deliver(stream: EventStream): void;
  /** Tells how many tokens there are by now; true when that was too many, and the request has failed. */
  overflows(produced: number): boolean;
}

/** Paced answers are written in steps of this length. */
const PACE_MS = 20;

/** Waits until the client leaves or the server closes. */
export const silence = async (job: Job, clock: Clock): Promise<void> => {
  while (!job.stop.signal.aborted) await clock.sleep(60_000, job.stop.signal);
};

const measure = (job: Job, composed: Composed, clock: Clock): Measured => ({
  promptTokens: job.promptTokens,
  cached: job.cached,
  promptMs: Math.max(0.001, job.generatingAt - job.startedAt),
  predictedMs: Math.max(0.001, clock.now() - job.generatingAt),
  completionTokens: composed.tokens,
});

/** Keeps to the pace. True when the request has been stopped. */
const pace = async (job: Job, stream: EventStream, { settings, ...ground }: Ground): Promise<boolean> => {
  const { clock, tokensPerSecond } = settings;
  if (tokensPerSecond === null) return false;
  const ahead = (job.produced / tokensPerSecond) * 1000 - (clock.now() - job.generatingAt);
  if (ahead < PACE_MS) return job.stop.signal.aborted;
  if (ground.overflows(job.produced)) return true;
  ground.deliver(stream);
  await clock.sleep(ahead, job.stop.signal);
  return job.stop.signal.aborted;
};

/** True when a fault has ended the answer here. */
const brokenHere = async (job: Job, stream: EventStream, clock: Clock): Promise<boolean> => {
  const midway = breakStream(job.scripted?.fault, stream, job.response);
  if (midway === 'silent') await silence(job, clock);
  return midway !== 'go-on';
};

/** Streams the answer. False when a fault, the client or the pool came between. */
export const sendStream = async (
  job: Job,
  stream: EventStream,
  composed: Composed,
  ground: Ground,
): Promise<boolean> => {
  const { clock } = ground.settings;
  if (job.scripted?.fault === 'reset') {
    resetNow(job.response);
    return false;
  }
  stream.opening();
  const half = Math.floor(composed.deltas.length / 2);
  for (const [at, delta] of composed.deltas.entries()) {
    if (at === half && (await brokenHere(job, stream, clock))) return false;
    stream.delta(delta.delta);
    job.produced += delta.tokens;
    if (await pace(job, stream, ground)) return false;
  }
  if (composed.deltas.length === 0 && (await brokenHere(job, stream, clock))) return false;
  if (ground.overflows(composed.tokens)) return false;
  stream.closing(composed.finish, measure(job, composed, clock), job.request.includeUsage);
  stream.end();
  return true;
};

/** Lets the time of generation pass. False when the request was stopped or failed meanwhile. */
const generate = async (job: Job, tokens: number, perSecond: number, ground: Ground): Promise<boolean> => {
  const most = Math.ceil((perSecond * PACE_MS) / 1000);
  while (job.produced < tokens) {
    const step = Math.min(tokens - job.produced, most);
    await ground.settings.clock.sleep((step / perSecond) * 1000, job.stop.signal);
    if (job.stop.signal.aborted || ground.overflows(job.produced + step)) return false;
  }
  return true;
};

/** The slot is shown to those who ask for details. */
export const shownSlot = (job: Job): number | null =>
  job.request.body['verbose'] === true ? (job.slot?.id ?? null) : null;

/** Sends the answer in one piece. False when a fault, the client or the pool came between. */
export const sendWhole = async (
  job: Job,
  signature: Signature,
  composed: Composed,
  ground: Ground,
): Promise<boolean> => {
  const { clock, tokensPerSecond } = ground.settings;
  const fault = job.scripted?.fault;
  if (fault === 'reset') {
    resetNow(job.response);
    return false;
  }
  if (tokensPerSecond !== null && !(await generate(job, composed.tokens, tokensPerSecond, ground))) return false;
  if (fault === 'stream-error') job.failure = poolExhausted;
  if (job.failure || ground.overflows(composed.tokens)) return false;
  const measured = measure(job, composed, clock);
  const text =
    job.kind === 'chat'
      ? wholeBody(signature, composed, measured)
      : wholeCompletion(signature, composed, measured, shownSlot(job));
  const midway = breakWhole(fault, text, job.response);
  if (midway === 'silent') await silence(job, clock);
  if (midway !== 'go-on') return false;
  sendText(job.response, 'application/json; charset=utf-8', text);
  return true;
};
