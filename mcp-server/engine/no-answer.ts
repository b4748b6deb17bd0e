import type { Prepared } from '../agent/prepare.ts';
import type { Agent } from '../domain/agent.ts';
import type { Job } from '../domain/job.ts';
import { MAX_ATTEMPTS, retryDelayMs } from '../domain/policy.ts';
import { oneLine } from '../domain/text.ts';
import type { Turn, Usage } from '../domain/turn.ts';
import type { ChatOutcome, Endpoint } from '../inference/port.ts';
import type { Tx } from '../store/port.ts';
import { unaskedEnding } from './cancel.ts';
import type { Conversation } from './conversation.ts';
import type { Core } from './core.ts';
import { ruleReport, stoppedEnding } from './ending.ts';
import { pauseIfAsked } from './pausing.ts';
import { planWithoutModel } from './plan-outcome.ts';
import { isOver } from './retire.ts';
import { endAgent } from './settle.ts';

type GiveUp = Extract<Prepared, { kind: 'give-up' }>;

/** For the person: what no turn can be made without. */
export const whyNot = (prepared: GiveUp, agent: Agent, endpoint: Endpoint): GiveUp & { readonly error: string } => {
  const { wanted, lacking } = prepared;
  const what = agent.tier === 'planner' ? 'plan' : 'last turn';
  const error =
    lacking === 'budget'
      ? `Its budget is too small: the cheapest ${what} needs ${wanted} tokens.`
      : `The cheapest ${what} needs ${wanted} tokens, and the model has a context of ${endpoint.knownFacts()?.contextSize ?? 0} tokens. Start the server with a larger one (-c).`;
  return { ...prepared, error };
};

/** Ends an agent for whom not even a last turn is possible; a planner leaves the plan to the rules. */
export const giveUp = async (
  core: Core,
  job: Job,
  c: Conversation,
  { wanted, lacking, error }: ReturnType<typeof whyNot>,
): Promise<void> => {
  const { store, clock } = core.parts;
  const done = c.turns.length > 0;
  const why = c.agent.wrapUp ? (c.agent.wrapUpWhy ?? 'cancel') : 'budget';
  const report = done ? ruleReport(c.agent, c.calls, why) : null;
  const state = done ? 'completed' : 'failed';
  const reason = done || lacking === 'budget' ? 'out-of-budget' : 'model-failed';
  const given = { state, reason, report, error: done ? null : error } as const;
  const ending = c.agent.wrapUp ? { ...stoppedEnding(c.agent, report), error: given.error } : given;
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

interface FailedHands {
  readonly endpoint: Endpoint;
  lost(message: string): void;
}

type Failed = Extract<ChatOutcome, { kind: 'failed' }>;

/** No answer: the turn is undone and tried again later, or, when that cannot help, the agent fails. */
export const failed = async (
  core: Core,
  job: Job,
  c: Conversation,
  turn: Turn,
  outcome: Failed,
  hands: FailedHands,
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
    // Whoever was asked to stop does not wait for a server that is gone.
    const again = mayPass && (away ? !agent.wrapUp : job.attempts < MAX_ATTEMPTS);
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
      await tx.requeue(job.id, now + delay, outcome.message, away);
      return pauseIfAsked(core.parts, tx, agent.id);
    }
    if (mayPass && agent.wrapUp) {
      await tx.finishJob(job.id, 'done', outcome.message);
      return endAgent(core.parts, tx, run, agent, await unaskedEnding(tx, agent), job.id);
    }
    // Nobody is there who could let a parked job try again.
    if (mayPass && !run.options.unattended) {
      await tx.moveAgent(agent.id, 'ready', { action: oneLine(`parked: ${outcome.message}`, 120) });
      await tx.finishJob(job.id, 'parked', outcome.message);
      await tx.emit(now, [
        { type: 'job.parked', run: run.id, agent: agent.id, kind: job.kind, error: outcome.message },
      ]);
      return pauseIfAsked(core.parts, tx, agent.id);
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
export const aborted = async (core: Core, job: Job, turn: Turn, spent: Usage): Promise<void> => {
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
export const left = (core: Core, job: Job, agent: Agent['id']): Promise<void> =>
  core.parts.store.transaction((tx) => leaveJob(core, tx, job, agent, core.parts.clock.now()));

const leaveJob = async (core: Core, tx: Tx, job: Job, id: Agent['id'], now: number): Promise<void> => {
  const agent = await tx.agent(id);
  const run = await tx.run(job.run);
  if (!agent || !run) return;
  const dying = core.aborting.has(id) || run.cancelRequested === 'abort';
  if (!dying) {
    if (agent.state === 'running') await tx.moveAgent(id, 'ready', { action: '' });
    await tx.requeue(job.id, now, null, true);
    return pauseIfAsked(core.parts, tx, id);
  }
  const open = await tx.openTurn(id);
  if (open) await tx.closeTurn(open.id, { commit: null, endedAt: now });
  await tx.finishJob(job.id, 'cancelled');
  if (isOver(agent)) return;
  await endAgent(core.parts, tx, run, agent, stoppedEnding(agent, null), job.id);
};

/** The abort came too late to cut the turn: the agent ends after it. */
export const endAborted = async (core: Core, tx: Tx, job: Job, id: Agent['id']): Promise<void> => {
  const agent = await tx.agent(id);
  const run = await tx.run(job.run);
  if (!agent || !run || isOver(agent)) return;
  if (!core.aborting.has(id) && run.cancelRequested !== 'abort') return;
  await endAgent(core.parts, tx, run, agent, stoppedEnding(agent, null));
};

/** Not the job's fault: it is tried again without a counted attempt. */
export const backToQueue = (core: Core, job: Job, why: string, delayMs: number): Promise<void> =>
  core.parts.store.transaction(async (tx) => {
    if (job.agent) await tx.moveAgent(job.agent, 'ready', { action: '' });
    await tx.requeue(job.id, core.parts.clock.now() + delayMs, why, true);
    if (job.agent) await pauseIfAsked(core.parts, tx, job.agent);
  });
