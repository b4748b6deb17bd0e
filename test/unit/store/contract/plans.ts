import assert from 'node:assert/strict';
import type { PlanStep, Step } from '../../../../mcp-server/domain/plan.ts';
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
      const { needs: _, ...dependent } = steps[2] as Step;
      assert.deepEqual(await tx.dependents(one), [dependent]);
    });
  });

  it('knows how the needs of a step stand, and whether one is open', async () => {
    await store().transaction(async (tx) => {
      const states = async () => (await tx.needStates(join)).map(({ key, state }) => `${key} ${state}`);
      assert.deepEqual(await states(), ['two pending', 'one pending']);
      assert.equal(await tx.hasOpenNeed(join), true);
      await tx.moveStep(two, 'running');
      await tx.moveStep(two, 'failed');
      assert.deepEqual(await states(), ['two failed', 'one pending']);
      assert.equal(await tx.hasOpenNeed(join), true, 'the last one');
      await tx.moveStep(one, 'running');
      await tx.moveStep(one, 'merging');
      assert.equal(await tx.hasOpenNeed(join), true, 'until its work is there');
      await tx.moveStep(one, 'done');
      assert.equal(await tx.hasOpenNeed(join), false);
      assert.equal(await tx.hasOpenNeed(one), false, 'it needs nothing');
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

  it('keeps what a step may say and need not', async () => {
    const said = {
      ...planStep('said', ['one']),
      work: { kind: 'compute', processor: 'vote', options: { of: 3 } },
      onFailure: { one: 'continue' },
      when: { not: { step: 'one', says: 'stop' } },
      join: { quorum: 1, withinMs: 50 },
      retries: 2,
      timeoutMs: 9,
      saga: 'release',
      undo: { kind: 'command', argv: ['rm', 'x'] },
      skills: ['tdd'],
      capabilities: ['sql'],
      permissions: { commands: 'off' },
      server: 'http://gpu:1',
      model: 'm',
      urgency: 2,
      files: ['a/'],
      pattern: 'saga',
      parts: 3,
    } as const satisfies PlanStep;
    const more = planOf(said);
    const longer = { ...plan, steps: [...plan.steps, said] };
    await store().transaction(async (tx) => {
      await tx.insertAgents([newAgent(ids.agent('said'), { state: 'pending', step: ids.step('said') })]);
      await tx.extendPlan(R, longer, more.steps);
    });
    assert.deepEqual(await store().plan(R), longer);
    assert.deepEqual((await store().steps(R)).at(-1), more.steps[0]);
    assert.deepEqual(await store().planFacts(R), { pattern: 'fork-join', complexity: '' });
    assert.equal(await store().planFacts(ids.run('none')), undefined);
  });

  it('lets a fresh agent try a step', async () => {
    const fresh = ids.agent('fresh');
    await store().transaction(async (tx) => {
      await tx.insertAgents([newAgent(fresh, { step: one, state: 'pending' })]);
      await tx.moveStep(one, 'running');
      await tx.renewStep(one, fresh, 2);
      const { state, agent, attempt } = (await tx.step(one)) ?? {};
      assert.deepEqual({ state, agent, attempt }, { state: 'pending', agent: fresh, attempt: 2 });
    });
    await store().transaction(async (tx) => {
      await tx.moveStep(two, 'running');
      await tx.moveStep(two, 'merging');
    });
    await assert.rejects(
      store().transaction((tx) => tx.renewStep(two, fresh, 2)),
      /No transition/,
    );
  });

  it('tells which joins have waited long enough, counted from the first need on', async () => {
    const timed = { ...planStep('timed', ['one', 'two']), join: { quorum: null, withinMs: 50 } };
    await store().transaction(async (tx) => {
      await tx.insertAgents([newAgent(ids.agent('timed'), { state: 'pending', step: ids.step('timed') })]);
      await tx.extendPlan(R, plan, planOf(timed).steps);
      await tx.armJoins(one, 100);
      await tx.armJoins(two, 130);
    });
    const overdue = async (now: number) => (await store().overdue(now)).steps.map(({ key }) => key);
    assert.deepEqual([await overdue(149), await overdue(150)], [[], ['timed']]);
    await store().transaction((tx) => tx.patchRun(R, { pausedAt: 140 }));
    assert.deepEqual(await overdue(150), [], 'not while the run is paused');
    await store().transaction(async (tx) => {
      await tx.patchRun(R, { pausedAt: null });
      await tx.postponeJoins(R, 20);
    });
    assert.deepEqual([await overdue(169), await overdue(170)], [[], ['timed']]);
    await store().transaction((tx) => tx.disarmJoin(ids.step('timed')));
    assert.deepEqual(await overdue(170), []);
  });

  it('refuses a step that needs one outside the plan', async () => {
    const bad = planOf(planStep('x', ['y']));
    await assert.rejects(store().transaction((tx) => tx.insertPlan(R, bad.plan, bad.steps)));
    assert.equal((await store().steps(R)).length, 3);
  });
};
