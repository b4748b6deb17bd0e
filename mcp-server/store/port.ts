import type { Agent } from '../domain/agent.ts';
import type { EngineEvent, EventType, NewEvent } from '../domain/event.ts';
import type { AccountId, AgentId, Commit, JobId, MessageId, RunId, StepId, TurnId } from '../domain/ids.ts';
import type { Claim, Job, JobKind } from '../domain/job.ts';
import type { Account, LedgerRow } from '../domain/ledger.ts';
import type { Message } from '../domain/message.ts';
import type { Observation } from '../domain/observation.ts';
import type { NeedState, Plan, Step } from '../domain/plan.ts';
import type { Run } from '../domain/run.ts';
import type { AgentState, JobState, RunState, StepState, UndoState, WorktreeState } from '../domain/transitions.ts';
import type { Answer, Call, Timings, Turn, Usage } from '../domain/turn.ts';
import type { UndoRecord } from '../domain/undo.ts';
import type { Worktree } from '../domain/worktree.ts';

/** Reading. Outside a transaction it sees the last commit; inside, what the transaction wrote. A missing row is undefined. */
export interface Reader {
  run(id: RunId): Promise<Run | undefined>;
  /** The run that was started with this idempotency key. */
  runByKey(key: string): Promise<Run | undefined>;
  /** Newest first. */
  runs(limit: number): Promise<readonly Run[]>;
  /** Runs that have not ended, oldest first. */
  activeRuns(): Promise<readonly Run[]>;
  plan(run: RunId): Promise<Plan | undefined>;
  /** Of the run's plan, without reading all of it; undefined when it has none. `complexity` may be empty. */
  planFacts(run: RunId): Promise<{ readonly pattern: string; readonly complexity: string } | undefined>;
  steps(run: RunId): Promise<readonly Step[]>;
  agent(id: AgentId): Promise<Agent | undefined>;
  /** In order of creation. `ids` keeps only these; `states` only those in one of these states. */
  agents(run: RunId, filter?: { ids?: readonly AgentId[]; states?: readonly AgentState[] }): Promise<readonly Agent[]>;
  children(id: AgentId): Promise<readonly Agent[]>;
  job(id: JobId): Promise<Job | undefined>;
  jobs(filter: { run?: RunId; states?: readonly JobState[] }): Promise<readonly Job[]>;
  /**
   * Agents that have not ended and whose deadline has come, and pending steps whose join waits no longer. While an agent
   * is paused its time does not run; nor does that of joins in a paused run.
   */
  overdue(now: number): Promise<{ readonly agents: readonly Agent[]; readonly steps: readonly Step[] }>;
  /** By position, the first one first. */
  undos(run: RunId): Promise<readonly UndoRecord[]>;
  /** The plan that was kept under the key. */
  cachedPlan(key: string): Promise<{ readonly plan: Plan; readonly createdAt: number } | undefined>;
  forecast(run: RunId): Promise<ForecastRow | undefined>;
  /** Newest first; those of runs that have ended with what they really cost. */
  forecasts(limit: number): Promise<readonly ForecastRow[]>;
  /** What the run's agents committed, in order. */
  commits(run: RunId): Promise<readonly CommitRow[]>;
  /** Servers that queued turns wait for whose time has come. */
  queuedServers(): Promise<readonly string[]>;
  /** Queued turns with this prefix on this server, of agents that have not begun, among the first few hundred turns. */
  queuedBeginners(server: string, prefix: string): Promise<number>;
  /** Whether a job of one of these kinds is queued whose time has come. */
  anyQueued(kinds: readonly JobKind[], now: number): Promise<boolean>;
  /** By sequence; dropped turns left out. */
  turns(agent: AgentId): Promise<readonly Turn[]>;
  /** The agent's turn that is `calling` or `answered`. At most one. */
  openTurn(agent: AgentId): Promise<Turn | undefined>;
  /** Of all turns of the agent, by turn, then ordinal. */
  calls(agent: AgentId): Promise<readonly Call[]>;
  /** Delivered ones, by turn and then in the order of delivery. */
  delivered(agent: AgentId): Promise<readonly Message[]>;
  /** Not yet delivered ones: priority, then order of arrival. */
  inbox(agent: AgentId, limit: number): Promise<readonly Message[]>;
  /** Messages of other agents that the inbox still takes in. */
  inboxRoom(agent: AgentId): Promise<number>;
  /** The calls that wait for this, oldest first, each with its agent; those of agents that have ended left out. */
  callsWaitingFor(
    waitsFor: NonNullable<Call['waitsFor']>,
    limit: number,
  ): Promise<readonly { readonly owner: AgentId; readonly call: Call }[]>;
  account(id: AccountId): Promise<Account | undefined>;
  accounts(run: RunId): Promise<readonly Account[]>;
  ledger(run: RunId): Promise<readonly LedgerRow[]>;
  worktrees(filter?: { run?: RunId; states?: readonly WorktreeState[] }): Promise<readonly Worktree[]>;
  worktree(agent: AgentId): Promise<Worktree | undefined>;
  /** Of the run's agents, by agent: turns (dropped ones left out), prompt tokens sent and those that were cached. */
  turnTotals(
    run: RunId,
  ): Promise<ReadonlyMap<AgentId, { readonly turns: number; readonly sent: number; readonly cached: number }>>;
  /** Numbers of agents by state. */
  agentCounts(run: RunId): Promise<Readonly<Partial<Record<AgentState, number>>>>;
  observations(filter: { role?: string; tier?: string; limit: number }): Promise<readonly Observation[]>;
  /** Events with seq > after, oldest first. `run` keeps the run's own and the engine's. */
  events(after: number, limit: number, run?: RunId): Promise<readonly EngineEvent[]>;
  /** The run's of these types, oldest first. It looks at all events of the run. */
  eventsOf(run: RunId, types: readonly EventType[]): Promise<readonly EngineEvent[]>;
  /** 0 when there are none. */
  lastEvent(): Promise<number>;
}

