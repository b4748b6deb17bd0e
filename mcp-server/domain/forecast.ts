import type { Complexity, Pattern, Plan } from './plan.ts';
import type { StepState } from './transitions.ts';

/** Half of the outcomes are expected below p50, nine in ten below p90. p50 <= p90. */
export interface Quantiles {
  readonly p50: number;
  readonly p90: number;
}

/** What a number rests on: runs of this repository, general experience, or some of each. */
export type ForecastBasis = 'history' | 'prior' | 'mixed';

export interface LevelForecast {
  /** 1 hangs from the run. */
  readonly level: number;
  /** The person's name of it, else that of most of its agents: `worker`, `synthesizer`; deeper ones have their own. */
  readonly name: string;
  readonly agents: number;
  readonly tokens: Quantiles;
}

/** How forecasts of one kind did in this repository, over runs that have ended. */
export interface PastError {
  readonly runs: number;
  /** Median of |p50 − actual| / actual, percent. */
  readonly percent: number;
  /** Median of (p50 − actual) / actual, percent: above zero, forecasts were too high. */
  readonly bias: number;
  /** Percent of the runs that stayed below their p90; 90 would be right. */
  readonly belowP90: number;
}

/** What a plan will cost, before it begins. */
export interface Forecast {
  readonly agents: number;
  /** From the run down. */
  readonly levels: readonly LevelForecast[];
  /** Tokens of all agents of the plan, never less than those of a level; the planner's are not among them. */
  readonly tokens: Quantiles;
  /** At the slots given, ms. */
  readonly wallMs: Quantiles;
  readonly disk: {
    /** Agents that are likely to write, and so get a worktree. */
    readonly worktrees: Quantiles;
    /** As if none were removed before the end; null when the size of a checkout is not known. */
    readonly bytes: Quantiles | null;
  };
  readonly basis: ForecastBasis;
  /** Observations that were used. */
  readonly observations: number;
  /** Agents of the plan by what their numbers rest on. */
  readonly agentsBy: Readonly<Record<ForecastBasis, number>>;
  /** Calls in flight at once that the time was reckoned with. */
  readonly slots: number;
  readonly pastError: { readonly tokens: PastError | null; readonly wallMs: PastError | null };
  /** What a person should know besides, in sentences. */
  readonly notes: readonly string[];
}

/** What is left of a run that is under way. */
export interface Remaining {
  /** Agents that have not ended. */
  readonly agents: number;
  readonly tokens: Quantiles;
  readonly wallMs: Quantiles;
  /** When the run ends, ms since 1970. */
  readonly eta: Quantiles;
  readonly basis: ForecastBasis;
}

/** A forecast and what came of it; the next forecasts' error is told from these. */
export interface PastForecast {
  readonly forecast: { readonly tokens: Quantiles; readonly wallMs: Quantiles };
  readonly actual: { readonly tokens: number; readonly wallMs: number };
}

/** What a forecast must know of the run and its surroundings. */
export interface ForecastFacts {
  /** Agents that can call at once: the least of the server's slots and the run's concurrency. */
  readonly slots: number;
  /** Tokens of the run; null: not bounded. */
  readonly budget: number | null;
  /** Size of one checkout; null when it is not known. */
  readonly checkoutBytes: number | null;
  /** Fresh tries of a failed step, where the step does not say. */
  readonly retries: number;
  /** Wall time of one agent by tier, ms; null: no bound. */
  readonly timeouts: {
    readonly worker: number | null;
    readonly synthesizer: number | null;
    readonly executive: number | null;
  };
  readonly complexity?: Complexity['level'];
  /** Where the steps do not say; absent: the plan's. */
  readonly pattern?: Pattern;
  /** What the person calls the levels, the uppermost first; absent: their usual names. */
  readonly levelNames?: readonly string[];
}

export const SHRINK_WAYS = ['fewer-agents', 'cheaper-tiers', 'tighter-steps'] as const;
/** What a person may give up: agents side by side, agents that join the work, or patience with each step. */
export type ShrinkWay = (typeof SHRINK_WAYS)[number];

/** A plan that costs less, and what was done to it. */
export interface ShrunkPlan {
  readonly plan: Plan;
  /** Tokens that the run should get with it; null: as before. */
  readonly budget: number | null;
  /** Sentences for a person; empty when nothing could be done. */
  readonly changes: readonly string[];
}

/** How far a step of a run under way is. */
export interface StepProgress {
  readonly state: StepState;
  /** Of its newest agent; null: it has not begun. */
  readonly startedAt: number | null;
  /** Tokens that its agents have spent. */
  readonly tokens: number;
}
