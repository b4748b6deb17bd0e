import type { AccountId, AgentId, RunId, TurnId } from '../domain/ids.ts';
import type { Account, LedgerKind, LedgerRow } from '../domain/ledger.ts';
import type { Connection } from './connection.ts';
import { query } from './schema.ts';
import { ARG, insertInto, keep, sql } from './sql.ts';

const ACCOUNT_COLUMNS = [
  'id',
  'run',
  'available',
  'reserved',
  'used',
  'granted',
] as const satisfies readonly (keyof Account)[];
const LEDGER_COLUMNS = [
  'id',
  'run',
  'kind',
  'from',
  'to',
  'amount',
  'turn',
  'at',
] as const satisfies readonly (keyof LedgerRow)[];

const accounts = query.selectFrom('accounts').select(ACCOUNT_COLUMNS);
const BY_ID = keep(accounts.where('id', '=', ARG));
/** The pool first, then the agents in the order in which they were made. */
const OF_RUN = keep(
  query
    .selectFrom('accounts')
    .leftJoin('agents', 'agents.id', 'accounts.id')
    .select(ACCOUNT_COLUMNS.map((column) => `accounts.${column}` as const))
    .where('accounts.run', '=', ARG)
    .orderBy('agents.n'),
);
const ROWS = keep(query.selectFrom('ledger').select(LEDGER_COLUMNS).where('run', '=', ARG).orderBy('id'));

export const accountById = (db: Connection, id: AccountId): Account | undefined => db.get(BY_ID, id);
export const accountsOf = (db: Connection, run: RunId): Account[] => db.all(OF_RUN, run);
export const ledgerOf = (db: Connection, run: RunId): LedgerRow[] => db.all(ROWS, run);

const OPEN = sql('INSERT INTO accounts (id, run, available, reserved, used, granted) VALUES (?, ?, ?, 0, 0, ?)');
const TAKE = sql<{ run: RunId }>(
  'UPDATE accounts SET available = available - ? WHERE id = ? AND available >= ? RETURNING run',
);
const RECEIVE = sql(`
  INSERT INTO accounts (id, run, available, reserved, used, granted) VALUES (@id, @run, @tokens, 0, 0, @tokens)
  ON CONFLICT (id) DO UPDATE SET available = available + @tokens, granted = granted + @tokens`);
const RESERVE = sql<{ run: RunId }>(
  'UPDATE accounts SET available = available - ?, reserved = reserved + ? WHERE id = ? AND available >= ? RETURNING run',
);
const SETTLE = sql<{ run: RunId }>(
  'UPDATE accounts SET available = available + ?, reserved = reserved - ?, used = used + ? WHERE id = ? RETURNING run',
);
const EMPTY = sql('UPDATE accounts SET available = 0, granted = granted - ? WHERE id = ?');
/** Whoever takes back what somebody else granted has it as a grant of its own: what it holds never exceeds that. */
const TAKE_BACK = sql(`
  INSERT INTO accounts (id, run, available, reserved, used, granted) VALUES (@id, @run, @tokens, 0, 0, @tokens)
  ON CONFLICT (id) DO UPDATE
    SET available = available + @tokens, granted = max(granted, available + @tokens + reserved + used)`);
const RECORD = insertInto('ledger', ['run', 'kind', 'from', 'to', 'amount', 'turn', 'at']);
/** What nearly every turn ends with: a part of its reservation is used, the rest is released. */
const RECORD_TWO = sql(`${RECORD}, (?, ?, ?, ?, ?, ?, ?)`);
const OF_TURN = sql<{ held: number | null; settled: number }>(`
  SELECT sum(amount) FILTER (WHERE kind = 'reserve' AND "to" = ?) AS held,
         count(*) FILTER (WHERE kind = 'settle') AS settled
    FROM ledger WHERE turn = ?`);

type Pot = `${AccountId}:${'available' | 'reserved' | 'used'}` | 'budget';

const assertTokens = (tokens: number): void => {
  if (!Number.isSafeInteger(tokens) || tokens < 0) throw new RangeError(`${tokens} is not a number of tokens.`);
};

const mustHave = (db: Connection, id: AccountId): Account => {
  const account = accountById(db, id);
  if (!account) throw new Error(`There is no account ${id}.`);
  return account;
};

