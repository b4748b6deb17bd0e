import type { AgentId, RunId, TurnId } from '../domain/ids.ts';
import { TURN_STATES, type TurnState } from '../domain/transitions.ts';
import type { Answer, Timings, Turn, Usage } from '../domain/turn.ts';
import type { Connection } from './connection.ts';
import { movable, refuseMove } from './move.ts';
import type { NewTurn } from './port.ts';
import { query, type Schema } from './schema.ts';
import { ARG, keep, list, sql, valuesOf } from './sql.ts';

const COLUMNS = [
  'id',
  'agent',
  'job',
  'seq',
  'kind',
  'state',
  'reserved',
  'answer',
  'usage',
  'timings',
  'commit',
  'startedAt',
  'endedAt',
] as const satisfies readonly (keyof Turn)[];
type Row = Pick<Schema['turns'], (typeof COLUMNS)[number]>;

const parse = (row: Row): Turn => ({
  ...row,
  answer: row.answer === null ? null : (JSON.parse(row.answer) as Answer),
  usage: row.usage === null ? null : (JSON.parse(row.usage) as Usage),
  timings: row.timings === null ? null : (JSON.parse(row.timings) as Timings),
});

/** Conditions are those of the indexes turns_of_agent and turns_open, word for word. */
const OF_AGENT = sql<Row>(`SELECT ${list(COLUMNS)} FROM turns WHERE agent = +? AND state <> 'dropped' ORDER BY seq`);
const OPEN = sql<Row>(`SELECT ${list(COLUMNS)} FROM turns WHERE agent = ? AND state IN ('calling', 'answered')`);
const STATE = keep(query.selectFrom('turns').select('state').where('id', '=', ARG));

const TOTALS = sql<{ agent: AgentId; turns: number; sent: number; cached: number }>(`
  SELECT turns.agent AS agent, count(*) AS turns, coalesce(sum(sent), 0) AS sent, coalesce(sum(cached), 0) AS cached
    FROM agents CROSS JOIN turns ON turns.agent = agents.id
   WHERE agents.run = ? AND turns.state <> 'dropped' GROUP BY agents.id`);

/** By sequence; dropped ones left out. */
export const turnsOf = (db: Connection, agent: AgentId): Turn[] => db.all(OF_AGENT, agent).map(parse);

export const openTurn = (db: Connection, agent: AgentId): Turn | undefined => {
  const row = db.get(OPEN, agent);
  return row && parse(row);
};

/** Turns (dropped ones left out), prompt tokens sent and those that were cached, by agent. */
export const turnTotals = (db: Connection, run: RunId): Map<AgentId, { turns: number; sent: number; cached: number }> =>
  new Map(db.all(TOTALS, run).map(({ agent, ...totals }) => [agent, totals]));

const GIVEN = ['id', 'agent', 'job', 'kind', 'reserved', 'startedAt'] as const satisfies readonly (keyof NewTurn)[];
const INSERT = sql<{ seq: number }>(`
  INSERT INTO turns (${list(GIVEN)}, state, seq)
  VALUES (${GIVEN.map(() => '?').join(', ')}, 'calling',
    (SELECT coalesce(max(seq), 0) + 1 FROM turns WHERE agent = +? AND state <> 'dropped'))
  RETURNING seq`);
const ANSWER = sql(
  `UPDATE turns SET state = 'answered', answer = ?, usage = ?, timings = ? WHERE id = ? AND ${movable(TURN_STATES, 'answered')}`,
);
const close = (to: TurnState) =>
  sql(`UPDATE turns SET state = '${to}', "commit" = ?, endedAt = ? WHERE id = ? AND ${movable(TURN_STATES, to)}`);
const CLOSE = { done: close('done'), dropped: close('dropped') } as const;

/** Throws when the agent has an open turn already. */
export const openTurnRow = (db: Connection, turn: NewTurn): Turn => {
  const row = db.get(INSERT, ...valuesOf(turn, GIVEN), turn.agent);
  if (!row) throw new Error(`Turn ${turn.id} was not stored.`);
  const nothingYet = { answer: null, usage: null, timings: null, commit: null, endedAt: null };
  return { ...turn, ...row, ...nothingYet, state: 'calling' };
};

/** The statement must have changed the turn. */
const moved = (db: Connection, changed: number, id: TurnId, to: TurnState): void => {
  if (changed !== 1) refuseMove(TURN_STATES, `turn ${id}`, db.get(STATE, id), to);
};

export const answerTurn = (db: Connection, id: TurnId, answer: Answer, usage: Usage, timings: Timings): void => {
  const changed = db.run(ANSWER, JSON.stringify(answer), JSON.stringify(usage), JSON.stringify(timings), id);
  moved(db, changed, id, 'answered');
};

export const closeTurn = (
  db: Connection,
  id: TurnId,
  to: 'done' | 'dropped',
  patch: { readonly commit: Turn['commit']; readonly endedAt: number },
): void => {
  moved(db, db.run(CLOSE[to], patch.commit, patch.endedAt, id), id, to);
};
