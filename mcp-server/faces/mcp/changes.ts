import type { Clock } from '../../domain/clock.ts';
import { messageOf } from '../../domain/errors.ts';
import type { Engine } from '../../engine/facade.ts';

/** Tells connections what has changed, so that they can tell their clients. */
export interface Changes {
  /** After any change of the lists of tools, prompts or resources. Returns how to stop. */
  onLists(listener: () => void): () => void;
  /** Addresses of runs and agents that events concern, gathered for a while. Events are read only while somebody listens. */
  onResources(listener: (uris: ReadonlySet<string>) => void): () => void;
  close(): void;
}

/** Whatever tells that a list has changed. */
export interface ListSource {
  onChange(listener: () => void): () => void;
}

/** How long changes are gathered before they are told, ms. */
const GATHER_MS = 500;
/** The same for lists: a reload of many skills is one change. */
const LISTS_MS = 50;
const WAIT_MS = 30_000;
const PAGE = 5000;

/** Watches an engine and the sources of its lists. */
export const openChanges = (parts: {
  readonly engine: Pick<Engine, 'events' | 'listRuns' | 'listAgents'>;
  readonly sources: readonly ListSource[];
  readonly clock: Clock;
  log(line: string): void;
}): Changes => {
  const lists = new Set<() => void>();
  const resources = new Set<(uris: ReadonlySet<string>) => void>();
  let watching: AbortController | undefined;
  const tell = (uris: ReadonlySet<string>): void => {
    if (uris.size > 0) for (const listener of resources) listener(uris);
  };
  let gathering: NodeJS.Timeout | undefined;
  const changed = (): void => {
    gathering ??= setTimeout(() => {
      gathering = undefined;
      for (const listener of lists) listener();
    }, LISTS_MS);
    gathering.unref();
  };
  const stops = parts.sources.map((source) => source.onChange(changed));
  const watch = (): void => {
    watching = new AbortController();
    const { signal } = watching;
    void follow(parts, tell, signal).catch((error) => {
      if (!signal.aborted) parts.log(`watching events: ${messageOf(error)}`);
    });
  };
  return {
    onLists: (listener) => {
      lists.add(listener);
      return () => void lists.delete(listener);
    },
    onResources: (listener) => {
      if (resources.size === 0) watch();
      resources.add(listener);
      return () => {
        resources.delete(listener);
        if (resources.size === 0) watching?.abort();
      };
    },
    close: () => {
      for (const stop of stops) stop();
      clearTimeout(gathering);
      watching?.abort();
      lists.clear();
      resources.clear();
    },
  };
};

const follow = async (
  parts: { readonly engine: Pick<Engine, 'events' | 'listRuns' | 'listAgents'>; readonly clock: Clock },
  tell: (uris: ReadonlySet<string>) => void,
  signal: AbortSignal,
): Promise<void> => {
  let after = await lastEvent(parts.engine);
  while (!signal.aborted) {
    const { events, last } = await parts.engine.events({ after, waitMs: WAIT_MS, limit: PAGE, signal });
    if (signal.aborted) return;
    after = last;
    const uris = new Set<string>();
    for (const event of events) {
      if (event.run !== null) uris.add(`run://${event.run}`);
      if (event.agent !== null) uris.add(`agent://${event.agent}`);
    }
    tell(uris);
    if (events.length > 0 && events.length < PAGE) await parts.clock.sleep(GATHER_MS, signal);
  }
};

/** The number of the newest event, near enough: what happened before the first run matters to nobody here. */
const lastEvent = async (engine: Pick<Engine, 'listRuns' | 'listAgents'>): Promise<number> => {
  const [newest] = await engine.listRuns(1);
  if (newest === undefined) return 0;
  return (await engine.listAgents({ run: newest.run, changedSince: Number.MAX_SAFE_INTEGER })).last;
};
