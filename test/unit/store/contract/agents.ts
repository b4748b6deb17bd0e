import assert from 'node:assert/strict';
import { A, B, commit, ids, newAgent, newJob, newRun, R, seed } from '../fixtures.ts';
import type { Subject } from '../store.contract.ts';

/** What an agent has only where somebody says so. */
const none = {
  server: null,
  model: null,
  permissions: null,
  skills: null,
  startCommit: null,
  wrapUpWhy: null,
  timeoutMs: null,
  urgency: 0,
  deadline: null,
  pause: null,
  pausedAt: null,
};

export const agentsContract = ({ store }: Subject): void => {
  beforeEach(() => seed(store()));
  const C = ids.agent(3);

  it('fills in what a new agent does not have yet', async () => {
    assert.deepEqual(await store().agent(A), {
      ...newAgent(A),
      action: '',
      report: null,
      error: null,
      endReason: null,
      wrapUp: false,
      compactedBefore: 0,
      startedAt: null,
      endedAt: null,
      ...none,
    });
    assert.equal(await store().agent(C), undefined);
  });

  it('keeps what is an agent’s own', async () => {
    const own = {
      server: 'http://gpu:1',
      model: 'm',
      permissions: { commands: { allowed: ['npm'] } },
      skills: ['tdd'],
      timeoutMs: 500,
      urgency: 2,
    };
    await store().transaction((tx) => tx.insertAgents([newAgent(C, own)]));
    const { server, model, permissions, skills, timeoutMs, urgency } = (await store().agent(C)) ?? {};
    assert.deepEqual({ server, model, permissions, skills, timeoutMs, urgency }, own);
  });

  it('knows those that it has just made as they are read', async () => {
    const own = { permissions: { commands: { allowed: ['npm'] } }, skills: ['tdd'], timeoutMs: 500 };
    const made = [
      newAgent(C, { ...own, name: 'half a pair \ud83d', task: 'ok' }),
      newAgent(ids.agent(4), { parent: A }),
    ];
    await store().transaction(async (tx) => {
      await tx.patchAgent(A, { pause: 'below' });
      await tx.insertAgents(made);
      const read = new Map((await tx.agents(R)).map((agent) => [agent.id, agent]));
      for (const { id } of made) assert.deepEqual(await tx.agent(id), read.get(id));
      assert.equal(read.get(ids.agent(4))?.pause, 'below');
    });
  });

  it('tells whether an agent has a worktree, also after one was not stored', async () => {
    const worktree = { agent: A, run: R, path: '/w/a', admin: '/g/a', branch: 'b' };
    const failing = store().transaction(async (tx) => {
      await tx.insertWorktree(worktree);
      throw new Error('not stored');
    });
    await assert.rejects(failing, /not stored/);
    assert.equal(await store().worktree(A), undefined);
    await store().transaction((tx) => tx.insertWorktree(worktree));
    assert.equal((await store().worktree(A))?.path, '/w/a');
    assert.equal(await store().worktree(B), undefined);
  });

  it('finds the agents whose time is over, those that have ended left out', async () => {
    await store().transaction(async (tx) => {
      await tx.patchAgent(A, { deadline: 500, startCommit: commit('c'), wrapUpWhy: 'timeout' });
      await tx.patchAgent(B, { deadline: 400 });
      assert.equal((await tx.agent(A))?.startCommit, commit('c'));
    });
    const overdue = async (now: number) => (await store().overdue(now)).agents.map(({ id }) => id);
    assert.deepEqual([await overdue(399), await overdue(400), await overdue(500)], [[], [B], [B, A]]);
    await store().transaction((tx) => tx.moveAgent(B, 'cancelled'));
    assert.deepEqual(await overdue(500), [A]);
  });

  it('leaves out the time of an agent while it is paused', async () => {
    await store().transaction(async (tx) => {
      await tx.patchAgent(A, { deadline: 500, pause: 'alone' });
      await tx.moveAgent(A, 'paused', { pausedAt: 450 });
    });
    assert.deepEqual((await store().overdue(1000)).agents, []);
    await store().transaction((tx) => tx.moveAgent(A, 'ready', { pausedAt: null, pause: null }));
    assert.equal((await store().overdue(1000)).agents.length, 1);
  });

  it('lets those begin with a pause that hang from one that pauses with all below it, or at the top of a paused run', async () => {
    const D = ids.agent(4);
    const E = ids.agent(5);
    await store().transaction(async (tx) => {
      await tx.patchAgent(A, { pause: 'below' });
      await tx.patchAgent(B, { pause: 'alone' });
      await tx.insertAgents([newAgent(C, { parent: A }), newAgent(D, { parent: C }), newAgent(E, { parent: B })]);
    });
    const pauseOf = async (id: typeof A) => (await store().agent(id))?.pause;
    assert.deepEqual([await pauseOf(C), await pauseOf(D), await pauseOf(E)], ['below', 'below', null]);
    await store().transaction(async (tx) => {
      await tx.patchRun(R, { pausedAt: 100 });
      await tx.insertAgents([newAgent(ids.agent(6)), newAgent(ids.agent(7), { parent: B })]);
    });
    assert.deepEqual([await pauseOf(ids.agent(6)), await pauseOf(ids.agent(7))], ['below', null]);
  });

  it('accepts a child before its parent within one transaction', async () => {
    const D = ids.agent(4);
    await store().transaction((tx) => tx.insertAgents([newAgent(D, { parent: C, depth: 2 }), newAgent(C)]));
    assert.deepEqual(
      (await store().children(C)).map((agent) => agent.id),
      [D],
    );
  });

  it('lists in order of creation, by ids and by state', async () => {
    await store().transaction(async (tx) => {
      await tx.insertRun(newRun(ids.run(2)));
      await tx.insertAgents([newAgent(C, { state: 'pending' }), newAgent(ids.agent(0), { run: ids.run(2) })]);
    });
    const list = async (filter?: Parameters<ReturnType<typeof store>['agents']>[1]) =>
      (await store().agents(R, filter)).map((agent) => agent.id);
    assert.deepEqual(await list(), [A, B, C]);
    assert.deepEqual(await list({ ids: [C, A, ids.agent(0), ids.agent('none')] }), [A, C]);
    assert.deepEqual(await list({ states: ['pending', 'running'] }), [C]);
    assert.deepEqual(await list({ ids: [A, B], states: ['pending'] }), []);
    assert.deepEqual(await list({ ids: [] }), []);
    assert.deepEqual(await list({ states: [] }), []);
  });

  it('moves along its table, returns the state it had, and patches', async () => {
    await store().transaction(async (tx) => {
      assert.equal(await tx.moveAgent(A, 'running', { action: 'reads', startedAt: 5 }), 'ready');
      assert.equal((await tx.agent(A))?.state, 'running');
      await tx.patchAgent(A, { wrapUp: true, compactedBefore: 3, headCommit: commit('b'), baseCommit: commit('a') });
      assert.equal(await tx.moveAgent(A, 'completed', { report: 'r', endReason: 'finished', endedAt: 9 }), 'running');
    });
    const agent = await store().agent(A);
    assert.deepEqual(agent, {
      ...newAgent(A),
      state: 'completed',
      action: 'reads',
      startedAt: 5,
      wrapUp: true,
      compactedBefore: 3,
      headCommit: commit('b'),
      baseCommit: commit('a'),
      report: 'r',
      error: null,
      endReason: 'finished',
      endedAt: 9,
      ...none,
    });
    await assert.rejects(
      store().transaction((tx) => tx.moveAgent(A, 'ready')),
      /No transition/,
    );
    assert.deepEqual(await store().agent(A), agent);
  });

  it('changes nothing by an empty patch and refuses an agent that is not there', async () => {
    await store().transaction((tx) => tx.patchAgent(A, {}));
    await assert.rejects(
      store().transaction((tx) => tx.patchAgent(C, { action: 'x' })),
      /no agent/,
    );
    await assert.rejects(
      store().transaction((tx) => tx.moveAgent(C, 'ready')),
      /no agent/,
    );
  });

  it('counts all, those of a depth, and by state', async () => {
    await store().transaction(async (tx) => {
      await tx.insertAgents([newAgent(C, { parent: A, depth: 2 })]);
      await tx.moveAgent(B, 'failed');
      assert.equal(await tx.countAgents(R), 3);
      assert.equal(await tx.countAgents(R, 1), 2);
      assert.equal(await tx.countAgents(R, 3), 0);
    });
    assert.deepEqual(await store().agentCounts(R), { ready: 2, failed: 1 });
    assert.deepEqual(await store().agentCounts(ids.run(2)), {});
  });

  it('tells what is unsettled: agents that have not ended and jobs that have not', async () => {
    await store().transaction(async (tx) => {
      await tx.enqueue([newJob(1, A), newJob(2, B), newJob(3, null, { kind: 'close' })], 100);
      await tx.claim({ kinds: ['turn'], now: 100, hot: [] });
      assert.equal(await tx.unsettled(R), true);
      await tx.finishJob(ids.job(1), 'parked', 'failed');
      assert.equal(await tx.unsettled(R), true);
      await tx.claim({ kinds: ['turn'], now: 100, hot: [] });
      await tx.finishJob(ids.job(2), 'done');
      await tx.moveAgent(B, 'cancelled');
      assert.equal(await tx.unsettled(R, ids.job(1)), true);
      await tx.moveAgent(A, 'cancelled');
      assert.equal(await tx.unsettled(R, ids.job(1)), true);
      await tx.claim({ kinds: ['close'], now: 100, hot: [] });
      await tx.finishJob(ids.job(3), 'done');
      assert.equal(await tx.unsettled(R, ids.job(1)), false);
      assert.equal(await tx.unsettled(R), true);
      assert.equal(await tx.unsettled(ids.run(2)), false);
    });
  });
};
