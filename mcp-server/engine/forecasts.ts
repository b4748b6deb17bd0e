import { messageOf } from '../domain/errors.ts';
import type { Forecast, ForecastFacts, PastForecast, Remaining, ShrunkPlan } from '../domain/forecast.ts';
import type { Commit, RunId } from '../domain/ids.ts';
import type { Plan } from '../domain/plan.ts';
import { planningOf, type Run } from '../domain/run.ts';
import { counted, inTime } from '../domain/text.ts';
import { hasEnded } from '../domain/transitions.ts';
import { forecast, type History } from '../planning/forecast.ts';
import { remaining } from '../planning/remaining.ts';
import { shrinkPlan } from '../planning/shrink.ts';
import { asPlanned } from '../planning/sub-plan.ts';
import type { Core } from './core.ts';
import type { ForecastView, ShrinkHow } from './planning-facade.ts';

/** Agents and runs that forecasts learn from, the newest ones. */
const MOST_OBSERVATIONS = 2000;
const MOST_PAST = 100;

/** What the plan of a run will cost, by what this repository has shown so far. */
export const forecastOf = async (core: Core, run: Run, plan: Plan): Promise<Forecast> =>
  forecast(plan, await historyOf(core, run.id), await factsOf(core, run, plan));

/** What was said when the plan was made; for a run of an older Coppice, what would be said now. */
export const forecastOfRun = async (core: Core, run: Run, plan: Plan): Promise<Forecast> => {
  const kept = await core.parts.store.forecast(run.id);
  return kept ? (kept.forecast as Forecast) : forecastOf(core, run, asPlanned(plan));
};

/** What the run itself has shown is not among it. */
const historyOf = async (core: Core, without?: RunId): Promise<History> => {
  const { store } = core.parts;
  const [observations, past] = await Promise.all([
    store.observations({ limit: MOST_OBSERVATIONS }),
    store.forecasts(MOST_PAST),
  ]);
  return {
    observations: observations.filter(({ agent, run }) => agent !== null && run !== without),
    past: past.filter(({ actual }) => actual !== null) as unknown as readonly PastForecast[],
  };
};

const factsOf = async (core: Core, run: Run, plan: Plan): Promise<ForecastFacts> => {
  const { timeouts, retries, levelNames } = planningOf(run.options);
  const endpoint = await core.parts.endpoint(run.options.server, run.options.model);
  return {
    slots: Math.max(1, Math.min(endpoint.slots().total, run.options.concurrency)),
    budget: plan.budget ?? run.options.budget,
    checkoutBytes: await bytesOf(core, run.baseCommit),
    retries,
    timeouts,
    levelNames,
    ...(plan.complexity ? { complexity: plan.complexity.level } : {}),
  };
};

const sizes = new WeakMap<object, Map<Commit, Promise<number | null>>>();

/** Null where git cannot say it; asked once a commit. */
const bytesOf = (core: Core, commit: Commit): Promise<number | null> => {
  const { repository } = core.parts;
  const known = sizes.get(repository) ?? new Map<Commit, Promise<number | null>>();
  sizes.set(repository, known);
  const size = known.get(commit) ?? repository.checkoutBytes(commit).catch(() => null);
  known.set(commit, size);
  return size;
};

/** What was said of a run, and while it goes on what is left of it. */
export const forecastView = async (core: Core, run: Run, plan: Plan): Promise<ForecastView> => {
  const said = await forecastOfRun(core, run, plan);
  const left = run.state === 'running' ? await remainingOf(core, run, plan) : null;
  return { run: run.id, forecast: said, remaining: left, summary: summaryOf(run, said, left, core.parts.clock.now()) };
};

const remainingOf = async (core: Core, run: Run, plan: Plan): Promise<Remaining> => {
  const { store, clock } = core.parts;
  const [steps, agents, accounts] = await Promise.all([
    store.steps(run.id),
    store.agents(run.id),
    store.accounts(run.id),
  ]);
  const used = new Map(accounts.map((account) => [account.id as string, account.used]));
  const started = new Map(agents.map((agent) => [agent.id, agent.startedAt]));
  const states = new Map(
    steps.map((step) => [
      step.key,
      { state: step.state, tokens: used.get(step.agent) ?? 0, startedAt: started.get(step.agent) ?? null },
    ]),
  );
  const spent = accounts.reduce((sum, account) => sum + account.used, 0);
  const { observations } = await historyOf(core);
  const progress = { steps: states, spent, now: clock.now() };
  return remaining(plan, progress, observations, await factsOf(core, run, plan));
};

