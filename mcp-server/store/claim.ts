import type { RunId } from '../domain/ids.ts';
import type { Job, JobKind } from '../domain/job.ts';
import { LEASE_MS } from '../domain/policy.ts';
import type { Connection } from './connection.ts';
import { JOB_COLUMNS } from './jobs.ts';
import type { ClaimQuery } from './port.ts';
import { list, sql } from './sql.ts';

/** Its index holds only jobs that wait for their time, so this costs nothing while none has come. */
const DUE = sql(`UPDATE jobs SET due = 1 WHERE state = 'queued' AND due = 0 AND runAt <= ?`);

/**
 * The runs that have a queued job of the kind for the server and may start one: found by leaping through jobs_queue from
 * run to run, so that a run with ten thousand queued jobs at its bound is one step.
 */
const OPEN_RUNS = sql<{ run: RunId }>(`
  WITH RECURSIVE queued (run) AS (
    SELECT min(run) FROM jobs WHERE state = 'queued' AND due = 1 AND kind = +@kind AND server = +@server
    UNION ALL
    SELECT (SELECT min(run) FROM jobs
             WHERE state = 'queued' AND due = 1 AND kind = +@kind AND server = +@server AND run > queued.run)
      FROM queued WHERE queued.run IS NOT NULL
  )
  SELECT queued.run FROM queued CROSS JOIN runs ON runs.id = queued.run
   WHERE @kind <> 'turn'
      OR runs.concurrency > (SELECT count(*) FROM jobs WHERE state = 'running' AND run = queued.run AND kind = 'turn')`);

/** Leaping too. */
const SERVERS = sql<{ server: string }>(`
  WITH RECURSIVE queued (server) AS (
    SELECT min(server) FROM jobs WHERE state = 'queued' AND due = 1 AND kind = +@kind
    UNION ALL
    SELECT (SELECT min(server) FROM jobs WHERE state = 'queued' AND due = 1 AND kind = +@kind AND server > queued.server)
      FROM queued WHERE queued.server IS NOT NULL
  )
  SELECT server FROM queued WHERE server IS NOT NULL`);

/** The servers that queued turns wait for whose time has come. */
export const queuedServers = (db: Connection): string[] => serversOf(db, 'turn');

const serversOf = (db: Connection, kind: JobKind): string[] =>
  kind === 'turn' ? db.all(SERVERS, { kind }).map(({ server }) => server) : [''];

const FREE_OWNER = `NOT EXISTS (
  SELECT 1 FROM jobs AS other WHERE other.state = 'running' AND other.run = job.run AND other.owner = job.owner)`;

/** The order of the best job that may start now. */
const FIRST = sql<{ orderKey: number }>(`
  SELECT orderKey FROM jobs AS job INDEXED BY jobs_queue
   WHERE state = 'queued' AND due = 1 AND kind = +? AND server = +? AND run = +? AND ${FREE_OWNER}
   ORDER BY orderKey LIMIT 1`);
const FIRST_HOT = sql<{ n: number }>(`
  SELECT n FROM jobs AS job INDEXED BY jobs_queue
   WHERE state = 'queued' AND due = 1 AND kind = +? AND server = +? AND run = +? AND orderKey = +? AND prefix = +?
     AND ${FREE_OWNER}
   ORDER BY n LIMIT 1`);
/** The oldest of that order whatever its prefix: the first of each is looked at, found by leaping from one to the next. */
const PLACE = `state = 'queued' AND due = 1 AND kind = +@kind AND server = +@server AND run = +@run AND orderKey = +@orderKey`;
const FIRST_COLD = sql<{ n: number }>(`
  WITH RECURSIVE waiting (prefix) AS (
    SELECT min(prefix) FROM jobs INDEXED BY jobs_queue WHERE ${PLACE}
    UNION ALL
    SELECT (SELECT min(prefix) FROM jobs INDEXED BY jobs_queue WHERE ${PLACE} AND prefix > waiting.prefix)
      FROM waiting WHERE waiting.prefix IS NOT NULL
  )
  SELECT (SELECT n FROM jobs AS job INDEXED BY jobs_queue
           WHERE ${PLACE} AND job.prefix = waiting.prefix AND ${FREE_OWNER} ORDER BY n LIMIT 1) AS n
    FROM waiting WHERE prefix IS NOT NULL AND n IS NOT NULL ORDER BY n LIMIT 1`);
