import type { Clock } from '../domain/clock.ts';
import type { AgentId } from '../domain/ids.ts';
import type { Tx } from '../store/port.ts';

/**
 * ready or waiting → paused, when a person wants that; its queued turn is taken from it, and made anew when it goes on.
 * For whoever has just made an agent ready or waiting: such an agent is never left in a state in which it could be claimed.
 */
export const pauseIfAsked = async (makes: { readonly clock: Clock }, tx: Tx, id: AgentId): Promise<void> => {
  const agent = await tx.agent(id);
  if (!agent || (agent.pause ?? null) === null || (agent.state !== 'ready' && agent.state !== 'waiting')) return;
  const now = makes.clock.now();
  await tx.cancelJobs(id);
  const from = await tx.moveAgent(id, 'paused', { action: '', pausedAt: now });
  await tx.emit(now, [{ type: 'agent.moved', run: agent.run, agent: id, from, to: 'paused', reason: null }]);
};
