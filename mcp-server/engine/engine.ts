import { type AgentLimits, DEFAULT_LIMITS } from '../agent/prepare.ts';
import { endOrphans } from '../agent/tools/orphans.ts';
import type { EngineEvent } from '../domain/event.ts';
import type { AgentId, RunId } from '../domain/ids.ts';
import { PRIORITIES, type Priority } from '../domain/job.ts';
import type { Run } from '../domain/run.ts';
import { cancel, finishAborts } from './cancel.ts';
import type { Core } from './core.ts';
import { waitForEvents } from './event-wait.ts';
import type { Engine, JobView, RunView } from './facade.ts';
import { ForecastKeeper } from './forecasts.ts';
import { Leases, leaseOf } from './leases.ts';
import { messageAgent } from './messages.ts';
import { nextTurn } from './pace.ts';
import type { EngineParts } from './parts.ts';
import { pausedWhole, pauseFacade } from './pause.ts';
import { planningFacade } from './planning-desk.ts';
import { recover } from './recover.ts';
import { discard, land, listReviews, reviewDiff } from './review.ts';
import { Scheduler } from './scheduler.ts';
import { serverViews } from './server-views.ts';
import { checkSetup } from './setup-check.ts';
import type { RunFollower } from './skill-runs.ts';
import { SkillWaits } from './skill-waits.ts';
import { skillsFacade } from './skills-desk.ts';
import { optionsOf, startRun } from './start-run.ts';
import { Tidier } from './tidy.ts';
import { accountViews, agentViews, runOf, runView, transcriptView } from './views.ts';

/** Recovers what an earlier engine left, then starts to work. Throws UserError when it cannot. */
export const createEngine = async (parts: EngineParts, limits: Partial<AgentLimits> = {}): Promise<Engine> => {
  let scheduler: Scheduler | undefined;
  let tidier: Tidier | undefined;
  let keeper: ForecastKeeper | undefined;
  const skillWaits = new SkillWaits();
  const core: Core = {
    parts,
    limits: { ...DEFAULT_LIMITS, ...limits },
    leases: new Leases(),
    inFlight: new Set(),
    aborting: new Set(),
    skillWaits,
    wake: () => scheduler?.wake(),
    tidy: () => tidier?.request(),
  };
  await endOrphans(parts.repository.stateDir);
  await recover(core);
  await finishAborts(core);
  await skillWaits.restore(core);
  const rows = await parts.store.worktrees({ states: ['creating', 'ready', 'kept'] });
  await parts.repository.sweep(rows.map(leaseOf));
  scheduler = new Scheduler(core);
  tidier = new Tidier(core);
  keeper = new ForecastKeeper(core);
  afterRuns(core, tidier, keeper);
  scheduler.wake();
  tidier.request('any');
  return facadeOf(core, scheduler, tidier, keeper);
};

/** What follows from the end of a run: branches that are merged go, and what it cost is set beside its forecast. */
const afterRuns = ({ parts, skillWaits }: Core, tidier: Tidier, keeper: ForecastKeeper): void => {
  parts.store.onEvents((events) => {
    for (const { type, run } of events) {
      if (type !== 'run.ended' || run === null) continue;
      skillWaits.forget(run);
      keeper.note(run);
      // Who waits for the end is told first.
      void nextTurn().then(() => tidier.request(run));
    }
  });
};

const facadeOf = (core: Core, scheduler: Scheduler, tidier: Tidier, keeper: ForecastKeeper): Engine => {
  const { parts } = core;
  const { store, repository } = parts;
  const view = async (run: Run): Promise<RunView> => {
    const seen = await runView(store, repository, run, (server) => scheduler.troubleOf(server));
    const approvals = run.endedAt === null ? await core.skillWaits.of(core, run.id) : [];
    return approvals.length > 0 ? { ...seen, approvals } : seen;
  };
  const statusOf = async (run: RunId): Promise<RunView> => view(await runOf(store, run));
  let stopped: Promise<void> | undefined;
  const reviews = oneAtATime();
  const starts = startsOf(core, view);
  const follow: RunFollower = {
    waitRun: async (run, waitMs, signal) => {
      await waitForEnd(core, run, waitMs, signal);
      return statusOf(run);
    },
    cancelRun: async ({ run, agent, mode }) => {
      const { server } = (await runOf(store, run)).options;
      await cancel(core, run, agent, mode, !scheduler.serverErrors().has(server));
      return statusOf(run);
    },
  };
  return {
    ...follow,
    startRun: starts.startRun,
    runStatus: statusOf,
    listRuns: async (limit) => Promise.all((await store.runs(limit)).map(view)),
    resumeRun: async (run) => {
      await resume(core, (await runOf(store, run)).id);
      return statusOf(run);
    },
    ...pauseFacade(core, statusOf),
    ...planningFacade(core, view),
    ...skillsFacade(core, follow),
    events: (input) => waitForEvents(core, input),
    listAgents: ({ run, changedSince }) => listAgents(core, run, changedSince),
    transcript: (id) => transcriptView(store, id),
    messageAgent: (input) => messageAgent(core, input),
    budget: (run) => budget(core, run),
    queue: () => queue(core, scheduler),
    listReviews: () => listReviews(core),
    reviewDiff: async ({ run, path }) => reviewDiff(core, await runOf(store, run), path),
    reviewFile: async ({ run, path, side }) => {
      const row = await runOf(store, run);
      return { text: await repository.fileAt(side === 'base' ? row.baseCommit : row.headCommit, path) };
    },
    land: (run) => reviews(async () => land(core, await runOf(store, run))),
    discard: (run) => reviews(async () => discard(core, await runOf(store, run))),
    checkSetup: (options) => checkSetup(parts, optionsOf(parts.settings, options)),
    isIdle: async () => !scheduler.busy && !tidier.busy && (await nothingGoesOn(core)),
    stop: () => {
      stopped ??= stopAll(parts, [scheduler, tidier, keeper], starts.told);
      return stopped;
    },
  };
};

