import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { FencedError } from '../../mcp-server/domain/errors.ts';
import type { Commit, RunId } from '../../mcp-server/domain/ids.ts';
import type { Job } from '../../mcp-server/domain/job.ts';
import { LEASE_MS } from '../../mcp-server/domain/policy.ts';
import { coreOf } from '../../mcp-server/engine/claimed-core.ts';
import type { Core } from '../../mcp-server/engine/core.ts';
import type { Tx } from '../../mcp-server/store/port.ts';
import { type Bench, openBench } from '../support/engine.ts';
import { call, finish, type Script } from '../support/scripted-server.ts';
import { eventsOf } from '../support/team.ts';

/** The engine's time goes by this much faster. */
const SPEED = 300;

describe('a claimed job', () => {
  let bench: Bench;
  afterEach(async () => {
    for (const run of await bench.engine.listRuns(10)) assert.deepEqual(await bench.invariants(run.run), []);
    await bench.close();
  });

  const running = async (run: RunId): Promise<Job> => {
    let found: Job | undefined;
    await bench.waitUntil('a turn runs', async () => {
      [found] = await bench.store.jobs({ run, states: ['running'] });
      return found !== undefined;
    });
    return found as Job;
  };
  const calling = (): Promise<void> =>
    bench.waitUntil('the call is under way', async () => bench.model.stats().processing === 1);
  const untilCalling = async (run: RunId) => {
    const job = await running(run);
    await calling();
    return { job, commit: bench.repo.git('rev-parse', 'HEAD') as Commit };
  };
  /** Undoes the call and puts the job back, whoever works on it. */
  const takeBack = async (tx: Tx, job: Job, now: number): Promise<void> => {
    assert.ok(job.agent);
    const open = await tx.openTurn(job.agent);
    if (open?.state === 'calling') {
      await tx.settle(job.agent, open.id, 0, now);
      await tx.dropTurn(open.id, now);
    }
    await tx.moveAgent(job.agent, 'ready');
    await tx.requeue(job.id, 0, null, true);
  };
  /** What another engine would do that takes the job over. */
  const takeOver = async (tx: Tx, job: Job, now: number): Promise<void> => {
    await takeBack(tx, job, now);
    assert.equal((await tx.claim({ kinds: ['turn'], now, hot: [] }))?.id, job.id);
  };

  const putBack = (): readonly string[] => bench.log.filter((line) => line.includes('nobody worked on it any more'));

  it('is held for as long as its call takes, however long that is', async () => {
    bench = await openBench({ speed: SPEED, server: { latencyMs: 1500 }, script: () => finish('Done at last.') });
    const { run } = await bench.engine.startRun({ task: 'Think for long', options: { maxAgents: 1 } });
    const first = await running(run);
    await bench.waitUntil('the first lease is long over', async () => {
      const now = (await bench.store.job(first.id))?.leaseUntil ?? 0;
      return now > first.leaseUntil + 3 * LEASE_MS;
    });
    assert.equal((await bench.waitEnd(run)).report, 'Done at last.');
    assert.equal((await bench.store.job(first.id))?.claims, 1);
    assert.equal(bench.model.requests.length, 1);
  });

  it('is put back when nobody works on it any more', async () => {
    const script: Script = (_request, n) => ({ ...finish('Done.'), latencyMs: n === 1 ? 1500 : 0 });
    bench = await openBench({ speed: SPEED, server: { slots: 1 }, script });
    const blocking = await bench.engine.startRun({ task: 'Be first', options: { maxAgents: 1 } });
    await calling();
    const { run } = await bench.engine.startRun({ task: 'Be forgotten', options: { maxAgents: 1 } });
    const forgotten = await bench.store.transaction(async (tx) => {
      const job = await tx.claim({ kinds: ['turn'], now: (await tx.run(run))?.createdAt ?? 0, hot: [] });
      if (job?.agent) await tx.moveAgent(job.agent, 'running');
      return job;
    });
    assert.equal(forgotten?.run, run);
    assert.equal((await bench.waitEnd(run)).report, 'Done.');
    await bench.waitEnd(blocking.run);
    assert.equal((await bench.store.job(forgotten.id))?.claims, 2);
    assert.equal(putBack().length, 1);
  });

  it('that was taken back from work under way is held by the next, however long that takes', async () => {
    const script: Script = (_request, n) => ({ ...finish('Done at last.'), latencyMs: n === 1 ? 300 : 1500 });
    bench = await openBench({ speed: SPEED, script });
    const { run } = await bench.engine.startRun({ task: 'Think for long', options: { maxAgents: 1 } });
    const first = await running(run);
    await calling();
    await bench.store.transaction((tx) => takeBack(tx, first, first.leaseUntil));
    assert.equal((await bench.waitEnd(run)).report, 'Done at last.');
    assert.equal((await bench.store.job(first.id))?.claims, 2);
    assert.deepEqual(putBack(), []);
  });

  it('is not put back in the moment in which its work begins', async () => {
    bench = await openBench({ speed: SPEED, script: () => finish('Done.') });
    const { store } = bench;
    const real = store.transaction.bind(store);
    const renewal = Promise.withResolvers<void>();
    let isClaimed = false;
    store.transaction = async (work) => {
      let isClaim = false;
      const result = await real(async (tx) => {
        const staleJobs = tx.staleJobs.bind(tx);
        tx.staleJobs = async (now) => {
          const stale = await staleJobs(now);
          if (stale.length > 0) renewal.resolve();
          return stale;
        };
        const done = await work(tx);
        isClaim = !isClaimed && (await tx.jobs({ states: ['running'] })).length > 0;
        isClaimed ||= isClaim;
        return done;
      });
      // Until the claim's lease is over, and the keeper of leases has seen it.
      if (isClaim) await renewal.promise;
      return result;
    };
    const view = await bench.run('Be slow to begin', { maxAgents: 1 });
    assert.equal(view.report, 'Done.');
    assert.deepEqual(putBack(), []);
  });

  it('that was taken over while its engine slept does not get the late answer', async () => {
    bench = await openBench({
      speed: SPEED,
      server: { latencyMs: 250 },
      script: (_request, n) =>
        n === 1 ? call('write_file', { path: 'late.txt', content: 'late' }) : finish('In time.'),
    });
    const { run } = await bench.engine.startRun({ task: 'Be slow', options: { maxAgents: 1 } });
    const late = await running(run);
    await calling();
    await bench.store.transaction((tx) => takeOver(tx, late, late.leaseUntil));
    const view = await bench.waitEnd(run);
    assert.equal(view.report, 'In time.');
    assert.ok(
      bench.log.some((line) => line.includes('was taken back')),
      bench.log.join('\n'),
    );
    const answered = (await eventsOf(bench, run)).filter((event) => event.type === 'turn.answered');
    assert.equal(answered.length, 1, 'the late answer was stored');
    assert.equal(view.tokens.used, (answered[0]?.usage.prompt ?? 0) + (answered[0]?.usage.completion ?? 0));
    assert.equal((await bench.store.job(late.id))?.claims, 3);
    assert.equal(view.commit, bench.repo.git('rev-parse', 'HEAD'));
  });

  it('that was taken over moves no branch any more, and its call is cut', async () => {
    const script: Script = (_request, n) => ({ ...finish('Done.'), latencyMs: n === 1 ? 15_000 : 0 });
    bench = await openBench({ speed: SPEED, script });
    const { run } = await bench.engine.startRun({ task: 'Be slow', options: { maxAgents: 1 } });
    const { job, commit } = await untilCalling(run);
    const core = { parts: { store: bench.store, repository: bench.repository } } as Core;
    const { repository } = coreOf(core, job).parts;
    await repository.publish('coppice/before', commit);
    await bench.store.transaction((tx) => takeOver(tx, job, job.leaseUntil));
    await assert.rejects(repository.publish('coppice/after', commit), FencedError);
    assert.equal(await bench.repository.branchHead('coppice/before'), commit);
    assert.equal(await bench.repository.branchHead('coppice/after'), null);
    await bench.waitEnd(run);
    assert.equal(bench.model.stats().cancelled, 1);
  });

  it('is cut when another engine takes the repository over', async () => {
    bench = await openBench({ speed: SPEED, server: { latencyMs: 15_000 }, script: () => finish('Done.') });
    const { run } = await bench.engine.startRun({ task: 'Be slow', options: { maxAgents: 1 } });
    await running(run);
    await calling();
    const { store } = bench;
    const real = store.transaction.bind(store);
    // What the store says as soon as there is a newer epoch.
    store.transaction = () =>
      Promise.reject(new FencedError('Another engine has taken over: epoch 2, this one has 1.'));
    await bench.waitUntil('the call is cut', async () => bench.model.stats().cancelled === 1);
    store.transaction = real;
  });

  it('that was taken back begins anew only when the work of the claim before it has ended', async () => {
    const slow = `trap 'sleep 0.3; echo late >> log.txt; exit' TERM
      echo begun >> log.txt
      for i in $(seq 20); do sleep 0.05; done
      echo ended >> log.txt`;
    const script: Script = (request) =>
      request.lastTool ? finish('Done.') : call('run_command', { argv: ['sh', '-c', slow] });
    bench = await openBench({ script, settings: { permissions: { commands: { allowed: ['sh'] } } } });
    const { run } = await bench.engine.startRun({ task: 'Write a log', options: { maxAgents: 1 } });
    const first = await running(run);
    await bench.waitUntil('the program runs', async () => {
      const worktree = first.agent && (await bench.store.worktree(first.agent));
      return Boolean(worktree && existsSync(join(worktree.path, 'log.txt')));
    });
    await bench.store.transaction((tx) => takeBack(tx, first, first.leaseUntil));
    const view = await bench.waitEnd(run);
    assert.equal(bench.repo.git('show', `${view.branch}:log.txt`), 'begun\nended');
  });
});