/** What was said before a run, and what came of it, as JSON values; null: it has not ended. */
export interface ForecastRow {
  readonly run: RunId;
  readonly at: number;
  readonly forecast: unknown;
  readonly actual: unknown;
}

export interface CommitRow {
  readonly agent: AgentId;
  readonly commit: Commit;
  readonly files: readonly string[];
}

export type NewUndo = Omit<UndoRecord, 'position' | 'state' | 'worker' | 'result' | 'endedAt'>;
export type UndoPatch = Partial<Pick<UndoRecord, 'worker' | 'result' | 'endedAt'>>;

export type NewRun = Omit<
  Run,
  'state' | 'headCommit' | 'cancelRequested' | 'report' | 'error' | 'review' | 'endedAt' | 'pausedAt'
>;
export type NewAgent = Omit<
  Agent,
  | 'action'
  | 'report'
  | 'error'
  | 'endReason'
  | 'wrapUp'
  | 'wrapUpWhy'
  | 'compactedBefore'
  | 'startCommit'
  | 'deadline'
  | 'pausedAt'
  | 'startedAt'
  | 'endedAt'
>;
export type NewJob = Omit<Job, 'state' | 'attempts' | 'error' | 'epoch' | 'claims' | 'leaseUntil' | 'queuedAt'> & {
  /** Within its class; absent: 0. See `orderKey`. */
  readonly urgency?: number;
};
export type NewTurn = Omit<Turn, 'seq' | 'state' | 'answer' | 'usage' | 'timings' | 'commit' | 'endedAt'>;
export type NewMessage = Omit<Message, 'turn'>;
export type NewWorktree = Omit<Worktree, 'state' | 'reason'>;
export type AgentPatch = Partial<
  Pick<
    Agent,
    | 'action'
    | 'baseCommit'
    | 'headCommit'
    | 'report'
    | 'error'
    | 'endReason'
    | 'wrapUp'
    | 'wrapUpWhy'
    | 'compactedBefore'
    | 'startCommit'
    | 'deadline'
    | 'pause'
    | 'pausedAt'
    | 'startedAt'
    | 'endedAt'
  >
>;
export type RunPatch = Partial<
  Pick<Run, 'headCommit' | 'cancelRequested' | 'report' | 'error' | 'review' | 'endedAt' | 'pausedAt'>
>;

export interface ClaimQuery {
  readonly kinds: readonly JobKind[];
  readonly now: number;
  /** Prefixes that are hot in the server, best first; among equally old jobs of one class these go first. */
  readonly hot: readonly string[];
  /** Keep only turns that are for this server; undefined: any. */
  readonly server?: string;
}

