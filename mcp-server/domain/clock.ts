/** Time comes from outside, so that tests own it. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Resolves after `ms`, 24 days at the most; resolves early, without an error, when the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `ring` once after `ms`, 24 days at the most, unless what it returns was called before. A tenth of the price of a sleep with a signal. */
  alarm(ms: number, ring: () => void): () => void;
}

/** Timers of Node that were to be longer ring at once. */
const LONGEST_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, Math.min(ms, LONGEST_MS));
      signal?.addEventListener('abort', done);
    }),
  alarm: (ms, ring) => {
    const timer = setTimeout(ring, Math.min(ms, LONGEST_MS));
    return () => clearTimeout(timer);
  },
};
