import type { Agent } from '../domain/agent.ts';
import type { Makes } from '../domain/ids.ts';
import type { Run } from '../domain/run.ts';
import type { Tx } from '../store/port.ts';
import { turnJob } from './spawn.ts';

/** waiting → ready, with the next turn queued. */
export const resumeAgent = async (makes: Makes, tx: Tx, run: Run, agent: Agent, person = false): Promise<void> => {
  const now = makes.clock.now();
  await tx.moveAgent(agent.id, 'ready');
  await tx.enqueue([turnJob(makes, run, agent, person ? 'person' : 'critical')], now);
  await tx.emit(now, [
    { type: 'agent.moved', run: run.id, agent: agent.id, from: 'waiting', to: 'ready', reason: null },
  ]);
};