const thousands = (tokens: number): string =>
  tokens < 1000 ? String(Math.round(tokens)) : `${Math.round(tokens / 1000)}k`;

const summaryOf = (run: Run, said: Forecast, left: Remaining | null, now: number): string => {
  const levels = said.levels.map(({ agents, name }) => counted(agents, name)).join(', ');
  const basis =
    said.basis === 'prior' ? 'by general experience, nothing was observed here yet' : 'by what was observed here';
  const parts = [
    `${counted(said.agents, 'agent')} (${levels}): ${thousands(said.tokens.p50)} tokens, ${thousands(said.tokens.p90)} in nine of ten cases; ${inTime(said.wallMs.p50)} to ${inTime(said.wallMs.p90)} at ${counted(said.slots, 'slot')} (${basis}).`,
  ];
  const off = said.pastError.tokens;
  if (off) parts.push(`Forecasts were off by ${off.percent} % here so far (${counted(off.runs, 'run')}).`);
  if (left)
    parts.push(
      `Left: ${thousands(left.tokens.p50)} to ${thousands(left.tokens.p90)} tokens, about ${inTime(Math.max(0, left.eta.p50 - now))}.`,
    );
  else if (hasEnded(run.state)) parts.push('The run has ended.');
  return [...parts, ...said.notes].join(' ');
};

/**
 * Of a run that has ended: what it cost, beside what would have been said before it, so that the error of forecasts is
 * known. It is reckoned here where nobody asked before the run, since then nobody had to wait for it.
 */
const recordActual = async (core: Core, id: RunId): Promise<void> => {
  const { store } = core.parts;
  const run = await store.run(id);
  const plan = await store.plan(id);
  // What a person has cut short says nothing of how good the forecast was.
  if (!run || !plan || run.endedAt === null || run.cancelRequested !== 'no') return;
  const { endedAt } = run;
  const kept = await store.forecast(run.id);
  const said = kept ? null : await forecastOf(core, run, asPlanned(plan));
  const agents = (await store.agents(run.id)).filter((agent) => agent.tier !== 'planner');
  const used = new Map((await store.accounts(run.id)).map((account) => [account.id as string, account.used]));
  const begun = Math.min(...agents.map((agent) => agent.createdAt));
  const actual = {
    tokens: agents.reduce((sum, agent) => sum + (used.get(agent.id) ?? 0), 0),
    wallMs: endedAt - begun,
  };
  await store.transaction(async (tx) => {
    if (said) await tx.putForecast(run.id, said, endedAt);
    await tx.closeForecast(run.id, actual);
  });
};

/** A plan that costs less, and what was done to it. */
export const shrunk = async (core: Core, run: Run, plan: Plan, how: ShrinkHow): Promise<ShrunkPlan> => {
  const knowledge = { history: await historyOf(core, run.id), facts: await factsOf(core, run, plan) };
  const less = shrinkPlan(plan, how, knowledge);
  return less.budget === null ? less : { ...less, plan: { ...less.plan, budget: less.budget } };
};

/** How long after a run's end it is compared with its forecast: another one may begin at once, and is not to wait for it. */
const CALM_MS = 1000;

/** Compares runs that have ended with their forecasts, when nothing else is going on. */
export class ForecastKeeper {
  readonly #core: Core;
  readonly #stop = new AbortController();
  readonly #ended = new Set<RunId>();
  #last: Promise<void> | null = null;

  constructor(core: Core) {
    this.#core = core;
  }

  note(run: RunId): void {
    this.#ended.add(run);
    this.#last ??= this.#inCalm().finally(() => {
      this.#last = null;
    });
  }

  /** What is not compared yet is compared now. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#last;
  }

  async #inCalm(): Promise<void> {
    const { store, clock, log } = this.#core.parts;
    const goesOn = async (): Promise<boolean> =>
      !this.#stop.signal.aborted && (await store.activeRuns()).some(({ state }) => state !== 'planned');
    do await clock.sleep(CALM_MS, this.#stop.signal);
    while (await goesOn());
    for (const run of this.#ended) {
      this.#ended.delete(run);
      await recordActual(this.#core, run).catch((error: unknown) => log(`forecast of ${run}: ${messageOf(error)}`));
    }
  }
}
