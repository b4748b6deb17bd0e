import type { RunView } from '../mcp-server/operations/views.ts';
import { CONTEXT } from './ids.ts';
import { isActive, isReviewable } from './model.ts';
import type { SkillRow } from './skills/describe-skill.ts';

/** Keys that `when` clauses read, with their values. */
export type Offers = Readonly<Record<string, boolean>>;

/** A run that is paused, or whose agents were paused one by one: it only does not go on then. */
export const isPausedOrStuck = (run: RunView): boolean => isActive(run) && (run.paused === true || run.stuck !== null);

/** It has ended, and some of its steps have failed. */
export const isRetryable = (run: RunView): boolean =>
  !isActive(run) && (run.state === 'partial' || run.state === 'failed');

/** Which commands on runs have something to work on. */
export const runOffers = (runs: readonly RunView[]): Offers => ({
  [CONTEXT.hasRuns]: runs.length > 0,
  [CONTEXT.hasActive]: runs.some(isActive),
  [CONTEXT.hasPaused]: runs.some(isPausedOrStuck),
  [CONTEXT.hasReviewable]: runs.some(isReviewable),
  [CONTEXT.hasRetryable]: runs.some(isRetryable),
  [CONTEXT.hasWaitingPlan]: runs.some(({ state }) => state === 'planned'),
});

/** The same for skills. */
export const skillOffers = (rows: readonly SkillRow[]): Offers => {
  const has = (state: SkillRow['skill']['state']): boolean => rows.some(({ skill }) => skill.state === state);
  return {
    [CONTEXT.hasDrafts]: rows.some(({ draft, skill }) => draft !== undefined || skill.state === 'draft'),
    [CONTEXT.hasImports]: rows.some(({ imported }) => imported !== undefined),
    [CONTEXT.hasUntrusted]: has('needs-review'),
    [CONTEXT.hasTrusted]: has('trusted'),
    [CONTEXT.hasPinned]: rows.some(({ skill }) => skill.pinned),
  };
};
