import type { Agent } from '../domain/agent.ts';
import { FencedError } from '../domain/errors.ts';
import type { EngineEvent } from '../domain/event.ts';
import type { AgentId, RunId } from '../domain/ids.ts';
import type { Run } from '../domain/run.ts';
import type { Worktree } from '../domain/worktree.ts';
import type { Connection } from './connection.ts';
import { IdleCheckpoint } from './idle-checkpoint.ts';
import { KnownRows } from './known-rows.ts';
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
const SAVEPOINT = sql('SAVEPOINT work');
const RELEASE = sql('RELEASE work');
const UNDO = sql('ROLLBACK TO work');

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

/** Transactions that one COMMIT makes durable together. */
interface Group {
  /** Settles with the COMMIT. */
  readonly over: Promise<void>;
  readonly settle: (error?: unknown) => void;
  readonly emitted: EngineEvent[];
}

/**
 * A store on one file: one connection writes, another reads what is committed. Transactions that are asked for in one
 * turn of the event loop share a COMMIT, and with it the wait for the disk: each is undone alone when it throws, and none
 * resolves before the COMMIT. When that fails, all of them reject.
 */
export class SqliteStore extends SqliteReader implements Store {
  readonly epoch: number;
  readonly #writer: Connection;
  readonly #reader: Connection;
  readonly #faults: Faults;
  readonly #known = new KnownRows();
  readonly #listeners = new Set<Listener>();
  readonly #checkpoints: IdleCheckpoint;
  /** Settles when the last transaction that was asked for has run, and the last COMMIT. */
  #last: Promise<unknown> = Promise.resolve();
  #group: Group | null = null;
  #closing: Promise<void> | undefined;

  constructor(parts: { writer: Connection; reader: Connection; epoch: number; faults: Faults }) {
    super(parts.reader);
    this.#writer = parts.writer;
    this.#reader = parts.reader;
    this.#faults = parts.faults;
    this.#checkpoints = new IdleCheckpoint(parts.writer, () => this.#isQuiet);
    this.epoch = parts.epoch;
  }

  /** Nothing is being written: what has been is committed. */
  get #isQuiet(): boolean {
    return this.#group === null && this.#closing === undefined;
  }

  /** While nothing is being written, the writing connection has seen the last commit too, and has its pages at hand. */
  protected override get db(): Connection {
    return this.#isQuiet ? this.#writer : super.db;
  }

  override async agent(id: AgentId): Promise<Agent | undefined> {
    return (this.#isQuiet && this.#known.agent(id)) || super.agent(id);
  }

  override async run(id: RunId): Promise<Run | undefined> {
    return (this.#isQuiet && this.#known.run(id)) || super.run(id);
  }

  override async worktree(agent: AgentId): Promise<Worktree | undefined> {
    return this.#known.isBare(agent) ? undefined : super.worktree(agent);
  }

  async transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    if (this.#closing) throw new Error('The store is closed.');
    const ran = this.#inLine(() => this.#run(work));
    const { result, over } = await ran;
    await over;
    return result;
  }

  onEvents(listener: Listener): () => void {
    const own: Listener = (events) => listener(events);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  /** Waits for the transactions that were asked for. */
  close(): Promise<void> {
    this.#closing ??= this.#settled().then(() => {
      this.#checkpoints.stop();
      this.#reader.close();
      try {
        this.#writer.checkpoint('TRUNCATE');
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

  /** Does the work when all that was asked for before it has been done. */
  #inLine<T>(work: () => T | Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #settled(): Promise<void> {
    await this.#last;
    await this.#group?.over.catch(() => undefined);
  }

  /** Throws FencedError. */
  #begin(): Group {
    const db = this.#writer;
    db.run(BEGIN);
    try {
      this.#assertNewest();
    } catch (error) {
      db.run(ROLLBACK);
      this.#known.forget();
      throw error;
    }
    const { promise: over, resolve, reject } = Promise.withResolvers<void>();
    over.catch(() => undefined);
    const settle = (error?: unknown): void => (error === undefined ? resolve() : reject(error));
    const group = { over, settle, emitted: [] };
    this.#group = group;
    // After the sockets that are ready now have been read: what they ask for is in it too.
    setImmediate(() => void this.#inLine(() => this.#commit(group)));
    return group;
  }

  /** What the work returned, and the COMMIT that it waits for. The wrapper keeps the two apart. */
  async #run<T>(work: (tx: Tx) => Promise<T>): Promise<{ readonly result: T; readonly over: Promise<void> }> {
    const db = this.#writer;
    const group = this.#group ?? this.#begin();
    const tx = new SqliteTx(db, this.epoch, this.#known);
    db.run(SAVEPOINT);
    try {
      const result = await work(tx);
      const emitted = tx.end();
      db.run(RELEASE);
      this.#known.learn(tx.seen);
      group.emitted.push(...emitted);
      return { result, over: group.over };
    } catch (error) {
      tx.abandon();
      this.#undo(group, error);
      throw error;
    }
  }

  /** Undoes one work of the group. An error of the disk ends the whole transaction, and so the group. */
  #undo(group: Group, error: unknown): void {
    const db = this.#writer;
    if (db.inTransaction) {
      db.run(UNDO);
      db.run(RELEASE);
    } else this.#lose(group, error);
  }

  #lose(group: Group, error: unknown): void {
    this.#known.forget();
    if (this.#group === group) this.#group = null;
    group.settle(error);
  }

  #commit(group: Group): void {
    if (this.#group !== group) return;
    const db = this.#writer;
    const label = group.emitted.map((event) => event.type).join(' ');
    try {
      this.#faults.beforeCommit?.(label);
      db.run(COMMIT);
    } catch (error) {
      if (db.inTransaction) db.run(ROLLBACK);
      this.#lose(group, error);
      return;
    }
    this.#group = null;
    this.#checkpoints.committed();
    try {
      this.#faults.afterCommit?.(label);
      if (group.emitted.length > 0) this.#announce(group.emitted);
    } finally {
      group.settle();
    }
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
