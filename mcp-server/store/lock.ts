import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { isDenied, messageOf, UserError } from '../domain/errors.ts';
import { sqliteCode } from './connection.ts';

/** Ends with the process, however it ends: the operating system frees it. */
export interface RepositoryLock {
  release(): void;
}

/**
 * Takes the right to be the repository's engine for as long as the process lives; null at once when another has it.
 * Throws UserError `permission-denied` when the folder cannot be made or written.
 */
export const acquireRepositoryLock = (path: string): RepositoryLock | null => {
  const db = openFile(path);
  try {
    // Without a write-ahead log, an exclusive transaction keeps even readers out.
    db.pragma('journal_mode=DELETE');
    db.exec('BEGIN EXCLUSIVE');
    return { release: () => void db.close() };
  } catch (error) {
    db.close();
    if (sqliteCode(error).startsWith('SQLITE_BUSY')) return null;
    throw explained(error, dirname(path));
  }
};

const openFile = (path: string): Database.Database => {
  try {
    mkdirSync(dirname(path), { recursive: true });
    return new Database(path, { timeout: 0 });
  } catch (error) {
    throw explained(error, dirname(path));
  }
};

const explained = (error: unknown, folder: string): unknown => {
  const { code } = error as { code?: string };
  if (code === 'EEXIST' || code === 'ENOTDIR')
    return new UserError('permission-denied', `${folder} is not a folder. Move it away: the engine needs this name.`, {
      cause: error,
    });
  if (!isDenied(error) && !/^SQLITE_(CANTOPEN|READONLY|PERM)/.test(sqliteCode(error))) return error;
  return new UserError(
    'permission-denied',
    `${folder} cannot be written (${messageOf(error)}). The engine keeps its state and the worktrees of agents there: ` +
      `give yourself the right to write in ${dirname(folder)}, or work on a clone of your own.`,
    { cause: error },
  );
};
