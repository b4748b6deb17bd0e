import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type OpenedStore, openStore, type StoreOptions } from '../../../mcp-server/store/open.ts';
import type { SqliteStore } from '../../../mcp-server/store/sqlite-store.ts';
import type { Place } from './fixtures.ts';

/** A temp folder with a database in it. */
export interface SqlitePlace extends Place {
  readonly folder: string;
  readonly path: string;
  readonly backupDir: string;
  open(): Promise<SqliteStore>;
  openWith(more: Partial<StoreOptions>): Promise<OpenedStore>;
}

export const NOW = Date.UTC(2026, 10, 20, 10);

export const sqlitePlace = async (): Promise<SqlitePlace> => {
  const folder = await mkdtemp(join(tmpdir(), 'coppice store ü-'));
  const path = join(folder, 'state.db');
  const backupDir = join(folder, 'backups');
  const opened: SqliteStore[] = [];
  const openWith = async (more: Partial<StoreOptions>): Promise<OpenedStore> => {
    const result = await openStore({ path, backupDir, clock: { now: () => NOW }, version: '1.2.3', ...more });
    opened.push(result.store);
    return result;
  };
  return {
    folder,
    path,
    backupDir,
    openWith,
    open: async () => (await openWith({})).store,
    remove: async () => {
      for (const store of opened) await store.close();
      await rm(folder, { recursive: true });
    },
  };
};
