import type { Agent } from '../domain/agent.ts';
import type { AgentId, Commit } from '../domain/ids.ts';
import type { Worktree } from '../domain/worktree.ts';
import type { Lease, Saved } from '../worktrees/port.ts';
import { COMMITTER } from './core.ts';
import type { EngineParts } from './parts.ts';

/** What the work of one claim sees of the engine: it may not go on when that claim is lost. */
type LeaseParts = Pick<EngineParts, 'store' | 'repository' | 'clock'>;

/** The worktrees that agents hold. A lease of an earlier engine is taken over before its first use. */
export class Leases {
  readonly #ready = new Map<AgentId, Lease>();

  /** The lease if the agent has one that is in order now. */
  held(agent: AgentId): Lease | undefined {
    return this.#ready.get(agent);
  }

  /**
   * Takes over an earlier lease of the agent, which is at `head` then; leaves an agent without one alone. `cut`: its turn
   * was cut in the middle of its tools, and will run them again.
   */
  async adopt(parts: LeaseParts, agent: AgentId, head: Commit, cut = false): Promise<Lease | undefined> {
    const known = this.#ready.get(agent);
    if (known) return known;
    const row = await parts.store.worktree(agent);
    if (row?.state !== 'ready') return undefined;
    const lease = leaseOf(row);
    await takeOver(parts, lease, row, head, cut);
    this.#ready.set(agent, lease);
    return lease;
  }

  /** The agent's worktree at `head`, made now if there is none, and then prepared by `setUp` before its first use. */
  async lease(parts: LeaseParts, agent: Agent, head: Commit, setUp: (lease: Lease) => Promise<void>): Promise<Lease> {
    const known = await this.adopt(parts, agent.id, head);
    if (known) return known;
    const { store, repository, clock } = parts;
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

  /** After its files may differ from its agent's commit: the next use takes it over anew. */
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

/** `cut`: what is in it may be work that was cut, and will be done anew. */
export const takeOver = async (
  { store, repository, clock }: LeaseParts,
  lease: Lease,
  { run, agent }: Pick<Worktree, 'run' | 'agent'>,
  head: Commit,
  cut: boolean,
): Promise<void> => {
  const onSaved = (saved: Saved): Promise<void> =>
    store.transaction((tx) => tx.emit(clock.now(), [{ type: 'worktree.saved', run, agent, ...saved }]));
  await repository.adopt(lease, head, { cut, author: COMMITTER, onSaved });
};
