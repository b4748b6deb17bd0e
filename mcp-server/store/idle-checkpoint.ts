import type { Connection } from './connection.ts';

/** Nothing was committed for so long. */
const QUIET_MS = 10;
/** Fewer pages are left for later: those that change again and again are then copied once. SQLite itself waits for 1000. */
const WORTH_IT = 400;

/**
 * Checkpoints while nobody waits for a COMMIT: SQLite would do it within the COMMIT that makes its log long enough, which
 * then takes some milliseconds more.
 */
export class IdleCheckpoint {
  readonly #db: Connection;
  readonly #isQuiet: () => boolean;
  #timer: NodeJS.Timeout | undefined;

  /** `isQuiet`: no transaction is under way. */
  constructor(db: Connection, isQuiet: () => boolean) {
    this.#db = db;
    this.#isQuiet = isQuiet;
  }

  /** After each COMMIT. */
  committed(): void {
    this.#timer ??= setTimeout(() => this.#look(), QUIET_MS).unref();
    this.#timer.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #look(): void {
    if (!this.#isQuiet()) return;
    try {
      if (this.#db.uncopied >= WORTH_IT) this.#db.checkpoint('PASSIVE');
    } catch {
      // It is tried again; what a disk refuses for good, the next COMMITs or the end of the store say.
    }
  }
}
