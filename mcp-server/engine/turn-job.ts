import { act } from '../agent/act.ts';
import type { Prepared } from '../agent/prepare.ts';
import { areHarmless } from '../agent/tools/tools.ts';
import type { Agent } from '../domain/agent.ts';
import { UserError } from '../domain/errors.ts';
import type { Job } from '../domain/job.ts';
import { planningOf, type Run } from '../domain/run.ts';
import { oneLine } from '../domain/text.ts';
import type { Answer, Timings, Turn } from '../domain/turn.ts';
import type { ChatOutcome, Endpoint } from '../inference/port.ts';
import { actionOf } from './action.ts';
import { type Begun, isShort, openTurn, prepare } from './begin-turn.ts';
import { type CacheMiss, cacheMiss } from './cache-miss.ts';
import { type Conversation, loadConversation } from './conversation.ts';
import type { Core } from './core.ts';
import type { Digests } from './digests.ts';
import { endingOf, hasTurns, wrapUpOf } from './ending.ts';
import { type Stats, statsOf } from './make-plan.ts';
import { aborted, backToQueue, endAborted, failed, giveUp, left, whyNot } from './no-answer.ts';
import { applyOutcome } from './outcome.ts';
import { nextTurn } from './pace.ts';
import { planOutcome } from './plan-outcome.ts';
import { othersMayLeave, WAITS_FOR_TOKENS } from './spare-tokens.ts';
import { type TurnFolder, toolContext } from './tool-context.ts';

/** What a claimed turn needs besides its rows. */
export interface TurnHands {
  readonly endpoint: Endpoint;
  /** Before an answer is looked at: others may have come at the same moment. */
  pass(): Promise<void>;
  /** Gives the inference permit back; safe to call more than once. */
  release(): void;
  readonly digests: Digests;
  /** The server is known to be away: the scheduler waits for it instead of trying each job in turn. */
  lost(message: string): void;
}

/** Until an agent that waits for tokens looks again. */
const TOKENS_MS = 1000;

/**
 * One turn of one agent, from the claim to the committed outcome. Every step that was stored is skipped when the turn is
 * taken up again after a crash: an answer that is stored is never asked for again. `begun`: the claim opened it as well.
 */
export const runTurnJob = async (
  core: Core,
  job: Job,
  begun: Begun | null,
  hands: TurnHands,
  signal: AbortSignal,
): Promise<void> => {
  if (begun) return ask(core, job, begun, hands, signal);
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
  const conversation = await loadConversation(store, run, agent, await hands.digests.of(run, agent));
  let prepared: Prepared;
  try {
    prepared = await prepare(core, conversation, hands.endpoint, signal);
  } catch (error) {
    if (signal.aborted) return left(core, job, agent.id);
    if (!(error instanceof UserError) || error.code !== 'model-unreachable') throw error;
    hands.lost(error.message);
    return backToQueue(core, job, error.message, 0);
  }
  if (isShort(prepared) && (await store.transaction((tx) => othersMayLeave(tx, run, agent))))
    return backToQueue(core, job, WAITS_FOR_TOKENS, TOKENS_MS);
  if (prepared.kind === 'give-up') return giveUp(core, job, conversation, whyNot(prepared, agent, hands.endpoint));
  const call = prepared;
  const turn = await store.transaction((tx) => openTurn(core, tx, job, conversation, call));
  if (!turn) return backToQueue(core, job, 'The budget changed while the turn was prepared.', 0);
  return ask(core, job, { conversation, prepared: call, turn }, hands, signal);
};

/** Makes the call of an open turn, and brings in what comes of it. */
const ask = async (core: Core, job: Job, begun: Begun, hands: TurnHands, signal: AbortSignal): Promise<void> => {
  const { conversation, prepared, turn } = begun;
  const asked = hands.endpoint.chat(prepared.request, signal);
  // Read while the model thinks.
  const stats = needsStats(conversation) ? nextTurn().then(() => statsOf(core)) : undefined;
  stats?.catch(() => undefined);
  const outcome = await asked;
  await hands.pass();
  hands.release();
  switch (outcome.kind) {
    case 'answered': {
      const missed = missOf(hands, conversation, prepared, outcome);
      return answered(core, job, conversation, turn, { ...outcome, missed, stats }, signal);
    }
    case 'failed':
      return failed(core, job, conversation, turn, outcome, hands);
    case 'aborted':
      return aborted(core, job, turn, outcome.spent);
  }
};

/** Where the pattern of a plan is chosen by what is known of them. */
const needsStats = ({ run, agent }: Conversation): boolean =>
  agent.tier === 'planner' && planningOf(run.options).pattern === null;

type Answered = Extract<ChatOutcome, { kind: 'answered' }>;

/** Null for a server that tells nothing of its cache: only llama-server names its build. */
const missOf = (
  hands: TurnHands,
  { turns: earlier }: Conversation,
  { turn: kind, cut: compacted }: Extract<Prepared, { kind: 'call' }>,
  { usage }: Answered,
): CacheMiss | null => (hands.endpoint.knownFacts()?.build ? cacheMiss({ earlier, kind, usage, compacted }) : null);

/**
 * Stores the answer and charges it. Without tool calls, and without a worktree to look at, that is also the end of the
 * turn, in the same transaction.
 */
