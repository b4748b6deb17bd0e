import assert from 'node:assert/strict';
import { inboxOf } from '../../../../mcp-server/domain/message.ts';
import {
  A,
  answer,
  B,
  beginTurn,
  commit,
  ids,
  newCall,
  newMessage,
  newTurn,
  R,
  seed,
  timings,
  usage,
} from '../fixtures.ts';
import type { Subject } from '../store.contract.ts';

export const turnsContract = ({ store }: Subject): void => {
  beforeEach(() => seed(store()));
  const [T1, T2] = [ids.turn(1), ids.turn(2)];
  const finish = (id: number, agent = A) =>
    store().transaction(async (tx) => {
      await tx.answerTurn(ids.turn(id), answer, usage, timings);
      await tx.settle(agent, ids.turn(id), 40, 300);
      await tx.closeTurn(ids.turn(id), { commit: commit('c'), endedAt: 300 });
      await tx.finishJob(ids.job(id), 'done');
    });

  it('goes from calling over answered to done, keeping what was said', async () => {
    await beginTurn(store(), 1, A);
    const calling = {
      ...newTurn(1, A, ids.job(1)),
      seq: 1,
      state: 'calling',
      answer: null,
      usage: null,
      timings: null,
      commit: null,
      endedAt: null,
    };
    assert.deepEqual(await store().openTurn(A), calling);
    await store().transaction((tx) => tx.answerTurn(T1, answer, usage, timings));
    assert.deepEqual(await store().openTurn(A), { ...calling, state: 'answered', answer, usage, timings });
    await store().transaction((tx) => tx.closeTurn(T1, { commit: commit('c'), endedAt: 300 }));
    assert.equal(await store().openTurn(A), undefined);
    assert.deepEqual(await store().turns(A), [
      { ...calling, state: 'done', answer, usage, timings, commit: commit('c'), endedAt: 300 },
    ]);
  });

  it('returns the new turn as it is stored', async () => {
    const opened = await store()
      .transaction((tx) => tx.openTurnRow(newTurn(1, A, ids.job(1))))
      .catch((error) => error);
    assert.ok(opened instanceof Error, 'its job must be there');
    await beginTurn(store(), 1, A);
    await finish(1);
    await beginTurn(store(), 2, A);
    await store().transaction(async (tx) => {
      await tx.dropTurn(T2, 300);
      const turn = await tx.openTurnRow(newTurn(3, A, ids.job(2)));
      assert.deepEqual(await tx.openTurn(A), turn);
    });
  });

  it('has one open turn per agent at the most', async () => {
    await beginTurn(store(), 1, A);
    await beginTurn(store(), 2, B);
    await assert.rejects(store().transaction((tx) => tx.openTurnRow(newTurn(3, A, ids.job(1)))));
    assert.equal((await store().turns(A)).length, 1);
  });

  it('numbers without gaps, dropped ones left out', async () => {
    await beginTurn(store(), 1, A);
    await finish(1);
    await beginTurn(store(), 2, A);
    await store().transaction((tx) => tx.dropTurn(T2, 300));
    await store().transaction((tx) => tx.openTurnRow(newTurn(3, A, ids.job(2))));
    assert.deepEqual(
      (await store().turns(A)).map(({ id, seq }) => [id, seq]),
      [
        [T1, 1],
        [ids.turn(3), 2],
      ],
    );
  });

  it('moves along its table only', async () => {
    await beginTurn(store(), 1, A);
    await finish(1);
    for (const work of [
      () => store().transaction((tx) => tx.answerTurn(T1, answer, usage, timings)),
      () => store().transaction((tx) => tx.dropTurn(T1, 1)),
      () => store().transaction((tx) => tx.closeTurn(T1, { commit: null, endedAt: 1 })),
    ])
      await assert.rejects(work, /No transition/);
    await assert.rejects(
      store().transaction((tx) => tx.closeTurn(T2, { commit: null, endedAt: 1 })),
      /no turn/,
    );
  });

  it('puts messages of a dropped turn back where they were', async () => {
    await beginTurn(store(), 1, A);
    await store().transaction(async (tx) => {
      await tx.send(newMessage(1, A));
      await tx.send(newMessage(2, A));
      await tx.deliver(T1, [ids.message(1)]);
    });
    await store().transaction((tx) => tx.dropTurn(T1, 300));
    assert.deepEqual(await store().delivered(A), []);
    assert.deepEqual(
      (await store().inbox(A, 10)).map((message) => [message.id, message.turn]),
      [
        [ids.message(1), null],
        [ids.message(2), null],
      ],
    );
  });

  it('keeps calls by turn, then ordinal', async () => {
    await beginTurn(store(), 2, A);
    const calls = [newCall(T2, 0), newCall(T2, 1, { ok: false, output: 'no such file' })];
    await store().transaction((tx) => tx.insertCalls([...calls].reverse()));
    await finish(2);
    await beginTurn(store(), 1, A);
    await store().transaction((tx) => tx.insertCalls([newCall(T1, 0)]));
    assert.deepEqual(await store().calls(A), [...calls, newCall(T1, 0)]);
    assert.deepEqual(await store().calls(B), []);
    await assert.rejects(store().transaction((tx) => tx.insertCalls([newCall(T1, 0)])));
  });

  it('fills in the calls that wait for somebody and counts those of the turn that still do', async () => {
    const C = ids.agent(3);
    await beginTurn(store(), 1, A);
    await beginTurn(store(), 2, B);
    await store().transaction(async (tx) => {
      const waiting = { state: 'waiting', ok: false, output: '' } as const;
      await tx.insertCalls([
        newCall(T1, 0, { ...waiting, waitsFor: B }),
        newCall(T1, 1, { ...waiting, waitsFor: 'person' }),
        newCall(T1, 2),
        newCall(T1, 3, { ...waiting, waitsFor: C }),
        newCall(T2, 0, { ...waiting, waitsFor: 'person' }),
      ]);
      assert.deepEqual(
        (await tx.waitingCalls(A)).map((call) => call.ordinal),
        [0, 1, 3],
      );
      assert.deepEqual(await tx.settleCalls(A, B, { ok: true, output: 'done' }), { settled: 1, stillWaiting: 2 });
      assert.deepEqual(await tx.settleCalls(A, B, { ok: true, output: 'twice' }), { settled: 0, stillWaiting: 2 });
      assert.deepEqual(await tx.settleCalls(A, 'person', { ok: false, output: 'no' }), { settled: 1, stillWaiting: 1 });
    });
    const [first, second] = await store().calls(A);
    assert.deepEqual(first, newCall(T1, 0, { ok: true, output: 'done', waitsFor: B }));
    assert.deepEqual(second, newCall(T1, 1, { ok: false, output: 'no', waitsFor: 'person' }));
    assert.equal((await store().calls(B))[0]?.state, 'waiting');
  });

  it('makes calls that wait for one wait for another', async () => {
    const [C, D] = [ids.agent(3), ids.agent(4)];
    await beginTurn(store(), 1, A);
    await store().transaction(async (tx) => {
      await tx.insertCalls([newCall(T1, 0, { state: 'waiting', waitsFor: C }), newCall(T1, 1, { waitsFor: C })]);
      await tx.redirectCalls(C, D);
      assert.deepEqual(await tx.settleCalls(A, C, { ok: true, output: '' }), { settled: 0, stillWaiting: 1 });
      assert.deepEqual(await tx.settleCalls(A, D, { ok: true, output: '' }), { settled: 1, stillWaiting: 0 });
    });
    assert.equal((await store().calls(A))[1]?.waitsFor, C);
  });

  it('tells which calls wait for an inbox, the oldest first, and fills in one alone', async () => {
    const waiting = { state: 'waiting', waitsFor: inboxOf(ids.agent(9)) } as const;
    await beginTurn(store(), 1, A);
    await beginTurn(store(), 2, B);
    await store().transaction(async (tx) => {
      await tx.insertCalls([newCall(T2, 0, waiting)]);
      await tx.insertCalls([newCall(T1, 0, waiting), newCall(T1, 1, waiting), newCall(T1, 2)]);
    });
    const owners = async (limit = 9) =>
      (await store().callsWaitingFor(waiting.waitsFor, limit)).map(({ owner, call }) => `${owner} ${call.ordinal}`);
    assert.deepEqual(
      [await owners(), await owners(2)],
      [
        [`${B} 0`, `${A} 0`, `${A} 1`],
        [`${B} 0`, `${A} 0`],
      ],
    );
    const result = { ok: true, output: 'Sent.' };
    await store().transaction((tx) => tx.settleCall({ turn: T1, ordinal: 0 }, result));
    await assert.rejects(
      store().transaction((tx) => tx.settleCall({ turn: T1, ordinal: 0 }, result)),
      /waits for nothing/,
    );
    await store().transaction((tx) => tx.moveAgent(B, 'cancelled'));
    assert.deepEqual(await owners(), [`${A} 1`]);
  });

  it('adds up turns and prompt tokens by agent', async () => {
    await beginTurn(store(), 1, A);
    await finish(1);
    await beginTurn(store(), 2, A);
    await store().transaction((tx) => tx.dropTurn(T2, 300));
    await beginTurn(store(), 3, A);
    await beginTurn(store(), 4, B);
    await finish(4, B);
    assert.deepEqual(
      [...(await store().turnTotals(R))],
      [
        [A, { turns: 2, sent: 30, cached: 20 }],
        [B, { turns: 1, sent: 30, cached: 20 }],
      ],
    );
  });
};
