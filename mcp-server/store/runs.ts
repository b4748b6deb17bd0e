import type { RunId } from '../domain/ids.ts';
import type { Run } from '../domain/run.ts';
import { move, RUN_STATES, type RunState } from '../domain/transitions.ts';
import type { Connection } from './connection.ts';
import type { NewRun, RunPatch } from './port.ts';
import { query, type Schema } from './schema.ts';
import { ARG, insertInto, keep, keysOf, list, sql, valuesOf } from './sql.ts';

const COLUMNS = [
  'id',
  'key',
  'task',
  'state',
  'options',
  'baseBranch',
  'baseCommit',
  'branch',
  'headCommit',
  'cancelRequested',
  'report',
  'error',
  'review',
  'createdAt',
  'endedAt',
  'pausedAt',
] as const satisfies readonly (keyof Run)[];
type Row = Pick<Schema['runs'], (typeof COLUMNS)[number]>;

/** Options never change, and the same run is read again and again. */
let lastOptions: { readonly text: string; readonly options: Run['options'] } | undefined;

const parse = (row: Row): Run => {
  if (lastOptions?.text !== row.options)
    lastOptions = { text: row.options, options: JSON.parse(row.options) as Run['options'] };
  return { ...row, options: lastOptions.options };
};

const BY_ID = keep(query.selectFrom('runs').select(COLUMNS).where('id', '=', ARG));
const BY_KEY = keep(query.selectFrom('runs').select(COLUMNS).where('key', '=', ARG));
const NEWEST = keep(
  query.selectFrom('runs').select(COLUMNS).orderBy('createdAt', 'desc').orderBy('n', 'desc').limit(ARG),
);
/** The condition of the index runs_active, word for word. */
const ACTIVE = sql<Row>(
  `SELECT ${list(COLUMNS)} FROM runs WHERE state IN ('planning', 'planned', 'running') ORDER BY n`,
);

export const runById = (db: Connection, id: RunId): Run | undefined => {
  const row = db.get(BY_ID, id);
  return row && parse(row);
};

export const runByKey = (db: Connection, key: string): Run | undefined => {
  const row = db.get(BY_KEY, key);
  return row && parse(row);
};

export const newestRuns = (db: Connection, limit: number): Run[] => db.all(NEWEST, limit).map(parse);

/** Oldest first. */
export const activeRuns = (db: Connection): Run[] => db.all(ACTIVE).map(parse);

const INSERT = insertInto('runs', COLUMNS);

export const insertRun = (db: Connection, run: NewRun): void => {
  const whole: Row = {
    ...run,
    options: JSON.stringify(run.options),
    state: 'planning',
    headCommit: run.baseCommit,
    cancelRequested: 'no',
    report: null,
    error: null,
    review: 'none',
    endedAt: null,
    pausedAt: null,
  };
  db.insert(INSERT, ...valuesOf(whole, COLUMNS));
};

export const patchRun = (db: Connection, id: RunId, patch: RunPatch, state?: RunState): void => {
  const set = { ...patch, ...(state && { state }) };
  if (keysOf(set).length === 0) return;
  const changed = db.change(query.updateTable('runs').set(set).where('id', '=', id));
  if (changed !== 1) throw new Error(`There is no run ${id}.`);
};

export const moveRun = (db: Connection, id: RunId, to: RunState, patch: RunPatch = {}): void => {
  const run = runById(db, id);
  if (!run) throw new Error(`There is no run ${id}.`);
  patchRun(db, id, patch, move(RUN_STATES, run.state, to));
};