const TAKE = sql<Job>(`
  UPDATE jobs SET state = 'running', attempts = attempts + 1, claims = claims + 1, epoch = ?, leaseUntil = ?
   WHERE n = ? AND state = 'queued'
  RETURNING ${list(JOB_COLUMNS)}`);

interface Candidate {
  readonly n: number;
  readonly orderKey: number;
  /** Place of its prefix among the hot ones; their number when it is cold. */
  readonly heat: number;
}

const better = (a: Candidate, b: Candidate | undefined): boolean =>
  !b || (a.orderKey - b.orderKey || a.heat - b.heat || a.n - b.n) < 0;

const bestOf = (
  db: Connection,
  kind: JobKind,
  server: string,
  run: RunId,
  hot: readonly string[],
): Candidate | undefined => {
  const first = db.get(FIRST, kind, server, run);
  if (!first) return undefined;
  for (const [heat, prefix] of hot.entries()) {
    const warm = db.get(FIRST_HOT, kind, server, run, first.orderKey, prefix);
    if (warm) return { n: warm.n, orderKey: first.orderKey, heat };
  }
  const { orderKey } = first;
  const cold = db.get(FIRST_COLD, { kind, server, run, orderKey });
  return cold && { n: cold.n, orderKey, heat: hot.length };
};

const oneOf = (kinds: readonly JobKind[]): string => kinds.map((kind) => `'${kind}'`).join(', ');

/** A branch a kind: for a list of kinds SQLite would make and drop a table each time. */
const anyDueOf = (kinds: readonly JobKind[]) =>
  sql<{ kind: JobKind }>(
    `${kinds
      .map(
        (kind) => `SELECT kind FROM jobs INDEXED BY jobs_queue WHERE state = 'queued' AND due = 1 AND kind = '${kind}'`,
      )
      .join(' UNION ALL ')} LIMIT 1`,
  );
const anyLaterOf = (kinds: readonly JobKind[]) =>
  sql<{ kind: JobKind }>(`SELECT kind FROM jobs INDEXED BY jobs_later
     WHERE state = 'queued' AND due = 0 AND runAt <= +? AND kind IN (${oneOf(kinds)}) LIMIT 1`);

const statementsFor = (kinds: readonly JobKind[]) => ({ due: anyDueOf(kinds), later: anyLaterOf(kinds) });
/** Made once for a list: the lists are few and stay the same. */
const STATEMENTS = new WeakMap<readonly JobKind[], ReturnType<typeof statementsFor>>();
const keptFor = (kinds: readonly JobKind[]) => {
  const kept = STATEMENTS.get(kinds) ?? statementsFor(kinds);
  STATEMENTS.set(kinds, kept);
  return kept;
};

const anyDue = (db: Connection, kinds: readonly JobKind[]): boolean =>
  kinds.length > 0 && db.get(keptFor(kinds).due) !== undefined;

/** Whether a job of one of the kinds is queued whose time has come. */
export const anyQueued = (db: Connection, kinds: readonly JobKind[], now: number): boolean =>
  kinds.length > 0 && (anyDue(db, kinds) || db.get(keptFor(kinds).later, now) !== undefined);

/** Jobs whose time has come by now can be claimed from now on. */
export const bringDue = (db: Connection, now: number): void => void db.run(DUE, now);

/**
 * Order, then a hot prefix, then insertion, of those that `bringDue` has let in. Only turns count against a run's concurrency and belong to a server; a job
 * without an agent excludes the run's other jobs without one.
 */
export const claim = (db: Connection, wanted: ClaimQuery, epoch: number): Job | undefined => {
  let best: Candidate | undefined;
  // Most of the time nothing but turns is queued.
  if (!wanted.kinds.includes('turn') && !anyDue(db, wanted.kinds)) return undefined;
  for (const kind of wanted.kinds) {
    for (const server of wanted.server === undefined || kind !== 'turn' ? serversOf(db, kind) : [wanted.server])
      for (const { run } of db.all(OPEN_RUNS, { kind, server })) {
        const candidate = bestOf(db, kind, server, run, wanted.hot);
        if (candidate && better(candidate, best)) best = candidate;
      }
  }
  return best && db.get(TAKE, epoch, wanted.now + LEASE_MS, best.n);
};
