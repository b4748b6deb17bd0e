import { type Compilable, sql as raw } from 'kysely';
import type { Schema } from './schema.ts';

/** SQL text with `?` for its arguments; `Row` is what it returns. */
export type Sql<Row> = string & { readonly row?: Row };

/** SQL that is written by hand, for the hot path and for what a builder says less clearly. */
export const sql = <Row = never>(text: string): Sql<Row> => text;

/**
 * Stands for an argument in a query that is compiled once; arguments are given in the order in which they stand. It is
 * written `+?`: SQLite prepares a statement anew at every binding (three to fifteen times the price) when a bare `?` is
 * compared for equality and there is an ORDER BY, a min or a max. Hand-written SQL does the same.
 */
export const ARG = raw`+${0}` as never;

/** Compiles a query once, so that running it costs what a hand-written one does. */
export const keep = <Row>(query: Compilable<Row>): Sql<Row> => query.compile().sql;

/** The columns, quoted, for a SELECT or RETURNING; `table` stands before each when it is given. */
export const list = (columns: readonly string[], table = ''): string =>
  columns.map((column) => `${table && `${table}.`}"${column}"`).join(', ');

/** An INSERT of one row with an argument for each column. */
export const insertInto = <T extends keyof Schema>(
  table: T,
  columns: readonly (keyof Schema[T] & string)[],
): Sql<never> => sql(`INSERT INTO ${table} (${list(columns)}) VALUES (${columns.map(() => '?').join(', ')})`);

type Bindable = string | number | null;

/** The values of the columns in their order, with booleans as 0 and 1. Throws for what no column holds. */
export const valuesOf = <Row extends object>(row: Row, columns: readonly (keyof Row)[]): Bindable[] =>
  columns.map((column) => bindable(row[column]));

/** A value as SQLite holds it. */
export const bindable = (value: unknown): Bindable => {
  if (typeof value === 'string' || typeof value === 'number' || value === null) return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  throw new TypeError(`A column cannot hold ${typeof value}.`);
};

/** The keys of a patch that carry a value. */
export const keysOf = <Patch extends object>(patch: Patch): (keyof Patch & string)[] =>
  (Object.keys(patch) as (keyof Patch & string)[]).filter((key) => patch[key] !== undefined);
