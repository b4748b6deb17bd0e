import type { Agent } from '../domain/agent.ts';
import { UserError } from '../domain/errors.ts';
import type { AgentId } from '../domain/ids.ts';
import { newId } from '../domain/ids.ts';
import type { Tx } from '../store/port.ts';
import type { Core } from './core.ts';
import { resumeAgent } from './resume-agent.ts';
import { isOver } from './retire.ts';

/** Who speaks to an agent whose turn had failed too often wants it to try again. */
const unparkTurn = async (tx: Tx, agent: Agent, now: number): Promise<void> => {
  if (agent.state !== 'ready') return;
  for (const job of await tx.jobs({ run: agent.run, states: ['parked'] }))
    if (job.agent === agent.id && job.kind === 'turn') await tx.unpark(job.id, now);
};

interface Delivery {
  readonly message: string;
  readonly delivery: 'next-turn' | 'answer';
}

/** A person's message: the answer to an open question, or else a steer that goes into the next turn before all others. */
export const messageAgent = async (core: Core, input: { agent: AgentId; text: string }): Promise<Delivery> => {
  const { store, clock } = core.parts;
  const now = clock.now();
  const result = await store.transaction(async (tx): Promise<Delivery> => {
    const agent = await tx.agent(input.agent);
    if (!agent)
      throw new UserError('not-found', `There is no agent ${input.agent}. The list of a run's agents has their ids.`);
    if (isOver(agent))
      throw new UserError('wrong-state', `${agent.name} has ended (${agent.state}) and reads no more messages.`);
    const run = await tx.run(agent.run);
    if (!run) throw new Error('An agent without its run.');
    const id = newId('message', core.parts);
    const sent = {
      type: 'message.sent',
      run: run.id,
      agent: agent.id,
      to: agent.id,
      from: 'person',
      kind: 'steer',
    } as const;
    await tx.emit(now, [sent]);
    const answer = await tx.settleCalls(agent.id, 'person', { ok: true, output: `The person answers: ${input.text}` });
    if (answer.settled > 0) {
      if (answer.stillWaiting === 0 && agent.state === 'waiting') await resumeAgent(core.parts, tx, run, agent, true);
      return { message: id, delivery: 'answer' };
    }
    const body = input.text;
    await tx.send({ id, run: run.id, to: agent.id, from: 'person', kind: 'steer', priority: 10, body, createdAt: now });
    await unparkTurn(tx, agent, now);
    return { message: id, delivery: 'next-turn' };
  });
  core.wake();
  return result;
};
