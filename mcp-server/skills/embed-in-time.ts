import type { Clock } from '../domain/clock.ts';
import type { Embed } from './search.ts';

type Vectors = Awaited<ReturnType<Embed>>;

/** As `Embed`, but it may take long, and null means that there are no vectors now. */
export type SlowEmbed = (texts: readonly string[]) => Promise<Vectors | null>;

/** A search waits this long for vectors, ms; then the order of its words counts. */
export const EMBED_MS = 150;

/**
 * Gives up after `ms`, or at once while an earlier question is still under way, so that no search is much slower for it. What
 * was asked goes on meanwhile: whoever makes vectors remembers them for the next search.
 */
export const embedInTime = (clock: Clock, slow: SlowEmbed, ms = EMBED_MS): Embed => {
  let busy = false;
  const ask = async (texts: readonly string[]): Promise<Vectors | null> => {
    busy = true;
    try {
      return await slow(texts);
    } finally {
      busy = false;
    }
  };
  return async (texts) => {
    if (busy) throw new Error('Vectors are being made for another search.');
    const over = new AbortController();
    try {
      const made = await Promise.race([ask(texts), clock.sleep(ms, over.signal).then(() => null)]);
      if (made === null) throw new Error('There are no vectors now.');
      return made;
    } finally {
      over.abort();
    }
  };
};
