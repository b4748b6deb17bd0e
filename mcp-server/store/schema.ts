import { DummyDriver, type Generated, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely';
import type { Agent } from '../domain/agent.ts';
import type { EventType } from '../domain/event.ts';
import type { AgentId, RunId, StepId } from '../domain/ids.ts';
import type { Job } from '../domain/job.ts';
import type { Account, LedgerRow } from '../domain/ledger.ts';
import type { Message } from '../domain/message.ts';
import type { Observation } from '../domain/observation.ts';
import type { OptionalStepKey, Step } from '../domain/plan.ts';
import type { Run } from '../domain/run.ts';
import type { Call, Turn } from '../domain/turn.ts';
import type { UndoRecord } from '../domain/undo.ts';
import type { Worktree } from '../domain/worktree.ts';

type Flag = 0 | 1;
/** JSON text. */
type Json = string;
interface Numbered {
  /** Order of insertion. */
  readonly n: Generated<number>;
}
/** The domain's type with some properties stored in another form. */
type Stored<T, Changed> = Omit<T, keyof Changed> & Changed;

/** The tables as the newest migration leaves them; columns have the names of the domain's properties. */
export interface Schema {
  meta: { readonly key: string; readonly value: string | number };
  runs: Numbered & Stored<Required<Run>, { readonly options: Json }> & { readonly concurrency: number };
  plans: { readonly run: RunId; readonly pattern: string; readonly complexity: string; readonly body: Json };
  steps: Numbered &
    Omit<Stored<Step, { readonly toleratesFailure: Flag }>, 'needs' | OptionalStepKey> & {
      readonly spec: Json | null;
      readonly withinMs: number | null;
      readonly deadline: number | null;
    };
  step_needs: { readonly step: StepId; readonly place: number; readonly need: StepId };
  agents: Numbered &
    Stored<Required<Agent>, { readonly wrapUp: Flag; readonly permissions: Json | null; readonly skills: Json | null }>;
  jobs: Numbered & Job & { readonly owner: string; readonly orderKey: number; readonly due: Flag };
  turns: Numbered &
    Stored<Turn, { readonly answer: Json | null; readonly usage: Json | null; readonly timings: Json | null }> & {
      readonly sent: number | null;
      readonly cached: number | null;
    };
  calls: Stored<Call, { readonly ok: Flag }>;
  messages: Numbered & Message & { readonly place: number | null };
  accounts: Account;
  ledger: LedgerRow;
  worktrees: Worktree;
  undos: Numbered & Omit<UndoRecord, 'undo'> & { readonly kind: UndoRecord['undo']['kind']; readonly payload: Json };
  plan_cache: { readonly key: string; readonly createdAt: number; readonly plan: Json };
  forecasts: { readonly run: RunId; readonly at: number; readonly forecast: Json; readonly actual: Json | null };
  observations: Numbered & Stored<Observation, { readonly ok: Flag }>;
  events: {
    readonly seq: Generated<number>;
    readonly at: number;
    readonly run: RunId | null;
    readonly agent: AgentId | null;
    readonly type: EventType;
    readonly body: Json;
  };
}

/** Builds queries over the schema; it compiles them and never runs them, a Connection does. */
export const query = new Kysely<Schema>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
});
