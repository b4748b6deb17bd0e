import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock } from '../domain/clock.ts';
import { messageOf, UserError } from '../domain/errors.ts';
import { isCorrupt, moveAside, quickCheck, restoreNewest } from './backup.ts';
import { Connection, sqliteCode } from './connection.ts';
import { raiseEventNumbers } from './events.ts';
import { takeEpoch } from './meta.ts';
import { assertKnown, type Migration, migrate, readMigrations } from './migrate.ts';
import { atomically, type Faults, SqliteStore } from './sqlite-store.ts';

export interface StoreOptions {
  /** The database file; made when it is missing. */
  readonly path: string;
  readonly clock: Pick<Clock, 'now'>;
  /** Where copies go before a migration, and come from after a loss. */
  readonly backupDir: string;
  /** The program's, kept beside the epoch. */
  readonly version: string;
  readonly faults?: Faults;
  /** Folder of the migrations; the program's own unless a test says otherwise. */
  readonly migrations?: string;
}

export interface OpenedStore {
  readonly store: SqliteStore;
  /** For the person: what was wrong with the database and what was done. Null when all was well. */
  readonly notice: string | null;
}

/**
 * Opens, checks, migrates, and takes the next epoch. A damaged database is moved aside and the newest backup takes its
 * place, or an empty one. Throws UserError database-newer, database-corrupt when it cannot be moved aside, or
 * permission-denied.
 */
export const openStore = async (options: StoreOptions): Promise<OpenedStore> => {
  mkdirSync(dirname(options.path), { recursive: true });
  const { path, backupDir, faults = {} } = options;
  const now = options.clock.now();
  const known = readMigrations(options.migrations);
  const { writer, notice } = openChecked(path, backupDir, now, known);
  try {
    migrate(writer, known, { folder: backupDir, now }, faults);
    let epoch = 0;
    atomically(writer, 'epoch', faults, () => {
      // Faces go on after the last event that they saw, which may be one that is lost now.
      if (notice !== null) raiseEventNumbers(writer, now);
      epoch = takeEpoch(writer, options.version);
    });
    const reader = new Connection(path, { readonly: true });
    return { store: new SqliteStore({ writer, reader, epoch, faults }), notice };
  } catch (error) {
    writer.close();
    throw error;
  }
};

const openChecked = (
  path: string,
  backupDir: string,
  now: number,
  known: readonly Migration[],
): { writer: Connection; notice: string | null } => {
  const first = tryOpen(path, known);
  if (first.kind === 'open') return { writer: first.db, notice: null };
  const { folder, restored } = replace(path, backupDir, now, first.damage);
  const second = tryOpen(path, known);
  if (second.kind === 'damaged')
    throw new UserError('database-corrupt', `${path} is damaged again at once (${second.damage}): check the disk.`);
  const instead = restored
    ? `The backup ${restored} took its place: runs since then are not in it, but their branches are in git.`
    : 'Coppice started with an empty one: earlier runs are not in it, but their branches are in git.';
  const notice = `The database was damaged (${first.damage}) and was moved to ${folder}. ${instead}`;
  return { writer: second.db, notice };
};

const replace = (
  path: string,
  backupDir: string,
  now: number,
  damage: string,
): { folder: string; restored: string | null } => {
  try {
    return { folder: moveAside(path, now), restored: restoreNewest(path, backupDir) };
  } catch (error) {
    throw new UserError(
      'database-corrupt',
      `${path} is damaged (${damage}) and could not be moved aside (${messageOf(error)}). ` +
        'Move it, and the files beside it that begin with its name, somewhere else and start again.',
      { cause: error },
    );
  }
};

type Tried = { readonly kind: 'open'; readonly db: Connection } | { readonly kind: 'damaged'; readonly damage: string };

const tryOpen = (path: string, known: readonly Migration[]): Tried => {
  let db: Connection | undefined;
  try {
    db = new Connection(path);
    assertKnown(db, path, known);
    const damage = quickCheck(db);
    if (damage === null) return { kind: 'open', db };
    db.close();
    return { kind: 'damaged', damage };
  } catch (error) {
    db?.close();
    if (isCorrupt(error)) return { kind: 'damaged', damage: messageOf(error) };
    if (/^SQLITE_(CANTOPEN|READONLY|PERM)/.test(sqliteCode(error)))
      throw new UserError('permission-denied', `${path} cannot be opened for writing (${messageOf(error)}).`, {
        cause: error,
      });
    throw error;
  }
};
