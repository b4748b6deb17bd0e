import type { Clock } from '../domain/clock.ts';

/** Hands `work` a signal that aborts with `outer`, or after `ms`. Says by `timedOut` which of them it was. */
export const withTimeLimit = async <T>(
  clock: Clock,
  ms: number,
  outer: AbortSignal | undefined,
  work: (signal: AbortSignal, timedOut: () => boolean) => Promise<T>,
): Promise<T> => {
  const cut = new AbortController();
  let late = false;
  const stop = (): void => cut.abort();
  outer?.addEventListener('abort', stop);
  if (outer?.aborted) stop();
  const cancel = clock.alarm(ms, () => {
    late = true;
    stop();
  });
  try {
    return await work(cut.signal, () => late);
  } finally {
    cancel();
    outer?.removeEventListener('abort', stop);
  }
};
