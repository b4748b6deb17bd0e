import type { EngineEvent, EventType, NewEvent } from '../domain/event.ts';
import type { AgentId, RunId } from '../domain/ids.ts';
import type { Connection } from './connection.ts';
import type { CommitRow } from './port.ts';
import { query, type Schema } from './schema.ts';
import { ARG, insertInto, keep, list, sql } from './sql.ts';

const COLUMNS = ['seq', 'at', 'run', 'agent', 'type', 'body'] as const;
type Row = { [K in (typeof COLUMNS)[number]]: K extends 'seq' ? number : Schema['events'][K] };

const parse = ({ body, ...row }: Row): EngineEvent => ({ ...(JSON.parse(body) as object), ...row }) as EngineEvent;

const AFTER = keep(query.selectFrom('events').select(COLUMNS).where('seq', '>', ARG).orderBy('seq').limit(ARG));
const branch = (condition: string): string =>
  `SELECT * FROM (SELECT ${list(COLUMNS)} FROM events WHERE ${condition} AND seq > +@after ORDER BY seq LIMIT +@limit)`;
/** Two short walks through the index instead of one through the events of all runs. */
const AFTER_OF_RUN = sql<Row>(`${branch('run = +@run')} UNION ALL ${branch('run IS NULL')} ORDER BY seq LIMIT +@limit`);
const LAST = sql<{ seq: number | null }>('SELECT max(seq) AS seq FROM events');

/** With seq > after, oldest first. `run` keeps the run's own and the engine's. */
export const eventsAfter = (db: Connection, after: number, limit: number, run?: RunId): EngineEvent[] =>
  (run === undefined ? db.all(AFTER, after, limit) : db.all(AFTER_OF_RUN, { after, limit, run })).map(parse);

const COMMITS = sql<{ agent: AgentId; body: string }>(
  `SELECT agent, body FROM events WHERE run = +? AND type = 'agent.committed' ORDER BY seq`,
);

/** What the run's agents committed, in order. */
export const commitsOf = (db: Connection, run: RunId): CommitRow[] =>
  db.all(COMMITS, run).map(({ agent, body }) => ({ agent, ...(JSON.parse(body) as Omit<CommitRow, 'agent'>) }));

const OF_TYPES = sql<Row>(
  `SELECT ${list(COLUMNS)} FROM events WHERE run = +? AND type IN (SELECT value FROM json_each(?)) ORDER BY seq`,
);

/** The run's of these types, oldest first. */
export const eventsOf = (db: Connection, run: RunId, types: readonly EventType[]): EngineEvent[] =>
  db.all(OF_TYPES, run, JSON.stringify(types)).map(parse);

/** 0 when there are none. */
export const lastEvent = (db: Connection): number => db.get(LAST)?.seq ?? 0;

const INSERT = insertInto('events', ['at', 'run', 'agent', 'type', 'body']);
/** Rows of one INSERT at the most: each number of rows is a statement of its own that is kept. */
const AT_ONCE = 8;
const MORE = ', (?, ?, ?, ?, ?)';
const INSERTS = Array.from({ length: AT_ONCE }, (_, more) => sql(`${INSERT}${MORE.repeat(more)}`));

/** Stores them in their order and returns them with their numbers, which follow one another. */
export const emit = (db: Connection, events: readonly (NewEvent & { readonly at: number })[]): EngineEvent[] => {
  const numbered: EngineEvent[] = [];
  for (let from = 0; from < events.length; from += AT_ONCE) {
    const part = events.slice(from, from + AT_ONCE);
    const last = db.insert(INSERTS[part.length - 1] ?? INSERT, ...part.flatMap(eventValues));
    for (const [place, event] of part.entries()) numbered.push({ ...event, seq: last - part.length + 1 + place });
  }
  return numbered;
};

const eventValues = ({ at, run, agent, type, ...body }: NewEvent & { readonly at: number }): unknown[] => [
  at,
  run,
  agent,
  type,
  JSON.stringify(body),
];

const RAISE = sql(`UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'events'`);
const START = sql(`INSERT INTO sqlite_sequence (name, seq) VALUES ('events', ?)`);

/** The next event's number is above `floor`. For a database that has lost events which faces have seen. */
export const raiseEventNumbers = (db: Connection, floor: number): void => {
  if (db.run(RAISE, floor) === 0) db.run(START, floor);
};
