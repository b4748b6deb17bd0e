import type { RunId } from '../domain/ids.ts';
import type { Plan } from '../domain/plan.ts';
import type { Connection } from './connection.ts';
import type { ForecastRow } from './port.ts';
import { query, type Schema } from './schema.ts';
import { ARG, keep, sql } from './sql.ts';

/** Plans that are kept. */
const MOST_PLANS = 200;

const PLAN = keep(query.selectFrom('plan_cache').select(['plan', 'createdAt']).where('key', '=', ARG));
const PUT_PLAN = sql(`
  INSERT INTO plan_cache (key, createdAt, plan) VALUES (?, ?, ?)
  ON CONFLICT (key) DO UPDATE SET createdAt = excluded.createdAt, plan = excluded.plan`);
const DROP_OLD = sql(`
  DELETE FROM plan_cache WHERE key IN (SELECT key FROM plan_cache ORDER BY createdAt DESC, key LIMIT -1 OFFSET ${MOST_PLANS})`);

export const cachedPlan = (db: Connection, key: string): { plan: Plan; createdAt: number } | undefined => {
  const row = db.get(PLAN, key);
  return row && { plan: JSON.parse(row.plan) as Plan, createdAt: row.createdAt };
};

export const cachePlan = (db: Connection, key: string, plan: Plan, now: number): void => {
  db.run(PUT_PLAN, key, now, JSON.stringify(plan));
  db.run(DROP_OLD);
};

const forecasts = query.selectFrom('forecasts').select(['run', 'at', 'forecast', 'actual']);
const OF_RUN = keep(forecasts.where('run', '=', ARG));
const NEWEST = keep(forecasts.orderBy('at', 'desc').orderBy('run').limit(ARG));
const PUT = sql(`
  INSERT INTO forecasts (run, at, forecast) VALUES (?, ?, ?)
  ON CONFLICT (run) DO UPDATE SET at = excluded.at, forecast = excluded.forecast, actual = NULL`);
const CLOSE = sql('UPDATE forecasts SET actual = ? WHERE run = ?');

const parse = (row: Schema['forecasts']): ForecastRow => ({
  ...row,
  forecast: JSON.parse(row.forecast),
  actual: row.actual === null ? null : JSON.parse(row.actual),
});

export const forecastOf = (db: Connection, run: RunId): ForecastRow | undefined => {
  const row = db.get(OF_RUN, run);
  return row && parse(row);
};

export const newestForecasts = (db: Connection, limit: number): ForecastRow[] => db.all(NEWEST, limit).map(parse);

export const putForecast = (db: Connection, run: RunId, forecast: unknown, at: number): void => {
  db.run(PUT, run, at, JSON.stringify(forecast));
};

export const closeForecast = (db: Connection, run: RunId, actual: unknown): void => {
  db.run(CLOSE, JSON.stringify(actual), run);
};
