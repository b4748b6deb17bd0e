import type { Clock } from '../domain/clock.ts';

/** A reason of our own for ending a sleep: without one, each abort makes an exception with a stack (5 % of a call). */
export const OVER = new Error('It is over.');

/** Hands `work` a signal that aborts with `outer`, or after `ms`. Says by `timedOut` which of them it was. */
export const withTimeLimit = async <T>(
  clock: Clock,
  ms: number,
  outer: AbortSignal | undefined,
  work: (signal: AbortSignal, timedOut: () => boolean) => Promise<T>,
): Promise<T> => {
  const cut = new AbortController();
  const done = new AbortController();
  let late = false;
  const stop = (): void => cut.abort();
  outer?.addEventListener('abort', stop);
  if (outer?.aborted) stop();
  void clock.sleep(ms, done.signal).then(() => {
    if (done.signal.aborted) return;
    late = true;
    stop();
  });
  try {
    return await work(cut.signal, () => late);
  } finally {
    done.abort(OVER);
    outer?.removeEventListener('abort', stop);
  }
};
