import type { Makes } from '../domain/ids.ts';
import type { Job } from '../domain/job.ts';
import { MAX_ATTEMPTS, retryDelayMs } from '../domain/policy.ts';
import type { Tx } from '../store/port.ts';
import { pauseIfAsked } from './pausing.ts';
import { isOver } from './retire.ts';
import { endAgent } from './settle.ts';

/** A job that failed for a reason which it does not know of: it is tried again later, and parked when that does not help. */
export const putBack = async (makes: Makes, tx: Tx, job: Job, error: string): Promise<void> => {
  const { clock, random } = makes;
  const now = clock.now();
  if ((await tx.job(job.id))?.state !== 'running') return;
  await undo(tx, job, now);
  if (job.attempts < MAX_ATTEMPTS) {
    await tx.requeue(job.id, now + retryDelayMs(job.attempts, random), error);
    return job.agent ? pauseIfAsked(makes, tx, job.agent) : undefined;
  }
  if (await failUnattended(makes, tx, job, error)) return;
  await tx.finishJob(job.id, 'parked', error);
  await tx.emit(now, [{ type: 'job.parked', run: job.run, agent: job.agent, kind: job.kind, error }]);
  if (job.agent) await pauseIfAsked(makes, tx, job.agent);
};

/** Where nobody could let a parked turn try again, its agent fails. */
const failUnattended = async (makes: Makes, tx: Tx, job: Job, error: string): Promise<boolean> => {
  const run = await tx.run(job.run);
  const agent = job.agent ? await tx.agent(job.agent) : undefined;
  if (job.kind !== 'turn' || !run?.options.unattended || !agent || isOver(agent)) return false;
  const open = await tx.openTurn(agent.id);
  if (open) await tx.closeTurn(open.id, { commit: null, endedAt: makes.clock.now() });
  await tx.finishJob(job.id, 'done', error);
  await endAgent(makes, tx, run, agent, { state: 'failed', reason: 'internal', report: null, error }, job.id);
  return true;
};

const undo = async (tx: Tx, job: Job, now: number): Promise<void> => {
  if (job.kind !== 'turn' || !job.agent) return;
  const open = await tx.openTurn(job.agent);
  if (open?.state === 'calling') {
    await tx.settle(job.agent, open.id, 0, now);
    await tx.dropTurn(open.id, now);
  }
  if ((await tx.agent(job.agent))?.state === 'running') await tx.moveAgent(job.agent, 'ready', { action: '' });
};
