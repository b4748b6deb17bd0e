import assert from 'node:assert/strict';
import type { EngineEvent, NewEvent } from '../../../../mcp-server/domain/event.ts';
import type { Observation } from '../../../../mcp-server/domain/observation.ts';
import { A, B, ids, newRun, R, seed } from '../fixtures.ts';
import type { Subject } from '../store.contract.ts';

const acted = (action: string, run = R): NewEvent => ({ type: 'agent.acted', run, agent: A, action });
const started: NewEvent = { type: 'engine.started', run: null, agent: null, epoch: 1, version: '1' };

export const recordsContract = ({ store, again }: Subject): void => {
  beforeEach(() => seed(store()));

  const lease = { agent: A, run: R, path: '/r/.coppice/worktrees/a-1', admin: 'a-1-x', branch: 'coppice/a-1' };

  it('keeps a worktree’s state along its table, with the reason it is kept for', async () => {
    await store().transaction((tx) => tx.insertWorktree(lease));
    assert.deepEqual(await store().worktree(A), { ...lease, state: 'creating', reason: null });
    await store().transaction((tx) => tx.moveWorktree(A, 'ready'));
    await store().transaction((tx) => tx.moveWorktree(A, 'kept', 'unmerged'));
    assert.deepEqual(await store().worktrees({ run: R, states: ['kept'] }), [
      { ...lease, state: 'kept', reason: 'unmerged' },
    ]);
    assert.deepEqual(await store().worktrees({ states: ['ready'] }), []);
    assert.equal((await store().worktrees()).length, 1);
    await assert.rejects(
      store().transaction((tx) => tx.moveWorktree(A, 'gone')),
      /No transition/,
    );
    await assert.rejects(
      store().transaction((tx) => tx.moveWorktree(B, 'trash')),
      /no worktree/,
    );
  });

  it('gives an agent one worktree at a time', async () => {
    await store().transaction((tx) => tx.insertWorktree(lease));
    await assert.rejects(
      store().transaction((tx) => tx.insertWorktree(lease)),
      /has a worktree/,
    );
    await store().transaction(async (tx) => {
      await tx.moveWorktree(A, 'trash');
      await tx.moveWorktree(A, 'gone');
      await tx.insertWorktree({ ...lease, admin: 'a-1-y' });
    });
    assert.deepEqual(await store().worktree(A), { ...lease, admin: 'a-1-y', state: 'creating', reason: null });
  });

  it('returns observations newest first, by role and tier', async () => {
    const seen: Observation = {
      run: R,
      agent: A,
      role: 'writer',
      tier: 'worker',
      pattern: 'saga',
      complexity: 'simple',
      tokens: 5,
      wallMs: 1.5,
      turns: 2,
      ok: true,
      at: 1,
    };
    const other = { ...seen, role: 'reader', agent: null, ok: false };
    await store().transaction(async (tx) => {
      for (const observation of [seen, other, { ...seen, at: 2 }]) await tx.observe(observation);
    });
    assert.deepEqual(await store().observations({ role: 'writer', limit: 9 }), [{ ...seen, at: 2 }, seen]);
    assert.deepEqual(await store().observations({ tier: 'worker', limit: 2 }), [{ ...seen, at: 2 }, other]);
    assert.deepEqual(await store().observations({ tier: 'executive', limit: 9 }), []);
  });

  it('numbers events and gives them back whole, oldest first', async () => {
    await store().transaction((tx) => tx.emit(7, [acted('a'), started]));
    await store().transaction((tx) => tx.emit(8, [acted('b')]));
    assert.deepEqual(await store().events(0, 10), [
      { ...acted('a'), seq: 1, at: 7 },
      { ...started, seq: 2, at: 7 },
      { ...acted('b'), seq: 3, at: 8 },
    ]);
    assert.deepEqual(await store().events(1, 1), [{ ...started, seq: 2, at: 7 }]);
    assert.equal(await store().lastEvent(), 3);
  });

  it('limits them to a run’s own and the engine’s', async () => {
    const other = ids.run(2);
    await store().transaction(async (tx) => {
      await tx.insertRun(newRun(other));
      await tx.emit(7, [acted('a'), started, acted('x', other), acted('b'), started, acted('y', other)]);
    });
    const seqs = async (...args: [number, number]) => (await store().events(...args, R)).map((event) => event.seq);
    assert.deepEqual(await seqs(0, 10), [1, 2, 4, 5]);
    assert.deepEqual(await seqs(1, 2), [2, 4]);
    assert.deepEqual(await seqs(5, 10), []);
  });

  it('gives a run’s events of some types', async () => {
    const wanted = {
      type: 'skill.wanted',
      run: R,
      agent: A,
      skill: 's',
      question: 'q',
      where: 'w',
      approval: 'x',
    } as const;
    const other = { type: 'run.discarded', run: R, agent: null } as const;
    await store().transaction(async (tx) => {
      await tx.insertRun(newRun(ids.run(2)));
      await tx.emit(1, [wanted, other, { ...other, run: ids.run(2) }]);
      assert.equal((await tx.eventsOf(R, ['skill.wanted', 'run.discarded'])).length, 2, 'also those of its own');
    });
    assert.deepEqual(
      (await store().eventsOf(R, ['skill.wanted'])).map(({ seq: _seq, ...event }) => event),
      [{ ...wanted, at: 1 }],
    );
    assert.deepEqual(await store().eventsOf(R, []), []);
  });

  it('announces each commit’s events in order once they can be read, and never those rolled back', async () => {
    const heard: string[] = [];
    const readable: Promise<readonly EngineEvent[]>[] = [];
    const stop = store().onEvents((events) => {
      heard.push(events.map((event) => `${event.seq} ${event.type === 'agent.acted' ? event.action : ''}`).join(', '));
      readable.push(store().events((events[0]?.seq ?? 0) - 1, 1));
    });
    await store().transaction(async (tx) => {
      await tx.emit(1, [acted('a')]);
      await tx.emit(1, [acted('b')]);
      assert.deepEqual(heard, []);
    });
    const thrown = store().transaction(async (tx) => {
      await tx.emit(1, [acted('lost')]);
      throw new Error('no');
    });
    await assert.rejects(thrown);
    await store().transaction(async () => 1);
    await store().transaction((tx) => tx.emit(1, [acted('c')]));
    assert.deepEqual(heard, ['1 a, 2 b', '3 c']);
    assert.equal((await readable[0])?.[0]?.seq, 1);
    stop();
    await store().transaction((tx) => tx.emit(1, [acted('d')]));
    assert.equal(heard.length, 2);
  });

  it('goes on numbering after a restart', async () => {
    await store().transaction((tx) => tx.emit(1, [acted('a')]));
    await store().close();
    const next = await again();
    await next.transaction((tx) => tx.emit(1, [acted('b')]));
    assert.equal(await next.lastEvent(), 2);
  });
};
