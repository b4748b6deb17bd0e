import Database from 'better-sqlite3';
import type { Compilable } from 'kysely';
import { type Sql, sql } from './sql.ts';

/** better-sqlite3 falls back to synchronous=NORMAL when it reopens a WAL file: so they are set on every open. */
const PRAGMAS = [
  'journal_mode=WAL',
  'synchronous=FULL',
  'busy_timeout=5000',
  'foreign_keys=ON',
  'trusted_schema=OFF',
  'cell_size_check=ON',
  'journal_size_limit=67108864',
  // Else what a transaction would undo is kept in a file as soon as it touches a dozen pages.
  'temp_store=MEMORY',
  ...(process.platform === 'darwin' ? ['fullfsync=1'] : []),
];

/** How many pages the log has, and how many of them are in the database file; copies none. */
const LOG = sql<{ log: number; checkpointed: number }>('PRAGMA wal_checkpoint(NOOP)');

/** One connection to the database with its prepared statements. Everything it does is synchronous. */
export class Connection {
  readonly #db: Database.Database;
  readonly #statements = new Map<string, Database.Statement>();

  /** Creates the file when it is missing, unless `readonly`. Throws SQLite's own errors. */
  constructor(path: string, options: { readonly readonly?: boolean } = {}) {
    this.#db = new Database(path, { readonly: options.readonly ?? false });
    try {
      for (const pragma of PRAGMAS) this.#db.pragma(pragma);
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  get inTransaction(): boolean {
    return this.#db.inTransaction;
  }

  /** The first row. */
  get<Row>(text: Sql<Row>, ...args: readonly unknown[]): Row | undefined {
    return this.#prepare(text).get(...args) as Row | undefined;
  }

  all<Row>(text: Sql<Row>, ...args: readonly unknown[]): Row[] {
    return this.#prepare(text).all(...args) as Row[];
  }

  /** Returns how many rows it changed. */
  run(text: Sql<never>, ...args: readonly unknown[]): number {
    return this.#prepare(text).run(...args).changes;
  }

  /** Returns the row's INTEGER PRIMARY KEY. */
  insert(text: Sql<never>, ...args: readonly unknown[]): number {
    return Number(this.#prepare(text).run(...args).lastInsertRowid);
  }

  /** The rows of a query that was built for this one time; its text must be one of few. */
  rows<Row>(built: Compilable<Row>): Row[] {
    const { sql, parameters } = built.compile();
    return this.#prepare(sql).all(...parameters) as Row[];
  }

  /** Runs a built statement and returns how many rows it changed. */
  change(built: Compilable): number {
    const { sql, parameters } = built.compile();
    return this.#prepare(sql).run(...parameters).changes;
  }

  /** Several statements, without arguments. */
  script(text: string): void {
    this.#db.exec(text);
  }

  /** The first column of the pragma's first row. */
  pragma(text: string): string | number {
    return this.#db.pragma(text, { simple: true }) as string | number;
  }

  /** Pages that COMMITs have written and no checkpoint has brought into the database file. */
  get uncopied(): number {
    const { log, checkpointed } = this.get(LOG) ?? { log: 0, checkpointed: 0 };
    return Math.max(0, log - checkpointed);
  }

  /** Brings what was committed into the database file, as far as nobody reads older pages. */
  checkpoint(mode: 'PASSIVE' | 'TRUNCATE'): void {
    this.#db.pragma(`wal_checkpoint(${mode})`);
  }

  /** Harmless when it is closed already. */
  close(): void {
    this.#statements.clear();
    this.#db.close();
  }

  #prepare(text: string): Database.Statement {
    let statement = this.#statements.get(text);
    if (!statement) {
      statement = this.#db.prepare(text);
      this.#statements.set(text, statement);
    }
    return statement;
  }
}

/** SQLite's result code, such as SQLITE_BUSY or SQLITE_CORRUPT_INDEX; empty for any other error. */
export const sqliteCode = (error: unknown): string => (error instanceof Database.SqliteError ? error.code : '');
