import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../domain/errors.ts';
import { backUp } from './backup.ts';
import type { Connection } from './connection.ts';
import { atomically, type Faults } from './sqlite-store.ts';

/** One step of the schema. */
export interface Migration {
  readonly version: number;
  readonly text: string;
}

/** They lie beside the bundle as well. */
const FOLDER = join(import.meta.dirname, 'migrations');

/** `0001-initial.sql`, `0002-…` of the folder: forward only; a released one never changes. */
export const readMigrations = (folder = FOLDER): readonly Migration[] =>
  readdirSync(folder)
    .filter((name) => /^\d{4}-.+\.sql$/.test(name))
    .sort()
    .map((name, index) => {
      const version = Number(name.slice(0, 4));
      if (version !== index + 1) throw new Error(`Migration ${name} stands where number ${index + 1} should.`);
      return { version, text: readFileSync(join(folder, name), 'utf8') };
    });

const versionOf = (db: Connection): number => Number(db.pragma('user_version'));

/** Throws UserError database-newer when a later program has written the database. */
export const assertKnown = (db: Connection, path: string, known: readonly Migration[]): void => {
  const version = versionOf(db);
  if (version > known.length)
    throw new UserError(
      'database-newer',
      `${path} was written by a newer Coppice (its format is ${version}, this one knows ${known.length}): update Coppice.`,
    );
};

/**
 * Brings the schema up to date, each migration in one transaction; backs the database up first unless it is new. Foreign
 * keys are off meanwhile, so that a table can be made anew, and are checked before the commit.
 */
export const migrate = (
  db: Connection,
  known: readonly Migration[],
  backup: { readonly folder: string; readonly now: number },
  faults: Faults,
): void => {
  const version = versionOf(db);
  const due = known.filter((migration) => migration.version > version);
  if (due.length > 0 && version > 0) {
    mkdirSync(backup.folder, { recursive: true });
    backUp(db, backup.folder, backup.now);
  }
  db.pragma('foreign_keys = OFF');
  try {
    for (const migration of due)
      atomically(db, `migration ${migration.version}`, faults, () => {
        db.script(migration.text);
        const dangling = db.pragma('foreign_key_check');
        if (dangling !== undefined)
          throw new Error(`After migration ${migration.version} a row of ${dangling} points at nothing.`);
        db.pragma(`user_version = ${migration.version}`);
      });
  } finally {
    db.pragma('foreign_keys = ON');
  }
};
