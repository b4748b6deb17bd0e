import assert from 'node:assert/strict';
import { ids, newAgent, newRun, planOf, planStep, R } from '../fixtures.ts';
import type { Subject } from '../store.contract.ts';

export const plansContract = ({ store }: Subject): void => {
  const { plan, steps } = planOf(planStep('one'), planStep('two'), planStep('join', ['two', 'one']));
  const [one, two, join] = ['one', 'two', 'join'].map(ids.step) as [never, never, never];

  beforeEach(() =>
    store().transaction(async (tx) => {
      await tx.insertRun(newRun(R));
      await tx.insertPlan(R, plan, steps);
      await tx.insertAgents(steps.map((step) => newAgent(step.agent, { step: step.id, state: 'pending' })));
    }),
  );

  it('gives the plan and its steps back as they were', async () => {
    assert.deepEqual(await store().plan(R), plan);
    assert.deepEqual(await store().steps(R), steps);
    assert.equal(await store().plan(ids.run('none')), undefined);
    assert.deepEqual(await store().steps(ids.run('none')), []);
    await store().transaction(async (tx) => {
      assert.deepEqual(await tx.step(join), steps[2]);
      assert.equal(await tx.step(ids.step('none')), undefined);
    });
  });

  it('knows who needs whom, in the plan’s order', async () => {
    await store().transaction(async (tx) => {
      assert.deepEqual(await tx.needs(join), [steps[1], steps[0]]);
      assert.deepEqual(await tx.needs(one), []);
      assert.deepEqual(await tx.dependents(join), []);
      assert.deepEqual(await tx.dependents(one), [{ step: steps[2], needs: ['pending', 'pending'] }]);
      await tx.moveStep(two, 'running');
      await tx.moveStep(two, 'failed');
      assert.deepEqual(
        (await tx.dependents(one)).map(({ needs }) => needs),
        [['failed', 'pending']],
      );
    });
  });

  it('moves a step along its table only', async () => {
    await store().transaction((tx) => tx.moveStep(one, 'running'));
    await store().transaction((tx) => tx.moveStep(one, 'merging'));
    assert.equal((await store().steps(R))[0]?.state, 'merging');
    await assert.rejects(
      store().transaction((tx) => tx.moveStep(one, 'pending')),
      /No transition/,
    );
    await assert.rejects(
      store().transaction((tx) => tx.moveStep(ids.step('none'), 'running')),
      /no step/,
    );
  });

  it('refuses a step that needs one outside the plan', async () => {
    const bad = planOf(planStep('x', ['y']));
    await assert.rejects(store().transaction((tx) => tx.insertPlan(R, bad.plan, bad.steps)));
    assert.equal((await store().steps(R)).length, 3);
  });
};
