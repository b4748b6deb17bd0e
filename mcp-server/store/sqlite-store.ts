import { FencedError } from '../domain/errors.ts';
import type { EngineEvent } from '../domain/event.ts';
import type { Connection } from './connection.ts';
import { epochOf } from './meta.ts';
import type { Store, Tx } from './port.ts';
import { SqliteReader } from './reader.ts';
import { sql } from './sql.ts';
import { SqliteTx } from './tx.ts';

/** Called around each COMMIT with the types of the events in it, so that a test can stop the process just there. */
export interface Faults {
  beforeCommit?(label: string): void;
  afterCommit?(label: string): void;
}

type Listener = (events: readonly EngineEvent[]) => void;

const BEGIN = sql('BEGIN IMMEDIATE');
const COMMIT = sql('COMMIT');
const ROLLBACK = sql('ROLLBACK');

/** Runs work between BEGIN IMMEDIATE and COMMIT; rolls back when it throws, also when the COMMIT does. */
export const atomically = (db: Connection, label: string, faults: Faults, work: () => void): void => {
  db.run(BEGIN);
  try {
    work();
    faults.beforeCommit?.(label);
    db.run(COMMIT);
  } catch (error) {
    if (db.inTransaction) db.run(ROLLBACK);
    throw error;
  }
  faults.afterCommit?.(label);
};

/** A store on one file: one connection writes, another reads what is committed. */
export class SqliteStore extends SqliteReader implements Store {
  readonly epoch: number;
  readonly #writer: Connection;
  readonly #reader: Connection;
  readonly #faults: Faults;
  readonly #listeners = new Set<Listener>();
  /** Settles when the last transaction that was asked for is over. */
  #last: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(parts: { writer: Connection; reader: Connection; epoch: number; faults: Faults }) {
    super(parts.reader);
    this.#writer = parts.writer;
    this.#reader = parts.reader;
    this.#faults = parts.faults;
    this.epoch = parts.epoch;
  }

  async transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    if (this.#closing) throw new Error('The store is closed.');
    const result = this.#last.then(() => this.#commit(work));
    this.#last = result.catch(() => undefined);
    return result;
  }

  onEvents(listener: Listener): () => void {
    const own: Listener = (events) => listener(events);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  /** Waits for the transactions that were asked for. */
  close(): Promise<void> {
    this.#closing ??= this.#last.then(() => {
      this.#reader.close();
      try {
        this.#writer.pragma('wal_checkpoint(TRUNCATE)');
      } finally {
        this.#writer.close();
      }
    });
    return this.#closing;
  }

  /** What a pragma says on each connection. */
  pragma(name: string): { readonly writer: string | number; readonly reader: string | number } {
    return { writer: this.#writer.pragma(name), reader: this.#reader.pragma(name) };
  }

  async #commit<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    const db = this.#writer;
    db.run(BEGIN);
    const tx = new SqliteTx(db, this.epoch);
    let label = '';
    let emitted: readonly EngineEvent[] = [];
    let result: T;
    try {
      this.#assertNewest();
      result = await work(tx);
      emitted = tx.end();
      label = emitted.map((event) => event.type).join(' ');
      this.#faults.beforeCommit?.(label);
      db.run(COMMIT);
    } catch (error) {
      tx.end();
      if (db.inTransaction) db.run(ROLLBACK);
      throw error;
    }
    this.#faults.afterCommit?.(label);
    if (emitted.length > 0) this.#announce(emitted);
    return result;
  }

  #assertNewest(): void {
    const newest = epochOf(this.#writer);
    if (newest !== this.epoch)
      throw new FencedError(`Another engine has taken over: epoch ${newest}, this one has ${this.epoch}.`);
  }

  /** The transaction has happened whatever a listener does: an error of one is reported as the bug that it is. */
  #announce(events: readonly EngineEvent[]): void {
    for (const listener of this.#listeners)
      try {
        listener(events);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
  }
}
