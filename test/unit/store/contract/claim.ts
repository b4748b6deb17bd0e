import assert from 'node:assert/strict';
import { AGEING_MS } from '../../../../mcp-server/domain/policy.ts';
import type { ClaimQuery } from '../../../../mcp-server/store/port.ts';
import { A, B, ids, newAgent, newJob, newRun, R, seed } from '../fixtures.ts';
import type { Subject } from '../store.contract.ts';

const T = 10 * AGEING_MS;

export const claimContract = ({ store }: Subject): void => {
  beforeEach(async () => {
    await seed(store());
    await store().transaction((tx) => tx.insertAgents([3, 4, 5, 6].map((n) => newAgent(ids.agent(n)))));
  });
  const [C, D, E] = [3, 4, 5].map(ids.agent) as [typeof A, typeof A, typeof A];
  const claim = async (more: Partial<ClaimQuery> = {}) =>
    (await store().transaction((tx) => tx.claim({ kinds: ['turn'], now: T * 2, hot: [], ...more })))?.id;
  const queue = (...jobs: readonly (readonly [...Parameters<typeof newJob>, at?: number])[]) =>
    store().transaction(async (tx) => {
      for (const [id, agent, more, at] of jobs) await tx.enqueue([newJob(id, agent, more)], at ?? T);
    });

  it('gives undefined when nothing is queued', async () => {
    assert.equal(await claim(), undefined);
  });

  it('says whether there is anything of a kind whose time has come', async () => {
    const any = (now: number, ...kinds: ClaimQuery['kinds']) => store().anyQueued(kinds, now);
    assert.equal(await any(T * 2, 'turn', 'merge', 'close'), false);
    await queue([1, A, { runAt: T + 100 }]);
    assert.deepEqual([await any(T + 99, 'turn'), await any(T + 100, 'turn')], [false, true]);
    assert.equal(await any(T * 2, 'merge', 'close'), false);
    await queue([2, B, { kind: 'merge', source: A }]);
    assert.equal(await any(T, 'close', 'merge'), true);
    assert.equal(await claim({ kinds: ['merge'] }), 'j-2');
    assert.equal(await any(T, 'close', 'merge'), false);
  });

  it('takes a person’s first, then review, critical, batch', async () => {
    await queue(
      [1, A, { priority: 'batch' }],
      [2, B, { priority: 'critical' }],
      [3, C, { priority: 'person' }],
      [4, D, { priority: 'review' }],
    );
    assert.deepEqual([await claim(), await claim(), await claim(), await claim()], ['j-3', 'j-4', 'j-2', 'j-1']);
  });

  it('lifts one that has waited long above a class', async () => {
    await queue([1, A, { priority: 'critical' }, T], [2, B, { priority: 'batch' }, T - AGEING_MS - 5000]);
    assert.equal(await claim(), 'j-2');
  });

  it('takes the first come of equals', async () => {
    await queue([2, B], [1, A], [3, C]);
    assert.deepEqual([await claim(), await claim(), await claim()], ['j-2', 'j-1', 'j-3']);
  });

  it('prefers the hottest prefix among equally old ones, and only among them', async () => {
    await queue([1, A, { prefix: 'cold' }], [2, B, { prefix: 'warm' }], [3, C, { prefix: 'hot' }]);
    await queue([4, D, { prefix: 'hot' }, T + 10_000], [5, E, { prefix: 'hot', priority: 'critical' }, T - 60_000]);
    const hot = ['hot', 'warm'];
    assert.deepEqual([await claim({ hot }), await claim({ hot })], ['j-5', 'j-3']);
    await store().transaction((tx) => tx.finishJob(ids.job(5), 'done'));
    assert.deepEqual([await claim({ hot }), await claim({ hot })], ['j-2', 'j-1']);
  });

  it('prefers a hot prefix across runs', async () => {
    await store().transaction(async (tx) => {
      await tx.insertRun(newRun(ids.run(0)));
      await tx.insertAgents([newAgent(ids.agent(9), { run: ids.run(0) })]);
    });
    await queue([1, ids.agent(9), { run: ids.run(0), prefix: 'cold' }], [2, A, { prefix: 'hot' }]);
    assert.deepEqual([await claim({ hot: ['hot'] }), await claim({ hot: ['hot'] })], ['j-2', 'j-1']);
  });

  it('leaves one alone until its time has come', async () => {
    await queue([1, A, { runAt: T + 500 }], [2, B, {}, T + 400]);
    assert.equal(await claim({ now: T + 499 }), 'j-2');
    assert.equal(await claim({ now: T + 499 }), undefined);
    assert.equal(await claim({ now: T + 500 }), 'j-1');
  });

  it('runs one job of an agent at a time, of any kind', async () => {
    await queue([1, A], [2, A, { kind: 'merge', source: B }], [3, B]);
    assert.equal(await claim(), 'j-1');
    assert.equal(await claim({ kinds: ['merge', 'turn'] }), 'j-3');
    assert.equal(await claim({ kinds: ['merge'] }), undefined);
    await store().transaction((tx) => tx.finishJob(ids.job(1), 'done'));
    assert.equal(await claim({ kinds: ['merge'] }), 'j-2');
  });

  it('runs one job of the run’s own at a time, beside those of its agents', async () => {
    await queue([1, null, { kind: 'merge', source: A }], [2, null, { kind: 'merge', source: B }], [3, C]);
    assert.equal(await claim({ kinds: ['merge'] }), 'j-1');
    assert.equal(await claim({ kinds: ['merge'] }), undefined);
    assert.equal(await claim(), 'j-3');
    await store().transaction((tx) => tx.finishJob(ids.job(1), 'done'));
    assert.equal(await claim({ kinds: ['merge'] }), 'j-2');
  });

  it('takes only the kinds that are asked for', async () => {
    await queue([1, A], [2, null, { kind: 'close' }]);
    assert.equal(await claim({ kinds: ['close', 'merge'] }), 'j-2');
    assert.equal(await claim({ kinds: [] }), undefined);
  });

  it('never runs more turns of a run than its concurrency, and lets other runs and merges pass', async () => {
    await store().transaction(async (tx) => {
      await tx.insertRun(newRun(ids.run(2), { concurrency: 1 }));
      await tx.insertAgents([7, 8].map((n) => newAgent(ids.agent(n), { run: ids.run(2) })));
    });
    const mine = { run: ids.run(2) };
    await queue(
      [1, ids.agent(7), mine],
      [2, ids.agent(8), mine],
      [3, null, { ...mine, kind: 'merge', source: ids.agent(7) }],
      [4, A],
    );
    assert.deepEqual([await claim(), await claim(), await claim()], ['j-1', 'j-4', undefined]);
    assert.equal(await claim({ kinds: ['merge'] }), 'j-3');
    await store().transaction((tx) => tx.finishJob(ids.job(1), 'done'));
    assert.equal(await claim(), 'j-2');
  });

  it('keeps to the turns of one server when it is named', async () => {
    await store().transaction(async (tx) => {
      await tx.insertRun(newRun(ids.run(2), { server: 'http://gpu:8080' }));
      await tx.insertAgents([newAgent(ids.agent(7), { run: ids.run(2) })]);
    });
    const away = { run: ids.run(2), server: 'http://gpu:8080' };
    await queue([1, A], [2, ids.agent(7), away], [3, null, { kind: 'close' }]);
    assert.deepEqual(await store().queuedServers(), ['http://gpu:8080', 'rehearsal']);
    assert.equal(await claim({ server: 'http://gpu:8080' }), 'j-2');
    assert.equal(await claim({ server: 'http://gpu:8080' }), undefined);
    assert.equal(await claim({ kinds: ['close'], server: 'http://gpu:8080' }), 'j-3');
    assert.equal(await claim(), 'j-1');
  });

  it('looks at the server of the turn, not at that of its run', async () => {
    await queue([1, A, { server: 'http://other:1' }], [2, B]);
    assert.equal(await claim({ server: 'http://other:1' }), 'j-1');
    assert.equal(await claim({ server: 'http://other:1' }), undefined);
    assert.equal(await claim({ server: 'rehearsal' }), 'j-2');
    assert.deepEqual(await store().queuedServers(), []);
  });

  it('takes the more urgent first within a class, and never above the next class', async () => {
    await queue(
      [1, A, { urgency: -3 }],
      [2, B],
      [3, C, { urgency: 99 }],
      [4, D, { priority: 'critical', urgency: -99 }],
    );
    assert.deepEqual([await claim(), await claim(), await claim(), await claim()], ['j-4', 'j-3', 'j-2', 'j-1']);
  });

  it('passes over what cannot run and takes the next', async () => {
    await queue([1, A, { priority: 'person' }], [2, A, { priority: 'person' }], [3, B]);
    assert.deepEqual([await claim(), await claim(), await claim()], ['j-1', 'j-3', undefined]);
    assert.equal((await store().jobs({ run: R, states: ['queued'] })).length, 1);
  });

  it('counts the agents that are about to begin with a prefix on a server', async () => {
    await store().transaction(async (tx) => {
      await tx.insertRun(newRun(ids.run(2), { server: 'http://gpu:8080' }));
      await tx.insertRun(newRun(ids.run(3)));
      await tx.insertAgents([
        newAgent(ids.agent(7), { run: ids.run(2) }),
        newAgent(ids.agent(8), { run: ids.run(3) }),
        newAgent(ids.agent(9), { run: ids.run(3) }),
      ]);
      await tx.patchAgent(E, { startedAt: 5 });
    });
    const other = { run: ids.run(2), server: 'http://gpu:8080' };
    await queue([1, A], [2, B, { prefix: 'other' }], [3, C], [4, D, { runAt: T * 3 }], [5, E]);
    await queue([6, ids.agent(7), other], [7, ids.agent(8), { run: ids.run(3) }], [8, null, { kind: 'close' }]);
    const count = (server: string, prefix = 'p') => store().queuedBeginners(server, prefix);
    assert.deepEqual([await count('rehearsal'), await count('rehearsal', 'other')], [3, 1]);
    assert.deepEqual([await count('http://gpu:8080'), await count('http://nobody')], [1, 0]);
    assert.equal(await claim(), 'j-1');
    assert.equal(await count('rehearsal'), 2);
  });
};
