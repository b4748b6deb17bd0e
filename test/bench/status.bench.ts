import { makeRepository } from '../support/repository.ts';
import type { Row } from './part.ts';
import { inChild, startServer } from './processes.ts';
import type { PromptCosts } from './prompt-child.ts';
import type { ServerJob } from './server-child.ts';
import { SLOTS } from './shape.ts';
import type { StatusTimes } from './status-child.ts';

/** With their synthesizers, executive and planner a thousand agents. */
const WORKERS = 832;

/** A small GPU's, for each slot. */
const SPEED = { promptTokensPerSecond: 2_000 };

const onServer = async (file: string, workers: number, server: ServerJob = {}): Promise<unknown> => {
  const repo = makeRepository();
  const { url, stop } = await startServer(server);
  try {
    return await inChild(file, { url, root: repo.root, workers });
  } finally {
    await stop();
    repo.remove();
  }
};

/** How long a person or a client waits for an answer while a thousand agents are under way. */
export const benchStatus = async (): Promise<readonly Row[]> => {
  const times = (await onServer('status-child.ts', WORKERS)) as StatusTimes;
  const row = (name: string, value: number): Row => ({ name: `${name}, ${times.agents} agents`, unit: 'ms', value });
  return [
    row('run_status', times.runStatus),
    row('agent_list', times.agentList),
    row('agent_list of what changed', times.agentListChanged),
    row('queue_status', times.queueStatus),
    row('message to an agent', times.message),
    row('message until its event is heard', times.messageToEvent),
    row('the same, 95 % are quicker', times.messageToEventMost),
  ];
};

/** What agents wait for before their first token, and what their prompts cost, with and without a shared prefix. */
export const benchPrompts = async (): Promise<readonly Row[]> => {
  const alone = (await onServer('prompt-child.ts', SLOTS, SPEED)) as PromptCosts;
  const shared = (await onServer('prompt-child.ts', SLOTS, { ...SPEED, slotSavePath: 'memory' })) as PromptCosts;
  const share = ({ sent, evaluated }: PromptCosts): number => (evaluated / sent) * 100;
  const against = 'a server that cannot share a prefix';
  const row = (name: string, unit: string, pick: (costs: PromptCosts) => number): Row => {
    return { name, unit, value: pick(shared), reference: pick(alone), against };
  };
  return [
    row(`birth to first token, ${SLOTS} workers`, 'ms', ({ firstToken }) => firstToken),
    row('the same, 95 % are quicker', 'ms', ({ firstTokenMost }) => firstTokenMost),
    row('prompt tokens evaluated of those sent', '%', share),
    row('prompt tokens sent', '', ({ sent }) => sent),
  ];
};
