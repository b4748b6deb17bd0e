import type { Commit, RunId } from './ids.ts';
import type { RunState } from './transitions.ts';

/** What a run may do besides reading and writing files of its worktrees. */
export interface Permissions {
  /** `off`: the tool is not offered. `allowed`: only these programs (argv[0], no path). `any`: every program. */
  readonly commands: 'off' | 'any' | { readonly allowed: readonly string[] };
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
}

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
