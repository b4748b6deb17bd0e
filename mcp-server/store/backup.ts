import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Connection, sqliteCode } from './connection.ts';
import { sql } from './sql.ts';

/** A time that may stand in a file name and sorts by age. */
const stamp = (now: number): string => new Date(now).toISOString().replaceAll(/[:.]/g, '-');

const sync = (path: string): void => {
  const file = openSync(path, 'r+');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
};

/** Copies the committed state into the folder; a backup is whole or not there. Returns its path. */
export const backUp = (db: Connection, folder: string, now: number): string => {
  const path = join(folder, `state-${stamp(now)}.db`);
  const half = `${path}.tmp`;
  rmSync(half, { force: true });
  db.run(sql('VACUUM INTO ?'), half);
  sync(half);
  renameSync(half, path);
  return path;
};

/** What is wrong with the database; null when nothing is. May throw what isCorrupt knows. */
export const quickCheck = (db: Connection): string | null => {
  const found = String(db.pragma('quick_check(1)'));
  return found === 'ok' ? null : found;
};

/** SQLite found that a file is not, or no longer, a database. */
export const isCorrupt = (error: unknown): boolean => /^SQLITE_(CORRUPT|NOTADB)/.test(sqliteCode(error));

const isWhole = (path: string): boolean => {
  let db: Connection | undefined;
  try {
    db = new Connection(path);
    return quickCheck(db) === null;
  } catch (error) {
    if (isCorrupt(error)) return false;
    throw error;
  } finally {
    db?.close();
  }
};

/** Moves the database with its log into `corrupt/<time>/` beside it, all or as much as there is. Returns that folder. */
export const moveAside = (path: string, now: number): string => {
  const base = join(dirname(path), 'corrupt', stamp(now));
  let folder = base;
  for (let n = 2; existsSync(folder); n++) folder = `${base}-${n}`;
  mkdirSync(folder, { recursive: true });
  // The log first: a database that stays behind without its log is still whole, a log without its database is nothing.
  for (const suffix of ['-shm', '-wal', ''])
    if (existsSync(path + suffix)) renameSync(path + suffix, join(folder, basename(path) + suffix));
  return folder;
};

/** Puts the newest backup that is whole in the database's place. Returns its path; null when there is none. */
export const restoreNewest = (path: string, folder: string): string | null => {
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => /^state-.+\.db$/.test(name)) : [];
  for (const name of names.sort().reverse()) {
    const backup = join(folder, name);
    const half = `${path}.restoring`;
    copyFileSync(backup, half);
    if (isWhole(half)) {
      sync(half);
      renameSync(half, path);
      return backup;
    }
    for (const suffix of ['', '-wal', '-shm']) rmSync(half + suffix, { force: true });
  }
  return null;
};
