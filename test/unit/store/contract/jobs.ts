import assert from 'node:assert/strict';
import type { Job } from '../../../../mcp-server/domain/job.ts';
import type { ClaimQuery } from '../../../../mcp-server/store/port.ts';
import { A, B, ids, newJob, R, seed } from '../fixtures.ts';
import type { Subject } from '../store.contract.ts';

export const jobsContract = ({ store, again }: Subject): void => {
  beforeEach(() => seed(store()));
  const turns: ClaimQuery = { kinds: ['turn'], now: 1000, hot: [] };
  const job = (id: number) => store().job(ids.job(id)) as Promise<Job>;

  it('queues with its time, and a claim counts the attempt and writes the epoch', async () => {
    await store().transaction((tx) => tx.enqueue([newJob(1, A, { priority: 'review', runAt: 7 })], 100));
    const queued: Job = {
      ...newJob(1, A, { priority: 'review', runAt: 7 }),
      state: 'queued',
      queuedAt: 100,
      attempts: 0,
      error: null,
      epoch: 0,
    };
    assert.deepEqual(await job(1), queued);
    const claimed = await store().transaction((tx) => tx.claim(turns));
    assert.deepEqual(claimed, { ...queued, state: 'running', attempts: 1, epoch: store().epoch });
    assert.deepEqual(await job(1), claimed);
    assert.equal(await store().job(ids.job(9)), undefined);
  });

  it('finishes, with or without a reason, once', async () => {
    await store().transaction(async (tx) => {
      await tx.enqueue([newJob(1, A), newJob(2, B)], 100);
      await tx.claim(turns);
      await tx.claim(turns);
      await tx.finishJob(ids.job(1), 'parked', 'six times');
      await tx.finishJob(ids.job(2), 'done');
    });
    assert.deepEqual([(await job(1)).state, (await job(1)).error], ['parked', 'six times']);
    assert.deepEqual([(await job(2)).state, (await job(2)).error], ['done', null]);
    await assert.rejects(
      store().transaction((tx) => tx.finishJob(ids.job(2), 'cancelled')),
      /No transition/,
    );
    await assert.rejects(
      store().transaction((tx) => tx.finishJob(ids.job(9), 'done')),
      /no job/,
    );
  });

  it('queues again for later, with its reason, and takes the attempt back on request', async () => {
    await store().transaction(async (tx) => {
      await tx.enqueue([newJob(1, A)], 100);
      await tx.claim(turns);
      await tx.requeue(ids.job(1), 5000, 'busy');
      assert.equal(await tx.claim({ ...turns, now: 4999 }), undefined);
      const second = await tx.claim({ ...turns, now: 5000 });
      assert.deepEqual([second?.attempts, second?.error, second?.queuedAt], [2, 'busy', 100]);
      await tx.requeue(ids.job(1), 0, null, true);
    });
    const again = await job(1);
    assert.deepEqual([again.state, again.attempts, again.runAt], ['queued', 1, 0]);
  });

  it('keeps its place when it is queued again', async () => {
    await store().transaction(async (tx) => {
      await tx.enqueue([newJob(1, A)], 100);
      await tx.claim(turns);
      await tx.enqueue([newJob(2, B)], 90_000);
      await tx.requeue(ids.job(1), 0, null);
      assert.equal((await tx.claim({ ...turns, now: 100_000 }))?.id, ids.job(1));
    });
  });

  it('cancels the queued and parked turns of an agent, and nothing else', async () => {
    const count = await store().transaction(async (tx) => {
      await tx.enqueue([newJob(1, A), newJob(4, A)], 100);
      await tx.claim(turns);
      await tx.finishJob(ids.job(1), 'parked', 'x');
      await tx.claim(turns);
      await tx.enqueue([newJob(2, A), newJob(3, B), newJob(5, A, { kind: 'merge', source: B })], 100);
      return tx.cancelJobs(A);
    });
    assert.equal(count, 2);
    assert.deepEqual(await Promise.all([1, 2, 3, 4, 5].map(async (id) => (await job(id)).state)), [
      'cancelled',
      'cancelled',
      'queued',
      'running',
      'queued',
    ]);
  });

  it('lets a parked one try again from the start', async () => {
    await store().transaction(async (tx) => {
      await tx.enqueue([newJob(1, A)], 100);
      await tx.claim(turns);
      await tx.finishJob(ids.job(1), 'parked', 'x');
      await tx.unpark(ids.job(1), 2000);
      await assert.rejects(tx.unpark(ids.job(1), 2000), /No transition/);
      assert.deepEqual([(await tx.job(ids.job(1)))?.attempts, (await tx.job(ids.job(1)))?.runAt], [0, 2000]);
      assert.equal((await tx.claim({ ...turns, now: 2000 }))?.attempts, 1);
    });
  });

  it('lists by run and state in the order in which they are claimed', async () => {
    await store().transaction(async (tx) => {
      await tx.enqueue([newJob(1, A), newJob(2, B), newJob(3, A, { priority: 'person' })], 100);
      await tx.claim(turns);
      await tx.finishJob(ids.job(3), 'done');
    });
    const list = async (filter: Parameters<ReturnType<typeof store>['jobs']>[0]) =>
      (await store().jobs(filter)).map((found) => found.id);
    assert.deepEqual(await list({}), ['j-3', 'j-1', 'j-2']);
    assert.deepEqual(await list({ run: R, states: ['queued', 'running'] }), ['j-1', 'j-2']);
    assert.deepEqual(await list({ states: ['done'] }), ['j-3']);
    assert.deepEqual(await list({ run: ids.run(2) }), []);
    assert.deepEqual(await list({ states: [] }), []);
  });

  it('finds what an older engine left running', async () => {
    await store().transaction(async (tx) => {
      await tx.enqueue([newJob(1, A), newJob(2, B)], 100);
      await tx.claim(turns);
      assert.deepEqual(await tx.staleJobs(), []);
    });
    const newer = await again();
    await newer.transaction(async (tx) => {
      await tx.claim(turns);
      assert.deepEqual(
        (await tx.staleJobs()).map((stale) => stale.id),
        [ids.job(1)],
      );
    });
  });
};
