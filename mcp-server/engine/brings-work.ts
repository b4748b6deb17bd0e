import type { Agent, EndReason } from '../domain/agent.ts';
import type { AgentState } from '../domain/transitions.ts';
import type { Reader } from '../store/port.ts';

/** How an agent ends, or has ended. */
interface End {
  readonly state: AgentState;
  readonly reason: EndReason | null;
  readonly report: string | null;
}

/**
 * Whether an agent's branch is merged at its end. A failed or aborted agent's own half-done work stays on its branch; what
 * its children finished is brought home all the same, and so is the work of whoever was asked to stop and has reported.
 */
export const bringsWork = async (reader: Reader, agent: Agent, end: End): Promise<boolean> => {
  if (agent.headCommit === null || agent.headCommit === agent.baseCommit || agent.role === 'planner') return false;
  if (agent.wrapUpWhy === 'not-needed' && agent.startedAt !== null) return false;
  if (end.state === 'completed') return true;
  if (agent.role === 'resolver' || end.reason === 'conflict') return false;
  if (agent.startedAt === null || isWrappedUp(end)) return true;
  return (await reader.children(agent.id)).some((child) => child.state === 'completed' || isWrappedUp(child));
};

const isWrappedUp = ({ state, report }: Pick<End, 'state' | 'report'>): boolean =>
  state === 'cancelled' && report !== null;
