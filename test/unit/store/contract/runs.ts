import assert from 'node:assert/strict';
import { commit, ids, newRun, options, R, seed } from '../fixtures.ts';
import type { Subject } from '../store.contract.ts';

export const runsContract = ({ store }: Subject): void => {
  it('starts in planning, its head at its base, its pool holding the budget', async () => {
    await store().transaction((tx) => tx.insertRun(newRun(R)));
    assert.deepEqual(await store().run(R), {
      ...newRun(R),
      options,
      state: 'planning',
      headCommit: commit('0'),
      cancelRequested: 'no',
      report: null,
      error: null,
      review: 'none',
      endedAt: null,
      pausedAt: null,
    });
    assert.deepEqual(await store().account(R), {
      id: R,
      run: R,
      available: 1000,
      reserved: 0,
      used: 0,
      granted: 1000,
    });
    assert.deepEqual(await store().ledger(R), [
      { id: 1, run: R, kind: 'open', from: 'budget', to: 'r-1:available', amount: 1000, turn: null, at: 100 },
    ]);
  });

  it('does not know a run that is not there', async () => {
    assert.equal(await store().run(R), undefined);
    await assert.rejects(
      store().transaction((tx) => tx.patchRun(R, { report: 'x' })),
      /no run/,
    );
    await assert.rejects(
      store().transaction((tx) => tx.moveRun(R, 'running')),
      /no run/,
    );
  });

  it('finds a run by its key, which no other run has', async () => {
    await store().transaction(async (tx) => {
      await tx.insertRun({ ...newRun(R), key: 'k' });
      await tx.insertRun(newRun(ids.run(2)));
      await tx.insertRun(newRun(ids.run(3)));
    });
    assert.equal((await store().runByKey('k'))?.id, R);
    assert.equal(await store().runByKey('none'), undefined);
    await assert.rejects(store().transaction((tx) => tx.insertRun({ ...newRun(ids.run(4)), key: 'k' })));
  });

  it('moves along its table only, with a patch', async () => {
    await seed(store());
    await store().transaction((tx) => tx.moveRun(R, 'running'));
    await store().transaction((tx) => tx.patchRun(R, { headCommit: commit('a'), cancelRequested: 'wrap-up' }));
    await store().transaction((tx) =>
      tx.moveRun(R, 'completed', { report: 'half', error: 'e', review: 'open', endedAt: 9 }),
    );
    const run = await store().run(R);
    assert.deepEqual(
      [run?.state, run?.headCommit, run?.cancelRequested, run?.report, run?.error, run?.review, run?.endedAt],
      ['completed', commit('a'), 'wrap-up', 'half', 'e', 'open', 9],
    );
    await assert.rejects(
      store().transaction((tx) => tx.moveRun(R, 'running')),
      /No transition/,
    );
  });

  it('lists the newest first, and the active ones oldest first', async () => {
    await store().transaction(async (tx) => {
      await tx.insertRun(newRun(ids.run('b'), {}, 20));
      await tx.insertRun(newRun(ids.run('c'), {}, 30));
      await tx.insertRun(newRun(ids.run('a'), {}, 30));
      await tx.moveRun(ids.run('c'), 'running');
      await tx.moveRun(ids.run('a'), 'failed', { endedAt: 40 });
    });
    assert.deepEqual(
      (await store().runs(2)).map((run) => run.id),
      ['r-a', 'r-c'],
    );
    assert.deepEqual(
      (await store().activeRuns()).map((run) => run.id),
      ['r-b', 'r-c'],
    );
  });
};
