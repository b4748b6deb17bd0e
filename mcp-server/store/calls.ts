import type { AgentId, StepId } from '../domain/ids.ts';
import type { Call } from '../domain/turn.ts';
import type { Connection } from './connection.ts';
import type { Schema } from './schema.ts';
import { insertInto, list, sql, valuesOf } from './sql.ts';

const COLUMNS = [
  'turn',
  'ordinal',
  'callId',
  'tool',
  'arguments',
  'state',
  'ok',
  'output',
  'waitsFor',
] as const satisfies readonly (keyof Call)[];
type Row = Schema['calls'];

const parse = (row: Row): Call => ({ ...row, ok: row.ok === 1 });

const OF_AGENT = sql<Row>(`
  SELECT ${list(COLUMNS, 'calls')} FROM turns CROSS JOIN calls ON calls.turn = turns.id
   WHERE turns.agent = +? AND turns.state <> 'dropped' ORDER BY turns.seq, calls.ordinal`);
const WAITING_OF_AGENT = sql<Row>(`
  SELECT ${list(COLUMNS, 'calls')} FROM turns CROSS JOIN calls ON calls.turn = turns.id
   WHERE turns.agent = +? AND turns.state <> 'dropped' AND calls.state = 'waiting' ORDER BY turns.seq, calls.ordinal`);
const WAITING_OF_TURN = sql<{ count: number }>(
  `SELECT count(*) AS count FROM calls WHERE turn = ? AND state = 'waiting'`,
);

/** Of all turns of the agent, by turn, then ordinal. */
export const callsOf = (db: Connection, agent: AgentId): Call[] => db.all(OF_AGENT, agent).map(parse);

export const waitingCalls = (db: Connection, owner: AgentId): Call[] => db.all(WAITING_OF_AGENT, owner).map(parse);

const INSERT = insertInto('calls', COLUMNS);
const SETTLE = sql<{ turn: string }>(`
  UPDATE calls SET state = 'done', ok = @ok, output = @output
   WHERE waitsFor = @waitsFor AND state = 'waiting' AND (SELECT agent FROM turns WHERE id = calls.turn) = @owner
  RETURNING turn`);
/** Oldest first; those whose owner has ended are left out. */
const WAITING_FOR = sql<Row & { owner: AgentId }>(`
  SELECT ${list(COLUMNS, 'calls')}, turns.agent AS owner
    FROM calls CROSS JOIN turns ON turns.id = calls.turn CROSS JOIN agents ON agents.id = turns.agent
   WHERE calls.waitsFor = +? AND calls.state = 'waiting' AND agents.state NOT IN ('completed', 'failed', 'cancelled')
   ORDER BY calls.rowid LIMIT +?`);
const SETTLE_ONE = sql(
  `UPDATE calls SET state = 'done', ok = ?, output = ? WHERE turn = ? AND ordinal = ? AND state = 'waiting'`,
);
const REDIRECT = sql(`UPDATE calls SET waitsFor = ? WHERE waitsFor = ? AND state = 'waiting'`);

export const insertCalls = (db: Connection, calls: readonly Call[]): void => {
  for (const call of calls) db.insert(INSERT, ...valuesOf(call, COLUMNS));
};

/** When nothing waits for it, `stillWaiting` counts what else the owner waits for. */
export const settleCalls = (
  db: Connection,
  owner: AgentId,
  waitsFor: AgentId | StepId | 'person',
  result: { readonly ok: boolean; readonly output: string },
): { settled: number; stillWaiting: number } => {
  const rows = db.all(SETTLE, { owner, waitsFor, ok: result.ok ? 1 : 0, output: result.output });
  if (rows.length === 0) return { settled: 0, stillWaiting: waitingCalls(db, owner).length };
  let stillWaiting = 0;
  for (const turn of new Set(rows.map((row) => row.turn))) stillWaiting += db.get(WAITING_OF_TURN, turn)?.count ?? 0;
  return { settled: rows.length, stillWaiting };
};

export const callsWaitingFor = (db: Connection, waitsFor: string, limit: number): { owner: AgentId; call: Call }[] =>
  db.all(WAITING_FOR, waitsFor, limit).map(({ owner, ...row }) => ({ owner, call: parse(row) }));

export const settleCall = (
  db: Connection,
  { turn, ordinal }: Pick<Call, 'turn' | 'ordinal'>,
  result: { readonly ok: boolean; readonly output: string },
): void => {
  if (db.run(SETTLE_ONE, result.ok ? 1 : 0, result.output, turn, ordinal) !== 1)
    throw new Error(`Call ${ordinal} of turn ${turn} waits for nothing.`);
};

export const redirectCalls = (db: Connection, from: AgentId, to: AgentId): void => {
  db.run(REDIRECT, to, from);
};
