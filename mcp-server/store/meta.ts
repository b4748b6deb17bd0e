import type { Connection } from './connection.ts';
import { query } from './schema.ts';
import { ARG, keep, sql } from './sql.ts';

const VALUE = keep(query.selectFrom('meta').select('value').where('key', '=', ARG));
const WRITE = sql('INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value');

/** 0 before the first engine. */
export const epochOf = (db: Connection): number => Number(db.get(VALUE, 'epoch')?.value ?? 0);

/** Takes the next epoch, in a transaction of the caller's, and notes which program it was. */
export const takeEpoch = (db: Connection, version: string): number => {
  const epoch = epochOf(db) + 1;
  db.run(WRITE, 'epoch', epoch);
  db.run(WRITE, 'version', version);
  return epoch;
};
