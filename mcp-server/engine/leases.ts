import type { Agent } from '../domain/agent.ts';
import type { AgentId, Commit } from '../domain/ids.ts';
import type { Worktree } from '../domain/worktree.ts';
import type { Lease } from '../worktrees/port.ts';
import type { EngineParts } from './parts.ts';

/** The worktrees that agents hold. A lease of an earlier engine is brought to its agent's commit before its first use. */
export class Leases {
  readonly #parts: Pick<EngineParts, 'store' | 'repository' | 'clock'>;
  readonly #ready = new Map<AgentId, Lease>();

  constructor(parts: Pick<EngineParts, 'store' | 'repository' | 'clock'>) {
    this.#parts = parts;
  }

  /** The lease if the agent has one that is in order now. */
  held(agent: AgentId): Lease | undefined {
    return this.#ready.get(agent);
  }

  /** Brings an earlier lease of the agent to `head`; leaves an agent without one alone. */
  async adopt(agent: AgentId, head: Commit): Promise<Lease | undefined> {
    const known = this.#ready.get(agent);
    if (known) return known;
    const row = await this.#parts.store.worktree(agent);
    if (row?.state !== 'ready') return undefined;
    const lease = leaseOf(row);
    await this.#parts.repository.reset(lease, head);
    this.#ready.set(agent, lease);
    return lease;
  }

  /** The agent's worktree at `head`, made now if there is none, and then prepared by `setUp` before its first use. */
  async lease(agent: Agent, head: Commit, setUp: (lease: Lease) => Promise<void>): Promise<Lease> {
    const known = await this.adopt(agent.id, head);
    if (known) return known;
    const { store, repository, clock } = this.#parts;
    const lease = await repository.lease(agent.id, agent.branch, head, async (intent) => {
      if (await store.worktree(agent.id)) return;
      await store.transaction((tx) => tx.insertWorktree({ ...intent, run: agent.run }));
    });
    // Until it is ready it counts as half made: after a kill here it is made, and prepared, anew.
    await setUp(lease);
    await store.transaction(async (tx) => {
      await tx.moveWorktree(agent.id, 'ready');
      await tx.emit(clock.now(), [{ type: 'worktree.leased', run: agent.run, agent: agent.id, path: lease.path }]);
    });
    this.#ready.set(agent.id, lease);
    return lease;
  }

  /** After its files may differ from its agent's commit: the next use resets them. */
  forget(agent: AgentId): void {
    this.#ready.delete(agent);
  }
}

export const leaseOf = (row: Worktree): Lease => ({
  agent: row.agent,
  path: row.path,
  admin: row.admin,
  branch: row.branch,
});
