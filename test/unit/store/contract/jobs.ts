import assert from 'node:assert/strict';
import { FencedError } from '../../../../mcp-server/domain/errors.ts';
import type { Job } from '../../../../mcp-server/domain/job.ts';
import { LEASE_MS } from '../../../../mcp-server/domain/policy.ts';
import { underClaim } from '../../../../mcp-server/store/claimed-store.ts';
import type { ClaimQuery } from '../../../../mcp-server/store/port.ts';
import { A, answer, B, ids, newJob, newTurn, R, seed, timings, usage } from '../fixtures.ts';
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
      claims: 0,
      leaseUntil: 0,
    };
    assert.deepEqual(await job(1), queued);
    const claimed = await store().transaction((tx) => tx.claim(turns));
    assert.deepEqual(claimed, {
      ...queued,
      state: 'running',
      attempts: 1,
      epoch: store().epoch,
      claims: 1,
      leaseUntil: 1000 + LEASE_MS,
    });
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
      assert.deepEqual(await tx.staleJobs(1000), []);
    });
    const newer = await again();
    await newer.transaction(async (tx) => {
      await tx.claim(turns);
      assert.deepEqual(
        (await tx.staleJobs(1000)).map((stale) => stale.id),
        [ids.job(1)],
      );
    });
  });

  const claimOne = async (now = 1000): Promise<Job> => {
    const claimed = await store().transaction((tx) => tx.claim({ ...turns, now }));
    assert.ok(claimed);
    return claimed;
  };

  it('holds a claimed job for its lease, and finds it when that is over', async () => {
    await store().transaction((tx) => tx.enqueue([newJob(1, A), newJob(2, B)], 100));
    const first = await claimOne();
    const second = await claimOne(2000);
    await store().transaction(async (tx) => {
      assert.deepEqual(await tx.staleJobs(999 + LEASE_MS), []);
      assert.deepEqual(await tx.staleJobs(1000 + LEASE_MS), [first]);
      assert.deepEqual(await tx.staleJobs(2000 + LEASE_MS), [first, second]);
    });
  });

  it('renews the leases of claims that stand, and names the others', async () => {
    await store().transaction((tx) => tx.enqueue([newJob(1, A), newJob(2, B)], 100));
    const [first, second] = [await claimOne(), await claimOne()];
    await store().transaction(async (tx) => {
      await tx.requeue(second.id, 0, null, true);
      assert.deepEqual(await tx.renewLeases([first, second], 9000), [second]);
      assert.deepEqual(await tx.staleJobs(8999 + LEASE_MS), []);
      assert.equal((await tx.job(first.id))?.leaseUntil, 9000 + LEASE_MS);
      assert.deepEqual(await tx.renewLeases([], 9000), []);
    });
  });

  it('numbers the claims, also when the attempt is taken back', async () => {
    await store().transaction((tx) => tx.enqueue([newJob(1, A)], 100));
    const first = await claimOne();
    await store().transaction((tx) => tx.requeue(first.id, 0, null, true));
    const second = await claimOne();
    assert.deepEqual([first.attempts, second.attempts], [1, 1]);
    assert.deepEqual([first.claims, second.claims], [1, 2]);
  });

  it('refuses the late outcome of a claim whose job was taken back, finished or claimed again', async () => {
    await store().transaction((tx) => tx.enqueue([newJob(1, A)], 100));
    const late = await claimOne();
    const mine = underClaim(store(), late);
    await mine.transaction((tx) => tx.openTurnRow(newTurn(1, A, late.id)));
    const outcomes: readonly ((from: typeof mine) => Promise<unknown>)[] = [
      (from) => from.transaction((tx) => tx.answerTurn(ids.turn(1), answer, usage, timings)),
      (from) => from.transaction((tx) => tx.finishJob(late.id, 'done')),
      (from) => from.transaction((tx) => tx.requeue(late.id, 0, null)),
      (from) => from.transaction((tx) => tx.patchAgent(A, { action: 'late' })),
    ];
    const refused = async (): Promise<void> => {
      for (const outcome of outcomes) await assert.rejects(outcome(mine), FencedError);
    };
    await store().transaction((tx) => tx.requeue(late.id, 0, 'Its lease was over.', true));
    await refused();
    const next = await claimOne();
    await refused();
    assert.deepEqual(await job(1), next);
    assert.equal((await store().openTurn(A))?.state, 'calling');
    const theirs = underClaim(store(), next);
    await theirs.transaction((tx) => tx.answerTurn(ids.turn(1), answer, usage, timings));
    await theirs.transaction((tx) => tx.finishJob(late.id, 'done'));
    await refused();
    assert.deepEqual([(await job(1)).state, (await theirs.agent(A))?.action], ['done', '']);
  });

  it('refuses what another engine holds', async () => {
    await store().transaction((tx) => tx.enqueue([newJob(1, A)], 100));
    const old = await claimOne();
    const newer = await again();
    const taken = await newer.transaction(async (tx) => {
      const [stale] = await tx.staleJobs(1000);
      assert.equal(stale?.id, old.id);
      await tx.requeue(old.id, 0, null, true);
      return tx.claim(turns);
    });
    assert.equal(taken?.claims, 2);
    await assert.rejects(
      underClaim(store(), old).transaction((tx) => tx.finishJob(old.id, 'done')),
      FencedError,
    );
    await assert.rejects(
      newer.transaction((tx) => tx.assertHeld(old)),
      FencedError,
    );
    await newer.transaction((tx) => tx.assertHeld(taken ?? old));
  });
};
