import assert from 'node:assert/strict';
import { ids, newAgent, newJob, newRun, R } from './fixtures.ts';
import { sqlitePlace } from './sqlite-place.ts';

describe('the queue with 10,000 jobs', () => {
  it('is claimed from in less than a millisecond, also past a run at its bound and jobs that back off', async () => {
    const place = await sqlitePlace();
    const store = await place.open();
    const blocked = ids.run('blocked');
    await store.transaction(async (tx) => {
      await tx.insertRun(newRun(R, { concurrency: 1000 }));
      await tx.insertRun(newRun(blocked, { concurrency: 1 }));
      const agents = Array.from({ length: 10_000 }, (_, n) => newAgent(ids.agent(n), { run: n % 2 ? R : blocked }));
      await tx.insertAgents(agents);
      const jobs = agents.map((agent, n) =>
        newJob(n, agent.id, { run: agent.run, prefix: `p${n % 5}`, runAt: n % 4 === 3 ? 99_000 : 0 }),
      );
      await tx.enqueue(jobs, 1000);
    });
    const times: number[] = [];
    await store.transaction(async (tx) => {
      for (let n = 0; n < 101; n++) {
        const start = performance.now();
        const job = await tx.claim({ kinds: ['merge', 'turn', 'close'], now: 2000, hot: ['gone', 'p3'] });
        times.push(performance.now() - start);
        assert.ok(job);
        if (job.run === R) assert.equal(job.prefix, 'p3');
      }
    });
    assert.equal((await store.jobs({ run: blocked, states: ['running'] })).length, 1);
    const median = times.sort((a, b) => a - b)[50] ?? 0;
    assert.ok(median < 1, `${median.toFixed(3)} ms`);
    await place.remove();
  });
});
