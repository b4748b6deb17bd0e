import { act } from '../agent/act.ts';
import { type Prepared, prepareTurn, type WrapUp } from '../agent/prepare.ts';
import type { Agent } from '../domain/agent.ts';
import { UserError } from '../domain/errors.ts';
import { newId } from '../domain/ids.ts';
import type { Job } from '../domain/job.ts';
import type { Run } from '../domain/run.ts';
import { oneLine } from '../domain/text.ts';
import type { Answer, Timings, Turn } from '../domain/turn.ts';
import type { ChatOutcome, Endpoint } from '../inference/port.ts';
import { upperBoundTokens } from '../inference/token-bound.ts';
import { actionOf } from './action.ts';
import { type CacheMiss, cacheMiss } from './cache-miss.ts';
import { type Conversation, draftRequest, loadConversation, shortest } from './conversation.ts';
import type { Core } from './core.ts';
import { endingOf, wrapUpOf } from './ending.ts';
import { aborted, backToQueue, endAborted, failed, giveUp, left, whyNot } from './no-answer.ts';
import { applyOutcome } from './outcome.ts';
import { planOutcome } from './plan-outcome.ts';
import { type TurnFolder, toolContext } from './tool-context.ts';

/** What a claimed turn needs besides its rows. */
export interface TurnHands {
  readonly endpoint: Endpoint;
  /** Gives the inference permit back; safe to call more than once. */
  release(): void;
  /** Top-level digest for planners, made once a run. */
  digest(run: Run): Promise<string>;
  /** The server is known to be away: the scheduler waits for it instead of trying each job in turn. */
  lost(message: string): void;
}

/**
 * One turn of one agent, from the claim to the committed outcome. Every step that was stored is skipped when the turn is
 * taken up again after a crash: an answer that is stored is never asked for again.
 */
export const runTurnJob = async (core: Core, job: Job, hands: TurnHands, signal: AbortSignal): Promise<void> => {
  const { store } = core.parts;
  const agent = job.agent && (await store.agent(job.agent));
  const run = await store.run(job.run);
  if (!agent || !run) throw new Error('A turn job without its agent or run.');
  if (signal.aborted) return left(core, job, agent.id);
  const open = await store.openTurn(agent.id);
  if (open?.state === 'answered' && open.answer) {
    hands.release();
    return actAndCommit(core, job, run, agent, { ...open, answer: open.answer }, signal);
  }
  const conversation = await loadConversation(
    store,
    run,
    agent,
    agent.tier === 'planner' ? await hands.digest(run) : '',
  );
  let prepared: Prepared;
  try {
    prepared = await prepare(core, conversation, hands.endpoint, signal);
  } catch (error) {
    if (signal.aborted) return left(core, job, agent.id);
    if (!(error instanceof UserError) || error.code !== 'model-unreachable') throw error;
    hands.lost(error.message);
    return backToQueue(core, job, error.message, 0);
  }
  if (prepared.kind === 'give-up') return giveUp(core, job, conversation, whyNot(prepared, agent, hands.endpoint));
  const turn = await openTurn(core, job, conversation, prepared);
  if (!turn) return backToQueue(core, job, 'The budget changed while the turn was prepared.', 0);
  const outcome = await hands.endpoint.chat(prepared.request, signal);
  hands.release();
  switch (outcome.kind) {
    case 'answered': {
      const missed = missOf(hands, conversation, prepared, outcome);
      return answered(core, job, conversation, turn, { ...outcome, missed }, signal);
    }
    case 'failed':
      return failed(core, job, conversation, turn, outcome, hands);
    case 'aborted':
      return aborted(core, job, turn, outcome.spent);
  }
};

const prepare = async (
  core: Core,
  conversation: Conversation,
  endpoint: Endpoint,
  signal: AbortSignal,
): Promise<Prepared> => {
  const { agent, turns } = conversation;
  const facts = await endpoint.facts(signal);
  const account = await core.parts.store.account(agent.id);
  return prepareTurn({
    available: account?.available ?? 0,
    contextSize: facts.contextSize,
    turnsSoFar: turns.length,
    kind: agent.tier === 'planner' ? 'plan' : 'normal',
    wrapUp: agent.wrapUp ? 'cancel' : null,
    limits: core.limits,
    draft: (wrapUp: WrapUp | null, cut: boolean) =>
      draftRequest(conversation, { limits: core.limits, contextSize: facts.contextSize }, wrapUp, cut),
    bound: upperBoundTokens,
    count: (request) => endpoint.count(request, signal),
  });
};

/** Reserves, delivers the messages and opens the turn, all or nothing. Undefined: the account no longer holds enough. */
const openTurn = (
  core: Core,
  job: Job,
  conversation: Conversation,
  prepared: Extract<Prepared, { kind: 'call' }>,
): Promise<Turn | undefined> => {
  const { agent, run, pending } = conversation;
  const { store, clock, random } = core.parts;
  const now = clock.now();
  return store.transaction(async (tx) => {
    const id = newId('turn', random);
    const turn = await tx.openTurnRow({
      id,
      agent: agent.id,
      job: job.id,
      kind: prepared.turn,
      reserved: prepared.reserve,
      startedAt: now,
    });
    if (!(await tx.reserve(agent.id, id, prepared.reserve, now))) {
      await tx.dropTurn(id, now);
      return undefined;
    }
    await tx.deliver(
      id,
      pending.map((message) => message.id),
    );
    const before = prepared.cut ? shortest(conversation, prepared.wrapUp) : agent.compactedBefore;
    if (before > agent.compactedBefore && !prepared.wrapUp) {
      await tx.patchAgent(agent.id, { compactedBefore: before });
      const reason =
        'The context was nearly full: older tool results are shown as stubs, and the cached prefix is lost.';
      await tx.emit(now, [{ type: 'agent.compacted', run: run.id, agent: agent.id, before, reason }]);
    }
    if (prepared.wrapUp === 'budget') {
      const available = (await tx.account(agent.id))?.available ?? 0;
      await tx.emit(now, [
        { type: 'budget.refused', run: run.id, agent: agent.id, wanted: prepared.reserve, available },
      ]);
    }
    await tx.emit(now, [
      { type: 'turn.started', run: run.id, agent: agent.id, turn: id, seq: turn.seq, reserved: prepared.reserve },
    ]);
    return turn;
  });
};

