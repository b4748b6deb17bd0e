import type { Agent } from '../domain/agent.ts';
import type { EngineEvent } from '../domain/event.ts';
import type { AgentId, JobId, RunId } from '../domain/ids.ts';
import type { JobKind, Priority } from '../domain/job.ts';
import type { PlanningOptions, Run, RunOptions } from '../domain/run.ts';
import type { Answer, Call, Timings, Usage } from '../domain/turn.ts';
import type { FileChange, LandOutcome } from '../worktrees/port.ts';
import type { PlanningFacade } from './planning-facade.ts';
import type { SkillsFacade } from './skills-facade.ts';

/** Tokens of one account. `subtreeUsed` adds what all descendants used. */
export interface TokensView {
  readonly granted: number;
  readonly available: number;
  readonly reserved: number;
  readonly used: number;
  readonly subtreeUsed: number;
}

export interface RunView
  extends Pick<
    Run,
    'task' | 'state' | 'branch' | 'baseBranch' | 'baseCommit' | 'review' | 'report' | 'error' | 'createdAt' | 'endedAt'
  > {
  readonly run: RunId;
  readonly commit: string;
  readonly cancelRequested: Run['cancelRequested'];
  readonly server: string;
  readonly agents: {
    readonly total: number;
    readonly completed: number;
    readonly failed: number;
    readonly active: number;
  };
  /** Over the whole run: `granted` is its budget. */
  readonly tokens: {
    readonly granted: number;
    readonly available: number;
    readonly reserved: number;
    readonly used: number;
  };
  /** Why nothing of it can go on just now (the server is away, every job is parked, all agents are paused); null when it goes on or has ended. */
  readonly stuck: string | null;
  /** The whole run is to pause. Absent: false. */
  readonly paused?: boolean;
  /** What its agents want and a person has to allow first. Absent: nothing. */
  readonly approvals?: readonly ApprovalView[];
  /** Set when the run has ended. */
  readonly filesChanged: number | null;
}

/** A skill that agents of a run wait for. */
export interface ApprovalView {
  /** Its id. */
  readonly approval: string;
  readonly skill: string;
  /** What would be allowed, as a question for the person. */
  readonly question: string;
  /** How to answer, in words. */
  readonly where: string;
  /** Who waits. */
  readonly agents: readonly AgentId[];
}

export interface AgentView
  extends Pick<
    Agent,
    | 'run'
    | 'parent'
    | 'name'
    | 'role'
    | 'tier'
    | 'depth'
    | 'task'
    | 'state'
    | 'action'
    | 'branch'
    | 'report'
    | 'error'
    | 'endReason'
    | 'createdAt'
    | 'startedAt'
    | 'endedAt'
  > {
  readonly agent: AgentId;
  readonly commit: string | null;
  readonly tokens: TokensView;
  /** Prompt tokens sent in all, and how many of them came from the KV cache. */
  readonly prompt: { readonly sent: number; readonly cached: number };
  readonly turns: number;
  /** It is to take no further turn: it is paused, or will be when its turn under way has ended. Absent: false. */
  readonly pausing?: boolean;
  /** Open question to the person. */
  readonly question: string | null;
}

/** One line of a transcript, oldest first. */
export type TranscriptEntry =
  | { readonly kind: 'task'; readonly text: string; readonly at: number }
  | {
      readonly kind: 'message';
      readonly from: string;
      readonly messageKind: string;
      readonly text: string;
      readonly at: number;
    }
  | {
      readonly kind: 'answer';
      readonly seq: number;
      readonly turnKind: string;
      readonly answer: Answer | null;
      readonly usage: Usage | null;
      readonly timings: Timings | null;
      readonly commit: string | null;
      readonly calls: readonly Pick<Call, 'tool' | 'arguments' | 'ok' | 'output' | 'state'>[];
      readonly at: number;
    };

export interface AccountView {
  /** The run's pool, or an agent. */
  readonly account: string;
  readonly parent: string | null;
  readonly name: string;
  readonly state: string;
  readonly tokens: TokensView;
}

export interface JobView {
  readonly job: JobId;
  readonly run: RunId;
  readonly agent: AgentId | null;
  readonly name: string;
  readonly kind: JobKind;
  readonly priority: Priority;
  readonly state: 'queued' | 'running' | 'parked';
  readonly ageMs: number;
  readonly attempts: number;
  readonly error: string | null;
}

