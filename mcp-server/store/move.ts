import { move } from '../domain/transitions.ts';

type Table = Readonly<Record<string, readonly string[]>>;

/** `state IN (…)` of the states from which the table lets a row move to `to`: the move and its check are one statement. */
export const movable = <T extends Table>(table: T, to: keyof T & string): string => {
  const from = Object.keys(table).filter((state) => table[state]?.includes(to));
  return `state IN (${from.map((state) => `'${state}'`).join(', ')})`;
};

/** Why such a statement has changed nothing. Throws always: there is no such row, or it is in a state that forbids the move. */
export const refuseMove = <T extends Table, S extends keyof T & string>(
  table: T,
  what: string,
  row: { readonly state: S } | undefined,
  to: S,
): never => {
  if (!row) throw new Error(`There is no ${what}.`);
  move(table, row.state, to);
  throw new Error(`${what} was not moved to ${to}.`);
};
