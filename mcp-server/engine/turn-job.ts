import { act } from '../agent/act.ts';
import { type Prepared, prepareTurn, type WrapUp } from '../agent/prepare.ts';
import type { Agent } from '../domain/agent.ts';
import { UserError } from '../domain/errors.ts';
import { newId } from '../domain/ids.ts';
import type { Job } from '../domain/job.ts';
import { MAX_ATTEMPTS, retryDelayMs } from '../domain/policy.ts';
import type { Run } from '../domain/run.ts';
import { oneLine } from '../domain/text.ts';
import type { Answer, Timings, Turn, Usage } from '../domain/turn.ts';
import type { ChatOutcome, Endpoint } from '../inference/port.ts';
import { upperBoundTokens } from '../inference/token-bound.ts';
import { actionOf } from './action.ts';
import { type CacheMiss, cacheMiss } from './cache-miss.ts';
import { unaskedEnding } from './cancel.ts';
import { type Conversation, draftRequest, loadConversation, shortest } from './conversation.ts';
import type { Core } from './core.ts';
import { endingOf, ruleReport, wrapUpOf } from './ending.ts';
import { applyOutcome } from './outcome.ts';
import { planOutcome, planWithoutModel } from './plan-outcome.ts';
import { endAgent, isOver } from './settle.ts';
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

type GiveUp = Extract<Prepared, { kind: 'give-up' }>;

/** For the person: what no turn can be made without. */
const whyNot = (prepared: GiveUp, agent: Agent, endpoint: Endpoint): GiveUp & { readonly error: string } => {
  const { wanted, lacking } = prepared;
  const what = agent.tier === 'planner' ? 'plan' : 'last turn';
  const error =
    lacking === 'budget'
      ? `Its budget is too small: the cheapest ${what} needs ${wanted} tokens.`
      : `The cheapest ${what} needs ${wanted} tokens, and the model has a context of ${endpoint.knownFacts()?.contextSize ?? 0} tokens. Start the server with a larger one (-c).`;
  return { ...prepared, error };
};

const giveUp = async (
  core: Core,
  job: Job,
  c: Conversation,
  { wanted, lacking, error }: ReturnType<typeof whyNot>,
): Promise<void> => {
  const { store, clock } = core.parts;
  const done = c.turns.length > 0;
  const report = done ? ruleReport(c.agent, c.calls, c.agent.wrapUp ? 'cancel' : 'budget') : null;
  const state = c.agent.wrapUp ? 'cancelled' : done ? 'completed' : 'failed';
  const reason = c.agent.wrapUp ? 'cancelled' : lacking === 'budget' ? 'out-of-budget' : 'model-failed';
  const ending = { state, reason, report, error: done ? null : error } as const;
  const instead =
    c.agent.tier === 'planner'
      ? await planWithoutModel(core, c.run, c.agent, { ...ending, state: 'failed', error })
      : null;
  await store.transaction(async (tx) => {
    const available = (await tx.account(c.agent.id))?.available ?? 0;
    if (lacking === 'budget')
      await tx.emit(clock.now(), [{ type: 'budget.refused', run: c.run.id, agent: c.agent.id, wanted, available }]);
    await tx.finishJob(job.id, 'done');
    if (instead) return instead(tx, job.id);
    await endAgent(core.parts, tx, c.run, c.agent, ending, job.id);
  });
};

/** The server may have been started anew with a smaller context, which is then asked for again; that helps at once or never. */
const CONTEXT_ATTEMPTS = 3;

type Failed = Extract<ChatOutcome, { kind: 'failed' }>;