const answered = async (
  core: Core,
  job: Job,
  conversation: Conversation,
  turn: Turn,
  outcome: Answered & { readonly missed: CacheMiss | null; readonly stats: Promise<Stats> | undefined },
  signal: AbortSignal,
): Promise<void> => {
  const { store, clock } = core.parts;
  const { run, agent } = conversation;
  const { answer } = outcome;
  const timings: Timings = { ...outcome.timings, queueMs: Math.max(0, turn.startedAt - job.queuedAt) };
  const stored = { ...turn, state: 'answered', answer, usage: outcome.usage, timings } as const;
  const plain = answer.toolCalls.length === 0 && (await store.worktree(agent.id)) === undefined;
  const plan = agent.tier === 'planner' ? await planOutcome(core, conversation, stored, outcome.stats) : null;
  const storing = store.transaction(async (tx) => {
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
    if (plan) await plan(tx, job.id);
    else if (plain) await applyOutcome(core.parts, tx, withoutTools(core, job, conversation, stored));
    if (plan || plain) core.wake();
  });
  // What only reads may run before the answer that asks for it is stored.
  if (!areHarmless(answer.toolCalls)) await storing;
  const loaded = { conversation, storing };
  const acting = plan || plain ? null : actAndCommit(core, job, run, agent, stored, signal, loaded);
  // Also when storing fails, the work is over only when its tools have ended.
  await Promise.allSettled([storing, acting]);
  await Promise.all([storing, acting]);
  if (!acting && core.leases.held(agent.id)) core.tidy();
};

const withoutTools = (core: Core, job: Job, c: Conversation, turn: Turn & { answer: Answer }) => {
  const wrapUp = wrapUpOf(c.agent, turn.kind, turn.seq, core.limits.turns);
  const ending = endingOf(c.agent, turn.answer, [], wrapUp, c);
  const mayUse = hasTurns(c.agent, turn, core.limits.turns);
  return { job: job.id, turn, calls: [], commit: null, ending, mayUse };
};

/** Runs the tool calls of an answer, which is stored by their end, commits what they changed, and makes the outcome true. */
const actAndCommit = async (
  core: Core,
  job: Job,
  run: Run,
  agent: Agent,
  turn: Turn & { readonly answer: Answer },
  signal: AbortSignal,
  loaded?: { readonly conversation: Conversation; readonly storing: Promise<void> },
): Promise<void> => {
  const { store, repository } = core.parts;
  const conversation = loaded?.conversation ?? (await loadConversation(store, run, agent, ''));
  const folder: TurnFolder = toolContext(core, run, agent, signal);
  let acted: Awaited<ReturnType<typeof act>>;
  try {
    const again = loaded === undefined && !areHarmless(turn.answer.toolCalls);
    await unlessTampered(turn, () => folder.begin(again));
    acted = await act(folder.context, turn.answer.toolCalls, conversation.calls, signal);
  } catch (error) {
    core.leases.forget(agent.id);
    await loaded?.storing;
    if (signal.aborted) return left(core, job, turn.agent);
    throw error;
  }
  // The outcome closes the turn: its answer, and what that cost, must be stored by then.
  await loaded?.storing;
  const checked = await folder.check(acted);
  const wrapUp = wrapUpOf(agent, turn.kind, turn.seq, core.limits.turns);
  const turns = conversation.turns.filter(({ id }) => id !== turn.id);
  const ending = endingOf(agent, turn.answer, checked, wrapUp, { ...conversation, turns });
  // Git looks at every file to tell what changed. At the end, and before anybody else's work can come into the folder, it
  // does so anyway: a person may have changed something by hand.
  const onlyRead = areHarmless(turn.answer.toolCalls) && checked.every(({ result }) => result.effect === undefined);
  const isSame = ending === null && onlyRead;
  const commit = isSame
    ? null
    : ((await unlessTampered(turn, () => folder.snapshot(commitMessage(agent, turn)))) ?? null);
  // The branch moves while the job still keeps everybody else from the agent; should the outcome not become true after
  // all, the next start or the next use of the worktree moves it back to where the database says.
  if (commit) await repository.publish(agent.branch, commit.commit);
  await store.transaction(async (tx) => {
    const mayUse = hasTurns(agent, turn, core.limits.turns);
    await applyOutcome(core.parts, tx, { job: job.id, turn, calls: checked, commit, ending, mayUse });
    if (signal.aborted) await endAborted(core, tx, job, agent.id);
    core.wake();
  });
  if (ending && core.leases.held(agent.id)) core.tidy();
};

/** A plain answer stands also where its agent's worktree cannot be used any more; the files in that are kept. */
const unlessTampered = async <T>(
  { answer }: { readonly answer: Answer },
  work: () => Promise<T>,
): Promise<T | undefined> => {
  try {
    return await work();
  } catch (error) {
    const isTampered = error instanceof UserError && error.code === 'unsupported-repository';
    if (answer.toolCalls.length > 0 || !isTampered) throw error;
    return undefined;
  }
};

const commitMessage = (agent: Agent, turn: Turn): string =>
  `${oneLine(agent.name, 72)}\n\nAgent: ${agent.id}\nTurn: ${turn.seq}\n`;
