import { type Agent, cutShort, type EndReason } from '../domain/agent.ts';
import type { AccountId, Makes } from '../domain/ids.ts';
import { newId } from '../domain/ids.ts';
import type { Step, SubPlan } from '../domain/plan.ts';
import { retryDelayMs } from '../domain/policy.ts';
import { planningOf, type Run } from '../domain/run.ts';
import { oneLine } from '../domain/text.ts';
import { AGENT_STATES, isFinal } from '../domain/transitions.ts';
import type { Tx } from '../store/port.ts';
import { notify, tellMissing } from './missing.ts';
import { ownReport } from './room.ts';
import { asAgent, createdEvent, givenRole, journal, newAgent, releaseAgent } from './spawn.ts';

/** Another agent may do better. What it would have to decide again in the same way, it does not get to decide. */
const MAY_PASS: ReadonlySet<EndReason> = new Set(['model-failed', 'bad-answers', 'internal', 'timeout']);
/** Fewer tokens are not worth a new beginning. */
const LEAST_TOKENS = 1000;

export interface Failure {
  readonly state: string;
  readonly reason: EndReason;
  readonly error: string | null;
}

/** Where the tokens of a fresh agent come from. */
interface Funds {
  /** What the old one leaves to its heir. */
  readonly left: number;
  /** What it had spent, as far as the payer has it to spare. */
  readonly more: number;
  /** The run's pool; for what an agent has added, that agent. */
  readonly payer: AccountId;
}

/** How a failed step is tried again; null: it is not. Called before the agent's end is stored. */
export const secondChance = async (
  tx: Tx,
  run: Run,
  step: Step | undefined,
  agent: Agent,
  failure: Failure,
): Promise<Funds | null> => {
  if (!step || step.agent !== agent.id || step.state !== 'running' || failure.state !== 'failed') return null;
  if (!MAY_PASS.has(failure.reason) || run.cancelRequested !== 'no') return null;
  if (agent.wrapUp && agent.wrapUpWhy !== 'timeout') return null;
  if (step.attempt > (step.retries ?? planningOf(run.options).retries)) return null;
  const account = await tx.account(agent.id);
  const left = account?.available ?? 0;
  const { payer, spare } = step.subPlan ? await callersSpare(tx, step.subPlan) : await poolsSpare(tx, run);
  const more = Math.min(account?.used ?? 0, spare);
  return step.work?.kind === 'compute' || left + more >= LEAST_TOKENS ? { left, more, payer } : null;
};

interface Spare {
  readonly payer: AccountId;
  readonly spare: number;
}

const poolsSpare = async (tx: Tx, run: Run): Promise<Spare> => ({
  payer: run.id,
  spare: (await tx.account(run.id))?.available ?? 0,
});

/** What an agent can pay for what it has added, its own report kept. */
const callersSpare = async (tx: Tx, { caller: payer }: SubPlan): Promise<Spare> => {
  const caller = await tx.agent(payer);
  const last = (await tx.turns(payer)).at(-1);
  if (!caller || !last || isFinal(AGENT_STATES, caller.state)) return { payer, spare: 0 };
  const available = (await tx.account(payer))?.available ?? 0;
  return { payer, spare: available - ownReport(last, available) };
};

/**
 * A fresh agent takes the place of one that has ended, from where that one began, on a branch of its own, after a pause
 * that grows. `heir`: who has the old one's tokens now.
 */
export const tryAgain = async (
  makes: Makes,
  tx: Tx,
  run: Run,
  step: Step,
  old: Agent,
  failure: Failure,
  heir: AccountId,
  { left, more, payer }: Funds,
): Promise<void> => {
  const now = makes.clock.now();
  const attempt = step.attempt + 1;
  const fresh = await replaceAgent(makes, tx, run, step, old, attempt);
  await tx.moveStep(step.id, 'running');
  const tokens = left + more;
  if (left > 0) await tx.grant(heir, fresh.id, left, now);
  if (more > 0) await tx.grant(payer, fresh.id, more, now);
  await journal(makes, tx, step, fresh);
  const again = { ...step, agent: fresh.id };
  await sendReports(makes, tx, run, again);
  if (step.work?.kind !== 'compute') {
    const why = `${failure.reason}${failure.error ? `: ${oneLine(failure.error, 300)}` : ''}`;
    await notify(makes, tx, run, fresh.id, `An agent before you has failed at this task (${why}). Begin anew.`);
  }
  const delay = retryDelayMs(attempt, makes.random);
  const reason = failure.error ?? failure.reason;
  await tx.emit(now, [
    createdEvent(fresh),
    { type: 'budget.granted', run: run.id, agent: fresh.id, to: fresh.id, tokens },
    { type: 'step.retried', run: run.id, agent: fresh.id, step: step.key, attempt, reason, startsAt: now + delay },
  ]);
  await releaseAgent(makes, tx, run, again, fresh, now + delay);
};

/** A pending agent for the step, which is pending again as well; the old one stays as it is. */
const replaceAgent = async (
  makes: Makes,
  tx: Tx,
  run: Run,
  step: Step,
  old: Agent,
  attempt: number,
): Promise<Agent> => {
  const parent = old.parent ? ((await tx.agent(old.parent)) ?? null) : null;
  const start = old.startCommit ?? old.headCommit ?? run.headCommit;
  const name = `${oneLine(step.title, 48)} (try ${attempt})`;
  const row = newAgent(
    makes,
    run,
    { ...step, ...ownOf(old), role: givenRole(step.role), name, step: step.id, parent, start },
    'pending',
  );
  // What was merged into the old one before it began is the fresh one's to bring home.
  await tx.insertAgents([{ ...row, baseCommit: old.baseCommit }]);
  await tx.renewStep(step.id, row.id, attempt);
  return asAgent({ ...row, baseCommit: old.baseCommit });
};

const ownOf = ({ server = null, model = null, pause = null }: Agent): Pick<Agent, 'server' | 'model' | 'pause'> => ({
  server,
  model,
  pause,
});

/** The reports of the needs that are settled, for an agent that was not there when they came in; and what is missing. */
export const sendReports = async (makes: Makes, tx: Tx, run: Run, step: Step): Promise<void> => {
  if (step.work?.kind === 'compute' || step.needs.length === 0) return;
  const needs = await tx.needs(step.id);
  for (const need of needs) {
    const author = need.state === 'done' || need.state === 'failed' ? await tx.agent(need.agent) : undefined;
    if (!author) continue;
    await tx.send({
      id: newId('message', makes),
      run: run.id,
      to: step.agent,
      from: author.id,
      kind: 'report',
      priority: 0,
      body: reportOf(author, need.state === 'done'),
      createdAt: makes.clock.now(),
    });
  }
  await tellMissing(makes, tx, run, step, needs);
};

/** What an agent that has ended said, or why it said nothing. */
export const wordsOf = (agent: Agent, ok: boolean): string => {
  const text = agent.report?.trim() || agent.error || 'It gave no report.';
  return ok ? text : `It failed (${agent.endReason ?? 'unknown'}): ${text}`;
};

/** What other agents read of an agent that has ended. One whose work is incomplete is marked as such. */
export const reportOf = (agent: Agent, ok: boolean): string => {
  const text = wordsOf(agent, ok);
  const cut = cutShort(agent);
  return cut === null
    ? text
    : `INCOMPLETE (${cut}): only a part of its task is done. Say in your report what is missing because of it. As far as it came: ${text}`;
};