/** One movement: what is told the same for each row of a verb, and what differs. */
const recorder =
  (db: Connection, run: RunId, turn: TurnId | null, now: number) =>
  (kind: LedgerKind, from: Pot, to: Pot, amount: number): void => {
    db.insert(RECORD, run, kind, from, to, amount, turn, now);
  };

/** The run's own account, holding the whole budget. */
export const openPool = (db: Connection, run: RunId, budget: number, now: number): void => {
  assertTokens(budget);
  db.insert(OPEN, run, run, budget, budget);
  recorder(db, run, null, now)('open', 'budget', `${run}:available`, budget);
};

const RAISE = sql('UPDATE accounts SET available = available + ?, granted = granted + ? WHERE id = ?');
const RAISE_OPTION = sql(
  `UPDATE runs SET options = json_set(options, '$.budget', (options ->> '$.budget') + ?) WHERE id = ?`,
);

/** The run's budget grows, and with it what its pool holds. */
export const raiseBudget = (db: Connection, run: RunId, tokens: number, now: number): void => {
  assertTokens(tokens);
  if (tokens === 0) return;
  if (db.run(RAISE_OPTION, tokens, run) !== 1) throw new Error(`There is no run ${run}.`);
  db.run(RAISE, tokens, tokens, run);
  recorder(db, run, null, now)('open', 'budget', `${run}:available`, tokens);
};

export const grant = (db: Connection, from: AccountId, to: AgentId, tokens: number, now: number): boolean => {
  assertTokens(tokens);
  const source = db.get(TAKE, tokens, from, tokens);
  if (!source) return false;
  db.run(RECEIVE, { id: to, run: source.run, tokens });
  recorder(db, source.run, null, now)('grant', `${from}:available`, `${to}:available`, tokens);
  return true;
};

export const reserve = (db: Connection, id: AccountId, turn: TurnId, tokens: number, now: number): boolean => {
  assertTokens(tokens);
  const account = db.get(RESERVE, tokens, tokens, id, tokens);
  if (!account) return false;
  recorder(db, account.run, turn, now)('reserve', `${id}:available`, `${id}:reserved`, tokens);
  return true;
};

/** Throws when the turn holds no reservation on the account or was settled before: no turn is charged twice. */
export const settle = (db: Connection, id: AccountId, turn: TurnId, used: number, now: number): { over: number } => {
  assertTokens(used);
  const reservation = db.get(OF_TURN, `${id}:reserved`, turn);
  if (!reservation || reservation.held === null) throw new Error(`Turn ${turn} holds no reservation on ${id}.`);
  if (reservation.settled > 0) throw new Error(`Turn ${turn} was settled before.`);
  const { held } = reservation;
  if (used < held) {
    settleWithin(db, id, turn, held, used, now);
    return { over: 0 };
  }
  const account = mustHave(db, id);
  const fromAvailable = Math.min(used - held, account.available);
  db.get(SETTLE, -fromAvailable, held, held + fromAvailable, id);
  const record = recorder(db, account.run, turn, now);
  record('settle', `${id}:reserved`, `${id}:used`, held);
  if (fromAvailable > 0) record('settle', `${id}:available`, `${id}:used`, fromAvailable);
  return { over: used - held - fromAvailable };
};

const settleWithin = (db: Connection, id: AccountId, turn: TurnId, held: number, used: number, now: number): void => {
  const account = db.get(SETTLE, held - used, held, used, id);
  if (!account) throw new Error(`There is no account ${id}.`);
  const [reserved, charged, free] = [`${id}:reserved`, `${id}:used`, `${id}:available`];
  const charge = [account.run, 'settle', reserved, charged, used, turn, now];
  db.insert(RECORD_TWO, ...charge, account.run, 'release', reserved, free, held - used, turn, now);
};

/** Returns how many tokens went back. */
export const reclaim = (db: Connection, from: AgentId, to: AccountId, now: number): number => {
  const account = accountById(db, from);
  if (!account) return 0;
  if (account.reserved > 0) throw new Error(`Account ${from} still holds a reservation of ${account.reserved} tokens.`);
  const tokens = account.available;
  if (tokens === 0) return 0;
  db.run(EMPTY, tokens, from);
  db.run(TAKE_BACK, { id: to, run: account.run, tokens });
  recorder(db, account.run, null, now)('reclaim', `${from}:available`, `${to}:available`, tokens);
  return tokens;
};
