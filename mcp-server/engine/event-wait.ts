import type { EngineEvent } from '../domain/event.ts';
import type { RunId } from '../domain/ids.ts';
import type { Core } from './core.ts';

/** Events after a number; when there are none yet, waits for the first up to `waitMs`. */
export const waitForEvents = async (
  core: Core,
  input: { after: number; waitMs: number; limit: number; run?: RunId | undefined; signal: AbortSignal },
): Promise<{ events: readonly EngineEvent[]; last: number }> => {
  const { store, clock } = core.parts;
  const read = async (): Promise<{ events: readonly EngineEvent[]; last: number }> => {
    const events = await store.events(input.after, input.limit, input.run);
    return { events, last: events.at(-1)?.seq ?? input.after };
  };
  if (input.waitMs <= 0) return read();
  const wake = new AbortController();
  const stop = store.onEvents((events) => {
    if (input.run === undefined || events.some((event) => event.run === input.run || event.run === null)) wake.abort();
  });
  try {
    const first = await read();
    if (first.events.length > 0) return first;
    await clock.sleep(input.waitMs, AbortSignal.any([wake.signal, input.signal]));
    return await read();
  } finally {
    stop();
  }
};
