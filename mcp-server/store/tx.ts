import type { Agent } from '../domain/agent.ts';
import type { EngineEvent, NewEvent } from '../domain/event.ts';
import type { AccountId, AgentId, JobId, MessageId, RunId, StepId, TurnId } from '../domain/ids.ts';
import type { Claim, Job } from '../domain/job.ts';
import type { Observation } from '../domain/observation.ts';
import type { NeedState, Plan, Step } from '../domain/plan.ts';
import type { Run } from '../domain/run.ts';
import type { AgentState, RunState, StepState, UndoState, WorktreeState } from '../domain/transitions.ts';
import type { Answer, Call, Timings, Turn, Usage } from '../domain/turn.ts';
import type { UndoRecord } from '../domain/undo.ts';
import { agentById, anyAlive, countAgents, insertAgents, moveAgent, patchAgent, patched } from './agents.ts';
import { insertCalls, redirectCalls, settleCall, settleCalls, waitingCalls } from './calls.ts';
import { bringDue, claim } from './claim.ts';
import type { Connection } from './connection.ts';
import { emit } from './events.ts';
import { cachePlan, closeForecast, putForecast } from './forecasts.ts';
import {
  anyOpenJob,
  assertHeld,
  cancelJobs,
  enqueue,
  finishJob,
  hastenJobs,
  renewLeases,
  requeue,
  staleJobs,
  unpark,
} from './jobs.ts';
import type { KnownRows, SeenRows } from './known-rows.ts';
import { grant, openPool, raiseBudget, reclaim, reserve, settle } from './ledger.ts';
import { deliver, send, undeliver } from './messages.ts';
import { observe } from './observations.ts';
import {
  armJoins,
  dependentsOf,
  disarmJoin,
  extendPlan,
  hasOpenNeed,
  insertPlan,
  moveStep,
  neededSteps,
  needStatesOf,
  postponeJoins,
  renewStep,
  stepById,
} from './plans.ts';
import type {
  AgentPatch,
  ClaimQuery,
  NewAgent,
  NewJob,
  NewMessage,
  NewRun,
  NewTurn,
  NewUndo,
  NewWorktree,
  RunPatch,
  Tx,
  UndoPatch,
} from './port.ts';
import { SqliteReader } from './reader.ts';
import { insertRun, moveRun, patchRun, runById } from './runs.ts';
import { answerTurn, closeTurn, openTurnRow } from './turns.ts';
import { moveUndo, patchUndo, recordUndo, undoByWorker, undoOf } from './undos.ts';
import { insertWorktree, moveWorktree } from './worktrees.ts';

/**
 * The verbs of one transaction on the writing connection. Every use after `end` throws. Nobody else writes meanwhile, so
 * it reads an agent and a run once, if no earlier one has, and knows what it has made of them since.
 */
export class SqliteTx extends SqliteReader implements Tx {
  readonly #epoch: number;
  readonly #known: KnownRows;
  readonly #agents = new Map<AgentId, Agent>();
  /** Null: changed since it was read. */
  readonly #runs = new Map<RunId, Run | null>();
  readonly #worktrees = new Map<AgentId, boolean>();
  #events: (NewEvent & { readonly at: number })[] = [];
  #emitted: EngineEvent[] = [];
  /** Jobs whose time came by then have been let in. */
  #dueUntil = Number.NEGATIVE_INFINITY;
  #ended = false;

  constructor(db: Connection, epoch: number, known: KnownRows) {
    super(db);
    this.#epoch = epoch;
    this.#known = known;
  }

