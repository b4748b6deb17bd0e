import { sql as raw } from 'kysely';
import type { AgentId, RunId, StepId } from '../domain/ids.ts';
import type { NeedState, OptionalStepKey, Plan, Step } from '../domain/plan.ts';
import { isSettled, move, STEP_STATES, type StepState } from '../domain/transitions.ts';
import type { Connection } from './connection.ts';
import { movable, refuseMove } from './move.ts';
import { query, type Schema } from './schema.ts';
import { ARG, insertInto, keep, list, sql, valuesOf } from './sql.ts';

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
  'attempt',
  'spec',
] as const satisfies readonly (keyof Schema['steps'])[];
type Row = Pick<Schema['steps'], (typeof COLUMNS)[number]> & { readonly needs: string };

/** They lie together in one column. */
const OPTIONAL: Readonly<Record<OptionalStepKey, true>> = {
  work: true,
  onFailure: true,
  when: true,
  join: true,
  retries: true,
  timeoutMs: true,
  saga: true,
  undo: true,
  skills: true,
  capabilities: true,
  permissions: true,
  server: true,
  model: true,
  urgency: true,
  files: true,
  pattern: true,
  parts: true,
  subPlan: true,
};

const PLAN = keep(query.selectFrom('plans').select('body').where('run', '=', ARG));
const FACTS = keep(query.selectFrom('plans').select(['pattern', 'complexity']).where('run', '=', ARG));
/** The keys of what a step needs, in its order, as JSON: one query for any number of steps. */
const needsIn = (steps: 'steps' | 'need'): string =>
  `(SELECT json_group_array(needed.key ORDER BY own.place) FROM step_needs AS own
    JOIN steps AS needed ON needed.id = own.need WHERE own.step = ${steps}.id)`;
const needsOf = (steps: 'steps' | 'need') => raw.raw<string>(needsIn(steps)).as('needs');

const STEPS = keep(
  query.selectFrom('steps').select(COLUMNS).select(needsOf('steps')).where('run', '=', ARG).orderBy('n'),
);
const STATE = keep(query.selectFrom('steps').select('state').where('id', '=', ARG));
const BY_ID = keep(query.selectFrom('steps').select(COLUMNS).select(needsOf('steps')).where('id', '=', ARG));
const needs = query
  .selectFrom('step_needs as edge')
  .innerJoin('steps as need', 'need.id', 'edge.need')
  .orderBy('edge.place');
const NEED_STATES = keep(needs.select(['need.key', 'need.state']).where('edge.step', '=', ARG));
/** From the last one back: steps come to their end much in the plan's order, so one that is open is found at once. */
const OPEN_NEED = sql<{ id: StepId }>(`
  SELECT need.id FROM step_needs AS edge CROSS JOIN steps AS need ON need.id = edge.need
   WHERE edge.step = +? AND (${Object.keys(STEP_STATES)
     .filter((state) => !isSettled(state as StepState))
     .map((state) => `need.state = '${state}'`)
     .join(' OR ')})
   ORDER BY edge.place DESC LIMIT 1`);
const NEEDED = keep(
  needs
    .select(COLUMNS.map((column) => `need.${column}` as const))
    .select(needsOf('need'))
    .where('edge.step', '=', ARG),
);
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

/** The pattern of the run's plan and the level of its task. */
export const planFacts = (db: Connection, run: RunId): { pattern: string; complexity: string } | undefined =>
  db.get(FACTS, run);

const withoutNeeds = ({ spec, ...row }: Omit<Row, 'needs'>): Omit<Step, 'needs'> => ({
  ...row,
  ...(spec === null ? {} : (JSON.parse(spec) as Pick<Step, OptionalStepKey>)),
  toleratesFailure: row.toleratesFailure === 1,
});

const parse = ({ needs, ...row }: Row): Step => ({
  ...withoutNeeds(row),
  needs: JSON.parse(needs) as readonly string[],
});

/** In the plan's order. */
export const stepsOf = (db: Connection, run: RunId): Step[] => db.all(STEPS, run).map(parse);

export const stepById = (db: Connection, id: StepId): Step | undefined => {
  const row = db.get(BY_ID, id);
  return row && parse(row);
};

export const neededSteps = (db: Connection, id: StepId): Step[] => db.all(NEEDED, id).map(parse);

/** Steps that need this one, in the plan's order, without what they need. */
export const dependentsOf = (db: Connection, id: StepId): Omit<Step, 'needs'>[] =>
  db.all(DEPENDENTS, id).map(withoutNeeds);

/** What a step needs and how that stands, in its order. */
export const needStatesOf = (db: Connection, id: StepId): NeedState[] => db.all(NEED_STATES, id);

