import type { Agent } from '../domain/agent.ts';
import { FencedError, messageOf } from '../domain/errors.ts';
import type { RunId } from '../domain/ids.ts';
import type { Job, JobKind } from '../domain/job.ts';
import type { Run } from '../domain/run.ts';
import { modelOf, modelOfServer } from '../domain/run-of-agent.ts';
import type { Endpoint } from '../inference/port.ts';
import type { Tx } from '../store/port.ts';
import { type Begun, beginTurn } from './begin-turn.ts';
import { coreOf } from './claimed-core.ts';
import type { Core } from './core.ts';
import { meetDeadlines } from './deadlines.ts';
import { DESK_KINDS, runDeskJob } from './desk-job.ts';
import { keepLeases } from './lease-keeper.ts';
import { Pace } from './pace.ts';
import { digestOf } from './plan-outcome.ts';
import { PrefixSharing, type Share } from './prefix-sharing.ts';
import { putBack } from './put-back.ts';
import { runTurnJob } from './turn-job.ts';

/** Merges and closings at once; they are short, and serialised by git in part. */
const DESK_WORKERS = 4;
const TICK_MS = 500;
/** Claims in one transaction: the calls of the first are under way while the next ones are claimed. */
const MOST_CLAIMS = 8;
/** Answers looked at in one turn of the event loop, at least: fewer cost more commits, more let slots stand idle. */
const AT_ONCE = 2;
/** How often a server that is away is asked again, ms. */
const AWAY_MS = [500, 1000, 2000, 4000, 8000, 15_000];

interface Server {
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

interface Claimed {
  readonly job: Job;
  /** Null: a merge or a closing. */
  readonly turn: ClaimedTurn | null;
}

interface ClaimedTurn {
  readonly server: Server;
  readonly endpoint: Endpoint;
  readonly permit: () => void;
  /** The agent's own, which need not be the one that the server was first asked with. */
  model: string | null;
  /** What is to be laid into slots before it starts, and before others are claimed. */
  share: Share | null;
  /** Null: the job opens its turn itself. */
  begun: Begun | null;
}

/** Its time runs from now on, and so does that of joins which wait for it only so long. */
const firstTurn = async (tx: Tx, agent: Agent, now: number): Promise<Pick<Agent, 'startedAt' | 'deadline'>> => {
  if (agent.step) await tx.armJoins(agent.step, now);
  const { timeoutMs = null } = agent;
  return { startedAt: now, ...(timeoutMs === null ? {} : { deadline: now + timeoutMs }) };
};

/** ready → running. */
const startAgent = async (tx: Tx, job: Job, now: number): Promise<{ readonly run: Run; readonly agent: Agent }> => {
  const agent = job.agent && (await tx.agent(job.agent));
  const run = await tx.run(job.run);
  if (!agent || !run) throw new Error('A turn job without its agent or run.');
  const patch = { action: 'thinks', ...(agent.startedAt === null ? await firstTurn(tx, agent, now) : {}) };
  const from = await tx.moveAgent(agent.id, 'running', patch);
  await tx.emit(now, [{ type: 'agent.moved', run: job.run, agent: agent.id, from, to: 'running', reason: null }]);
  return { run, agent: { ...agent, ...patch, state: 'running' } };
};

/**
 * A pool, not waves: whenever a permit is free and a job is queued, the best job is claimed. A permit is held from the
 * claim to the end of the call only; whoever waits for a child, a tool or a person holds nothing.
 */
export class Scheduler {
  readonly #core: Core;
  readonly #servers = new Map<string, Server>();
  readonly #digests = new Map<RunId, Promise<string>>();
  readonly #running = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  /** Runs that go on; null when that may have changed. */
  #runs: readonly Run[] | null = null;
  readonly #unlisten: () => void;
  readonly #pace = new Pace(AT_ONCE);
  readonly #prefixes: PrefixSharing;
  readonly #leases: Promise<void>;
  #desk = 0;
  #pumping = false;
  #pumped: Promise<void> = Promise.resolve();
  #again = false;
  #ticking = false;
  #deaf = false;
  /** What the last transaction of the scheduler failed with. */
  #unstored: string | null = null;

