import type { Agent } from '../domain/agent.ts';
import { messageOf } from '../domain/errors.ts';
import type { AgentId, Commit, RunId } from '../domain/ids.ts';
import type { Run } from '../domain/run.ts';
import type { Worktree } from '../domain/worktree.ts';
import type { Core } from './core.ts';
import { leaseOf } from './leases.ts';
import { isOver } from './retire.ts';

/**
 * Removes worktrees and branches of agents that have ended, wherever the one deletion rule allows it; what it does not
 * allow is kept, with the reason. Runs one at a time, and again when it was asked for meanwhile.
 */
export class Tidier {
  readonly #core: Core;
  #busy: Promise<void> | null = null;
  #again = false;
  /** Runs that have ended since branches were looked at; at the start that may be any. */
  readonly #ended = new Set<RunId | 'any'>();
  #stopped = false;

  constructor(core: Core) {
    this.#core = core;
  }

  request(ended?: RunId | 'any'): void {
    if (this.#stopped) return;
    this.#again = true;
    if (ended) this.#ended.add(ended);
    this.#busy ??= this.#work().finally(() => {
      this.#busy = null;
      if (this.#again && !this.#stopped) this.request();
    });
  }

  get busy(): boolean {
    return this.#busy !== null;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#busy;
  }

  async #work(): Promise<void> {
    this.#again = false;
    const { store, log } = this.#core.parts;
    try {
      for (const row of await store.worktrees({ states: ['ready', 'creating'] })) {
        if (this.#stopped) return;
        const agent = await store.agent(row.agent);
        const run = await store.run(row.run);
        if (agent && run && isOver(agent)) await removeWorktree(this.#core, run, agent, row, false);
      }
      const ended = [...this.#ended];
      this.#ended.clear();
      if (await this.#hadBranches(ended)) await this.#dropMergedBranches();
    } catch (error) {
      log(`tidy: ${messageOf(error)}`);
    }
  }

  /** Whoever only reads has no worktree, so no branch: git need not be asked. */
  async #hadBranches(runs: readonly (RunId | 'any')[]): Promise<boolean> {
    for (const run of runs)
      if (run === 'any' || (await this.#core.parts.store.worktrees({ run })).length > 0) return true;
    return false;
  }

  /** Branches of agents whose run has ended and holds their work. */
  async #dropMergedBranches(): Promise<void> {
    const { store, repository } = this.#core.parts;
    const runs = await store.runs(200);
    const branches = runs.length > 0 ? await repository.branches('coppice/') : new Map<string, Commit>();
    if (branches.size === 0) return;
    for (const run of runs) {
      const own = [...branches].filter(([branch]) => branch.startsWith(`${run.branch}.`));
      if (run.endedAt === null || own.length === 0) continue;
      const leased = new Set(
        (await store.worktrees({ run: run.id, states: ['creating', 'ready', 'kept'] })).map((w) => w.branch),
      );
      for (const [branch, commit] of own) {
        if (this.#stopped) return;
        if (leased.has(branch)) continue;
        const agent = await store.agent(branch.slice(run.branch.length + 1) as AgentId);
        // A commit that the database never acknowledged was made again, or its turn was cut off for good.
        const unacknowledged = agent !== undefined && agent.headCommit === agent.baseCommit;
        if (unacknowledged || (await repository.isAncestor(commit, run.headCommit)))
          await deleteBranch(this.#core, branch, commit);
      }
    }
  }
}

/** Returns the reason when the worktree is kept. */
export const removeWorktree = async (
  core: Core,
  run: Run,
  agent: Agent,
  row: Worktree,
  discarded: boolean,
): Promise<string | null> => {
  const { store, repository, clock } = core.parts;
  const parent = agent.parent ? await store.agent(agent.parent) : undefined;
  const merged = await isMerged(core, run, agent, parent);
  // Until the run has ended, work that is not merged yet may still be.
  if (!merged && !discarded && run.endedAt === null) return null;
  const commits = [parent?.headCommit, run.headCommit].filter((c): c is Commit => c !== null && c !== undefined);
  const outcome = await repository.remove(leaseOf(row), { commits, discarded });
  core.leases.forget(agent.id);
  await store.transaction(async (tx) => {
    const state = (await tx.worktree(agent.id))?.state;
    // Somebody else, a discard or the tidier, was quicker.
    if (state === 'gone' || state === 'trash') return;
    if (outcome.kind === 'removed') {
      await tx.moveWorktree(agent.id, 'trash');
      await tx.moveWorktree(agent.id, 'gone');
    } else if (state === 'ready') await tx.moveWorktree(agent.id, 'kept', outcome.reason);
    const event =
      outcome.kind === 'removed'
        ? ({ type: 'worktree.removed', path: row.path } as const)
        : ({ type: 'worktree.kept', path: row.path, reason: outcome.reason } as const);
    await tx.emit(clock.now(), [{ ...event, run: run.id, agent: agent.id }]);
  });
  if (outcome.kind === 'kept') return outcome.reason;
  if ((merged || discarded) && agent.headCommit && agent.headCommit !== agent.baseCommit)
    await deleteBranch(core, agent.branch, agent.headCommit);
  return null;
};

const deleteBranch = async (core: Core, branch: string, commit: Commit): Promise<void> => {
  try {
    await core.parts.repository.deleteBranch(branch, commit);
  } catch (error) {
    core.parts.log(`branch ${branch} is kept: ${messageOf(error)}`);
  }
};

const isMerged = async (core: Core, run: Run, agent: Agent, parent: Agent | undefined): Promise<boolean> => {
  const { repository } = core.parts;
  if (!agent.headCommit) return true;
  // Where its work goes first is asked first.
  if (parent?.headCommit && (await repository.isAncestor(agent.headCommit, parent.headCommit))) return true;
  return repository.isAncestor(agent.headCommit, run.headCommit);
};
