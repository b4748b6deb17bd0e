import type { Commit, RunId } from './ids.ts';
import type { Complexity, Distribution, Pattern } from './plan.ts';
import type { RunState } from './transitions.ts';

/** What a run may do besides reading and writing files of its worktrees. */
export interface Permissions {
  /** `off`: the tool is not offered. `allowed`: only these programs (argv[0], no path). `any`: every program. */
  readonly commands: 'off' | 'any' | { readonly allowed: readonly string[] };
}

/** An inference server beside the run's own, among which steps are shared out. */
export interface ServerOption {
  readonly server: string;
  readonly model: string | null;
  /** What it is good at: `code`, `long-context`, `vision`. */
  readonly capabilities: readonly string[];
}

/** How a run is planned and how its steps are treated. */
export interface PlanningOptions {
  /** Null: chosen by rule from the shape of the steps. */
  readonly pattern: Pattern | null;
  /** Name of a domain strategy: `software`, `research`, `analysis`, `planning`. Null: chosen by rule. */
  readonly domain: string | null;
  /** Workers that are wished for; steps are joined or split to reach it. Null: as many as the task is worth (`Team`). */
  readonly workers: number | null;
  /** Reports that one synthesizer joins. */
  readonly fanIn: number;
  readonly distribution: Distribution;
  readonly servers: readonly ServerOption[];
  /** Fresh tries of a failed step, where the step does not say. */
  readonly retries: number;
  /** Wall time of one agent by tier, ms; null: no bound. */
  readonly timeouts: {
    readonly worker: number | null;
    readonly synthesizer: number | null;
    readonly executive: number | null;
  };
  /** `ask`: the plan waits for a person's word before any of its agents begins. */
  readonly gate: 'ask' | 'go';
  /** A plan whose p90 is above this does not begin by itself. Tokens. */
  readonly maxForecastTokens: number | null;
  /** False: plans of earlier runs of the same task, commit and settings are not taken. */
  readonly cache: boolean;
  /** What the person calls the levels of agents, the uppermost first; where one is empty or the list ends, they have their usual names. */
  readonly levelNames: readonly string[];
}

export const PLANNING_DEFAULTS: PlanningOptions = {
  pattern: null,
  domain: null,
  workers: null,
  fanIn: 5,
  distribution: 'least-loaded',
  servers: [],
  retries: 1,
  timeouts: { worker: null, synthesizer: null, executive: null },
  gate: 'go',
  maxForecastTokens: null,
  cache: true,
  levelNames: [],
};

/** The team that the words of a task are worth, within the limits of its run. Who joins the workers follows from their number. */
export interface Team {
  readonly level: Complexity['level'];
  /** Workers that are asked for; fewer is right where the work does not fall into so many parts. */
  readonly least: number;
  /** And at the most; null: as many as there are parts. */
  readonly usual: number | null;
  /** A plan of more steps has them joined. Never less than `least`. */
  readonly most: number;
  /** The deepest level that agents may divide their work down to by themselves. */
  readonly reach: number;
  /** For a person: `worth 3 levels: 10 or more workers`. */
  readonly because: string;
}

/** Skills that the agents of a run are told of: as they were when it began, because a prompt must not change under an agent. */
export interface SkillOffer {
  /** Those that the person has pinned, by name, each with one line. */
  readonly pinned: readonly { readonly name: string; readonly line: string }[];
}

export interface RunOptions {
  /** Tokens that the whole run may spend. */
  readonly budget: number;
  /** Levels of agents below the run: 1 is a flat team. */
  readonly maxDepth: number;
  readonly maxAgents: number;
  readonly maxAgentsPerLevel: number;
  /** Turns of this run in flight at once; the server's slots bound it as well. */
  readonly concurrency: number;
  /** `http://host:port` of a llama-server, or `rehearsal` for the built-in rules. */
  readonly server: string;
  readonly model: string | null;
  readonly permissions: Permissions;
  /** True when no person will answer: ask_person then answers itself. */
  readonly unattended: boolean;
  /** What is left out is as in PLANNING_DEFAULTS. */
  readonly planning?: Partial<PlanningOptions>;
  /** Absent: there are no skills. Set by the engine when the run begins. */
  readonly skills?: SkillOffer;
  /** Absent: the person has shaped the plan. Set by the engine when the run begins. */
  readonly team?: Team;
}

/** The deepest level that agents of a run may make others on. A plan may be deeper: up to `maxDepth`. */
export const reachOf = ({ maxDepth, team }: Pick<RunOptions, 'maxDepth' | 'team'>): number =>
  Math.min(maxDepth, team?.reach ?? maxDepth);

export const planningOf = (options: Pick<RunOptions, 'planning'>): PlanningOptions => ({
  ...PLANNING_DEFAULTS,
  ...options.planning,
});

export interface Run {
  readonly id: RunId;
  /** Idempotency key of the caller; unique where it is not null. */
  readonly key: string | null;
  readonly task: string;
  readonly state: RunState;
  readonly options: RunOptions;
  /** The person's branch at the start; null when HEAD was detached. */
  readonly baseBranch: string | null;
  readonly baseCommit: Commit;
  /** The branch that collects the result. */
  readonly branch: string;
  readonly headCommit: Commit;
  readonly cancelRequested: 'no' | 'wrap-up' | 'abort';
  /** The final text for the person. */
  readonly report: string | null;
  readonly error: string | null;
  readonly review: 'none' | 'open' | 'landed' | 'discarded';
  readonly createdAt: number;
  readonly endedAt: number | null;
  /** Since when a person wants all of it to pause, ms. Null or absent: nobody does. */
  readonly pausedAt?: number | null;
}

/** The last line of `coppice run --json`. */
export interface RunResult {
  readonly type: 'run.result';
  readonly run: RunId;
  readonly status: RunState;
  readonly branch: string;
  readonly commit: Commit;
  readonly filesChanged: number;
  readonly agents: { readonly total: number; readonly completed: number; readonly failed: number };
  readonly tokens: { readonly granted: number; readonly used: number; readonly reserved: number };
  readonly wallMs: number;
  readonly report: string | null;
  readonly error: string | null;
}
