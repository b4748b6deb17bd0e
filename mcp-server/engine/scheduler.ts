import { FencedError, messageOf, traceOf } from '../domain/errors.ts';
import type { Job, JobKind } from '../domain/job.ts';
import { coreOf } from './claimed-core.ts';
import { type Claimed, type ClaimedTurn, claimAll } from './claims.ts';
import type { Core, InFlight } from './core.ts';
import { meetDeadlines } from './deadlines.ts';
import { DESK_KINDS, runDeskJob } from './desk-job.ts';
import { Digests } from './digests.ts';
import { keepLeases } from './lease-keeper.ts';
import { nextTurn, Pace } from './pace.ts';
import { PrefixSharing } from './prefix-sharing.ts';
import { putBack } from './put-back.ts';
import { hasRoom, type Server, Servers } from './servers.ts';
import { runTurnJob } from './turn-job.ts';

/** Merges and closings at once; they are short, and serialised by git in part. */
const DESK_WORKERS = 4;
const TICK_MS = 500;
const ALL_KINDS: readonly JobKind[] = [...DESK_KINDS, 'turn'];
/** Claims in one transaction: the calls of the first are under way while the next ones are claimed. */
const MOST_CLAIMS = 8;
/** Answers looked at in one turn of the event loop, at least: fewer cost more commits, more let slots stand idle. */
const AT_ONCE = 4;
/** While all slots are taken, so that others make use of them meanwhile. */
const AT_ONCE_WHEN_FULL = 6;

/**
 * A pool, not waves: whenever a permit is free and a job is queued, the best job is claimed. A permit is held from the
 * claim to the end of the call only; whoever waits for a child, a tool or a person holds nothing.
 */
export class Scheduler {
  readonly #core: Core;
  readonly #servers: Servers;
  readonly #digests: Digests;
  readonly #running = new Set<Promise<void>>();
  /** Servers are asked whether they are there: no work by itself, for whoever waits for them goes on or is paused. */
  readonly #asking = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  readonly #pace = new Pace(() => (this.#servers.haveRoom ? AT_ONCE : AT_ONCE_WHEN_FULL));
  readonly #prefixes: PrefixSharing;
  readonly #leases: Promise<void>;
  #desk = 0;
  #pumping = false;
  #pumped: Promise<void> = Promise.resolve();
  #again = false;
  /** Nothing was left to be claimed by servers that all had room, and nothing has changed since: more room finds no more. */
  #dry = false;
  #ticking = false;
  #deaf = false;
  /** What the last transaction of the scheduler failed with. */
  #unstored: string | null = null;