/**
 * One transaction. Its methods throw on a state table's violation (a bug) and, where it is said, return false when the
 * data does not allow it (an expected outcome). Awaiting anything but the transaction's own methods inside is a bug.
 */
export interface Tx extends Reader {
  /** Inserts the run in state `planning`, its head at its base, and its pool account holding `options.budget`. */
  insertRun(run: NewRun): Promise<void>;
  moveRun(id: RunId, to: RunState, patch?: RunPatch): Promise<void>;
  patchRun(id: RunId, patch: RunPatch): Promise<void>;
  insertPlan(run: RunId, plan: Plan, steps: readonly Step[]): Promise<void>;
  /** Steps that are added to a run's plan, which now is this one. They may need each other and those that are there. */
  extendPlan(run: RunId, plan: Plan, steps: readonly Step[]): Promise<void>;
  moveStep(id: StepId, to: StepState): Promise<void>;
  /** → pending, for a fresh agent. */
  renewStep(id: StepId, agent: AgentId, attempt: number): Promise<void>;
  /** The step begins: the time runs from now on for steps that need it and wait only so long. Once only. */
  armJoins(need: StepId, now: number): Promise<void>;
  /** Pending steps of the run that wait only so long wait so much longer, ms. */
  postponeJoins(run: RunId, ms: number): Promise<void>;
  /** The step waits for all of its needs after all. */
  disarmJoin(id: StepId): Promise<void>;
  /** In state `recorded`, in the position after the run's last. */
  recordUndo(undo: NewUndo): Promise<void>;
  moveUndo(agent: AgentId, to: UndoState, patch?: UndoPatch): Promise<void>;
  patchUndo(agent: AgentId, patch: UndoPatch): Promise<void>;
  undo(agent: AgentId): Promise<UndoRecord | undefined>;
  /** The record that this agent takes back. */
  undoBy(worker: AgentId): Promise<UndoRecord | undefined>;
  /** Replaces what was kept under the key; of very many plans the oldest are dropped. */
  cachePlan(key: string, plan: Plan, now: number): Promise<void>;
  /** Replaces the run's. */
  putForecast(run: RunId, forecast: unknown, at: number): Promise<void>;
  /** Does nothing for a run without a forecast. */
  closeForecast(run: RunId, actual: unknown): Promise<void>;
  step(id: StepId): Promise<Step | undefined>;
  /** Steps that need this one, without what they need: that may be hundreds. */
  dependents(id: StepId): Promise<readonly Omit<Step, 'needs'>[]>;
  /** Whether a step that this one needs is not settled. */
  hasOpenNeed(id: StepId): Promise<boolean>;
  /** What this step needs and how that stands, in its order. */
  needStates(id: StepId): Promise<readonly NeedState[]>;
  /** The steps that this one needs. */
  needs(id: StepId): Promise<readonly Step[]>;
  /** Those below an agent that is to pause with all below it are to pause too, and so are those at the top of a paused run. */
  insertAgents(agents: readonly NewAgent[]): Promise<void>;
  /** Emits nothing: the caller emits `agent.moved`. Returns the state it had. */
  moveAgent(id: AgentId, to: AgentState, patch?: AgentPatch): Promise<AgentState>;
  patchAgent(id: AgentId, patch: AgentPatch): Promise<void>;
  countAgents(run: RunId, depth?: number): Promise<number>;
  /** Whether any agent of the run is not in a final state, or any job other than `except` is unfinished. */
  unsettled(run: RunId, except?: JobId): Promise<boolean>;

