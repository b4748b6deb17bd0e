import { messageOf } from '../domain/errors.ts';
import type { Run } from '../domain/run.ts';
import { modelOfServer } from '../domain/run-of-agent.ts';
import type { Endpoint } from '../inference/port.ts';
import type { EngineParts } from './parts.ts';

/** How often a server that is away is asked again, ms. */
const AWAY_MS = [500, 1000, 2000, 4000, 8000, 15_000];

/** An inference server that runs go to. */
export interface Server {
  readonly name: string;
  readonly model: string | null;
  endpoint: Endpoint | null;
  stopFree: () => void;
  /** Failed asks in a row; 0: it is there. */
  away: number;
  error: string | null;
  asking: boolean;
  /** Prefixes of the last calls, newest first. */
  hot: string[];
}

const newServer = (name: string, model: string | null): Server => ({
  name,
  model,
  endpoint: null,
  stopFree: () => {},
  away: 0,
  error: null,
  asking: false,
  hot: [],
});

/** What the servers need of the scheduler. */
export interface ServerHands {
  readonly signal: AbortSignal;
  /** A server is there. */
  wake(): void;
  /** A server has room again. */
  freed(): void;
  /** Work that must be over before the scheduler has stopped. */
  keep(work: Promise<void>): void;
}

/** The servers that runs go to, and which of them are there. One that is away is asked until it answers. */
export class Servers {
  readonly #parts: EngineParts;
  readonly #hands: ServerHands;
  readonly #servers = new Map<string, Server>();
  readonly #unlisten: () => void;
  /** Runs that have not ended; null when that may have changed. */
  #runs: readonly Run[] | null = null;
  #runsGoOn = false;
  /** Their names, and those that queued turns wait for. */
  #wanted: ReadonlySet<string> = new Set();

  constructor(parts: EngineParts, hands: ServerHands) {
    this.#parts = parts;
    this.#hands = hands;
    this.#unlisten = parts.store.onEvents((events) => {
      if (events.some(({ type }) => type.startsWith('run.'))) this.#runs = null;
    });
  }

  /** By server, what is wrong with it. */
  errors(): ReadonlyMap<string, string> {
    return new Map([...this.#servers.values()].flatMap((s) => (s.error ? [[s.name, s.error] as const] : [])));
  }

  errorOf(name: string): string | null {
    return this.#servers.get(name)?.error ?? null;
  }

  /** Whether one of them has a free slot. */
  get haveRoom(): boolean {
    return [...this.#servers.values()].some(hasRoom);
  }

  /** While this is true, jobs that were put off may become claimable just by time. */
  get runsGoOn(): boolean {
    return this.#runsGoOn;
  }

  /** What runs and queued turns ask for is looked at anew. */
  lookAgain(): void {
    this.#runs = null;
  }

  /** Those that are there, of the servers of runs that go on and those that turns wait for. */
  async present(): Promise<readonly Server[]> {
    if (this.#runs === null) await this.#look();
    for (const server of this.#servers.values())
      if (!server.endpoint && this.#wanted.has(server.name)) this.#ask(server);
    return [...this.#servers.values()].filter((server) => server.endpoint !== null && server.away === 0);
  }

  /** A call has not reached it: nothing is claimed for it until it answers again. */
  lost(server: Server, message: string): void {
    server.error = message;
    server.away = Math.max(1, server.away);
    this.#ask(server);
  }

  close(): void {
    for (const server of this.#servers.values()) server.stopFree();
    this.#unlisten();
  }

  async #look(): Promise<void> {
    const { store } = this.#parts;
    const runs = await store.activeRuns();
    const wanted = new Map(runs.map((run) => [run.options.server, run.options.model]));
    for (const name of await store.queuedServers()) if (!wanted.has(name)) wanted.set(name, modelOn(runs, name));
    for (const [name, model] of wanted) if (!this.#servers.has(name)) this.#servers.set(name, newServer(name, model));
    this.#wanted = new Set(wanted.keys());
    this.#runs = runs;
    this.#runsGoOn = runs.some((run) => run.state !== 'planned');
  }

  /** Asks the server for its facts until it gives them; meanwhile its jobs stay queued. */
  #ask(server: Server): void {
    if (server.asking) return;
    server.asking = true;
    const { signal, wake, freed } = this.#hands;
    const attempt = async (): Promise<void> => {
      try {
        const endpoint = await this.#parts.endpoint(server.name, server.model);
        await endpoint.facts(signal);
        server.stopFree();
        server.stopFree = endpoint.onFree(freed);
        Object.assign(server, { endpoint, away: 0, error: null, asking: false });
      } catch (error) {
        server.error = messageOf(error);
        server.away += 1;
        const delay = AWAY_MS[Math.min(server.away, AWAY_MS.length) - 1] ?? 15_000;
        await this.#parts.clock.sleep(delay, signal);
        if (!signal.aborted) return attempt();
      }
      wake();
    };
    this.#hands.keep(attempt());
  }
}

/** What a run says of a server that steps are shared out to. */
const modelOn = (runs: readonly Run[], server: string): string | null => {
  for (const run of runs) {
    const model = modelOfServer(run, server);
    if (model !== null) return model;
  }
  return null;
};

/** Whether it is there and has a free slot. */
export const hasRoom = ({ endpoint }: Server): boolean => {
  if (!endpoint) return false;
  const { busy, total } = endpoint.slots();
  return busy < total;
};