/** Whether something that the step needs is not settled. */
export const hasOpenNeed = (db: Connection, id: StepId): boolean => db.get(OPEN_NEED, id) !== undefined;

const INSERT_PLAN = insertInto('plans', ['run', 'body']);
const PATCH_PLAN = sql('UPDATE plans SET body = ? WHERE run = ?');
const INSERT_STEP = insertInto('steps', COLUMNS);
const KEYS = keep(query.selectFrom('steps').select(['key', 'id']).where('run', '=', ARG));
const INSERT_NEED = insertInto('step_needs', ['step', 'place', 'need']);

export const insertPlan = (db: Connection, run: RunId, plan: Plan, steps: readonly Step[]): void => {
  db.insert(INSERT_PLAN, run, JSON.stringify(plan));
  insertRows(db, steps, new Map(steps.map((step) => [step.key, step.id])));
};

/** More steps of a run that has a plan, which now is this one; they may need each other and those that are there. */
export const extendPlan = (db: Connection, run: RunId, plan: Plan, steps: readonly Step[]): void => {
  if (db.run(PATCH_PLAN, JSON.stringify(plan), run) !== 1) throw new Error(`Run ${run} has no plan.`);
  const known = db.all(KEYS, run).map(({ key, id }) => [key, id] as const);
  insertRows(db, steps, new Map([...known, ...steps.map((step) => [step.key, step.id] as const)]));
};

const specOf = (step: Step): string | null => {
  const given = Object.entries(step).filter(([key, value]) => Object.hasOwn(OPTIONAL, key) && value !== undefined);
  return given.length > 0 ? JSON.stringify(Object.fromEntries(given)) : null;
};

const insertRows = (db: Connection, steps: readonly Step[], ids: ReadonlyMap<string, StepId>): void => {
  for (const step of steps) {
    const { needs: _, ...row } = step;
    db.insert(INSERT_STEP, ...valuesOf({ ...row, spec: specOf(step) }, COLUMNS));
    for (const [place, key] of step.needs.entries()) {
      const need = ids.get(key);
      if (!need) throw new Error(`Step ${step.key} needs ${key}, which is not in the plan.`);
      db.insert(INSERT_NEED, step.id, place, need);
    }
  }
};

const moveTo = (to: StepState) => sql(`UPDATE steps SET state = '${to}' WHERE id = ? AND ${movable(STEP_STATES, to)}`);

export const moveStep = (db: Connection, id: StepId, to: StepState): void => {
  if (db.run(moveTo(to), id) !== 1) refuseMove(STEP_STATES, `step ${id}`, db.get(STATE, id), to);
};

const RENEW = sql(`UPDATE steps SET state = 'pending', agent = ?, attempt = ?, deadline = NULL WHERE id = ?`);

/** → pending, for a fresh agent. */
export const renewStep = (db: Connection, id: StepId, agent: AgentId, attempt: number): void => {
  const row = db.get(STATE, id);
  if (!row) throw new Error(`There is no step ${id}.`);
  if (row.state !== 'pending') move(STEP_STATES, row.state, 'pending');
  db.run(RENEW, agent, attempt, id);
};

/** A need of theirs begins: the time runs for pending steps that wait only so long. Once only. */
const ARM = sql(`
  UPDATE steps SET deadline = ? + withinMs
   WHERE id IN (SELECT step FROM step_needs WHERE need = ?)
     AND withinMs IS NOT NULL AND deadline IS NULL AND state = 'pending'`);
export const armJoins = (db: Connection, need: StepId, now: number): void => {
  db.run(ARM, now, need);
};

/** The condition of the index steps_deadline, word for word. */
const OVERDUE = sql<Row>(`
  SELECT ${list(COLUMNS)}, ${needsIn('steps')} AS needs FROM steps INDEXED BY steps_deadline
   WHERE deadline IS NOT NULL AND state = 'pending' AND deadline <= ? AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.id = steps.run AND pausedAt IS NOT NULL)
   ORDER BY deadline`);
export const overdueSteps = (db: Connection, now: number): Step[] => db.all(OVERDUE, now).map(parse);
const POSTPONE = sql(
  `UPDATE steps SET deadline = deadline + ? WHERE run = ? AND deadline IS NOT NULL AND state = 'pending'`,
);
/** Joins of the run that wait only so long wait so much longer. */
export const postponeJoins = (db: Connection, run: RunId, ms: number): void => {
  db.run(POSTPONE, ms, run);
};
const DISARM = sql('UPDATE steps SET deadline = NULL WHERE id = ?');
/** Its time was over and nothing was there to start with: it waits for the rest. */
export const disarmJoin = (db: Connection, id: StepId): void => {
  db.run(DISARM, id);
};
