import type { Agent } from '../domain/agent.ts';
import { oneLine } from '../domain/text.ts';
import { COMMITTER, type Core } from './core.ts';

/**
 * The agent, with what a person has changed by hand in its worktree committed on its branch: other work is about to come
 * in, and its files to be brought to another commit. For whoever keeps the agent to itself just now.
 */
export const withEdits = async (core: Core, agent: Agent): Promise<Agent> => {
  const { store, repository, clock } = core.parts;
  const { id, run, branch, headCommit: head } = agent;
  if (!head) return agent;
  const open = await store.openTurn(id);
  const lease = await core.leases.adopt(id, head, open?.state === 'answered');
  const message = `Changed by hand in the worktree of ${oneLine(agent.name, 50)}\n\nAgent: ${id}\n`;
  const edits = lease && (await repository.snapshot(lease, head, message, COMMITTER));
  if (!edits) return agent;
  await repository.publish(branch, edits.commit);
  await store.transaction(async (tx) => {
    await tx.patchAgent(id, { headCommit: edits.commit });
    await tx.emit(clock.now(), [{ type: 'agent.committed', run, agent: id, ...edits }]);
  });
  return { ...agent, headCommit: edits.commit };
};
