import type { AgentId, Commit, RunId, StepId } from './ids.ts';
import type { Permissions } from './run.ts';
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
  /** Null or absent, here and below: as the run says; see `run-of-agent.ts`. */
  readonly server?: string | null;
  readonly model?: string | null;
  readonly permissions?: Permissions | null;
  /** Names of skills that it is told of. */
  readonly skills?: readonly string[] | null;
  /** Where its own work begins: its branch with all that it starts from. Null until then. */
  readonly startCommit?: Commit | null;
  /** Why it wraps up, when no person has asked for it. */
  readonly wrapUpWhy?: WrapUpWhy | null;
  /** Wall time that it has from its first turn on, ms. */
  readonly timeoutMs?: number | null;
  /** Of its turns within their class; higher goes first. */
  readonly urgency?: number;
  /** When that is over; while it wraps up, when it is cut. Null: never, or not begun. */
  readonly deadline?: number | null;
  /** A person wants it to take no further turn. Null: nobody does. */
  readonly pause?: Pause | null;
  /** Since when its state is `paused`, ms; null in any other. */
  readonly pausedAt?: number | null;
}

/** What an agent has not got when it was just made. */
export const NOTHING_YET = {
  startCommit: null,
  wrapUpWhy: null,
  deadline: null,
  pausedAt: null,
  action: '',
  report: null,
  error: null,
  endReason: null,
  wrapUp: false,
  compactedBefore: 0,
  startedAt: null,
  endedAt: null,
} as const satisfies Partial<Agent>;

/** `alone`: this agent. `below`: all that hang from it, now or later, as well. */
export type Pause = 'alone' | 'below';

/** `timeout`: its time is over. `not-needed`: others were enough; what it did is not used. `caller`: the agent above asked. */
export type WrapUpWhy = 'timeout' | 'not-needed' | 'caller';

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
  | 'internal'
  /** Its condition did not hold, or others were enough. */
  | 'omitted'
  | 'timeout';

const CUT_SHORT: Readonly<Partial<Record<string, string>>> = {
  'out-of-budget': 'out of tokens',
  'turn-limit': 'out of turns',
  timeout: 'out of time',
};

/**
 * Why an agent that has completed has not done all of its task: something ran out, and it had one last turn to report.
 * In words; null: it said by itself that it was done, or it did not complete at all.
 */
export const cutShort = ({
  state,
  endReason,
}: {
  readonly state: AgentState;
  readonly endReason: string | null;
}): string | null => (state === 'completed' ? (CUT_SHORT[endReason ?? ''] ?? null) : null);