  constructor(core: Core) {
    this.#core = core;
    this.#unlisten = core.parts.store.onEvents((events) => {
      if (events.some(({ type }) => type.startsWith('run.'))) this.#runs = null;
    });
    this.#prefixes = new PrefixSharing(core);
    this.#leases = keepLeases(core, this.#stop.signal);
  }

  /** Claims what can be claimed now, and again whenever something changes. */
  wake(): void {
    if (this.#deaf) return;
    this.#again = true;
    if (this.#pumping || this.#stop.signal.aborted) return;
    this.#pumping = true;
    queueMicrotask(() => {
      this.#pumped = this.#pump();
    });
  }

  /** While a run goes on, jobs that were put off become claimable just by time. */
  #tick(): void {
    if (this.#ticking) return;
    this.#ticking = true;
    void this.#core.parts.clock.sleep(TICK_MS, this.#stop.signal).then(() => {
      this.#ticking = false;
      if (!this.#stop.signal.aborted) this.#running.add(this.#forget(this.#meetDeadlines()));
      this.wake();
    });
  }

  async #meetDeadlines(): Promise<void> {
    try {
      await meetDeadlines(this.#core);
    } catch (error) {
      this.#core.parts.log(`deadlines: ${messageOf(error)}`);
    }
  }

  serverErrors(): ReadonlyMap<string, string> {
    return new Map([...this.#servers.values()].flatMap((s) => (s.error ? [[s.name, s.error] as const] : [])));
  }

  /** Why the runs of a server cannot go on just now, for people. */
  troubleOf(server: string): string | undefined {
    if (this.#unstored !== null)
      return `The state cannot be stored: ${this.#unstored}. Look at the disk below .coppice/; the work goes on by itself when that is mended.`;
    const error = this.#servers.get(server)?.error;
    return error ? `Waiting for the inference server: ${error}` : undefined;
  }

  /** Stops claiming, cuts what is under way, and resolves when all of it has put itself back. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#pumped;
    for (const work of this.#core.inFlight.values()) work.abort.abort();
    // A claim that was being made is tracked when the pump ends.
    await this.#pumped;
    await Promise.allSettled([...this.#running, this.#leases]);
    for (const server of this.#servers.values()) server.stopFree();
    this.#unlisten();
  }

  get busy(): boolean {
    return this.#running.size > 0;
  }

  async #pump(): Promise<void> {
    try {
      while (this.#again && !this.#stop.signal.aborted) {
        this.#again = false;
        const servers = await this.#activeServers();
        const claimed = await this.#claimAll(servers);
        if (claimed.length >= MOST_CLAIMS) this.#again = true;
        for (const one of claimed) this.#begin(one);
        this.#unstored = null;
      }
    } catch (error) {
      this.#core.parts.log(`scheduler: ${messageOf(error)}`);
      this.#unstored = messageOf(error);
      this.#tick();
    } finally {
      this.#pumping = false;
    }
    if (this.#again) this.wake();
  }

  /** Everything that can be claimed now, in one transaction. When that fails, the least of it is tried. */
  async #claimAll(servers: readonly Server[]): Promise<readonly Claimed[]> {
    try {
      return await this.#claimUpTo(servers, MOST_CLAIMS);
    } catch (error) {
      if (error instanceof FencedError) throw error;
      this.#core.parts.log(`scheduler: ${messageOf(error)}`);
      return this.#claimUpTo(servers, 1);
    }
  }

  /** With `most` 1, the turn that is claimed is not opened yet: what is wrong with it is then its own job's to find out. */
  async #claimUpTo(servers: readonly Server[], most: number): Promise<readonly Claimed[]> {
    const { store, clock } = this.#core.parts;
    const claimed: Claimed[] = [];
    try {
      await store.transaction(async (tx) => {
        const now = clock.now();
        if (this.#stop.signal.aborted) return;
        while (this.#desk + claimed.length < DESK_WORKERS && claimed.length < most) {
          const job = await tx.claim({ kinds: DESK_KINDS, now, hot: [] });
          if (!job) break;
          claimed.push({ job, turn: null });
        }
        for (const server of servers) await this.#claimTurns(tx, server, now, most, claimed);
      });
    } catch (error) {
      for (const { turn } of claimed) {
        if (turn) this.#giveBackUnused(turn.permit);
        if (turn?.share) this.#prefixes.forget(turn.server.name);
      }
      throw error;
    }
    return claimed;
  }

  async #claimTurns(tx: Tx, server: Server, now: number, most: number, claimed: Claimed[]): Promise<void> {
    const { endpoint } = server;
    if (!endpoint || server.away > 0) return;
    while (claimed.length < most && !this.#stop.signal.aborted && !this.#prefixes.isSharing(server.name)) {
      const permit = endpoint.tryPermit();
      if (!permit) return;
      const job = await tx.claim({ kinds: ['turn'], now, hot: server.hot, server: server.name });
      if (!job) return this.#giveBackUnused(permit);
      const turn: ClaimedTurn = { server, endpoint, permit, model: server.model, share: null, begun: null };
      claimed.push({ job, turn });
      server.hot = [job.prefix, ...server.hot.filter((prefix) => prefix !== job.prefix)].slice(0, 8);
      const { run, agent } = await startAgent(tx, job, now);
      turn.model = modelOf(run, agent);
      if (most === 1) continue;
      turn.share = await this.#prefixes.plan(tx, server.name, { job, run, agent }, endpoint);
      if (!turn.share) turn.begun = await beginTurn(this.#core, tx, job, run, agent, endpoint.knownFacts());
    }
  }

  #begin({ job, turn }: Claimed): void {
    if (turn) this.#beginTurn(job, turn);
    else this.#beginDesk(job);
  }

  #beginDesk(job: Job): void {
    this.#desk += 1;
    this.#track(job, async (signal) => {
      try {
        await runDeskJob(coreOf(this.#core, job), job, signal);
      } finally {
        this.#desk -= 1;
      }
    });
  }

  #beginTurn(job: Job, { server, permit, model, share, begun, ...claimed }: ClaimedTurn): void {
    let held = true;
    const release = (): void => {
      if (held) permit();
      held = false;
    };
    const lost = (message: string): void => {
      server.error = message;
      server.away = Math.max(1, server.away);
      this.#prefixes.forget(server.name);
      this.#ask(server);
    };
    this.#track(job, async (signal) => {
      try {
        const { parts } = this.#core;
        const endpoint = model === server.model ? claimed.endpoint : await parts.endpoint(server.name, model);
        const pass = (): Promise<void> => this.#pace.pass();
        const hands = { endpoint, pass, release, lost, digest: (run: Run) => this.#digest(run) };
        if (share) await this.#prefixes.share(server.name, job, share, endpoint, signal);
        await runTurnJob(coreOf(this.#core, job), job, begun, hands, signal);
      } finally {
        release();
      }
    });
  }

  /** Servers of runs that are going on, and those that turns wait for. */
  async #activeServers(): Promise<readonly Server[]> {
    this.#runs ??= await this.#core.parts.store.activeRuns();
    if (this.#runs.some((run) => run.state !== 'planned')) this.#tick();
    const wanted = new Map(this.#runs.map((run) => [run.options.server, run.options.model]));
    for (const name of await this.#core.parts.store.queuedServers())
      if (!wanted.has(name)) wanted.set(name, this.#modelOn(name));
    for (const [name, model] of wanted) {
      if (!this.#servers.has(name)) {
        const server: Server = {
          name,
          model,
          endpoint: null,
          stopFree: () => {},
          away: 0,
          error: null,
          asking: false,
          hot: [],
        };
        this.#servers.set(name, server);
      }
      const server = this.#servers.get(name);
      if (server && !server.endpoint) this.#ask(server);
    }
    return [...this.#servers.values()].filter((server) => server.endpoint !== null && server.away === 0);
  }

  /** What a run says of a server that steps are shared out to. */
  #modelOn(server: string): string | null {
    for (const run of this.#runs ?? []) {
      const model = modelOfServer(run, server);
      if (model !== null) return model;
    }
    return null;
  }

  /** Asks the server for its facts until it gives them; meanwhile its jobs stay queued. */
  #ask(server: Server): void {
    if (server.asking) return;
    server.asking = true;
    const { parts } = this.#core;
    const attempt = async (): Promise<void> => {
      try {
        const endpoint = await parts.endpoint(server.name, server.model);
        await endpoint.facts(this.#stop.signal);
        server.stopFree();
        server.stopFree = endpoint.onFree(() => this.wake());
        Object.assign(server, { endpoint, away: 0, error: null, asking: false });
      } catch (error) {
        server.error = messageOf(error);
        server.away += 1;
        const delay = AWAY_MS[Math.min(server.away, AWAY_MS.length) - 1] ?? 15_000;
        await parts.clock.sleep(delay, this.#stop.signal);
        if (!this.#stop.signal.aborted) return attempt();
      }
      this.wake();
    };
    this.#running.add(this.#forget(attempt()));
  }

  /** A permit that was taken to no avail frees nothing that a claim could use: it must not wake the pool. */
  #giveBackUnused(permit: () => void): void {
    this.#deaf = true;
    permit();
    this.#deaf = false;
  }

  #digest(run: Run): Promise<string> {
    const known = this.#digests.get(run.id);
    if (known) return known;
    const made = digestOf(this.#core, run);
    this.#digests.set(run.id, made);
    made.catch(() => this.#digests.delete(run.id));
    return made;
  }

  #track(job: Job, work: (signal: AbortSignal) => Promise<void>): void {
    const abort = new AbortController();
    this.#core.inFlight.set(job.id, { claim: job, job: job.id, run: job.run, agent: job.agent, abort });
    const { aborting } = this.#core;
    if (this.#stop.signal.aborted || aborting.has(job.run) || (job.agent && aborting.has(job.agent))) abort.abort();
    const done = work(abort.signal)
      .catch((error: unknown) => this.#crashed(job, error))
      .finally(() => {
        this.#core.inFlight.delete(job.id);
        this.#running.add(this.#forget(this.#look()));
      });
    this.#running.add(this.#forget(done));
  }

  /** After a job: what it left to claim was mostly claimed in the moment of its last transaction. */
  async #look(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    const { store, clock } = this.#core.parts;
    const free = [...this.#servers.values()].some(({ endpoint }) => endpoint && hasRoom(endpoint));
    const kinds: readonly JobKind[] = [...DESK_KINDS, ...(free ? (['turn'] as const) : [])];
    if (await store.anyQueued(kinds, clock.now())) this.wake();
  }

  #forget(work: Promise<void>): Promise<void> {
    const tracked: Promise<void> = work.finally(() => this.#running.delete(tracked));
    return tracked;
  }

  /** Something went wrong that the job does not know of: it is tried again later, and parked when that does not help. */
  async #crashed(job: Job, error: unknown): Promise<void> {
    const { clock, log } = this.#core.parts;
    const { store } = coreOf(this.#core, job).parts;
    log(`${job.kind} ${job.id}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    if (job.agent) this.#core.leases.forget(job.agent);
    while (!this.#stop.signal.aborted) {
      try {
        await store.transaction((tx) => putBack(this.#core.parts, tx, job, messageOf(error)));
        return;
      } catch (again) {
        log(`${job.id}: ${messageOf(again)}`);
        if (again instanceof FencedError) return;
        this.#unstored = messageOf(again);
        await clock.sleep(TICK_MS, this.#stop.signal);
      }
    }
  }
}

const hasRoom = (endpoint: Endpoint): boolean => {
  const { busy, total } = endpoint.slots();
  return busy < total;
};
