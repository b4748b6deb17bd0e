/** What the server has done so far. */
export interface RehearsalStats {
  /** Answered, cancelled and failed ones; not those refused before a slot. */
  readonly ended: number;
  readonly answered: number;
  readonly cancelled: number;
  readonly failed: number;
  /** Prompt tokens that were evaluated: what the cache did not have. */
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly predictedTokens: number;
  readonly processing: number;
  readonly deferred: number;
  readonly maxProcessing: number;
  readonly maxDeferred: number;
}

/** Running counters, the source of `/metrics` and `stats()`. */
export class Totals {
  promptTokens = 0;
  cachedTokens = 0;
  promptMs = 0;
  predictedTokens = 0;
  predictedMs = 0;
  longest = 0;
  answered = 0;
  cancelled = 0;
  failed = 0;
  maxProcessing = 0;
  maxDeferred = 0;

  evaluated(tokens: number, cached: number, ms: number): void {
    this.promptTokens += tokens;
    this.cachedTokens += cached;
    this.promptMs += ms;
  }

  generated(tokens: number, sequence: number, ms: number): void {
    this.predictedTokens += tokens;
    this.predictedMs += ms;
    this.longest = Math.max(this.longest, sequence);
  }

  processing(now: number): void {
    this.maxProcessing = Math.max(this.maxProcessing, now);
  }

  deferred(now: number): void {
    this.maxDeferred = Math.max(this.maxDeferred, now);
  }

  ended(state: 'answered' | 'cancelled' | 'failed'): void {
    this[state] += 1;
  }

  stats(processing: number, deferred: number): RehearsalStats {
    return {
      ended: this.answered + this.cancelled + this.failed,
      answered: this.answered,
      cancelled: this.cancelled,
      failed: this.failed,
      promptTokens: this.promptTokens,
      cachedTokens: this.cachedTokens,
      predictedTokens: this.predictedTokens,
      processing,
      deferred,
      maxProcessing: this.maxProcessing,
      maxDeferred: this.maxDeferred,
    };
  }
}
