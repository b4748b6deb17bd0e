import type { Agent } from '../domain/agent.ts';
import type { EngineEvent, EventType } from '../domain/event.ts';
import type { AccountId, AgentId, JobId, RunId } from '../domain/ids.ts';
import type { Job, JobKind } from '../domain/job.ts';
import type { Account, LedgerRow } from '../domain/ledger.ts';
import type { Message } from '../domain/message.ts';
import type { Observation } from '../domain/observation.ts';
import type { Plan, Step } from '../domain/plan.ts';
import type { Run } from '../domain/run.ts';
import type { Call, Turn } from '../domain/turn.ts';
import type { UndoRecord } from '../domain/undo.ts';
import type { Worktree } from '../domain/worktree.ts';
import { agentById, agentCounts, agentsOf, childrenOf, overdueAgents } from './agents.ts';
import { callsOf, callsWaitingFor } from './calls.ts';
import { anyQueued, queuedServers } from './claim.ts';
import type { Connection } from './connection.ts';
import { commitsOf, eventsAfter, eventsOf, lastEvent } from './events.ts';
import { cachedPlan, forecastOf, newestForecasts } from './forecasts.ts';
import { jobById, jobsWhere, queuedBeginners } from './jobs.ts';
import { accountById, accountsOf, ledgerOf } from './ledger.ts';
import { delivered, inbox, inboxRoom } from './messages.ts';
import { observationsWhere } from './observations.ts';
import { overdueSteps, planFacts, planOf, stepsOf } from './plans.ts';
import type { CommitRow, ForecastRow, Reader } from './port.ts';
import { activeRuns, newestRuns, runById, runByKey } from './runs.ts';
import { openTurn, turnsOf, turnTotals } from './turns.ts';
import { undosOf } from './undos.ts';
import { worktreeOf, worktreesWhere } from './worktrees.ts';

type Filter<Method extends keyof Reader, Place extends number> = Parameters<Reader[Method]>[Place];

/** Reads through one connection; each method does its work at once and its promise is already resolved. */
export class SqliteReader implements Reader {
  readonly #db: Connection;

  constructor(db: Connection) {
    this.#db = db;
  }

  /** The connection. Throws when it must not be used any more. */
  protected get db(): Connection {
    return this.#db;
  }

  async run(id: RunId): Promise<Run | undefined> {
    return runById(this.db, id);
  }
  async runByKey(key: string): Promise<Run | undefined> {
    return runByKey(this.db, key);
  }
  async runs(limit: number): Promise<readonly Run[]> {
    return newestRuns(this.db, limit);
  }
  async activeRuns(): Promise<readonly Run[]> {
    return activeRuns(this.db);
  }
  async plan(run: RunId): Promise<Plan | undefined> {
    return planOf(this.db, run);
  }
  async planFacts(run: RunId): ReturnType<Reader['planFacts']> {
    return planFacts(this.db, run);
  }
  async overdue(now: number): ReturnType<Reader['overdue']> {
    return { agents: overdueAgents(this.db, now), steps: overdueSteps(this.db, now) };
  }
  async inboxRoom(agent: AgentId): Promise<number> {
    return inboxRoom(this.db, agent);
  }
  async callsWaitingFor(waitsFor: string, limit: number): ReturnType<Reader['callsWaitingFor']> {
    return callsWaitingFor(this.db, waitsFor, limit);
  }
  async undos(run: RunId): Promise<readonly UndoRecord[]> {
    return undosOf(this.db, run);
  }
  async cachedPlan(key: string): ReturnType<Reader['cachedPlan']> {
    return cachedPlan(this.db, key);
  }
  async forecast(run: RunId): Promise<ForecastRow | undefined> {
    return forecastOf(this.db, run);
  }
  async forecasts(limit: number): Promise<readonly ForecastRow[]> {
    return newestForecasts(this.db, limit);
  }
  async commits(run: RunId): Promise<readonly CommitRow[]> {
    return commitsOf(this.db, run);
  }
  async eventsOf(run: RunId, types: readonly EventType[]): Promise<readonly EngineEvent[]> {
    return eventsOf(this.db, run, types);
  }
  async queuedServers(): Promise<readonly string[]> {
    return queuedServers(this.db);
  }
  async steps(run: RunId): Promise<readonly Step[]> {
    return stepsOf(this.db, run);
  }
  async agent(id: AgentId): Promise<Agent | undefined> {
    return agentById(this.db, id);
  }
  async agents(run: RunId, filter?: Filter<'agents', 1>): Promise<readonly Agent[]> {
    return agentsOf(this.db, run, filter);
  }
  async children(id: AgentId): Promise<readonly Agent[]> {
    return childrenOf(this.db, id);
  }
  async job(id: JobId): Promise<Job | undefined> {
    return jobById(this.db, id);
  }
  async jobs(filter: Filter<'jobs', 0>): Promise<readonly Job[]> {
    return jobsWhere(this.db, filter);
  }
  async queuedBeginners(server: string, prefix: string): Promise<number> {
    return queuedBeginners(this.db, server, prefix);
  }
  async anyQueued(kinds: readonly JobKind[], now: number): Promise<boolean> {
    return anyQueued(this.db, kinds, now);
  }
  async turns(agent: AgentId): Promise<readonly Turn[]> {
    return turnsOf(this.db, agent);
  }
  async openTurn(agent: AgentId): Promise<Turn | undefined> {
    return openTurn(this.db, agent);
  }
  async calls(agent: AgentId): Promise<readonly Call[]> {
    return callsOf(this.db, agent);
  }
  async delivered(agent: AgentId): Promise<readonly Message[]> {
    return delivered(this.db, agent);
  }
  async inbox(agent: AgentId, limit: number): Promise<readonly Message[]> {
    return inbox(this.db, agent, limit);
  }
  async account(id: AccountId): Promise<Account | undefined> {
    return accountById(this.db, id);
  }
  async accounts(run: RunId): Promise<readonly Account[]> {
    return accountsOf(this.db, run);
  }
  async ledger(run: RunId): Promise<readonly LedgerRow[]> {
    return ledgerOf(this.db, run);
  }
  async worktrees(filter?: Filter<'worktrees', 0>): Promise<readonly Worktree[]> {
    return worktreesWhere(this.db, filter);
  }
  async worktree(agent: AgentId): Promise<Worktree | undefined> {
    return worktreeOf(this.db, agent);
  }
  async turnTotals(run: RunId): ReturnType<Reader['turnTotals']> {
    return turnTotals(this.db, run);
  }
  async agentCounts(run: RunId): ReturnType<Reader['agentCounts']> {
    return agentCounts(this.db, run);
  }
  async observations(filter: Filter<'observations', 0>): Promise<readonly Observation[]> {
    return observationsWhere(this.db, filter);
  }
  async events(after: number, limit: number, run?: RunId): Promise<readonly EngineEvent[]> {
    return eventsAfter(this.db, after, limit, run);
  }
  async lastEvent(): Promise<number> {
    return lastEvent(this.db);
  }
}
