import type { Job, JobKind } from '../domain/job.ts';
import { runCloseJob } from './close-job.ts';
import { runComputeJob } from './compute-job.ts';
import type { Core } from './core.ts';
import { runMergeJob } from './merge-job.ts';
import { runUndoJob } from './undo-job.ts';

/** Kinds of jobs that ask no inference server. */
export const DESK_KINDS = ['merge', 'compute', 'undo', 'close'] as const satisfies readonly JobKind[];

/** Carries out a job that asks no inference server. */
export const runDeskJob = (core: Core, job: Job, signal: AbortSignal): Promise<void> => {
  switch (job.kind) {
    case 'merge':
      return runMergeJob(core, job);
    case 'compute':
      return runComputeJob(core, job);
    case 'undo':
      return runUndoJob(core, job, signal);
    case 'close':
      return runCloseJob(core, job);
    case 'turn':
      throw new Error('A turn is no job of the desk.');
  }
};
