import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkInvariants } from '../../../mcp-server/store/invariants.ts';
import type { SqliteStore } from '../../../mcp-server/store/sqlite-store.ts';
import { A, B, R, seed } from './fixtures.ts';
import { type SqlitePlace, sqlitePlace } from './sqlite-place.ts';

const SCRIPT = join(import.meta.dirname, 'stream.ts');

/** Runs the stream until it dies; `killAfter` turns it is killed from outside. Returns what was acknowledged last. */
const stream = async (
  place: SqlitePlace,
  args: readonly string[],
  killAfter = Number.POSITIVE_INFINITY,
): Promise<number> => {
  const child = spawn(process.execPath, [SCRIPT, place.path, place.backupDir, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  let acknowledged = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
    acknowledged = Number(out.trimEnd().split('\n').at(-1));
    if (acknowledged >= killAfter) child.kill('SIGKILL');
  });
  await once(child, 'close');
  assert.equal(child.signalCode, 'SIGKILL');
  return acknowledged;
};

/** What a new engine does first: cut calls are undone, their jobs queued again. */
const recover = (store: SqliteStore): Promise<void> =>
  store.transaction(async (tx) => {
    for (const job of await tx.staleJobs(0)) {
      const open = job.agent && (await tx.openTurn(job.agent));
      if (open?.state === 'calling' && job.agent) {
        await tx.settle(job.agent, open.id, 0, 1);
        await tx.dropTurn(open.id, 1);
      } else if (open) await tx.closeTurn(open.id, { commit: null, endedAt: 1 });
      await tx.finishJob(job.id, 'cancelled');
    }
  });

describe('a killed process', () => {
  let place: SqlitePlace;
  beforeEach(async () => {
    place = await sqlitePlace();
  });
  afterEach(() => place.remove());

  const assertWhole = async (acknowledged: number): Promise<void> => {
    const { store, notice } = await place.openWith({});
    assert.equal(notice, null);
    assert.deepEqual(await checkInvariants(store, R), (await store.run(R)) ? [] : [`There is no run ${R}.`]);
    const events = await store.events(0, 100_000);
    assert.ok(events.length >= acknowledged, `${events.length} turns are there and ${acknowledged} were acknowledged`);
    assert.ok(events.length <= acknowledged + 1);
    await recover(store);
    assert.equal(
      (await store.accounts(R)).reduce((sum, account) => sum + account.reserved, 0),
      0,
    );
    await store.close();
  };

  it('in the middle of a stream leaves every invariant true and loses nothing acknowledged, again and again', async () => {
    let before = 0;
    for (const turns of [3, 20, 45]) {
      const acknowledged = await stream(place, [], before + turns);
      assert.ok(acknowledged >= before + turns);
      await assertWhole(acknowledged);
      before = acknowledged;
    }
  });

  for (const when of ['before', 'after'])
    it(`${when} any of its commits leaves every invariant true`, async () => {
      let acknowledged = 0;
      for (let commit = 0; commit < 8; commit++) {
        acknowledged = Math.max(acknowledged, await stream(place, [when, String(commit)]));
        await assertWhole(acknowledged);
        acknowledged = await eventsIn(place);
      }
    });
});

const eventsIn = async (place: SqlitePlace): Promise<number> => {
  const store = await place.open();
  const { length } = await store.events(0, 100_000);
  await store.close();
  return length;
};

describe('a torn write-ahead log', () => {
  it('gives back the state after some commit, whatever is cut off or flipped', async () => {
    const place = await sqlitePlace();
    const first = await place.open();
    await seed(first);
    await first.close();
    const store = await place.open();
    for (let i = 1; i <= 30; i++)
      await store.transaction(async (tx) => {
        await tx.emit(i, [{ type: 'agent.acted', run: R, agent: A, action: `${i}` }]);
        await tx.grant(R, B, 1, i);
        await tx.patchAgent(A, { action: `${i}` });
      });
    const log = readFileSync(`${place.path}-wal`);
    const seen = new Set<number>();
    for (let n = 0; n < 24; n++) {
      const torn = Buffer.from(log.subarray(0, n % 2 ? log.length : Math.floor((log.length * n) / 24)));
      const flipped = Math.floor((log.length * n) / 24) + 7;
      if (n % 2) torn[flipped] = (torn[flipped] ?? 0) ^ 0xff;
      const copy = await sqlitePlace();
      await copyFile(place.path, copy.path);
      writeFileSync(`${copy.path}-wal`, torn);
      const opened = await copy.openWith({});
      assert.equal(opened.notice, null);
      const { length } = await opened.store.events(0, 100);
      assert.equal((await opened.store.agent(A))?.action, length === 0 ? '' : `${length}`);
      assert.equal((await opened.store.account(B))?.available, 300 + length);
      assert.deepEqual(await checkInvariants(opened.store, R), []);
      seen.add(length);
      await copy.remove();
    }
    assert.ok(seen.size > 10, 'the cuts must fall between different commits');
    await place.remove();
  });
});