export interface ServerView {
  readonly url: string;
  readonly model: string | null;
  readonly reachable: boolean;
  readonly error: string | null;
  readonly slots: { readonly busy: number; readonly total: number };
  readonly contextSize: number | null;
}

export interface ReviewView {
  readonly run: RunId;
  readonly task: string;
  readonly state: Run['state'];
  readonly review: Run['review'];
  readonly branch: string;
  readonly base: string;
  readonly head: string;
  readonly files: number;
  readonly additions: number;
  readonly deletions: number;
}

export interface SetupProblem {
  readonly severity: 'error' | 'warning' | 'ok';
  readonly what: string;
  /** What to do; empty when nothing is wrong. */
  readonly fix: string;
}

type Loose<T> = { readonly [K in keyof T]?: T[K] | undefined };

export type StartOptions = Omit<Loose<RunOptions>, 'planning'> & {
  readonly planning?: Loose<PlanningOptions> | undefined;
};

/**
 * All that a face may ask of an engine: plain data in, plain data out. Methods throw UserError for what the person can
 * put right. `signal` ends the asking, never the work.
 */
export interface Engine extends PlanningFacade, SkillsFacade {
  /** Returns at once; the same `key` returns the same run again instead of starting a second one. */
  startRun(input: { task: string; options: StartOptions; key?: string | undefined }): Promise<RunView>;
  runStatus(run: RunId): Promise<RunView>;
  /** Resolves when the run has ended or `waitMs` is over. */
  waitRun(run: RunId, waitMs: number, signal: AbortSignal): Promise<RunView>;
  listRuns(limit: number): Promise<readonly RunView[]>;
  /** `agent` limits it to that agent and its descendants. */
  cancelRun(input: { run: RunId; agent?: AgentId | undefined; mode: 'wrap-up' | 'abort' }): Promise<RunView>;
  /**
   * No agent of the run takes another turn; with `agent`, that one, and with `below` all that hang from it. Turns under
   * way end normally.
   */
  pauseAgents(input: { run: RunId; agent?: AgentId | undefined; below: boolean }): Promise<RunView>;
  /** Takes such a pause back. */
  continueAgents(input: { run: RunId; agent?: AgentId | undefined; below: boolean }): Promise<RunView>;
  /** Lets parked jobs try again. */
  resumeRun(run: RunId): Promise<RunView>;
  /** Events after `after`; when there are none, waits for one up to `waitMs`. */
  events(input: {
    after: number;
    waitMs: number;
    limit: number;
    run?: RunId | undefined;
    signal: AbortSignal;
  }): Promise<{ events: readonly EngineEvent[]; last: number }>;
  /** `changedSince`: only agents that an event after this number concerns. */
  listAgents(input: {
    run: RunId;
    changedSince?: number | undefined;
  }): Promise<{ agents: readonly AgentView[]; last: number }>;
  transcript(agent: AgentId): Promise<{ agent: AgentView; entries: readonly TranscriptEntry[] }>;
  messageAgent(input: { agent: AgentId; text: string }): Promise<{ message: string; delivery: 'next-turn' | 'answer' }>;
  budget(run: RunId): Promise<{ accounts: readonly AccountView[]; granted: number; sum: number }>;
  queue(): Promise<{
    servers: readonly ServerView[];
    jobs: readonly JobView[];
    counts: Readonly<Record<Priority, number>>;
  }>;
  listReviews(): Promise<readonly ReviewView[]>;
  reviewDiff(input: {
    run: RunId;
    path?: string | undefined;
  }): Promise<{ review: ReviewView; files: readonly FileChange[]; patch: string }>;
  reviewFile(input: { run: RunId; path: string; side: 'base' | 'head' }): Promise<{ text: string | null }>;
  land(run: RunId): Promise<LandOutcome>;
  discard(run: RunId): Promise<{ discarded: true; keptWorktrees: readonly string[] }>;
  checkSetup(options: StartOptions): Promise<{ ok: boolean; problems: readonly SetupProblem[] }>;
  /** Work that is going on, for the idle exit. */
  isIdle(): Promise<boolean>;
  /** Stops claiming, aborts calls under way (their turns go on at the next start), closes everything. Idempotent. */
  stop(): Promise<void>;
}
