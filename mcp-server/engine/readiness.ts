import type { EdgePolicy, NeedState, PlanStep } from '../domain/plan.ts';
import { isSettled } from '../domain/transitions.ts';
import { failuresAsked } from '../planning/conditions.ts';

/** `waits`: nothing is decided. `starts`: it may, if its condition holds. `skips`: it cannot any more. */
export type Readiness = 'waits' | 'starts' | 'skips';

type Edges = Pick<PlanStep, 'onFailure' | 'toleratesFailure' | 'join' | 'when'>;

/** What a step does when a need of it has failed. One whose failure its condition asks about does not stop it. */
export const policyOf = (step: Edges, need: string): EdgePolicy => {
  const said = step.onFailure;
  if (said && Object.hasOwn(said, need)) return said[need] ?? 'fail';
  if (step.toleratesFailure || (step.when && failuresAsked(step.when).includes(need))) return 'continue';
  return 'fail';
};

const quorumOf = ({ join }: Edges): number | null => join?.quorum ?? null;

/** Whether nothing is decided before all needs are settled. */
export const waitsForAll = (step: Edges): boolean => quorumOf(step) === null;

const hasFailed = ({ state }: NeedState): boolean => state === 'failed' || state === 'skipped';

/**
 * What becomes of a pending step. Omitted needs count neither as done nor as failed. `timeUp`: its join waits no longer,
 * and it starts with what there is, if that is anything.
 */
export const readiness = (step: Edges, needs: readonly NeedState[], timeUp = false): Readiness => {
  const done = needs.filter(({ state }) => state === 'done').length;
  const quorum = quorumOf(step);
  if (quorum !== null && done >= Math.min(quorum, needs.length) && done > 0) return 'starts';
  if (needs.some(({ state }) => !isSettled(state))) return timeUp && done > 0 ? 'starts' : 'waits';
  const failed = needs.filter(hasFailed);
  if (failed.some(({ key }) => policyOf(step, key) !== 'continue')) return 'skips';
  // A condition may be about just that failure; it decides.
  const nothing = failed.length > 0 && done === 0 && step.when === undefined;
  return nothing ? 'skips' : 'starts';
};
