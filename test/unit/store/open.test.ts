import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../../mcp-server/domain/errors.ts';
import { backUp } from '../../../mcp-server/store/backup.ts';
import { Connection } from '../../../mcp-server/store/connection.ts';
import { checkInvariants } from '../../../mcp-server/store/invariants.ts';
import { until } from '../../support/coppice-process.ts';
import { A, B, ids, newAgent, R, seed } from './fixtures.ts';
import { NOW, type SqlitePlace, sqlitePlace } from './sqlite-place.ts';

const OWN = join(import.meta.dirname, '../../../mcp-server/store/migrations');

/** The program's own migrations. */
const KNOWN = readdirSync(OWN).filter((name) => name.endsWith('.sql'));

describe('opening the SQLite store', () => {
  let place: SqlitePlace;
  beforeEach(async () => {
    place = await sqlitePlace();
  });
  afterEach(() => place.remove());

  const fill = async (): Promise<void> => {
    const store = await place.open();
    await seed(store);
    await store.transaction(async (tx) => {
      const many = Array.from({ length: 200 }, (_, n) => newAgent(ids.agent(100 + n), { task: 'long '.repeat(200) }));
      await tx.insertAgents(many);
      await tx.emit(1, [{ type: 'run.discarded', run: R, agent: null }]);
    });
    await store.close();
  };
  const damage = (path = place.path): void => {
    const bytes = readFileSync(path);
    bytes.fill(0xff, 4096 * 3, 4096 * 40);
    writeFileSync(path, bytes);
  };
  const isUserError = (code: string, pattern: RegExp) => (error: unknown) =>
    error instanceof UserError && error.code === code && pattern.test(error.message);

  it('sets every pragma on both connections, also of a file that was there', async () => {
    await (await place.open()).close();
    const store = await place.open();
    const wanted = {
      journal_mode: 'wal',
      synchronous: 2,
      busy_timeout: 5000,
      foreign_keys: 1,
      trusted_schema: 0,
      cell_size_check: 1,
      journal_size_limit: 67108864,
    };
    for (const [name, value] of Object.entries(wanted))
      assert.deepEqual(store.pragma(name), { writer: value, reader: value }, name);
  });

  it('copies a long log into the database while nothing goes on', async () => {
    const store = await place.open();
    await seed(store);
    const other = new Connection(place.path);
    const more = (n: number) =>
      Array.from({ length: n }, (_, i) => newAgent(ids.agent(`${n}-${i}`), { task: 'x'.repeat(4000) }));
    await store.transaction((tx) => tx.insertAgents(more(40)));
    await new Promise((resolve) => setTimeout(resolve, 40));
    assert.ok(other.uncopied > 40, 'a short one is left');
    await store.transaction((tx) => tx.insertAgents(more(400)));
    await until('all of it is copied', () => other.uncopied === 0);
    other.close();
  });

  it('leaves no log behind when it is closed', async () => {
    await fill();
    assert.deepEqual(readdirSync(place.folder), ['state.db']);
  });

  it('makes the folder that it is in', async () => {
    const path = join(place.folder, 'a', 'b', 'state.db');
    await place.openWith({ path });
    assert.ok(existsSync(path));
  });

  it('says where a file is that it may not open', async () => {
    mkdirSync(place.path);
    await assert.rejects(place.open(), isUserError('permission-denied', /state\.db/));
  });

  it('keeps the version of the program beside the epoch', async () => {
    await (await place.open()).close();
    const db = new Connection(place.path);
    assert.deepEqual(db.all('SELECT key, value FROM meta ORDER BY key'), [
      { key: 'epoch', value: 1 },
      { key: 'version', value: '1.2.3' },
    ]);
    db.close();
  });

  it('refuses a newer database and leaves it as it is', async () => {
    await fill();
    const db = new Connection(place.path);
    db.pragma('user_version = 99');
    db.close();
    const before = readFileSync(place.path);
    await assert.rejects(place.open(), isUserError('database-newer', /update Coppice/));
    assert.deepEqual(readFileSync(place.path), before);
    assert.deepEqual(readdirSync(place.folder), ['state.db']);
  });

  describe('when a migration is due', () => {
    const next = String(KNOWN.length + 1).padStart(4, '0');
    const migrations = (more: string): string => {
      const folder = join(place.folder, 'migrations');
      mkdirSync(folder, { recursive: true });
      for (const name of KNOWN) writeFileSync(join(folder, name), readFileSync(join(OWN, name)));
      writeFileSync(join(folder, `${next}-more.sql`), more);
      return folder;
    };
    const version = (path: string): unknown => {
      const db = new Connection(path);
      const found = db.pragma('user_version');
      db.close();
      return found;
    };

    it('backs the database up first', async () => {
      await fill();
      const { store } = await place.openWith({ migrations: migrations('CREATE TABLE more (n INTEGER) STRICT;') });
      assert.equal((await store.agents(R)).length, 202);
      await store.close();
      assert.equal(version(place.path), KNOWN.length + 1);
      assert.deepEqual(readdirSync(place.backupDir), ['state-2026-11-20T10-00-00-000Z.db']);
      assert.equal(version(join(place.backupDir, 'state-2026-11-20T10-00-00-000Z.db')), KNOWN.length);
    });

    it('backs up nothing when the database is new', async () => {
      await place.openWith({ migrations: migrations('CREATE TABLE more (n INTEGER) STRICT;') });
      assert.equal(existsSync(place.backupDir), false);
    });

    it('leaves a migration that fails undone', async () => {
      await fill();
      const broken = migrations('CREATE TABLE more (n INTEGER) STRICT; INSERT INTO nowhere VALUES (1);');
      await assert.rejects(place.openWith({ migrations: broken }), /nowhere/);
      const store = await place.open();
      assert.equal((await store.agents(R)).length, 202);
    });

    it('refuses a gap in the numbers', async () => {
      const folder = migrations('');
      writeFileSync(join(folder, '0099-late.sql'), '');
      await assert.rejects(place.openWith({ migrations: folder }), /0099-late/);
    });
  });

  describe('when the database is damaged', () => {
    it('moves it aside, starts empty, says so, and goes on numbering events above the lost ones', async () => {
      await fill();
      damage();
      const damaged = readFileSync(place.path);
      const { store, notice } = await place.openWith({});
      const folder = join(place.folder, 'corrupt', '2026-11-20T10-00-00-000Z');
      assert.ok(notice?.includes(folder), String(notice));
      assert.match(notice ?? '', /empty/);
      assert.deepEqual(readFileSync(join(folder, 'state.db')), damaged);
      assert.deepEqual(await store.runs(9), []);
      await seed(store);
      await store.transaction((tx) => tx.emit(1, [{ type: 'run.discarded', run: R, agent: null }]));
      assert.ok((await store.lastEvent()) > NOW);
    });

    it('moves the log with it', async () => {
      await fill();
      damage();
      writeFileSync(`${place.path}-wal`, 'not a log');
      const { notice } = await place.openWith({});
      assert.ok(notice);
      const folder = join(place.folder, 'corrupt', '2026-11-20T10-00-00-000Z');
      assert.equal(readdirSync(folder).includes('state.db'), true);
      assert.equal(readdirSync(place.folder).filter((name) => name.startsWith('state.db-')).length, 2, 'the new one’s');
    });

    it('knows a file that is no database, and one that was cut short', async () => {
      writeFileSync(place.path, 'This is a letter, and not a database at all.'.repeat(100));
      const letter = await place.openWith({});
      assert.match(letter.notice ?? '', /not a database/);
      await letter.store.close();
      await fill();
      writeFileSync(place.path, readFileSync(place.path).subarray(0, 4096 * 10));
      const cut = await place.openWith({});
      assert.match(cut.notice ?? '', /corrupt/);
      assert.match(cut.notice ?? '', /10-00-00-000Z-2\b/, 'a second folder of the same time');
    });

    it('brings the newest backup back that is whole', async () => {
      await fill();
      mkdirSync(place.backupDir);
      const db = new Connection(place.path);
      backUp(db, place.backupDir, NOW - 3000);
      db.run('UPDATE agents SET action = ?', 'newer');
      const newer = backUp(db, place.backupDir, NOW - 2000);
      const newest = backUp(db, place.backupDir, NOW - 1000);
      db.close();
      damage(newest);
      damage();
      const { store, notice } = await place.openWith({});
      assert.ok(notice?.includes(newer), String(notice));
      assert.equal((await store.agent(A))?.action, 'newer');
      assert.deepEqual(await checkInvariants(store, R), []);
      assert.equal(store.epoch, 2);
    });

    it('says what to do when it cannot be moved aside', async () => {
      await fill();
      damage();
      writeFileSync(join(place.folder, 'corrupt'), 'in the way');
      await assert.rejects(place.open(), isUserError('database-corrupt', /Move it/));
    });
  });

  describe('with faults', () => {
    it('calls around each commit, with the types of its events', async () => {
      const calls: string[] = [];
      const faults = {
        beforeCommit: (label: string) => void calls.push(`before ${label}`),
        afterCommit: (label: string) => void calls.push(`after ${label}`),
      };
      const { store } = await place.openWith({ faults });
      await store.transaction(async () => 1);
      await store.transaction((tx) => tx.emit(1, [{ type: 'run.discarded', run: null, agent: null }]));
      const labels = [...KNOWN.map((_, index) => `migration ${index + 1}`), 'epoch', '', 'run.discarded'];
      assert.deepEqual(
        calls,
        labels.flatMap((label) => [`before ${label}`, `after ${label}`]),
      );
    });

    it('shares one commit among transactions that are asked for at once, and undoes each alone', async () => {
      const commits: string[] = [];
      const { store } = await place.openWith({ faults: { beforeCommit: (label) => void commits.push(label) } });
      await seed(store);
      commits.length = 0;
      const order: string[] = [];
      store.onEvents((events) => order.push(`announced ${events.length}`));
      const grant = (fails: boolean): Promise<void> =>
        store.transaction(async (tx) => {
          await tx.grant(R, B, 5, 1);
          await tx.emit(1, [{ type: 'run.discarded', run: R, agent: null }]);
          if (fails) throw new Error('no');
        });
      const works = [false, true, false].map((fails) =>
        grant(fails).then(
          () => order.push('done'),
          () => order.push('failed'),
        ),
      );
      await Promise.all(works);
      assert.deepEqual(commits, ['run.discarded run.discarded']);
      assert.deepEqual(order, ['failed', 'announced 2', 'done', 'done']);
      assert.equal((await store.account(B))?.available, 310);
      assert.deepEqual(await checkInvariants(store, R), []);
    });

    it('rejects all that share a commit when that fails', async () => {
      let failing = false;
      const beforeCommit = (): void => {
        if (failing) throw new Error('disk full');
      };
      const { store } = await place.openWith({ faults: { beforeCommit } });
      await seed(store);
      failing = true;
      const works = [1, 2].map((now) => store.transaction((tx) => tx.grant(R, B, 5, now)));
      const moved = store.transaction(async (tx) => {
        assert.equal((await tx.agent(A))?.action, '');
        await tx.patchAgent(A, { action: 'reads' });
      });
      for (const work of [...works, moved]) await assert.rejects(work, /disk full/);
      failing = false;
      assert.equal((await store.agent(A))?.action, '');
      assert.equal(await store.transaction(async (tx) => (await tx.agent(A))?.action), '');
      assert.equal((await store.account(B))?.available, 300);
      assert.equal(await store.transaction((tx) => tx.grant(R, B, 5, 1)), true);
    });

    it('rolls back what fails before its commit, and announces nothing', async () => {
      let failing = false;
      const beforeCommit = (): void => {
        if (failing) throw new Error('disk full');
      };
      const { store } = await place.openWith({ faults: { beforeCommit } });
      await seed(store);
      const heard: unknown[] = [];
      store.onEvents((events) => heard.push(events));
      failing = true;
      const work = store.transaction(async (tx) => {
        await tx.grant(R, B, 5, 1);
        await tx.emit(1, [{ type: 'run.discarded', run: R, agent: null }]);
      });
      await assert.rejects(work, /disk full/);
      failing = false;
      assert.deepEqual(heard, []);
      assert.equal((await store.account(B))?.available, 300);
      assert.equal(await store.transaction((tx) => tx.grant(R, B, 5, 1)), true);
    });
  });
});
