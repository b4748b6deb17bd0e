import { areHarmless } from '../agent/tools/tools.ts';
import type { Agent } from '../domain/agent.ts';
import type { Commit } from '../domain/ids.ts';
import type { Run } from '../domain/run.ts';
import { oneLine } from '../domain/text.ts';
import type { Lease } from '../worktrees/port.ts';
import { COMMITTER, type Core } from './core.ts';
import { keepForeignCommit } from './foreign-commits.ts';
import { takeOver } from './leases.ts';

/** Makes a commit on top of the head that it is given; none when nothing is to change. */
export type Make<T> = (head: Commit) => Promise<T & { readonly commit?: Commit | null }>;

/**
 * Makes a commit on the branch of the run, or of an agent with its worktree, and moves branch and files there. What a
 * person has changed by hand in the worktree stays there; where it is in the way it becomes a commit first, and the new
 * one is made on top of that. For whoever keeps the agent to itself just now. Returns the agent as it is then.
 */
export const changeHead = async <T extends object>(
  core: Core,
  run: Run,
  into: Agent | null,
  make: Make<T>,
): Promise<{ readonly into: Agent | null; readonly outcome: T }> => {
  if (!into) {
    const outcome = await make(run.headCommit);
    if (outcome.commit) await publishRun(core, run, outcome.commit);
    return { into, outcome };
  }
  const head = into.headCommit ?? run.headCommit;
  const lease = await leaseOf(core, into, head);
  const outcome = await make(head);
  const { commit } = outcome;
  if (!commit || (await bring(core, into, lease, { from: head, to: commit }))) return { into, outcome };
  if (!lease) throw new Error('A branch without a worktree was not moved.');
  return changeOver(core, run, await withEdits(core, into, lease, head), lease, make);
};

/** The second time: whatever is in the way now may not be committed, and is kept elsewhere, if need be with all the folder. */
const changeOver = async <T extends object>(core: Core, run: Run, into: Agent, lease: Lease, make: Make<T>) => {
  const { repository, store, clock } = core.parts;
  const head = into.headCommit ?? run.headCommit;
  const outcome = await make(head);
  const { commit } = outcome;
  if (!commit || (await bring(core, into, lease, { from: head, to: commit }))) return { into, outcome };
  await takeOver(core.parts, lease, { run: run.id, agent: into.id }, head, true);
  if (await bring(core, into, lease, { from: head, to: commit })) return { into, outcome };
  const path = await repository.setAside(lease, commit);
  const reason = 'something in it was in the way of other work, and git could neither take it in nor overwrite it';
  await store.transaction((tx) =>
    tx.emit(clock.now(), [{ type: 'worktree.kept', run: run.id, agent: into.id, path, reason }]),
  );
  return { into, outcome };
};

const publishRun = async (core: Core, run: Run, commit: Commit): Promise<void> => {
  await keepForeignCommit(core, run, commit);
  await core.parts.repository.publish(run.branch, commit);
};

/** Its worktree, taken over if an earlier engine left it. */
const leaseOf = async (core: Core, agent: Agent, head: Commit): Promise<Lease | undefined> => {
  const held = core.leases.held(agent.id);
  if (held) return held;
  const open = await core.parts.store.openTurn(agent.id);
  const wasCut = open?.state === 'answered' && !areHarmless(open.answer?.toolCalls ?? []);
  return core.leases.adopt(core.parts, agent.id, head, wasCut);
};

const bring = async (
  core: Core,
  agent: Agent,
  lease: Lease | undefined,
  step: { readonly from: Commit; readonly to: Commit },
): Promise<boolean> => {
  const { repository } = core.parts;
  if (lease) return repository.advance(lease, step);
  await repository.publish(agent.branch, step.to);
  return true;
};

/** The agent with what was changed by hand as a commit on its branch; the files stay as they are. */
const withEdits = async (core: Core, agent: Agent, lease: Lease, head: Commit): Promise<Agent> => {
  const { store, repository, clock } = core.parts;
  const { id, run, branch } = agent;
  const message = `Changed by hand in the worktree of ${oneLine(agent.name, 50)}\n\nAgent: ${id}\n`;
  const edits = await repository.edits(lease, head, message, COMMITTER);
  if (!edits) return agent;
  await repository.publish(branch, edits.commit);
  await store.transaction(async (tx) => {
    await tx.patchAgent(id, { headCommit: edits.commit });
    await tx.emit(clock.now(), [{ type: 'agent.committed', run, agent: id, ...edits }]);
  });
  return { ...agent, headCommit: edits.commit };
};
