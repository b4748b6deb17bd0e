import { sql as raw } from 'kysely';
import { FencedError } from '../domain/errors.ts';
import type { AgentId, JobId, RunId } from '../domain/ids.ts';
import type { Claim, Job } from '../domain/job.ts';
import { LEASE_MS, orderKey } from '../domain/policy.ts';
import { isFinal, JOB_STATES, type JobState } from '../domain/transitions.ts';
import type { Connection } from './connection.ts';
import { movable, refuseMove } from './move.ts';
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
const ANY_OPEN = sql<{ id: JobId }>(`SELECT id FROM jobs WHERE run = ? AND ${OPEN} AND id IS NOT ? LIMIT 1`);

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

/** Returns those of the claims that no longer stand. */
export const renewLeases = (db: Connection, claims: readonly Claim[], now: number): Claim[] =>
  claims.filter((claim) => db.run(RENEW, now + LEASE_MS, claim.id, claim.claims, claim.epoch) === 0);

/** Whether any of the run, `except` left out, is not in a final state. */
export const anyOpenJob = (db: Connection, run: RunId, except?: JobId): boolean =>
  db.get(ANY_OPEN, run, except ?? null) !== undefined;

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

const finish = (to: JobState) =>
  sql(`UPDATE jobs SET state = '${to}', error = ? WHERE id = ? AND ${movable(JOB_STATES, to)}`);
const FINISH = { done: finish('done'), parked: finish('parked'), cancelled: finish('cancelled') } as const;
const BACK = movable(JOB_STATES, 'queued');
const REQUEUE = sql(
  `UPDATE jobs SET state = 'queued', runAt = ?, due = 0, error = ?, attempts = max(0, attempts - ?)
    WHERE id = ? AND ${BACK}`,
);
const CANCEL = sql(
  `UPDATE jobs SET state = 'cancelled' WHERE agent = ? AND kind IN ('turn', 'compute') AND state IN ('queued', 'parked')`,
);
const UNPARK = sql(`UPDATE jobs SET state = 'queued', attempts = 0, runAt = ?, due = 1 WHERE id = ? AND ${BACK}`);

/** The statement must have changed the job. */
const moved = (db: Connection, changed: number, id: JobId, to: JobState): void => {
  if (changed !== 1) refuseMove(JOB_STATES, `job ${id}`, db.get(STATE, id), to);
};

export const finishJob = (db: Connection, id: JobId, to: 'done' | 'parked' | 'cancelled', error?: string): void => {
  moved(db, db.run(FINISH[to], error ?? null, id), id, to);
};

/** It keeps its place in the queue: its order is of when it was first queued. */
export const requeue = (db: Connection, id: JobId, runAt: number, error: string | null, refund = false): void => {
  moved(db, db.run(REQUEUE, runAt, error, refund ? 1 : 0, id), id, 'queued');
};

const HASTEN = sql(`UPDATE jobs SET runAt = ?, due = 1 WHERE agent = ? AND kind = 'turn' AND state = 'queued'`);

export const hastenJobs = (db: Connection, agent: AgentId, now: number): void => {
  db.run(HASTEN, now, agent);
};

export const cancelJobs = (db: Connection, agent: AgentId): number => db.run(CANCEL, agent);

export const unpark = (db: Connection, id: JobId, now: number): void => {
  moved(db, db.run(UNPARK, now, id), id, 'queued');
};