  constructor(core: Core) {
    this.#core = core;
    this.#servers = new Servers(core.parts, {
      signal: this.#stop.signal,
      wake: () => this.wake(),
      freed: () => {
        if (!this.#dry) this.wake();
      },
      keep: (work) => void this.#asking.add(forgotten(this.#asking, work)),
    });
    this.#prefixes = new PrefixSharing(core);
    this.#digests = new Digests(core);
    this.#leases = keepLeases(core, this.#stop.signal);
  }

  /** Claims what can be claimed now, and again whenever something changes. */
  wake(): void {
    if (this.#deaf) return;
    this.#again = true;
    this.#dry = false;
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
      this.#servers.lookAgain();
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
    return this.#servers.errors();
  }

  /** Why the runs of a server cannot go on just now, for people. */
  troubleOf(server: string): string | undefined {
    if (this.#unstored !== null)
      return `The state cannot be stored: ${this.#unstored}. Look at the disk below .coppice/; the work goes on by itself when that is mended.`;
    const error = this.#servers.errorOf(server);
    return error ? `Waiting for the inference server: ${error}` : undefined;
  }

  /** Stops claiming, cuts what is under way, and resolves when all of it has put itself back. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#pumped;
    for (const work of this.#core.inFlight) work.abort.abort();
    // A claim that was being made is tracked when the pump ends.
    await this.#pumped;
    await Promise.allSettled([...this.#running, ...this.#asking, this.#leases]);
    this.#servers.close();
  }

  get busy(): boolean {
    return this.#running.size > 0 || this.#pumping;
  }

  async #pump(): Promise<void> {
    try {
      while (this.#again && !this.#stop.signal.aborted) {
        this.#again = false;
        this.#dry = false;
        const servers = await this.#servers.present();
        if (this.#servers.runsGoOn) this.#tick();
        const { claimed, most } = await this.#claimAll(servers);
        this.#dry = claimed.length < most && servers.length > 0 && servers.every(hasRoom);
        if (claimed.length >= most) this.#again = true;
        for (const one of claimed) this.#begin(one);
        this.#unstored = null;
        // Their calls leave before more are claimed: the first answer is then there the sooner.
        if (claimed.length > 0) await nextTurn();
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

  /** What can be claimed now, up to `most`, in one transaction. When that fails, the least of it is tried. */
  async #claimAll(
    servers: readonly Server[],
  ): Promise<{ readonly claimed: readonly Claimed[]; readonly most: number }> {
    try {
      return await this.#claimUpTo(servers, MOST_CLAIMS);
    } catch (error) {
      if (error instanceof FencedError) throw error;
      this.#core.parts.log(`scheduler: ${messageOf(error)}`);
      return this.#claimUpTo(servers, 1);
    }
  }

  async #claimUpTo(servers: readonly Server[], most: number) {
    const claimed = await claimAll(this.#core, {
      servers,
      most,
      desk: DESK_WORKERS - this.#desk,
      signal: this.#stop.signal,
      prefixes: this.#prefixes,
      digests: this.#digests,
      unused: (permit) => this.#giveBackUnused(permit),
    });
    return { claimed, most };
  }

  #begin({ job, turn }: Claimed): void {
    if (turn) this.#beginTurn(job, turn);
    else this.#beginDesk(job);
  }

  #beginDesk(job: Job): void {
    this.#track(job, async (signal) => {
      // It cannot be cut; the next start takes it up.
      if (this.#stop.signal.aborted) return;
      this.#desk += 1;
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
      this.#prefixes.forget(server.name);
      this.#servers.lost(server, message);
    };
    this.#track(job, async (signal) => {
      try {
        const { parts } = this.#core;
        const endpoint = model === server.model ? claimed.endpoint : await parts.endpoint(server.name, model);
        const pass = (): Promise<void> => this.#pace.pass();
        const hands = { endpoint, pass, release, lost, digests: this.#digests };
        if (share) await this.#prefixes.share(server.name, job, share, endpoint, signal);
        await runTurnJob(coreOf(this.#core, job), job, begun, hands, signal);
      } finally {
        release();
      }
    });
  }

  /** A permit that was taken to no avail frees nothing that a claim could use: it must not wake the pool. */
  #giveBackUnused(permit: () => void): void {
    this.#deaf = true;
    permit();
    this.#deaf = false;
  }

  #track(job: Job, work: (signal: AbortSignal) => Promise<void>): void {
    const abort = new AbortController();
    const { aborting, inFlight } = this.#core;
    if (this.#stop.signal.aborted || aborting.has(job.run) || (job.agent && aborting.has(job.agent))) abort.abort();
    const earlier = [...inFlight].filter(({ claim }) => claim.id === job.id);
    for (const one of earlier) one.abort.abort();
    // Two at once would write into one worktree.
    const begun = earlier.length === 0 ? work(abort.signal) : allDone(earlier).then(() => work(abort.signal));
    const done = begun
      .catch((error: unknown) => this.#crashed(job, error))
      .finally(() => {
        inFlight.delete(own);
        this.#dry = false;
        this.#running.add(this.#forget(this.#look()));
      });
    const own = { claim: job, run: job.run, agent: job.agent, abort, done };
    inFlight.add(own);
    this.#running.add(this.#forget(done));
  }

  /** After a job: what it left to claim was mostly claimed in the moment of its last transaction. */
  async #look(): Promise<void> {
    // A claim is on its way anyhow.
    if (this.#stop.signal.aborted || this.#again) return;
    const { store, clock } = this.#core.parts;
    if (await store.anyQueued(this.#servers.haveRoom ? ALL_KINDS : DESK_KINDS, clock.now())) this.wake();
  }

  #forget(work: Promise<void>): Promise<void> {
    return forgotten(this.#running, work);
  }

  /** Something went wrong that the job does not know of: it is tried again later, and parked when that does not help. */
  async #crashed(job: Job, error: unknown): Promise<void> {
    const { clock, log } = this.#core.parts;
    const { store } = coreOf(this.#core, job).parts;
    if (job.agent) this.#core.leases.forget(job.agent);
    log(`${job.kind} ${job.id}: ${error instanceof FencedError ? error.message : traceOf(error)}`);
    while (!this.#stop.signal.aborted) {
      try {
        await store.transaction((tx) => putBack(this.#core.parts, tx, job, messageOf(error)));
        return;
      } catch (again) {
        // Whoever claimed it since goes on with it.
        if (again instanceof FencedError) return;
        log(`${job.id}: ${messageOf(again)}`);
        this.#unstored = messageOf(again);
        await clock.sleep(TICK_MS, this.#stop.signal);
      }
    }
  }
}

const allDone = async (earlier: readonly InFlight[]): Promise<void> =>
  void (await Promise.all(earlier.map(({ done }) => done)));

/** The work, which leaves the set when it is over. */
const forgotten = (set: Set<Promise<void>>, work: Promise<void>): Promise<void> => {
  const tracked: Promise<void> = work.finally(() => set.delete(tracked));
  return tracked;
};
