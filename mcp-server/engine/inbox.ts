import { messageText } from '../agent/tools/team.ts';
import type { Agent } from '../domain/agent.ts';
import type { AgentId, Makes } from '../domain/ids.ts';
import { newId } from '../domain/ids.ts';
import { agentOfInbox, INBOX_BOUND, inboxOf } from '../domain/message.ts';
import type { Run } from '../domain/run.ts';
import { AGENT_STATES, isFinal, isSettled } from '../domain/transitions.ts';
import type { Call } from '../domain/turn.ts';
import type { Tx } from '../store/port.ts';
import { resumeAgent } from './resume-agent.ts';

type Done = Pick<Call, 'state' | 'ok' | 'output' | 'waitsFor'>;

const done = (ok: boolean, output: string): Done => ({ state: 'done', ok, output, waitsFor: null });
const sentTo = (to: Agent): string => `Sent to ${to.name}. It will be read at its next turn.`;

/**
 * A message of one agent to another. Without room in the inbox the call waits until there is some, unless that would be
 * never: `isLast` says that the sender takes no further turn.
 */
export const sendMessage = async (
  makes: Makes,
  tx: Tx,
  sender: Agent,
  to: Agent,
  body: string,
  isLast: boolean,
): Promise<Done> => {
  if (await put(makes, tx, sender.id, to, body)) return done(true, sentTo(to));
  const full = `Not sent: the inbox of ${to.name} is full`;
  if (isLast) return done(false, `${full}, and this was your last answer.`);
  if (await waitsInTurn(tx, to, sender.id))
    return done(false, `${full}, and it reads nothing before you have gone on. Go on, or put it into your report.`);
  return { state: 'waiting', ok: true, output: '', waitsFor: inboxOf(to.id) };
};

const put = async (makes: Makes, tx: Tx, from: AgentId, to: Agent, body: string): Promise<boolean> => {
  const now = makes.clock.now();
  const message = { id: newId('message', makes), run: to.run, to: to.id, from, kind: 'note', body } as const;
  if (!(await tx.send({ ...message, priority: 0, createdAt: now }))) return false;
  await tx.emit(now, [{ type: 'message.sent', run: to.run, agent: to.id, to: to.id, from, kind: 'note' }]);
  return true;
};

/** The agent has read: whoever waits for room in its inbox sends, the first first. Returns whether anybody did. */
export const letIn = async (makes: Makes, tx: Tx, run: Run, to: Agent): Promise<boolean> => {
  const senders = await tx.callsWaitingFor(inboxOf(to.id), Math.min(INBOX_BOUND, await tx.inboxRoom(to.id)));
  for (const { owner, call } of senders) {
    const body = messageText(call.arguments);
    if (body !== null && !(await put(makes, tx, owner, to, body))) throw new Error('An inbox with room takes nothing.');
    await answer(makes, tx, run, owner, call, done(body !== null, body === null ? 'Not sent.' : sentTo(to)));
  }
  return senders.length > 0;
};

/** The agent has ended and reads no more: whoever waits for its inbox goes on without. */
export const closeInbox = async (makes: Makes, tx: Tx, run: Run, to: Agent): Promise<void> => {
  const output = `Not sent: "${to.name}" has ended and reads no more messages.`;
  for (const { owner, call } of await tx.callsWaitingFor(inboxOf(to.id), Number.MAX_SAFE_INTEGER))
    await answer(makes, tx, run, owner, call, done(false, output));
};

const answer = async (makes: Makes, tx: Tx, run: Run, owner: AgentId, call: Call, result: Done): Promise<void> => {
  await tx.settleCall(call, result);
  const sender = await tx.agent(owner);
  if (sender?.state === 'waiting' && (await tx.waitingCalls(owner)).length === 0)
    await resumeAgent(makes, tx, run, sender);
};

/** The agent is to come to its end: its messages that wait for room are not sent. Returns how many those were. */
export const withdrawMessages = async (tx: Tx, sender: AgentId): Promise<number> => {
  const calls = (await tx.waitingCalls(sender)).filter(({ waitsFor }) => agentOfInbox(waitsFor) !== null);
  for (const call of calls) await tx.settleCall(call, done(false, 'Not sent: there was no room in time.'));
  return calls.length;
};

/** Whether the agent takes no turn before the other one has gone on, as things stand. */
const waitsInTurn = async (tx: Tx, agent: Agent, other: AgentId): Promise<boolean> => {
  const seen = new Set<AgentId>([agent.id]);
  for (const queue = [agent]; queue.length > 0; ) {
    const at = queue.pop();
    for (const id of at ? await waitedFor(tx, at) : []) {
      if (id === other) return true;
      const next = seen.has(id) ? undefined : await tx.agent(id);
      seen.add(id);
      if (next && !isFinal(AGENT_STATES, next.state)) queue.push(next);
    }
  }
  return false;
};

/** Whose turn, or end, comes before the agent's next turn. */
const waitedFor = async (tx: Tx, agent: Agent): Promise<readonly AgentId[]> => {
  const calls = await tx.waitingCalls(agent.id);
  const inboxes = calls.map(({ waitsFor }) => agentOfInbox(waitsFor)).filter((id) => id !== null);
  const others = calls.some(({ waitsFor }) => waitsFor !== 'person' && agentOfInbox(waitsFor) === null);
  const step = agent.state === 'pending' && agent.step ? await tx.step(agent.step) : undefined;
  const needs = step
    ? (await tx.needs(step.id)).filter(({ state }) => !isSettled(state)).map((need) => need.agent)
    : [];
  // Those below: children and nested runs that it waits for, and, before it begins, who resolves a conflict for it.
  const below = others || step?.state === 'running' ? (await tx.children(agent.id)).map(({ id }) => id) : [];
  return [...inboxes, ...needs, ...below];
};
