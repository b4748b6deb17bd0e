import { UserError } from '../../domain/errors.ts';
import type { EngineEvent, RunView } from '../../operations/views.ts';
import type { CliContext } from './context.ts';
import type { EngineClient } from './engine-client.ts';

const WAIT_MS = 2000;
const PAGE = 500;
const RECONNECTS = 5;

/** A connection that finds the engine again when it is lost; the engine that it finds goes on where the last one was. */
export class SteadyClient implements EngineClient {
  readonly #context: CliContext;
  #current: Promise<EngineClient> | null = null;
  #closed = false;

  constructor(context: CliContext) {
    this.#context = context;
  }

  async call<T>(operation: string, input: Record<string, unknown>, timeoutMs?: number): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      this.#current ??= this.#context.connect();
      const used = this.#current;
      try {
        return await (await used).call<T>(operation, input, timeoutMs);
      } catch (error) {
        const lost = error instanceof UserError && error.code === 'engine-gone';
        if (!lost) throw error;
        // Several calls share a connection: whichever sees the loss first lets all of them have a new one.
        if (this.#current === used) this.#current = null;
        const opened = await closeQuietly(used);
        // An engine that could not be reached at all had all the time it needs; one that was just leaving had not.
        if (this.#closed || attempt > (opened ? RECONNECTS : 1)) throw error;
        await this.#context.clock.sleep(100 * attempt);
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#current) await closeQuietly(this.#current);
  }
}

/** False when it had never been opened. */
const closeQuietly = (client: Promise<EngineClient>): Promise<boolean> =>
  client.then(
    async (open) => {
      await open.close();
      return true;
    },
    () => false,
  );

/** What is new of a run. */
export interface Batch {
  readonly events: readonly EngineEvent[];
  /** Read when there was no event for a while. */
  readonly status: RunView | null;
}

/** Events of the run after a number in batches, until it has ended or the signal aborts. Engines may come and go meanwhile. */
export async function* runEvents(
  client: EngineClient,
  run: string,
  signal: AbortSignal,
  begin = 0,
): AsyncGenerator<Batch> {
  let after = begin;
  let begun = begin > 0;
  while (!signal.aborted) {
    const page = await client.call<{ events: EngineEvent[]; last: number }>('events', {
      after,
      run,
      waitMs: WAIT_MS,
      limit: PAGE,
    });
    after = page.last;
    const own = page.events.filter((event) => {
      begun ||= event.run === run;
      // Of an engine that came while the run went on.
      return event.run === run || (begun && event.type === 'engine.noticed');
    });
    const end = own.findIndex((event) => event.type === 'run.ended');
    // What is tidied up after the end belongs to nobody's picture of the run.
    const events = end < 0 ? own : own.slice(0, end + 1);
    if (events.length > 0) yield { events, status: null };
    if (end >= 0) return;
    if (page.events.length > 0) continue;
    const status = await client.call<RunView>('run_status', { run });
    yield { events: [], status };
    // Its state has the last word, should the event ever be missing.
    if (status.endedAt !== null) return;
  }
}
