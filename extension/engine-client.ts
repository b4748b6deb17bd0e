import type { EngineEvent } from '../mcp-server/operations/views.ts';
import { Connection, type Launch } from './connection.ts';
import { type Change, isActive, Model } from './model.ts';
import type { OperationName, Operations } from './operations.ts';

/** `idle`: not asked for yet. `failed`: the last try failed; another one follows. */
export type EngineState =
  | { readonly kind: 'idle' | 'starting' | 'ready' }
  | { readonly kind: 'failed'; readonly message: string };

/** What a client needs from its surroundings. */
export interface EngineClientParts {
  /** Asked anew before each start, so that changed settings count. */
  launch(): Promise<Launch>;
  readonly version: string;
  log(line: string): void;
}

/** Lists of listeners; each is called with every new value until it is disposed of. */
class Signal<T> {
  readonly #listeners = new Set<(value: T) => void>();
  readonly on = (listener: (value: T) => void): { dispose(): void } => {
    this.#listeners.add(listener);
    return { dispose: () => this.#listeners.delete(listener) };
  };
  emit(value: T): void {
    for (const listener of this.#listeners) listener(value);
  }
}

const POLL_MS = 25_000;
/** Between two looks at the events: what happens meanwhile is drawn at once. */
const COALESCE_MS = 150;
/** Between two looks at queue and budgets. */
const SLOW_MS = 1000;
/** Between two drawings of ages that changed alone. */
const AGES_MS = 5000;
const BACK_OFF_MS = [500, 1000, 2000, 5000, 10_000, 30_000] as const;
/** A connection that held this long begins the back-off anew. */
const STEADY_MS = 10_000;
const RUNS_SHOWN = 50;
const READY_TIMEOUT_MS = 60_000;

/** The editor's end of the engine: starts or finds it, follows its events by number, and keeps the model in step. */
export class EngineClient {
  readonly model = new Model();
  readonly #parts: EngineClientParts;
  readonly #states = new Signal<EngineState>();
  readonly #changes = new Signal<Change>();
  readonly #events = new Signal<readonly EngineEvent[]>();
  readonly #lists = new Signal<void>();
  readonly onState = this.#states.on;
  readonly onChange = this.#changes.on;
  /** Facts that happened since this window watches; none is missed across a reconnect, none comes twice. */
  readonly onEvents = this.#events.on;
  /** The skills of the repository have changed. */
  readonly onLists = this.#lists.on;
  #state: EngineState = { kind: 'idle' };
  #link: Connection | undefined;
  #running: Promise<void> | undefined;
  #disposed = false;
  #cursor: number | undefined;
  #wake = Promise.withResolvers<void>();
  /** Runs whose agents are kept in step, and the number of the last event that is in the rows. */
  readonly #tracked = new Map<string, number>();
  readonly #needs = { budgets: false, queue: false };
  readonly #staleBudgets = new Set<string>();
  #staleQueue = true;
  #agesShownAt = 0;
  #isSlowReading = false;

  constructor(parts: EngineClientParts) {
    this.#parts = parts;
  }

  get state(): EngineState {
    return this.#state;
  }

  /** Starts to connect, unless that was done before. */
  start(): void {
    this.#running ??= this.#keepConnected();
  }

  /** Tries at once instead of waiting for the next try. */
  retry(): void {
    this.start();
    this.#wake.resolve();
  }

  /** Closes the pipe and opens a new one, for settings that count at the start. */
  async restart(): Promise<void> {
    await this.#link?.close();
    this.retry();
  }

  /** Which views are open: only for them are budgets and the queue asked for. */
  setNeeds(needs: { budgets?: boolean; queue?: boolean }): void {
    if (needs.budgets && !this.#needs.budgets) for (const run of this.model.runs()) this.#staleBudgets.add(run.run);
    if (needs.queue) this.#staleQueue = true;
    Object.assign(this.#needs, needs);
  }

  /** Calls an operation, waiting for the connection. Throws an error with words for the person. */
  async call<N extends OperationName>(
    name: N,
    input: Operations[N]['input'],
    signal?: AbortSignal,
  ): Promise<Operations[N]['output']> {
    const link = await this.#ready();
    return link.call(name, input, signal);
  }

  /** Reads the agents of a run and keeps them in step from now on; does nothing when that is so already. */
  async track(run: string): Promise<void> {
    if (this.#tracked.has(run)) return;
    this.#tracked.set(run, 0);
    try {
      const link = await this.#ready();
      await this.#readAgents(link, run);
      await this.#readBudget(link, run);
    } catch (error) {
      this.#tracked.delete(run);
      throw error;
    }
    this.#flush();
  }

  /** Reads every row again. */
  async reload(): Promise<void> {
    const link = await this.#ready();
    for (const run of this.#tracked.keys()) this.#tracked.set(run, 0);
    await this.#load(link);
    this.#lists.emit();
  }

  /** Closes the pipe and resolves when nothing of this client runs any more. The engine goes on. */
  async dispose(): Promise<void> {
    this.#disposed = true;
    this.#wake.resolve();
    await this.#link?.close();
    await this.#running;
  }

  async #keepConnected(): Promise<void> {
    for (let failures = 0; !this.#disposed; ) {
      if (this.#state.kind !== 'failed') this.#setState({ kind: 'starting' });
      const startedAt = Date.now();
      try {
        await this.#session();
      } catch (error) {
        if (!this.#disposed) this.#setState({ kind: 'failed', message: (error as Error).message });
      }
      if (this.#disposed) break;
      if (Date.now() - startedAt > STEADY_MS) failures = 0;
      const wait = BACK_OFF_MS[Math.min(failures, BACK_OFF_MS.length - 1)] ?? 0;
      failures += 1;
      await this.#pause(wait);
    }
    this.#setState({ kind: 'idle' });
  }

  /** From one opening of the pipe to its end. */
  async #session(): Promise<void> {
    const link = await Connection.open(
      await this.#parts.launch(),
      this.#parts.version,
      (line) => this.#parts.log(line),
      () => this.#lists.emit(),
    );
    this.#link = link;
    const slow = this.#disposed ? undefined : setInterval(() => void this.#slowReads(link), SLOW_MS);
    try {
      if (this.#disposed) return;
      await this.#load(link);
      this.#setState({ kind: 'ready' });
      await this.#follow(link);
    } catch (error) {
      if (link.isOpen) throw error;
      this.#parts.log(`The connection to the engine has ended: ${link.lastWords || (error as Error).message}`);
      this.#setState({ kind: 'starting' });
    } finally {
      clearInterval(slow);
      this.#link = undefined;
      await link.close();
    }
  }

  /** Everything that is shown at first. The cursor is taken before, so that nothing falls in between. */
  async #load(link: Connection): Promise<void> {
    const { runs } = await link.call('run_list', { limit: RUNS_SHOWN });
    const last = runs[0]
      ? (await link.call('agent_list', { run: runs[0].run, changedSince: Number.MAX_SAFE_INTEGER })).last
      : 0;
    // A number behind ours, or other runs: the repository's history was made anew.
    const isOther = this.#cursor !== undefined && (last < this.#cursor || !this.#knowsOneOf(runs));
    if (isOther) {
      this.model.clear();
      this.#tracked.clear();
    }
    if (isOther || this.#cursor === undefined) this.#cursor = last;
    this.model.applyRuns((await link.call('run_list', { limit: RUNS_SHOWN })).runs);
    for (const run of this.model.activeRuns()) if (!this.#tracked.has(run.run)) this.#tracked.set(run.run, 0);
    for (const run of this.#tracked.keys()) await this.#readAgents(link, run);
    for (const run of this.model.runs()) this.#staleBudgets.add(run.run);
    this.model.applyQueue(await link.call('queue_status', {}));
    this.#flush();
  }

  #knowsOneOf(runs: readonly { run: string }[]): boolean {
    return this.model.runs().length === 0 || runs.some((run) => this.model.run(run.run));
  }

  async #follow(link: Connection): Promise<void> {
    while (!this.#disposed && link.isOpen) {
      const after = this.#cursor ?? 0;
      const { events, last } = await link.call('events', { after, waitMs: POLL_MS, limit: 2000 });
      if (events.length > 0) await this.#catchUp(link, events);
      this.#cursor = Math.max(after, last);
      this.#flush();
      if (events.length > 0) {
        this.#events.emit(events);
        await sleep(COALESCE_MS);
      }
    }
  }

  async #catchUp(link: Connection, events: readonly EngineEvent[]): Promise<void> {
    this.#staleQueue = true;
    for (const run of new Set(events.map((event) => event.run).filter((run) => run !== null))) {
      const view = await link.call('run_status', { run });
      this.model.applyRuns([view]);
      this.#staleBudgets.add(run);
      if (isActive(view) && !this.#tracked.has(run)) this.#tracked.set(run, 0);
      if (this.#tracked.has(run)) await this.#readAgents(link, run);
    }
  }

  async #readAgents(link: Connection, run: string): Promise<void> {
    const since = this.#tracked.get(run) ?? 0;
    const { agents, last } = await link.call('agent_list', since > 0 ? { run, changedSince: since } : { run });
    this.model.applyAgents(agents);
    this.#tracked.set(run, last);
  }

  async #readBudget(link: Connection, run: string): Promise<void> {
    const { accounts } = await link.call('budget_status', { run });
    this.model.applyBudget(run, accounts);
    this.#staleBudgets.delete(run);
  }

  async #slowReads(link: Connection): Promise<void> {
    if (this.#isSlowReading || this.#state.kind !== 'ready') return;
    this.#isSlowReading = true;
    try {
      const isBusy = this.model.activeRuns().length > 0;
      if (this.#needs.queue || (isBusy && this.#staleQueue)) {
        this.#staleQueue = false;
        const isDue = Date.now() - this.#agesShownAt > AGES_MS;
        if (isDue) this.#agesShownAt = Date.now();
        this.model.applyQueue(await link.call('queue_status', {}), isDue);
      }
      const wanted = this.#needs.budgets ? [...this.#staleBudgets].filter((run) => this.#tracked.has(run)) : [];
      for (const run of wanted) await this.#readBudget(link, run);
      this.#flush();
    } catch (error) {
      // A broken pipe shows in #follow as well, which is where it is dealt with.
      if (link.isOpen) this.#parts.log(`Queue and budgets could not be read: ${(error as Error).message}`);
    } finally {
      this.#isSlowReading = false;
    }
  }

  #flush(): void {
    const change = this.model.takeChange();
    if (change) this.#changes.emit(change);
  }

  /** The open pipe, at once or after the next try; rejects when that try fails. */
  #ready(): Promise<Connection> {
    if (this.#link && this.#state.kind === 'ready') return Promise.resolve(this.#link);
    const { promise, resolve, reject } = Promise.withResolvers<Connection>();
    const late = (): void => reject(new Error('The engine did not answer. Try again, or look at the log.'));
    const timer = setTimeout(late, READY_TIMEOUT_MS);
    const listener = this.onState((state) => {
      if (state.kind === 'ready' && this.#link) resolve(this.#link);
      if (state.kind === 'failed') reject(new Error(state.message));
      if (state.kind === 'idle') reject(new Error('This window no longer uses Coppice.'));
    });
    this.retry();
    return promise.finally(() => {
      clearTimeout(timer);
      listener.dispose();
    });
  }

  #setState(state: EngineState): void {
    if (state.kind === 'failed') this.#parts.log(`No engine: ${state.message}`);
    this.#state = state;
    this.#states.emit(state);
  }

  /** Waits, but no longer than until the next retry(). */
  async #pause(ms: number): Promise<void> {
    this.#wake = Promise.withResolvers<void>();
    const timer = setTimeout(() => this.#wake.resolve(), ms);
    await this.#wake.promise;
    clearTimeout(timer);
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