/** No answer: the turn is undone and tried again later, or, when that cannot help, the agent fails. */
const failed = async (
  core: Core,
  job: Job,
  c: Conversation,
  turn: Turn,
  outcome: Failed,
  hands: TurnHands,
): Promise<void> => {
  const { store, clock, random } = core.parts;
  const now = clock.now();
  const away =
    outcome.failure === 'loading' || (outcome.failure === 'unreachable' && !(await reachable(hands.endpoint)));
  if (away) hands.lost(outcome.message);
  const spent = outcome.spent.prompt + outcome.spent.completion;
  const mayPass = outcome.retryable || (outcome.failure === 'context-exceeded' && job.attempts < CONTEXT_ATTEMPTS);
  const ending = { state: 'failed', reason: 'model-failed', report: null, error: outcome.message } as const;
  const instead = c.agent.tier === 'planner' && !mayPass ? await planWithoutModel(core, c.run, c.agent, ending) : null;
  await store.transaction(async (tx) => {
    await tx.settle(turn.agent, turn.id, Math.min(spent, turn.reserved), now);
    await tx.dropTurn(turn.id, now);
    const agent = await tx.agent(turn.agent);
    const run = await tx.run(job.run);
    if (!agent || !run || isOver(agent)) return tx.finishJob(job.id, 'cancelled');
    const again = mayPass && (away || job.attempts < MAX_ATTEMPTS);
    const gone = away && outcome.failure !== 'loading';
    const delay = gone ? 0 : (outcome.retryAfterMs ?? retryDelayMs(job.attempts, random));
    await tx.emit(now, [
      {
        type: 'turn.failed',
        run: run.id,
        agent: agent.id,
        turn: turn.id,
        error: outcome.message,
        retryAt: again ? now + delay : null,
      },
    ]);
    if (again) {
      await tx.moveAgent(agent.id, 'ready', { action: oneLine(`waits: ${outcome.message}`, 120) });
      return tx.requeue(job.id, now + delay, outcome.message, away);
    }
    if (mayPass && agent.wrapUp) {
      await tx.finishJob(job.id, 'done', outcome.message);
      return endAgent(core.parts, tx, run, agent, await unaskedEnding(tx, agent), job.id);
    }
    if (mayPass) {
      await tx.moveAgent(agent.id, 'ready', { action: oneLine(`parked: ${outcome.message}`, 120) });
      await tx.finishJob(job.id, 'parked', outcome.message);
      return tx.emit(now, [
        { type: 'job.parked', run: run.id, agent: agent.id, kind: job.kind, error: outcome.message },
      ]);
    }
    await tx.finishJob(job.id, 'done', outcome.message);
    await (instead ? instead(tx, job.id) : endAgent(core.parts, tx, run, agent, ending, job.id));
  });
};

const reachable = async (endpoint: Endpoint): Promise<boolean> => {
  try {
    await endpoint.facts();
    return true;
  } catch {
    return false;
  }
};

/** Cut off on purpose: by an abort, whose own transaction ends the agent, or by the engine's stop, after which it goes on. */
const aborted = async (core: Core, job: Job, turn: Turn, spent: Usage): Promise<void> => {
  const { store, clock } = core.parts;
  const now = clock.now();
  await store.transaction(async (tx) => {
    const used = Math.min(spent.prompt + spent.completion, turn.reserved);
    await tx.settle(turn.agent, turn.id, used, now);
    await tx.dropTurn(turn.id, now);
    await leaveJob(core, tx, job, turn.agent, now);
  });
};

/** The job goes back to the queue, or ends with its agent when that is aborted. */
const left = (core: Core, job: Job, agent: Agent['id']): Promise<void> =>
  core.parts.store.transaction((tx) => leaveJob(core, tx, job, agent, core.parts.clock.now()));

const leaveJob = async (
  core: Core,
  tx: Parameters<Parameters<Core['parts']['store']['transaction']>[0]>[0],
  job: Job,
  id: Agent['id'],
  now: number,
): Promise<void> => {
  const agent = await tx.agent(id);
  const run = await tx.run(job.run);
  if (!agent || !run) return;
  const dying = core.aborting.has(id) || run.cancelRequested === 'abort';
  if (!dying) {
    if (agent.state === 'running') await tx.moveAgent(id, 'ready', { action: '' });
    return tx.requeue(job.id, now, null, true);
  }
  const open = await tx.openTurn(id);
  if (open) await tx.closeTurn(open.id, { commit: null, endedAt: now });
  await tx.finishJob(job.id, 'cancelled');
  if (isOver(agent)) return;
  const ending = { state: 'cancelled', reason: 'cancelled', report: null, error: null } as const;
  await endAgent(core.parts, tx, run, agent, ending, job.id);
};

/** The abort came too late to cut the turn: the agent ends after it. */
const endAborted = (core: Core, job: Job, id: Agent['id']): Promise<void> =>
  core.parts.store.transaction(async (tx) => {
    const agent = await tx.agent(id);
    const run = await tx.run(job.run);
    if (!agent || !run || isOver(agent)) return;
    if (!core.aborting.has(id) && run.cancelRequested !== 'abort') return;
    const ending = { state: 'cancelled', reason: 'cancelled', report: null, error: null } as const;
    await endAgent(core.parts, tx, run, agent, ending);
  });

const backToQueue = (core: Core, job: Job, why: string, delayMs: number): Promise<void> =>
  core.parts.store.transaction(async (tx) => {
    if (job.agent) await tx.moveAgent(job.agent, 'ready', { action: '' });
    await tx.requeue(job.id, core.parts.clock.now() + delayMs, why, true);
  });
