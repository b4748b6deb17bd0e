import assert from 'node:assert/strict';
import { A, B, ids, newAgent, newRun, planOf, planStep, R } from '../fixtures.ts';
import type { Subject } from '../store.contract.ts';

export const undosContract = ({ store }: Subject): void => {
  const { plan, steps } = planOf(planStep('one'), planStep('two'));
  const [one, two] = [ids.agent('one'), ids.agent('two')];
  beforeEach(() =>
    store().transaction(async (tx) => {
      await tx.insertRun(newRun(R));
      await tx.insertAgents([newAgent(A), newAgent(B), newAgent(one), newAgent(two)]);
      await tx.insertPlan(R, plan, steps);
    }),
  );
  const undo = { kind: 'command', argv: ['make', 'clean'] } as const;
  const record = { run: R, step: ids.step('one'), agent: one, undo, recordedAt: 5 };

  it('writes down how a step is undone, in order, and what came of it', async () => {
    await store().transaction(async (tx) => {
      await tx.recordUndo(record);
      await tx.recordUndo({ ...record, step: ids.step('two'), agent: two, undo: { kind: 'revert' } });
      await tx.patchUndo(one, { worker: A });
      await tx.moveUndo(one, 'running');
      await tx.moveUndo(one, 'done', { result: 'It is clean.', endedAt: 9 });
      assert.equal((await tx.undoBy(A))?.agent, one);
      assert.equal(await tx.undoBy(B), undefined);
      assert.equal((await tx.undo(two))?.state, 'recorded');
    });
    const [first, second] = await store().undos(R);
    assert.deepEqual(first, { ...record, position: 1, state: 'done', worker: A, result: 'It is clean.', endedAt: 9 });
    assert.deepEqual([second?.position, second?.undo], [2, { kind: 'revert' }]);
    await assert.rejects(
      store().transaction((tx) => tx.moveUndo(one, 'running')),
      /No transition/,
    );
    await assert.rejects(
      store().transaction((tx) => tx.moveUndo(B, 'running')),
      /Nothing is written down/,
    );
  });

  it('writes one record for an agent', async () => {
    await store().transaction((tx) => tx.recordUndo(record));
    await assert.rejects(store().transaction((tx) => tx.recordUndo(record)));
  });

  it('keeps plans by key, the newest two hundred', async () => {
    await store().transaction(async (tx) => {
      for (let n = 0; n < 205; n++) await tx.cachePlan(`k${n}`, plan, n);
      await tx.cachePlan('k204', { ...plan, because: 'newer' }, 900);
    });
    assert.deepEqual(await store().cachedPlan('k204'), { plan: { ...plan, because: 'newer' }, createdAt: 900 });
    assert.equal(await store().cachedPlan('k4'), undefined);
    assert.deepEqual(await store().cachedPlan('k5'), { plan, createdAt: 5 });
  });

  it('keeps a forecast and what it came to', async () => {
    const S = ids.run(2);
    await store().transaction(async (tx) => {
      await tx.insertRun(newRun(S));
      await tx.putForecast(R, { p50: 1 }, 5);
      await tx.putForecast(S, { p50: 2 }, 6);
      await tx.closeForecast(R, { tokens: 3 });
      await tx.closeForecast(ids.run('none'), {});
    });
    assert.deepEqual(await store().forecast(R), { run: R, at: 5, forecast: { p50: 1 }, actual: { tokens: 3 } });
    assert.deepEqual(
      (await store().forecasts(1)).map(({ run, actual }) => [run, actual]),
      [[S, null]],
    );
    assert.equal(await store().forecast(ids.run('none')), undefined);
  });

  it('knows what agents have committed', async () => {
    const commit = 'c'.repeat(40) as never;
    await store().transaction((tx) =>
      tx.emit(1, [
        { type: 'agent.committed', run: R, agent: A, commit, files: ['a', 'b'] },
        { type: 'run.discarded', run: R, agent: null },
      ]),
    );
    assert.deepEqual(await store().commits(R), [{ agent: A, commit, files: ['a', 'b'] }]);
  });

  it('lets a run’s budget grow', async () => {
    await store().transaction((tx) => tx.raiseBudget(R, 500, 1));
    assert.equal((await store().run(R))?.options.budget, 1500);
    const { available, granted } = (await store().account(R)) ?? {};
    assert.deepEqual({ available, granted }, { available: 1500, granted: 1500 });
  });

  it('takes up a run again that has ended with failed steps, and no other', async () => {
    await store().transaction(async (tx) => {
      await tx.moveRun(R, 'planned');
      await tx.moveRun(R, 'running');
      await tx.moveRun(R, 'partial', { endedAt: 5 });
      await tx.moveRun(R, 'running', { endedAt: null });
      await tx.moveRun(R, 'completed', { endedAt: 9 });
    });
    await assert.rejects(
      store().transaction((tx) => tx.moveRun(R, 'running')),
      /No transition/,
    );
  });
};