type Answered = Extract<ChatOutcome, { kind: 'answered' }>;

/** Null for a server that tells nothing of its cache: only llama-server names its build. */
const missOf = (
  hands: TurnHands,
  { turns: earlier }: Conversation,
  { turn: kind, cut: compacted }: Extract<Prepared, { kind: 'call' }>,
  { usage }: Answered,
): CacheMiss | null => (hands.endpoint.knownFacts()?.build ? cacheMiss({ earlier, kind, usage, compacted }) : null);

/** Stores the answer and charges it. Without tool calls that is also the end of the turn, in the same transaction. */
const answered = async (
  core: Core,
  job: Job,
  conversation: Conversation,
  turn: Turn,
  outcome: Answered & { readonly missed: CacheMiss | null },
  signal: AbortSignal,
): Promise<void> => {
  const { store, clock } = core.parts;
  const { run, agent } = conversation;
  const { answer } = outcome;
  const timings: Timings = { ...outcome.timings, queueMs: Math.max(0, turn.startedAt - job.queuedAt) };
  const stored = { ...turn, state: 'answered', answer, usage: outcome.usage, timings } as const;
  const plain = answer.toolCalls.length === 0;
  const plan = agent.tier === 'planner' ? await planOutcome(core, conversation, stored) : null;
  await store.transaction(async (tx) => {
    const { over } = await tx.settle(agent.id, turn.id, outcome.usage.prompt + outcome.usage.completion, clock.now());
    await tx.answerTurn(turn.id, answer, outcome.usage, timings);
    if (answer.toolCalls.length > 0) await tx.patchAgent(agent.id, { action: actionOf(answer) });
    await tx.emit(clock.now(), [
      {
        type: 'turn.answered',
        run: run.id,
        agent: agent.id,
        turn: turn.id,
        seq: turn.seq,
        usage: outcome.usage,
        tools: answer.toolCalls.map((call) => call.name),
      },
    ]);
    if (outcome.missed)
      await tx.emit(clock.now(), [
        { type: 'turn.cacheMissed', run: run.id, agent: agent.id, turn: turn.id, ...outcome.missed },
      ]);
    if (over > 0) await tx.emit(clock.now(), [{ type: 'budget.overran', run: run.id, agent: agent.id, over }]);
    if (plan) return plan(tx, job.id);
    if (plain) await applyOutcome(core.parts, tx, withoutTools(core, job, conversation, stored));
  });
  if (!plan && !plain) await actAndCommit(core, job, run, agent, stored, signal, conversation);
  else core.tidy();
};

const withoutTools = (core: Core, job: Job, c: Conversation, turn: Turn & { answer: Answer }) => {
  const wrapUp = wrapUpOf(c.agent, turn.kind, turn.seq, core.limits.turns);
  const ending = endingOf(c.agent, turn.answer, [], wrapUp, c);
  return { job: job.id, turn, calls: [], commit: null, ending };
};

/** Runs the tool calls of a stored answer, commits what they changed, and makes the outcome true. */
const actAndCommit = async (
  core: Core,
  job: Job,
  run: Run,
  agent: Agent,
  turn: Turn & { readonly answer: Answer },
  signal: AbortSignal,
  loaded?: Conversation,
): Promise<void> => {
  const { store, repository } = core.parts;
  const conversation = loaded ?? (await loadConversation(store, run, agent, ''));
  const folder: TurnFolder = toolContext(core, run, agent);
  let acted: Awaited<ReturnType<typeof act>>;
  try {
    await folder.begin();
    acted = await act(folder.context, turn.answer.toolCalls, conversation.calls, signal);
  } catch (error) {
    core.leases.forget(agent.id);
    if (signal.aborted) return left(core, job, turn.agent);
    throw error;
  }
  const checked = await folder.check(acted);
  const commit = await folder.snapshot(commitMessage(agent, turn));
  const wrapUp = wrapUpOf(agent, turn.kind, turn.seq, core.limits.turns);
  const ending = endingOf(agent, turn.answer, checked, wrapUp, conversation);
  // The branch moves while the job still keeps everybody else from the agent; should the outcome not become true after
  // all, the next start or the next use of the worktree moves it back to where the database says.
  if (commit) await repository.publish(agent.branch, commit.commit);
  await store.transaction((tx) => applyOutcome(core.parts, tx, { job: job.id, turn, calls: checked, commit, ending }));
  if (ending) core.tidy();
  if (signal.aborted) await endAborted(core, job, agent.id);
};

const commitMessage = (agent: Agent, turn: Turn): string =>
  `${oneLine(agent.name, 72)}\n\nAgent: ${agent.id}\nTurn: ${turn.seq}\n`;
