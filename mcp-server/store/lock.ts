import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { sqliteCode } from './connection.ts';

/** Ends with the process, however it ends: the operating system frees it. */
export interface RepositoryLock {
  release(): void;
}

/** Takes the right to be the repository's engine for as long as the process lives; null at once when another has it. */
export const acquireRepositoryLock = (path: string): RepositoryLock | null => {
  mkdirSync(dirname(path), { recursive: true });
  const db = new Database(path, { timeout: 0 });
  try {
    // Without a write-ahead log, an exclusive transaction keeps even readers out.
    db.pragma('journal_mode=DELETE');
    db.exec('BEGIN EXCLUSIVE');
    return { release: () => void db.close() };
  } catch (error) {
    db.close();
    if (sqliteCode(error).startsWith('SQLITE_BUSY')) return null;
    throw error;
  }
};
