import type { Observation } from '../domain/observation.ts';
import type { Connection } from './connection.ts';
import { query } from './schema.ts';
import { insertInto, valuesOf } from './sql.ts';

const COLUMNS = [
  'run',
  'agent',
  'role',
  'tier',
  'pattern',
  'complexity',
  'tokens',
  'wallMs',
  'turns',
  'ok',
  'at',
] as const satisfies readonly (keyof Observation)[];

/** Newest first. */
export const observationsWhere = (
  db: Connection,
  filter: { readonly role?: string; readonly tier?: string; readonly limit: number },
): Observation[] => {
  let built = query.selectFrom('observations').select(COLUMNS).orderBy('n', 'desc').limit(filter.limit);
  if (filter.role !== undefined) built = built.where('role', '=', filter.role);
  if (filter.tier !== undefined) built = built.where('tier', '=', filter.tier);
  return db.rows(built).map((row) => ({ ...row, complexity: row.complexity ?? '', ok: row.ok === 1 }));
};

const INSERT = insertInto('observations', COLUMNS);

export const observe = (db: Connection, observation: Observation): void => {
  db.insert(INSERT, ...valuesOf({ complexity: '', ...observation }, COLUMNS));
};
