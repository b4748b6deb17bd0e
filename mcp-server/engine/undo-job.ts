import type { Job } from '../domain/job.ts';
import type { Core } from './core.ts';
import { closeIfDone } from './settle.ts';

/** Takes back what the steps of failed sagas did. */
export const runUndoJob = async (core: Core, job: Job, _signal: AbortSignal): Promise<void> => {
  await core.parts.store.transaction(async (tx) => {
    await tx.finishJob(job.id, 'done');
    const run = await tx.run(job.run);
    if (run) await closeIfDone(core.parts, tx, run, job.id);
  });
};
