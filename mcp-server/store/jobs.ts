import { sql as raw } from 'kysely';
import { FencedError } from '../domain/errors.ts';
import type { AgentId, JobId, RunId } from '../domain/ids.ts';
import type { Claim, Job } from '../domain/job.ts';
import { LEASE_MS, orderKey } from '../domain/policy.ts';
import { isFinal, JOB_STATES, type JobState, move } from '../domain/transitions.ts';
import type { Connection } from './connection.ts';
import type { NewJob } from './port.ts';
import { query } from './schema.ts';
import { ARG, insertInto, keep, sql, valuesOf } from './sql.ts';

/** Of a job, for a SELECT or RETURNING. */
export const JOB_COLUMNS = [
  'id',
  'run',
  'agent',
  'kind',
  'source',
  'state',
  'priority',
  'server',
  'prefix',
  'runAt',
  'queuedAt',
  'attempts',
  'error',
  'epoch',
  'claims',
  'leaseUntil',
] as const satisfies readonly (keyof Job)[];

const jobs = query.selectFrom('jobs').select(JOB_COLUMNS);
const BY_ID = keep(jobs.where('id', '=', ARG));
const STATE = keep(query.selectFrom('jobs').select('state').where('id', '=', ARG));
const STALE = sql<Job>(
  `SELECT ${JOB_COLUMNS.join(', ')} FROM jobs INDEXED BY jobs_running WHERE state = 'running' AND (epoch < ? OR leaseUntil <= ?) ORDER BY n`,
);
/** The condition of the index jobs_open, word for word. */
const OPEN = `state NOT IN ('done', 'cancelled')`;
const COUNT_OPEN = sql<{ count: number }>(
  `SELECT count(*) AS count FROM jobs WHERE run = ? AND ${OPEN} AND id IS NOT ?`,
);

export const jobById = (db: Connection, id: JobId): Job | undefined => db.get(BY_ID, id);

/** In the order in which they are claimed. */
export const jobsWhere = (
  db: Connection,
  filter: { readonly run?: RunId; readonly states?: readonly JobState[] },
): Job[] => {
  let built = jobs.orderBy('orderKey').orderBy('n');
  if (filter.run) built = built.where('run', '=', filter.run);
  if (filter.states) built = built.where('state', 'in', filter.states);
  if (filter.states && !filter.states.some((state) => isFinal(JOB_STATES, state)))
    built = built.where(raw<boolean>`${raw.raw(OPEN)}`);
  return db.rows(built);
};

/** Jobs of the queue that are looked at, so that a long one costs no more than a short one. */
const LOOK_AT = 300;
const BEGINNERS = sql<{ count: number }>(`
  SELECT count(*) AS count FROM (
    SELECT job.prefix AS prefix, agents.startedAt AS startedAt
      FROM jobs AS job INDEXED BY jobs_queue CROSS JOIN agents ON agents.id = job.agent
     WHERE job.state = 'queued' AND job.due = 1 AND job.kind = 'turn' AND job.server = ?
     LIMIT ${LOOK_AT})
   WHERE prefix = ? AND startedAt IS NULL`);

export const queuedBeginners = (db: Connection, server: string, prefix: string): number =>
  db.get(BEGINNERS, server, prefix)?.count ?? 0;

/** Running ones that an engine before `epoch` claimed, or whose lease is over. */
export const staleJobs = (db: Connection, epoch: number, now: number): Job[] => db.all(STALE, epoch, now);

const HELD = `id = ? AND claims = ? AND epoch = ? AND state = 'running'`;
const IS_HELD = sql<{ held: 1 }>(`SELECT 1 AS held FROM jobs WHERE ${HELD}`);
const RENEW = sql(`UPDATE jobs SET leaseUntil = ? WHERE ${HELD}`);

export const assertHeld = (db: Connection, { id, claims, epoch }: Claim): void => {
  if (!db.get(IS_HELD, id, claims, epoch)) throw new FencedError(`Job ${id} was taken back from this claim of it.`);
};

/** Returns the jobs of those claims that no longer stand. */
export const renewLeases = (db: Connection, claims: readonly Claim[], now: number): JobId[] =>
  claims
    .filter((claim) => db.run(RENEW, now + LEASE_MS, claim.id, claim.claims, claim.epoch) === 0)
    .map(({ id }) => id);

/** Of the run, not in a final state, `except` left out. */
export const countOpenJobs = (db: Connection, run: RunId, except?: JobId): number =>
  db.get(COUNT_OPEN, run, except ?? null)?.count ?? 0;

const GIVEN = ['id', 'run', 'agent', 'kind', 'source', 'priority', 'server', 'prefix', 'runAt'] as const;
const INSERT = insertInto('jobs', [...GIVEN, 'state', 'queuedAt', 'orderKey', 'due']);

export const enqueue = (db: Connection, jobs: readonly NewJob[], now: number): void => {
  for (const job of jobs)
    db.insert(
      INSERT,
      ...valuesOf(job, GIVEN),
      'queued',
      now,
      orderKey(job.priority, now, job.urgency),
      job.runAt <= now ? 1 : 0,
    );
};

const FINISH = sql('UPDATE jobs SET state = ?, error = ? WHERE id = ?');
const REQUEUE = sql(
  'UPDATE jobs SET state = ?, runAt = ?, due = 0, error = ?, attempts = max(0, attempts - ?) WHERE id = ?',
);
const CANCEL = sql(
  `UPDATE jobs SET state = 'cancelled' WHERE agent = ? AND kind IN ('turn', 'compute') AND state IN ('queued', 'parked')`,
);
const UNPARK = sql('UPDATE jobs SET state = ?, attempts = 0, runAt = ?, due = 1 WHERE id = ?');

const moved = (db: Connection, id: JobId, to: JobState): JobState => {
  const row = db.get(STATE, id);
  if (!row) throw new Error(`There is no job ${id}.`);
  return move(JOB_STATES, row.state, to);
};

export const finishJob = (db: Connection, id: JobId, to: 'done' | 'parked' | 'cancelled', error?: string): void => {
  db.run(FINISH, moved(db, id, to), error ?? null, id);
};

/** It keeps its place in the queue: its order is of when it was first queued. */
export const requeue = (db: Connection, id: JobId, runAt: number, error: string | null, refund = false): void => {
  const state = moved(db, id, 'queued');
  db.run(REQUEUE, state, runAt, error, refund ? 1 : 0, id);
};

const HASTEN = sql(`UPDATE jobs SET runAt = ?, due = 1 WHERE agent = ? AND kind = 'turn' AND state = 'queued'`);

export const hastenJobs = (db: Connection, agent: AgentId, now: number): void => {
  db.run(HASTEN, now, agent);
};

export const cancelJobs = (db: Connection, agent: AgentId): number => db.run(CANCEL, agent);

export const unpark = (db: Connection, id: JobId, now: number): void => {
  db.run(UNPARK, moved(db, id, 'queued'), now, id);
};