  protected override get db(): Connection {
    if (this.#ended) throw new Error('The transaction is over: something in it was not awaited.');
    return super.db;
  }

  /** Stores what it emitted, ends its use, and returns the events. */
  end(): readonly EngineEvent[] {
    this.#flush();
    this.#ended = true;
    return this.#emitted;
  }

  /** What it knows of agents, runs and worktrees. */
  get seen(): SeenRows {
    return { agents: this.#agents, runs: this.#runs, worktrees: this.#worktrees };
  }

  /** Ends its use when it is undone. */
  abandon(): void {
    this.#ended = true;
  }

  #flush(): void {
    if (this.#events.length === 0) return;
    const events = emit(this.db, this.#events);
    this.#emitted = this.#emitted.length === 0 ? events : [...this.#emitted, ...events];
    this.#events = [];
  }

  override async agent(id: AgentId): Promise<Agent | undefined> {
    return this.#agentById(id);
  }
  override async run(id: RunId): Promise<Run | undefined> {
    const { db } = this;
    const seen = this.#runs.get(id);
    const run = seen ?? (seen === null ? undefined : this.#known.run(id)) ?? runById(db, id);
    if (run) this.#runs.set(id, run);
    return run;
  }
  override async events(after: number, limit: number, run?: RunId): Promise<readonly EngineEvent[]> {
    this.#flush();
    return super.events(after, limit, run);
  }
  override async commits(run: RunId): ReturnType<Tx['commits']> {
    this.#flush();
    return super.commits(run);
  }
  override async eventsOf(...of: Parameters<Tx['eventsOf']>): ReturnType<Tx['eventsOf']> {
    this.#flush();
    return super.eventsOf(...of);
  }
  override async lastEvent(): Promise<number> {
    this.#flush();
    return super.lastEvent();
  }

  #agentById(id: AgentId): Agent | undefined {
    const { db } = this;
    const agent = this.#agents.get(id) ?? this.#known.agent(id) ?? agentById(db, id);
    if (agent) this.#agents.set(id, agent);
    return agent;
  }

  async insertRun(run: NewRun): Promise<void> {
    insertRun(this.db, run);
    openPool(this.db, run.id, run.options.budget, run.createdAt);
  }
  async moveRun(id: RunId, to: RunState, patch?: RunPatch): Promise<void> {
    this.#runs.set(id, null);
    moveRun(this.db, id, to, patch);
  }
  async patchRun(id: RunId, patch: RunPatch): Promise<void> {
    this.#runs.set(id, null);
    patchRun(this.db, id, patch);
  }
  async insertPlan(run: RunId, plan: Plan, steps: readonly Step[]): Promise<void> {
    insertPlan(this.db, run, plan, steps);
  }
  async extendPlan(run: RunId, plan: Plan, steps: readonly Step[]): Promise<void> {
    extendPlan(this.db, run, plan, steps);
  }
  async renewStep(id: StepId, agent: AgentId, attempt: number): Promise<void> {
    renewStep(this.db, id, agent, attempt);
  }
  async armJoins(need: StepId, now: number): Promise<void> {
    armJoins(this.db, need, now);
  }
  async postponeJoins(run: RunId, ms: number): Promise<void> {
    postponeJoins(this.db, run, ms);
  }
  async disarmJoin(id: StepId): Promise<void> {
    disarmJoin(this.db, id);
  }
  async recordUndo(undo: NewUndo): Promise<void> {
    recordUndo(this.db, undo);
  }
  async moveUndo(agent: AgentId, to: UndoState, patch?: UndoPatch): Promise<void> {
    moveUndo(this.db, agent, to, patch);
  }
  async patchUndo(agent: AgentId, patch: UndoPatch): Promise<void> {
    patchUndo(this.db, agent, patch);
  }
  async undo(agent: AgentId): Promise<UndoRecord | undefined> {
    return undoOf(this.db, agent);
  }
  async undoBy(worker: AgentId): Promise<UndoRecord | undefined> {
    return undoByWorker(this.db, worker);
  }
  async cachePlan(key: string, plan: Plan, now: number): Promise<void> {
    cachePlan(this.db, key, plan, now);
  }
  async putForecast(run: RunId, forecast: unknown, at: number): Promise<void> {
    putForecast(this.db, run, forecast, at);
  }
  async closeForecast(run: RunId, actual: unknown): Promise<void> {
    closeForecast(this.db, run, actual);
  }
  async raiseBudget(run: RunId, tokens: number, now: number): Promise<void> {
    this.#runs.set(run, null);
    raiseBudget(this.db, run, tokens, now);
  }
  async moveStep(id: StepId, to: StepState): Promise<void> {
    moveStep(this.db, id, to);
  }
  async step(id: StepId): Promise<Step | undefined> {
    return stepById(this.db, id);
  }
  async dependents(id: StepId): ReturnType<Tx['dependents']> {
    return dependentsOf(this.db, id);
  }
  async hasOpenNeed(id: StepId): Promise<boolean> {
    return hasOpenNeed(this.db, id);
  }
  async needStates(id: StepId): Promise<readonly NeedState[]> {
    return needStatesOf(this.db, id);
  }
  async needs(id: StepId): Promise<readonly Step[]> {
    return neededSteps(this.db, id);
  }
  async insertAgents(agents: readonly NewAgent[]): Promise<void> {
    for (const agent of insertAgents(this.db, agents)) {
      this.#agents.set(agent.id, agent);
      this.#worktrees.set(agent.id, false);
    }
  }
  async moveAgent(id: AgentId, to: AgentState, patch?: AgentPatch): Promise<AgentState> {
    const agent = this.#agentById(id);
    const from = moveAgent(this.db, id, to, patch, agent?.state);
    if (agent) this.#agents.set(id, { ...patched(agent, patch ?? {}), state: to });
    return from;
  }
  async patchAgent(id: AgentId, patch: AgentPatch): Promise<void> {
    patchAgent(this.db, id, patch);
    const agent = this.#agents.get(id) ?? this.#known.agent(id);
    if (agent) this.#agents.set(id, patched(agent, patch));
  }
  async countAgents(run: RunId, depth?: number): Promise<number> {
    return countAgents(this.db, run, depth);
  }
  async unsettled(run: RunId, except?: JobId): Promise<boolean> {
    return anyAlive(this.db, run) || anyOpenJob(this.db, run, except);
  }

  async enqueue(jobs: readonly NewJob[], now: number): Promise<void> {
    enqueue(this.db, jobs, now);
  }
  async claim(wanted: ClaimQuery): Promise<Job | undefined> {
    const { db } = this;
    if (wanted.now > this.#dueUntil) bringDue(db, wanted.now);
    this.#dueUntil = Math.max(this.#dueUntil, wanted.now);
    return claim(db, wanted, this.#epoch);
  }
  async finishJob(id: JobId, to: 'done' | 'parked' | 'cancelled', error?: string): Promise<void> {
    finishJob(this.db, id, to, error);
  }
  async requeue(id: JobId, runAt: number, error: string | null, refund?: boolean): Promise<void> {
    requeue(this.db, id, runAt, error, refund);
  }
  async cancelJobs(agent: AgentId): Promise<number> {
    return cancelJobs(this.db, agent);
  }
  async hastenJobs(agent: AgentId, now: number): Promise<void> {
    hastenJobs(this.db, agent, now);
  }
  async unpark(id: JobId, now: number): Promise<void> {
    unpark(this.db, id, now);
  }
  async renewLeases(claims: readonly Claim[], now: number): Promise<readonly Claim[]> {
    return renewLeases(this.db, claims, now);
  }
  async assertHeld(claim: Claim): Promise<void> {
    assertHeld(this.db, claim);
  }
  async staleJobs(now: number): Promise<readonly Job[]> {
    return staleJobs(this.db, this.#epoch, now);
  }

  async openTurnRow(turn: NewTurn): Promise<Turn> {
    return openTurnRow(this.db, turn);
  }
  async answerTurn(id: TurnId, answer: Answer, usage: Usage, timings: Timings): Promise<void> {
    answerTurn(this.db, id, answer, usage, timings);
  }
  async closeTurn(id: TurnId, patch: { commit: Turn['commit']; endedAt: number }): Promise<void> {
    closeTurn(this.db, id, 'done', patch);
  }
  async dropTurn(id: TurnId, endedAt: number): Promise<void> {
    closeTurn(this.db, id, 'dropped', { commit: null, endedAt });
    undeliver(this.db, id);
  }
  async insertCalls(calls: readonly Call[]): Promise<void> {
    insertCalls(this.db, calls);
  }
  async settleCalls(
    owner: AgentId,
    waitsFor: AgentId | StepId | 'person',
    result: { readonly ok: boolean; readonly output: string },
  ): Promise<{ readonly settled: number; readonly stillWaiting: number }> {
    return settleCalls(this.db, owner, waitsFor, result);
  }
  async settleCall(...args: Parameters<Tx['settleCall']>): Promise<void> {
    settleCall(this.db, ...args);
  }
  async redirectCalls(from: AgentId, to: AgentId): Promise<void> {
    redirectCalls(this.db, from, to);
  }
  async waitingCalls(owner: AgentId): Promise<readonly Call[]> {
    return waitingCalls(this.db, owner);
  }

  async send(message: NewMessage): Promise<boolean> {
    return send(this.db, message);
  }
  async deliver(turn: TurnId, messages: readonly MessageId[]): Promise<void> {
    deliver(this.db, turn, messages);
  }

  async grant(from: AccountId, to: AgentId, tokens: number, now: number): Promise<boolean> {
    return grant(this.db, from, to, tokens, now);
  }
  async reserve(account: AccountId, turn: TurnId, tokens: number, now: number): Promise<boolean> {
    return reserve(this.db, account, turn, tokens, now);
  }
  async settle(account: AccountId, turn: TurnId, used: number, now: number): Promise<{ readonly over: number }> {
    return settle(this.db, account, turn, used, now);
  }
  async reclaim(from: AgentId, to: AccountId, now: number): Promise<number> {
    return reclaim(this.db, from, to, now);
  }

  async insertWorktree(worktree: NewWorktree): Promise<void> {
    insertWorktree(this.db, worktree);
    this.#worktrees.set(worktree.agent, true);
  }
  async moveWorktree(agent: AgentId, to: WorktreeState, reason?: string): Promise<void> {
    moveWorktree(this.db, agent, to, reason);
  }
  async observe(observation: Observation): Promise<void> {
    observe(this.db, observation);
  }
  async emit(now: number, events: readonly NewEvent[]): Promise<void> {
    if (this.#ended) throw new Error('The transaction is over: something in it was not awaited.');
    for (const event of events) this.#events.push({ ...event, at: now });
  }
}
