import type { AgentId, RunId } from './ids.ts';
import type { WorktreeState } from './transitions.ts';

export interface Worktree {
  readonly agent: AgentId;
  readonly run: RunId;
  /** Absolute. */
  readonly path: string;
  /** Name of its admin folder below the common git directory. */
  readonly admin: string;
  readonly branch: string;
  readonly state: WorktreeState;
  /** Why it is kept. */
  readonly reason: string | null;
}
