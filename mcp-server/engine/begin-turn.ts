import { type AgentLimits, type Prepared, prepareTurn, type WrapUp } from '../agent/prepare.ts';
import type { Agent } from '../domain/agent.ts';
import { newId } from '../domain/ids.ts';
import type { Job } from '../domain/job.ts';
import type { Run } from '../domain/run.ts';
import type { Turn, Usage } from '../domain/turn.ts';
import type { ChatRequest, Endpoint, ServerFacts } from '../inference/port.ts';
import { upperBoundTokens } from '../inference/token-bound.ts';
import type { Tx } from '../store/port.ts';
import { type Conversation, draftRequest, loadConversation, shortest } from './conversation.ts';
import type { Core } from './core.ts';
import { letIn } from './inbox.ts';
import { drawSpare } from './spare-tokens.ts';

type Call = Extract<Prepared, { kind: 'call' }>;

/** A turn that is open and paid for: all that its call needs. */
export interface Begun {
  readonly conversation: Conversation;
  readonly prepared: Call;
  readonly turn: Turn;
}

/** Decides how the next turn is asked for; who lacks tokens gets what is to spare. Throws what asking the server for its facts throws. */
export const prepare = async (
  core: Core,
  conversation: Conversation,
  endpoint: Endpoint,
  signal: AbortSignal,
): Promise<Prepared> => {
  const facts = await endpoint.facts(signal);
  const { agent, run, turns } = conversation;
  const { store, clock } = core.parts;
  const available = (await store.account(agent.id))?.available ?? 0;
  const count = (request: ChatRequest): Promise<number | null> => endpoint.count(request, signal);
  const prepared = await prepareWith(core, conversation, facts, available, count);
  if (!isShort(prepared)) return prepared;
  const wanted = aFewTurns(turns.at(-1)?.usage ?? null, available, core.limits);
  const more = await store.transaction((tx) => drawSpare(tx, run, agent, wanted, clock.now()));
  return more > 0 ? prepareWith(core, conversation, facts, available + more, count) : prepared;
};

/** Only a lack of tokens keeps the agent from going on. */
export const isShort = (prepared: Prepared): boolean =>
  prepared.kind === 'call' ? prepared.wrapUp === 'budget' : prepared.lacking === 'budget';

/** What is wanting for another turn like the one before and a last one; and what would do for more than that. */
const aFewTurns = (
  last: Usage | null,
  available: number,
  { answerTokens, wrapUpTokens }: AgentLimits,
): { readonly least: number; readonly most: number } => {
  const turn = (last?.prompt ?? answerTokens) + (last?.completion ?? 0);
  return {
    least: Math.max(answerTokens, 2 * turn - available),
    most: 2 * turn + answerTokens + wrapUpTokens,
  };
};

const prepareWith = (
  core: Core,
  conversation: Conversation,
  { contextSize }: ServerFacts,
  available: number,
  count: (request: ChatRequest) => Promise<number | null>,
): Promise<Prepared> => {
  const { agent, turns } = conversation;
  return prepareTurn({
    available,
    contextSize,
    turnsSoFar: turns.length,
    kind: agent.tier === 'planner' ? 'plan' : 'normal',
    wrapUp: agent.wrapUp ? (agent.wrapUpWhy ?? 'cancel') : null,
    limits: core.limits,
    draft: (wrapUp: WrapUp | null, cut: boolean) =>
      draftRequest(conversation, { limits: core.limits, contextSize }, wrapUp, cut),
    bound: upperBoundTokens,
    count,
  });
};

/**
 * Opens the turn of a job in the transaction that claims it, for the plain case: nothing is left over from an earlier
 * claim, it has not failed before (the server may be another one by now), and neither git nor the server has to be asked.
 * Null otherwise, with nothing written.
 */
export const beginTurn = async (
  core: Core,
  tx: Tx,
  job: Job,
  known: { readonly run: Run; readonly agent: Agent; readonly facts: ServerFacts; readonly digest: string },
): Promise<Begun | null> => {
  if (job.attempts > 1) return null;
  const { run, agent, facts, digest } = known;
  const conversation = await loadConversation(tx, run, agent, digest);
  if (conversation.turns.some(({ state }) => state !== 'done')) return null;
  const available = (await tx.account(agent.id))?.available ?? 0;
  let asked = false;
  const prepared = await prepareWith(core, conversation, facts, available, async () => {
    asked = true;
    return null;
  });
  if (asked || prepared.kind !== 'call') return null;
  const turn = await openTurn(core, tx, job, conversation, prepared);
  return turn ? { conversation, prepared, turn } : null;
};

/** Reserves, delivers the messages and opens the turn. Undefined: the account no longer holds enough. */
export const openTurn = async (
  core: Core,
  tx: Tx,
  job: Job,
  conversation: Conversation,
  prepared: Call,
): Promise<Turn | undefined> => {
  const { agent, run, pending } = conversation;
  const { clock } = core.parts;
  const now = clock.now();
  const id = newId('turn', core.parts);
  const reserved = prepared.reserve;
  const turn = await tx.openTurnRow({
    id,
    agent: agent.id,
    job: job.id,
    kind: prepared.turn,
    reserved,
    startedAt: now,
  });
  if (!(await tx.reserve(agent.id, id, reserved, now))) {
    await tx.dropTurn(id, now);
    return undefined;
  }
  await tx.deliver(
    id,
    pending.map((message) => message.id),
  );
  if (pending.length > 0 && (await letIn(core.parts, tx, run, agent))) core.wake();
  const before = prepared.cut ? shortest(conversation, prepared.wrapUp) : agent.compactedBefore;
  if (before > agent.compactedBefore && !prepared.wrapUp) {
    await tx.patchAgent(agent.id, { compactedBefore: before });
    const reason = 'The context was nearly full: older tool results are shown as stubs, and the cached prefix is lost.';
    await tx.emit(now, [{ type: 'agent.compacted', run: run.id, agent: agent.id, before, reason }]);
  }
  if (prepared.wrapUp === 'budget') {
    const available = (await tx.account(agent.id))?.available ?? 0;
    await tx.emit(now, [{ type: 'budget.refused', run: run.id, agent: agent.id, wanted: reserved, available }]);
  }
  await tx.emit(now, [{ type: 'turn.started', run: run.id, agent: agent.id, turn: id, seq: turn.seq, reserved }]);
  return turn;
};
