import assert from 'node:assert/strict';
import { Connection } from '../../../mcp-server/store/connection.ts';
import { checkInvariants } from '../../../mcp-server/store/invariants.ts';
import type { SqliteStore } from '../../../mcp-server/store/sqlite-store.ts';
import { A, beginTurn, ids, newMessage, R, seed } from './fixtures.ts';
import { type SqlitePlace, sqlitePlace } from './sqlite-place.ts';

describe('checking the invariants of a run', () => {
  let place: SqlitePlace;
  let store: SqliteStore;
  beforeEach(async () => {
    place = await sqlitePlace();
    store = await place.open();
    await seed(store);
    await beginTurn(store, 1, A);
    await store.transaction(async (tx) => {
      await tx.send(newMessage(1, A));
      await tx.deliver(ids.turn(1), [ids.message(1)]);
    });
    assert.deepEqual(await checkInvariants(store, R), []);
  });
  afterEach(() => place.remove());

  /** Does to the file what no verb does. */
  const tamper = (...statements: readonly string[]): void => {
    const db = new Connection(place.path);
    db.pragma('foreign_keys=OFF');
    for (const statement of statements) db.script(statement);
    db.close();
  };
  const assertFound = async (...patterns: readonly RegExp[]): Promise<void> => {
    const found = await checkInvariants(store, R);
    for (const pattern of patterns)
      assert.ok(
        found.some((fault) => pattern.test(fault)),
        `${pattern} in ${JSON.stringify(found)}`,
      );
  };

  it('knows a run that is not there', async () => {
    assert.deepEqual(await checkInvariants(store, ids.run('none')), ['There is no run r-none.']);
  });

  it('finds tokens from nowhere', async () => {
    tamper(`UPDATE accounts SET available = available + 1 WHERE id = 'a-1'`);
    await assertFound(/hold 1001 tokens/, /a-1:available is 251 and its rows say 250/, /more than it was granted/);
  });

  it('finds a movement to nobody', async () => {
    tamper(`UPDATE ledger SET "to" = 'a-9:available' WHERE "to" = 'a-2:available'`);
    await assertFound(/a-2:available is 300 and its rows say 0/, /moved to a-9:available/);
  });

  it('finds what an ended run still holds and runs', async () => {
    tamper(`UPDATE runs SET state = 'failed'`);
    await assertFound(/a-1 still reserves 50/, /a-2 still holds 300/, /job j-1 is still running/);
  });

  it('finds agents that pause in a state, or with work, that they must not have', async () => {
    tamper(`UPDATE agents SET pause = 'alone' WHERE id = 'a-2'`);
    await assertFound(/a-2 is to pause and is ready/);
    tamper(
      `UPDATE agents SET pause = NULL, state = 'paused' WHERE id = 'a-1'`,
      `UPDATE agents SET state = 'failed' WHERE id = 'a-2'`,
      `UPDATE runs SET state = 'failed', pausedAt = 5`,
    );
    await assertFound(
      /a-1 is paused and paused since null/,
      /a-1 is paused and nobody wants it/,
      /a-1 is paused during a call/,
      /a-1 is paused and its job j-1 is running/,
      /a-2 is failed and is to pause/,
      /run has ended and is paused/,
    );
  });

  it('finds whoever waits for an inbox that has room, or that nobody reads', async () => {
    tamper(
      `INSERT INTO calls (turn, ordinal, state, waitsFor, ok, callId, tool, arguments, output)
       VALUES ('t-1', 7, 'waiting', 'inbox:a-2', 1, 'c', 'send_message', '{}', '')`,
    );
    await assertFound(/a-1 waits for the inbox of a-2, which has room/);
    tamper(`UPDATE agents SET state = 'failed' WHERE id = 'a-2'`);
    await assertFound(/a-1 waits for the inbox of a-2, which is failed/);
  });

  it('finds a gap between turns and two open ones', async () => {
    tamper(
      'DROP INDEX turns_open',
      `INSERT INTO turns (id, agent, job, seq, kind, state, reserved, startedAt) VALUES ('t-2', 'a-1', 'j-1', 3, 'normal', 'calling', 0, 1)`,
    );
    await assertFound(/t-2 of a-1 is number 3 and stands in place 2/, /2 open turns/);
  });

  it('finds a message that went to somebody else’s turn', async () => {
    tamper(`UPDATE turns SET agent = 'a-2'`);
    await assertFound(/m-1 to a-1 was delivered to a-2/);
  });

  it('finds two running jobs of one agent', async () => {
    await store.transaction((tx) => tx.enqueue([{ ...job, id: ids.job(2) }], 1));
    tamper(`UPDATE jobs SET state = 'running'`);
    await assertFound(/a-1 has two running jobs/);
  });
  const job = {
    run: R,
    agent: A,
    kind: 'turn',
    source: null,
    priority: 'batch',
    server: '',
    prefix: '',
    runAt: 0,
  } as const;
});
