import type { ServerResponse } from 'node:http';
import type { Refusal } from './errors.ts';
import type { ParsedRequest, ScriptedAnswer } from './script.ts';
import type { Slot } from './slots.ts';
import type { Segment } from './tokens.ts';

/** What a test can look up about a chat request. It changes while the request runs. */
export interface RecordedRequest {
  /** Order of arrival, from 1. */
  readonly n: number;
  readonly request: ParsedRequest;
  state: 'queued' | 'prefill' | 'generating' | 'answered' | 'refused' | 'cancelled' | 'failed';
  readonly promptTokens: number;
  cachedTokens: number;
  completionTokens: number;
  slot: number | null;
  readonly arrivedAt: number;
  endedAt: number | null;
}

/** One chat request on its way through the server. */
export interface Job {
  /** `completion`: a plain prompt without messages, which no script and no rule answers. */
  readonly kind: 'chat' | 'completion';
  /** Grows with each request of either kind. */
  readonly task: number;
  readonly record: RecordedRequest;
  readonly request: ParsedRequest;
  readonly scripted: ScriptedAnswer | null;
  readonly prompt: readonly Segment[];
  readonly promptTokens: number;
  readonly latencyMs: number;
  readonly response: ServerResponse;
  readonly stop: AbortController;
  slot: Slot | null;
  cached: number;
  /** Tokens generated so far. */
  produced: number;
  startedAt: number;
  /** 0 until the first token. */
  generatingAt: number;
  /** When the client left; null while it listens. */
  droppedAt: number | null;
  ended: boolean;
  /** Why the server itself gave up on it. */
  failure: Refusal | null;
}

/** Whether the server writes to the client just now, and so notices at once that it left. */
export const noticesAtOnce = (job: Job): boolean => {
  const fault = job.scripted?.fault;
  if (fault === 'hang-before-headers' || fault === 'stall-mid-stream') return job.record.state !== 'queued';
  if (!job.request.stream) return false;
  return job.record.state === 'generating' || (job.record.state === 'prefill' && job.request.returnProgress);
};
