import type { AgentId, RunId } from '../domain/ids.ts';
import type { Undo } from '../domain/plan.ts';
import { move, UNDO_STATES, type UndoState } from '../domain/transitions.ts';
import type { UndoRecord } from '../domain/undo.ts';
import type { Connection } from './connection.ts';
import type { NewUndo, UndoPatch } from './port.ts';
import { query, type Schema } from './schema.ts';
import { ARG, keep, keysOf, sql } from './sql.ts';

const COLUMNS = [
  'run',
  'step',
  'agent',
  'position',
  'payload',
  'state',
  'worker',
  'result',
  'recordedAt',
  'endedAt',
] as const satisfies readonly (keyof Schema['undos'])[];
type Row = Pick<Schema['undos'], (typeof COLUMNS)[number]>;

const undos = query.selectFrom('undos').select(COLUMNS);
const OF_RUN = keep(undos.where('run', '=', ARG).orderBy('position'));
const OF_AGENT = keep(undos.where('agent', '=', ARG));
const BY_WORKER = keep(undos.where('worker', '=', ARG));
const INSERT = sql(`
  INSERT INTO undos (run, step, agent, position, kind, payload, state, recordedAt)
  VALUES (@run, @step, @agent, (SELECT coalesce(max(position), 0) + 1 FROM undos WHERE run = @run),
          @kind, @payload, 'recorded', @at)`);

const parse = ({ payload, ...row }: Row): UndoRecord => ({ ...row, undo: JSON.parse(payload) as Undo });

/** By position. */
export const undosOf = (db: Connection, run: RunId): UndoRecord[] => db.all(OF_RUN, run).map(parse);

export const undoOf = (db: Connection, agent: AgentId): UndoRecord | undefined => {
  const row = db.get(OF_AGENT, agent);
  return row && parse(row);
};

export const undoByWorker = (db: Connection, worker: AgentId): UndoRecord | undefined => {
  const row = db.get(BY_WORKER, worker);
  return row && parse(row);
};

export const recordUndo = (db: Connection, { run, step, agent, undo, recordedAt: at }: NewUndo): void => {
  db.insert(INSERT, { run, step, agent, kind: undo.kind, payload: JSON.stringify(undo), at });
};

export const patchUndo = (db: Connection, agent: AgentId, patch: UndoPatch, state?: UndoState): void => {
  const set = { ...patch, ...(state && { state }) };
  if (keysOf(set).length === 0) return;
  const changed = db.change(query.updateTable('undos').set(set).where('agent', '=', agent));
  if (changed !== 1) throw new Error(`Nothing is written down about how to undo ${agent}.`);
};

export const moveUndo = (db: Connection, agent: AgentId, to: UndoState, patch: UndoPatch = {}): void => {
  const record = undoOf(db, agent);
  if (!record) throw new Error(`Nothing is written down about how to undo ${agent}.`);
  patchUndo(db, agent, patch, move(UNDO_STATES, record.state, to));
};
