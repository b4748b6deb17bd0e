import type { AgentId, JobId, RunId } from './ids.ts';
import type { JobState } from './transitions.ts';

/**
 * `turn`: one inference call and its tools. `merge`: `source`'s branch into the agent's, or into the run's when there is
 * none. `compute`: the agent's processor. `undo`: what `source` did is taken back. `close`: end the run.
 */
export type JobKind = 'turn' | 'merge' | 'compute' | 'undo' | 'close';

/** Best first. */
export const PRIORITIES = ['person', 'review', 'critical', 'batch'] as const;
export type Priority = (typeof PRIORITIES)[number];

export interface Job {
  readonly id: JobId;
  readonly run: RunId;
  /** Whose turn it is, or whose branch is merged into; null: the run's. */
  readonly agent: AgentId | null;
  readonly kind: JobKind;
  readonly source: AgentId | null;
  readonly state: JobState;
  readonly priority: Priority;
  /** The inference server that a turn is asked of; empty for other jobs. */
  readonly server: string;
  /** Agents that share a prompt prefix share this; a claim prefers a prefix that is hot in the server. */
  readonly prefix: string;
  /** Not claimed before this time, ms. */
  readonly runAt: number;
  readonly queuedAt: number;
  /** Counted at the claim. */
  readonly attempts: number;
  readonly error: string | null;
  readonly epoch: number;
  /** Claims so far; never taken back, so that it tells one claim from the next. */
  readonly claims: number;
  /** Whoever claimed it holds it until then, ms; after it another one may take it back. 0: never claimed. */
  readonly leaseUntil: number;
}

/** One claim of a job. A job that was taken back and claimed again has another one. */
export type Claim = Pick<Job, 'id' | 'epoch' | 'claims'>;
