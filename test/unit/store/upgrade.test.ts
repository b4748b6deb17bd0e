import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Connection } from '../../../mcp-server/store/connection.ts';
import { checkInvariants } from '../../../mcp-server/store/invariants.ts';
import { A, ids, R } from './fixtures.ts';
import { type SqlitePlace, sqlitePlace } from './sqlite-place.ts';

const OWN = join(import.meta.dirname, '../../../mcp-server/store/migrations');
const FIRST = readFileSync(join(OWN, '0001-initial.sql'), 'utf8');

/** Rows of every kind as the first version wrote them. */
const ROWS = `
  INSERT INTO runs (id, key, task, state, options, baseCommit, branch, headCommit, cancelRequested, review, createdAt) VALUES
    ('r-1', 'k', 'task', 'running', '{"server":"http://gpu:1","concurrency":3,"budget":1000}', 'c', 'b', 'c', 'no', 'none', 1);
  INSERT INTO agents (id, run, depth, state, tier, role, temperature, branch, createdAt, name, task) VALUES
    ('a-1', 'r-1', 1, 'ready', 'worker', 'writer', 0.2, 'b.a-1', 1, 'one', 'do'),
    ('a-2', 'r-1', 1, 'pending', 'worker', 'writer', 0.2, 'b.a-2', 1, 'two', 'do');
  UPDATE agents SET step = 's-' || substr(id, 3);
  INSERT INTO plans (run, body) VALUES ('r-1', '{"pattern":"fork-join","complexity":{"level":"simple"},"steps":[]}');
  INSERT INTO steps (id, run, key, agent, state, title, task, role, tier, toleratesFailure, weight, temperature) VALUES
    ('s-1', 'r-1', 'one', 'a-1', 'running', 'one', 'do', 'writer', 'worker', 0, 1, 0.2),
    ('s-2', 'r-1', 'two', 'a-2', 'pending', 'two', 'do', 'writer', 'worker', 1, 1, 0.2);
  INSERT INTO step_needs (step, place, need) VALUES ('s-2', 0, 's-1');
  INSERT INTO jobs (id, run, agent, kind, state, priority, orderKey, prefix, runAt, due, queuedAt) VALUES
    ('j-1', 'r-1', 'a-1', 'turn', 'queued', 'batch', 5, 'p', 0, 1, 1);
  INSERT INTO accounts (id, run, available, reserved, used, granted) VALUES ('r-1', 'r-1', 1000, 0, 0, 1000);
  INSERT INTO ledger (run, kind, "from", "to", amount, at) VALUES ('r-1', 'open', 'budget', 'r-1:available', 1000, 1);
  INSERT INTO observations (run, agent, role, tier, pattern, tokens, wallMs, turns, ok, at) VALUES
    ('r-1', 'a-1', 'writer', 'worker', '', 5, 6, 1, 1, 7);
  INSERT INTO events (at, run, type, body) VALUES (1, 'r-1', 'run.discarded', '{}');`;

describe('a database of the first version', () => {
  let place: SqlitePlace;
  beforeEach(async () => {
    place = await sqlitePlace();
    const db = new Connection(place.path);
    db.script(FIRST);
    db.script(ROWS);
    db.pragma('user_version = 1');
    db.close();
  });
  afterEach(() => place.remove());

  it('keeps all of its rows, and its queue goes on', async () => {
    const store = await place.open();
    const run = await store.run(R);
    assert.deepEqual([run?.key, run?.state, run?.options.concurrency], ['k', 'running', 3]);
    assert.deepEqual((await store.activeRuns()).length, 1);
    const [one, two] = await store.steps(R);
    assert.deepEqual([one?.key, one?.attempt, one?.state], ['one', 1, 'running']);
    assert.deepEqual([two?.needs, two?.toleratesFailure], [['one'], true]);
    assert.deepEqual(await store.planFacts(R), { pattern: 'fork-join', complexity: 'simple' });
    assert.equal((await store.agent(A))?.server, null);
    assert.deepEqual(await checkInvariants(store, R), []);
    const { tokens, complexity } = (await store.observations({ limit: 1 }))[0] ?? {};
    assert.deepEqual({ tokens, complexity }, { tokens: 5, complexity: '' });
    assert.deepEqual(await store.queuedServers(), ['http://gpu:1']);
    const claim = (server: string) => store.transaction((tx) => tx.claim({ kinds: ['turn'], now: 9, hot: [], server }));
    assert.equal(await claim('http://other:1'), undefined);
    assert.equal((await claim('http://gpu:1'))?.id, ids.job(1));
  });

  it('comes out with the schema that a new one has', async () => {
    await (await place.open()).close();
    const fresh = await sqlitePlace();
    await (await fresh.open()).close();
    const schema = (path: string): unknown => {
      const db = new Connection(path);
      const found = db.all<{ name: string; sql: string }>(
        "SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name",
      );
      db.close();
      return found;
    };
    assert.deepEqual(schema(place.path), schema(fresh.path));
    await fresh.remove();
  });

  it('still refuses what points at nothing', async () => {
    const store = await place.open();
    assert.equal(store.pragma('foreign_keys').writer, 1);
    await assert.rejects(
      store.transaction((tx) => tx.renewStep(ids.step(2), ids.agent('none'), 2)),
      /FOREIGN KEY/,
    );
  });

  it('is left as it was when a migration leaves a row that points at nothing', async () => {
    const folder = join(place.folder, 'migrations');
    mkdirSync(folder);
    writeFileSync(join(folder, '0001-initial.sql'), FIRST);
    writeFileSync(join(folder, '0002-bad.sql'), `DELETE FROM agents WHERE id = 'a-2';`);
    await assert.rejects(place.openWith({ migrations: folder }), /row of steps points at nothing/);
    const store = await place.open();
    assert.equal((await store.agents(R)).length, 2);
  });
});
