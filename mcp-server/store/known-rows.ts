import type { Agent } from '../domain/agent.ts';
import type { AgentId, RunId } from '../domain/ids.ts';
import type { Run } from '../domain/run.ts';

/** Rows that are kept at the most; then it begins anew. */
const MOST = 4096;

/** What a transaction has read or made of agents and runs; null: changed in a way that only the database tells. */
export interface SeenRows {
  readonly agents: ReadonlyMap<AgentId, Agent>;
  readonly runs: ReadonlyMap<RunId, Run | null>;
  /** New agents, and those that got a worktree: whether they have had one. */
  readonly worktrees: ReadonlyMap<AgentId, boolean>;
}

/**
 * Agents and runs as the transactions of this engine left them, so that each need not be read again: nobody else writes.
 * What is in it may not be committed yet.
 */
export class KnownRows {
  readonly #agents = new Map<AgentId, Agent>();
  readonly #runs = new Map<RunId, Run>();
  /** Agents that never had a worktree. */
  readonly #bare = new Set<AgentId>();

  agent(id: AgentId): Agent | undefined {
    return this.#agents.get(id);
  }

  run(id: RunId): Run | undefined {
    return this.#runs.get(id);
  }

  /** It is known that the agent never had a worktree. */
  isBare(id: AgentId): boolean {
    return this.#bare.has(id);
  }

  /** After a transaction that was not undone. */
  learn({ agents, runs, worktrees }: SeenRows): void {
    if (this.#agents.size + this.#runs.size > MOST) this.forget();
    for (const [id, had] of worktrees) {
      if (had) this.#bare.delete(id);
      else this.#bare.add(id);
    }
    for (const [id, agent] of agents) this.#agents.set(id, agent);
    for (const [id, run] of runs) {
      if (run) this.#runs.set(id, run);
      else this.#runs.delete(id);
    }
  }

  /** After a COMMIT that failed. */
  forget(): void {
    this.#agents.clear();
    this.#runs.clear();
    this.#bare.clear();
  }
}
