/** Every state table. One function moves a state; a wrong move is a bug and throws. */
export const RUN_STATES = {
  planning: ['planned', 'running', 'completed', 'answered', 'nothing', 'partial', 'failed', 'cancelled'],
  /** The plan waits for a person's word. */
  planned: ['planning', 'running', 'completed', 'answered', 'nothing', 'partial', 'failed', 'cancelled'],
  running: ['completed', 'answered', 'nothing', 'partial', 'failed', 'cancelled'],
  /** Files changed and every step done. */
  completed: [],
  /** No file changed; there is a report. */
  answered: [],
  /** No file changed and there is no report. */
  nothing: [],
  /** Some steps failed; what the others did is on the branch. Their retry lets the run go on. */
  partial: ['running'],
  failed: ['running'],
  cancelled: [],
} as const;
export type RunState = keyof typeof RUN_STATES;

export const STEP_STATES = {
  pending: ['running', 'skipped', 'omitted'],
  /** Back to pending: a fresh agent tries. */
  running: ['pending', 'merging', 'done', 'failed', 'omitted'],
  merging: ['done', 'failed', 'omitted'],
  /** These four go back to pending when failed steps, and what needs them, are tried again. */
  done: ['pending'],
  failed: ['pending'],
  /** A step that it needs has failed, or it was cancelled before it began. */
  skipped: ['pending'],
  /** Its condition did not hold, or it was not needed any more; no failure. */
  omitted: ['pending'],
} as const;
export type StepState = keyof typeof STEP_STATES;

const SETTLED: ReadonlySet<StepState> = new Set(['done', 'failed', 'skipped', 'omitted']);

/** Nothing more becomes of the step, unless it is tried again. */
export const isSettled = (state: StepState): boolean => SETTLED.has(state);

const GOING_ON: ReadonlySet<RunState> = new Set(['planning', 'planned', 'running']);

/** The run has its result; a partial or failed one may still be taken up again. */
export const hasEnded = (state: RunState): boolean => !GOING_ON.has(state);

export const AGENT_STATES = {
  /** Its step's dependencies are not settled. */
  pending: ['ready', 'cancelled', 'failed'],
  /** A turn of it is queued. */
  ready: ['running', 'paused', 'failed', 'cancelled'],
  running: ['ready', 'waiting', 'paused', 'completed', 'failed', 'cancelled'],
  /** For its children, or for a person. It holds no slot. */
  waiting: ['ready', 'paused', 'failed', 'cancelled'],
  paused: ['ready', 'waiting', 'failed', 'cancelled'],
  completed: [],
  failed: [],
  cancelled: [],
} as const;
export type AgentState = keyof typeof AGENT_STATES;

export const JOB_STATES = {
  queued: ['running', 'done', 'cancelled'],
  running: ['queued', 'done', 'parked', 'cancelled'],
  done: [],
  /** Failed too often; kept with its reason. */
  parked: ['queued', 'cancelled'],
  cancelled: [],
} as const;
export type JobState = keyof typeof JOB_STATES;

export const TURN_STATES = {
  /** Tokens are reserved; the call may be under way. */
  calling: ['answered', 'done', 'dropped'],
  /** The model's answer is stored; its tool calls may be under way. */
  answered: ['done'],
  done: [],
  /** The call gave no answer; its inputs went back to the inbox. */
  dropped: [],
} as const;
export type TurnState = keyof typeof TURN_STATES;

export const UNDO_STATES = {
  /** Written down before the step began. */
  recorded: ['running', 'done', 'failed', 'impossible'],
  running: ['done', 'failed', 'impossible'],
  done: [],
  failed: [],
  /** It was said before that the step cannot be undone, or there is no permission for it. */
  impossible: [],
} as const;
export type UndoState = keyof typeof UNDO_STATES;

export const WORKTREE_STATES = {
  creating: ['ready', 'trash'],
  ready: ['trash', 'kept'],
  /** It fails the deletion rule: it holds something that is nowhere else. */
  kept: ['trash', 'ready'],
  trash: ['gone'],
  gone: [],
} as const;
export type WorktreeState = keyof typeof WORKTREE_STATES;

type Table = Readonly<Record<string, readonly string[]>>;

/** Returns `to`. Throws when the table has no arrow from `from` to `to`. */
export const move = <T extends Table, S extends keyof T & string>(table: T, from: S, to: S): S => {
  if (!table[from]?.includes(to)) throw new Error(`No transition from ${from} to ${to}.`);
  return to;
};

export const isFinal = <T extends Table>(table: T, state: keyof T & string): boolean => table[state]?.length === 0;
