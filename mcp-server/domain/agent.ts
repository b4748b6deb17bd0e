import type { AgentId, Commit, RunId, StepId } from './ids.ts';
import type { AgentState } from './transitions.ts';

/** `executive` joins synthesizers, `synthesizer` joins workers, `worker` does the work; `planner` makes the plan. */
export type Tier = 'planner' | 'executive' | 'synthesizer' | 'worker';

export interface Agent {
  readonly id: AgentId;
  readonly run: RunId;
  readonly parent: AgentId | null;
  readonly step: StepId | null;
  /** 1 for an agent that hangs from the run. */
  readonly depth: number;
  readonly tier: Tier;
  readonly role: string;
  /** Short name for people: `map docs`. */
  readonly name: string;
  readonly task: string;
  readonly temperature: number;
  readonly state: AgentState;
  /** What it does just now, for people: `read_file src/a.ts`. Empty when it does nothing. */
  readonly action: string;
  readonly branch: string;
  /** Where its branch starts; null until its first turn. */
  readonly baseCommit: Commit | null;
  /** The last commit of its branch that the engine has acknowledged. Git refs follow this column. */
  readonly headCommit: Commit | null;
  readonly report: string | null;
  readonly error: string | null;
  readonly endReason: EndReason | null;
  /** Set by cancel: the next turn is its last one. */
  readonly wrapUp: boolean;
  /** Turns before this sequence number show their tool results cut to a stub. */
  readonly compactedBefore: number;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
}

/** Why an agent ended. `answered`: plain text was its report. */
export type EndReason =
  | 'finished'
  | 'answered'
  | 'nothing'
  | 'blocked'
  | 'out-of-budget'
  | 'turn-limit'
  | 'model-failed'
  | 'bad-answers'
  | 'conflict'
  | 'needs-failed'
  | 'cancelled'
  | 'internal';