  enqueue(jobs: readonly NewJob[], now: number): Promise<void>;
  /**
   * Takes the best queued job: its `runAt` has come, no other job of its agent (or, without agent, of its run) is running,
   * its run has fewer running turns than its concurrency. Moves it to running, counts the attempt and the claim, writes
   * the epoch, and holds it for LEASE_MS.
   */
  claim(query: ClaimQuery): Promise<Job | undefined>;
  /** running → done | parked | cancelled. */
  finishJob(id: JobId, to: 'done' | 'parked' | 'cancelled', error?: string): Promise<void>;
  /** running → queued, not before `runAt`. `refund` takes the attempt back (the engine was stopped, not the job's fault). */
  requeue(id: JobId, runAt: number, error: string | null, refund?: boolean): Promise<void>;
  /** Cancels queued and parked turns and computations of the agent (merges into it stay); returns how many. */
  cancelJobs(agent: AgentId): Promise<number>;
  /** The agent's queued turn need not wait for its time any more. */
  hastenJobs(agent: AgentId, now: number): Promise<void>;
  /** Parked → queued with its attempts at 0. */
  unpark(id: JobId, now: number): Promise<void>;
  /** Those of these claims that still stand hold their jobs for LEASE_MS from now on; returns the others. */
  renewLeases(claims: readonly Claim[], now: number): Promise<readonly Claim[]>;
  /** Throws FencedError unless the job is running under this very claim. */
  assertHeld(claim: Claim): Promise<void>;
  /** Jobs that are running under an older epoch, or whose lease is over. */
  staleJobs(now: number): Promise<readonly Job[]>;

  /** State `calling`, sequence one above the agent's last (dropped ones do not count). */
  openTurnRow(turn: NewTurn): Promise<Turn>;
  answerTurn(id: TurnId, answer: Answer, usage: Usage, timings: Timings): Promise<void>;
  /** → done */
  closeTurn(id: TurnId, patch: { commit: Turn['commit']; endedAt: number }): Promise<void>;
  /** → dropped; its messages are undelivered again. */
  dropTurn(id: TurnId, endedAt: number): Promise<void>;
  insertCalls(calls: readonly Call[]): Promise<void>;
  /** Fills in waiting calls that wait for this agent (or sub-plan, or person); returns how many calls of that turn still wait. */
  settleCalls(
    owner: AgentId,
    waitsFor: AgentId | StepId | 'person',
    result: { readonly ok: boolean; readonly output: string },
  ): Promise<{ readonly settled: number; readonly stillWaiting: number }>;
  /** Fills in one waiting call. Throws when it does not wait. */
  settleCall(
    call: Pick<Call, 'turn' | 'ordinal'>,
    result: { readonly ok: boolean; readonly output: string },
  ): Promise<void>;
  /** Makes calls that wait for `from` wait for `to`. */
  redirectCalls(from: AgentId, to: AgentId): Promise<void>;
  waitingCalls(owner: AgentId): Promise<readonly Call[]>;

  /** False when the inbox is full (a person's, the engine's and reports always fit). */
  send(message: NewMessage): Promise<boolean>;
  deliver(turn: TurnId, messages: readonly MessageId[]): Promise<void>;

  /** Opens the account if it is new, moves tokens from `from`'s available to `to`'s. False: `from` has not enough. */
  grant(from: AccountId, to: AgentId, tokens: number, now: number): Promise<boolean>;
  /** available → reserved. False: not enough available. */
  reserve(account: AccountId, turn: TurnId, tokens: number, now: number): Promise<boolean>;
  /**
   * The turn's whole reservation ends: `used` tokens of it are charged, the rest is available again. What exceeds the
   * reservation is taken from available; what exceeds that too is not charged and returned as `over` (normally 0).
   */
  settle(account: AccountId, turn: TurnId, used: number, now: number): Promise<{ readonly over: number }>;
  /** More tokens for the run: its budget and what its pool holds grow. */
  raiseBudget(run: RunId, tokens: number, now: number): Promise<void>;
  /** All that is available of `from` goes to `to`. Throws while anything is reserved. */
  reclaim(from: AgentId, to: AccountId, now: number): Promise<number>;

  insertWorktree(worktree: NewWorktree): Promise<void>;
  moveWorktree(agent: AgentId, to: WorktreeState, reason?: string): Promise<void>;
  observe(observation: Observation): Promise<void>;
  /** Appends; the events get their numbers in the order of the calls and are announced after the commit. */
  emit(now: number, events: readonly NewEvent[]): Promise<void>;
}

export interface Store extends Reader {
  /** Of this engine; written to every claim, checked by every transaction. */
  readonly epoch: number;
  /**
   * Runs `work` in one BEGIN IMMEDIATE transaction and commits it, or rolls all of it back when it throws. Transactions
   * run one after another, in the order of the calls. Throws FencedError when another engine has taken a newer epoch.
   */
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /** Called after each commit that emitted events. Returns how to stop. */
  onEvents(listener: (events: readonly EngineEvent[]) => void): () => void;
  close(): Promise<void>;
}
