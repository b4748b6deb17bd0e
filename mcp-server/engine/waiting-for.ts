import type { Agent } from '../domain/agent.ts';
import { agentOfInbox } from '../domain/message.ts';
import { counted } from '../domain/text.ts';
import { AGENT_STATES, isFinal } from '../domain/transitions.ts';
import type { Call } from '../domain/turn.ts';
import type { Reader } from '../store/port.ts';

/** What the agent waits for, for people; empty when none of the calls waits. */
export const waitingFor = async (
  reader: Reader,
  agent: Pick<Agent, 'id'>,
  calls: readonly Pick<Call, 'state' | 'waitsFor'>[],
): Promise<string> => {
  const waiting = calls.filter((call) => call.state === 'waiting');
  if (waiting.length === 0) return '';
  if (waiting.some((call) => call.waitsFor === 'person')) return 'waits for your answer';
  const inbox = waiting.map(({ waitsFor }) => agentOfInbox(waitsFor)).find((id) => id !== null);
  if (inbox) return `waits for room in the inbox of ${(await reader.agent(inbox))?.name ?? inbox}`;
  const open = (await reader.children(agent.id)).filter((child) => !isFinal(AGENT_STATES, child.state)).length;
  return `waits for ${counted(open, 'child', 'children')}`;
};