/** Starting runs; `told`: what those who started one are about to hear. */
const startsOf = (core: Core, view: (run: Run) => Promise<RunView>) => {
  const told = new Set<Promise<RunView>>();
  const start: Engine['startRun'] = async (input) => {
    const run = await startRun(core, input);
    // Its first call leaves before it is looked at.
    const seen = nextTurn().then(() => view(run));
    told.add(seen);
    return seen.finally(() => told.delete(seen));
  };
  return { startRun: start, told };
};

const stopAll = async (
  parts: EngineParts,
  own: readonly { stop(): Promise<void> }[],
  told: ReadonlySet<Promise<unknown>>,
): Promise<void> => {
  for (const one of own) await one.stop();
  await Promise.allSettled(told);
  await parts.repository.close();
  await parts.store.close();
};

/** Every run that has not ended waits for a person's word: on its plan, or on its paused agents. */
const nothingGoesOn = async ({ parts: { store } }: Core): Promise<boolean> => {
  for (const run of await store.activeRuns())
    if (run.state !== 'planned' && (await pausedWhole(store, run)) === 0) return false;
  return true;
};

/** Runs each piece of work after the one before it has ended, whatever came of that. */
const oneAtATime = (): (<T>(work: () => Promise<T>) => Promise<T>) => {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done;
  };
};

const waitForEnd = async (core: Core, run: RunId, waitMs: number, signal: AbortSignal): Promise<void> => {
  const { store, clock } = core.parts;
  const ended = new AbortController();
  const stop = store.onEvents((events) => {
    if (events.some((event) => event.type === 'run.ended' && event.run === run)) ended.abort();
  });
  try {
    const over = (await runOf(store, run)).endedAt !== null;
    if (!over) await clock.sleep(waitMs, AbortSignal.any([ended.signal, signal]));
  } finally {
    stop();
  }
};

const resume = async (core: Core, run: RunId): Promise<void> => {
  const { store, clock } = core.parts;
  await store.transaction(async (tx) => {
    for (const job of await tx.jobs({ run, states: ['parked'] })) await tx.unpark(job.id, clock.now());
  });
  core.wake();
};

/** Above this many events since, every agent counts as changed: cheaper than to look which. */
const MANY_EVENTS = 20_000;

const listAgents = async (core: Core, run: RunId, changedSince: number | undefined) => {
  const { store } = core.parts;
  await runOf(store, run);
  const last = await store.lastEvent();
  if (changedSince === undefined || last - changedSince > MANY_EVENTS)
    return { agents: await agentViews(store, run), last };
  const events = await store.events(changedSince, MANY_EVENTS, run);
  const changed = new Set(events.map((event: EngineEvent) => event.agent).filter((id) => id !== null));
  return {
    agents: changed.size > 0 ? await agentViews(store, run, withAncestors(await store.agents(run), changed)) : [],
    last,
  };
};

/** An agent's change shows in its ancestors' sums too. */
const withAncestors = (
  agents: readonly { id: AgentId; parent: AgentId | null }[],
  changed: ReadonlySet<AgentId>,
): ReadonlySet<AgentId> => {
  const parents = new Map(agents.map((agent) => [agent.id, agent.parent]));
  const all = new Set<AgentId>();
  for (const id of changed)
    for (let at: AgentId | null | undefined = id; at && !all.has(at); at = parents.get(at)) all.add(at);
  return all;
};

const budget = async (core: Core, id: RunId) => {
  const { store } = core.parts;
  const run = await runOf(store, id);
  const accounts = await accountViews(store, run);
  const sum = accounts.reduce((n, { tokens }) => n + tokens.available + tokens.reserved + tokens.used, 0);
  return { accounts, granted: run.options.budget, sum };
};

/** Jobs that one answer carries; the counts are of all. */
const MOST_JOBS = 500;

const queue = async (core: Core, scheduler: Scheduler) => {
  const { store, clock } = core.parts;
  const jobs = await store.jobs({ states: ['queued', 'running', 'parked'] });
  const shown = jobs.slice(0, MOST_JOBS);
  const names = new Map<AgentId, string>();
  for (const run of new Set(shown.map((job) => job.run)))
    for (const agent of await store.agents(run)) names.set(agent.id, agent.name);
  const now = clock.now();
  const views = shown.map(
    (job): JobView => ({
      job: job.id,
      run: job.run,
      agent: job.agent,
      name: (job.agent && names.get(job.agent)) ?? 'the run',
      kind: job.kind,
      priority: job.priority,
      state: job.state as JobView['state'],
      ageMs: now - job.queuedAt,
      attempts: job.attempts,
      error: job.error,
    }),
  );
  const count = (priority: Priority): number =>
    jobs.filter((job) => job.priority === priority && job.state === 'queued').length;
  const counts = Object.fromEntries(PRIORITIES.map((priority) => [priority, count(priority)])) as Record<
    Priority,
    number
  >;
  return { servers: await serverViews(core, scheduler), jobs: views, counts };
};
