import type { RunId, StepId } from '../domain/ids.ts';
import type { Plan, Step } from '../domain/plan.ts';
import { move, STEP_STATES, type StepState } from '../domain/transitions.ts';
import type { Connection } from './connection.ts';
import { query, type Schema } from './schema.ts';
import { ARG, insertInto, keep, sql, valuesOf } from './sql.ts';

const COLUMNS = [
  'id',
  'run',
  'key',
  'title',
  'task',
  'role',
  'tier',
  'toleratesFailure',
  'parent',
  'weight',
  'temperature',
  'agent',
  'state',
] as const satisfies readonly (keyof Step)[];
type Row = Pick<Schema['steps'], (typeof COLUMNS)[number]>;

const PLAN = keep(query.selectFrom('plans').select('body').where('run', '=', ARG));
const STEPS = keep(query.selectFrom('steps').select(COLUMNS).where('run', '=', ARG).orderBy('n'));
const STATE = keep(query.selectFrom('steps').select('state').where('id', '=', ARG));
const BY_ID = keep(query.selectFrom('steps').select(COLUMNS).where('id', '=', ARG));
const needs = query
  .selectFrom('step_needs as edge')
  .innerJoin('steps as need', 'need.id', 'edge.need')
  .orderBy('edge.place');
const NEEDED_KEYS = keep(needs.select('need.key').where('edge.step', '=', ARG));
const NEEDED_STATES = keep(needs.select('need.state').where('edge.step', '=', ARG));
const NEEDED = keep(needs.select(COLUMNS.map((column) => `need.${column}` as const)).where('edge.step', '=', ARG));
const DEPENDENTS = keep(
  query
    .selectFrom('step_needs as edge')
    .innerJoin('steps', 'steps.id', 'edge.step')
    .select(COLUMNS.map((column) => `steps.${column}` as const))
    .where('edge.need', '=', ARG)
    .orderBy('steps.n'),
);

/** The plan as it was accepted. */
export const planOf = (db: Connection, run: RunId): Plan | undefined => {
  const row = db.get(PLAN, run);
  return row && (JSON.parse(row.body) as Plan);
};

const parse = (db: Connection, row: Row): Step => ({
  ...row,
  toleratesFailure: row.toleratesFailure === 1,
  needs: db.all(NEEDED_KEYS, row.id).map(({ key }) => key),
});

/** In the plan's order. */
export const stepsOf = (db: Connection, run: RunId): Step[] => db.all(STEPS, run).map((row) => parse(db, row));

export const stepById = (db: Connection, id: StepId): Step | undefined => {
  const row = db.get(BY_ID, id);
  return row && parse(db, row);
};

export const neededSteps = (db: Connection, id: StepId): Step[] => db.all(NEEDED, id).map((row) => parse(db, row));

/** Steps that need this one, each with the states of all of its needs. */
export const dependentsOf = (db: Connection, id: StepId): { step: Step; needs: StepState[] }[] =>
  db.all(DEPENDENTS, id).map((row) => ({
    step: parse(db, row),
    needs: db.all(NEEDED_STATES, row.id).map(({ state }) => state),
  }));

const INSERT_PLAN = insertInto('plans', ['run', 'body']);
const INSERT_STEP = insertInto('steps', COLUMNS);
const INSERT_NEED = insertInto('step_needs', ['step', 'place', 'need']);

export const insertPlan = (db: Connection, run: RunId, plan: Plan, steps: readonly Step[]): void => {
  const ids = new Map(steps.map((step) => [step.key, step.id]));
  db.insert(INSERT_PLAN, run, JSON.stringify(plan));
  for (const step of steps) {
    db.insert(INSERT_STEP, ...valuesOf(step, COLUMNS));
    for (const [place, key] of step.needs.entries()) {
      const need = ids.get(key);
      if (!need) throw new Error(`Step ${step.key} needs ${key}, which is not in the plan.`);
      db.insert(INSERT_NEED, step.id, place, need);
    }
  }
};

const MOVE = sql('UPDATE steps SET state = ? WHERE id = ?');

export const moveStep = (db: Connection, id: StepId, to: StepState): void => {
  const row = db.get(STATE, id);
  if (!row) throw new Error(`There is no step ${id}.`);
  db.run(MOVE, move(STEP_STATES, row.state, to), id);
};
