import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Plan, PlanStep } from '../../../mcp-server/domain/plan.ts';
import { forkJoin } from '../../../mcp-server/planning/fork-join.ts';
import { tiersFor } from '../../../mcp-server/planning/patterns/tiers.ts';
import { inOrder, type PlannedStep } from '../../../mcp-server/planning/steps.ts';
import { validatePlan } from '../../../mcp-server/planning/validate-plan.ts';

const step = (key: string, needs: readonly string[] = []): PlannedStep => ({
  key,
  title: `title ${key}`,
  task: `task of ${key}.`,
  role: 'worker',
  needs,
});
const steps = (count: number): readonly PlannedStep[] => Array.from({ length: count }, (_, index) => step(`s${index}`));
const roomy = { fanIn: 5, maxDepth: 3, maxAgents: 1000, maxAgentsPerLevel: 1000 };
const tier = (plan: Plan, name: PlanStep['tier']): readonly PlanStep[] => plan.steps.filter((one) => one.tier === name);

/** Steps that need only earlier ones. */
const anySteps = (most: number): fc.Arbitrary<readonly PlannedStep[]> =>
  fc
    .array(fc.array(fc.nat(most), { maxLength: 3 }), { minLength: 1, maxLength: most })
    .map((needs) =>
      needs.map((some, index) => step(`s${index}`, [...new Set(some.filter((n) => n < index).map((n) => `s${n}`))])),
    );

describe('Fork and join', () => {
  it('adds synthesizers and an executive by the table', () => {
    for (let n = 1; n <= 60; n += 1) {
      const plan = forkJoin(steps(n), roomy);
      const synthesizers = n < 5 ? 0 : n < 10 ? 1 : Math.floor(n / 5);
      assert.equal(tier(plan, 'worker').length, n);
      assert.equal(tier(plan, 'synthesizer').length, synthesizers, `${n} workers`);
      assert.equal(tier(plan, 'executive').length, n < 10 ? 0 : 1, `${n} workers`);
      assert.equal(plan.pattern, n === 1 ? 'single' : 'fork-join');
      assert.deepEqual(validatePlan(plan, roomy), []);
    }
  });

  it('builds no tiers on one level, and one on two', () => {
    assert.deepEqual(tiersFor(20, { fanIn: 5, maxDepth: 1 }), { synthesizers: 0, executives: 0 });
    assert.deepEqual(tiersFor(20, { fanIn: 5, maxDepth: 2 }), { synthesizers: 4, executives: 0 });
    assert.deepEqual(tiersFor(20, { fanIn: 10, maxDepth: 3 }), { synthesizers: 2, executives: 1 });
    const flat = forkJoin(steps(20), { ...roomy, maxDepth: 1 });
    assert.ok(flat.steps.every((one) => one.parent === null && one.tier === 'worker'));
  });

  it('hangs each worker from the synthesizer that needs it, and those from the executive', () => {
    const plan = forkJoin(steps(13), roomy);
    const [executive] = tier(plan, 'executive');
    const synthesizers = tier(plan, 'synthesizer');
    assert.deepEqual(
      executive?.needs,
      synthesizers.map((one) => one.key),
    );
    assert.ok(synthesizers.every((one) => one.parent === executive?.key && one.toleratesFailure));
    for (const worker of tier(plan, 'worker')) {
      const parent = synthesizers.find((one) => one.key === worker.parent);
      assert.ok(parent?.needs.includes(worker.key));
      assert.equal(worker.toleratesFailure, false);
    }
    const sizes = synthesizers.map((one) => one.needs.length);
    assert.deepEqual(sizes, [6, 7]);
    assert.deepEqual([...new Set(plan.steps.map((one) => one.temperature))], [0.7, 0.4, 0.2]);
  });

  it('keeps steps that need each other under one synthesizer', () => {
    const linked = steps(10).map((one, index) =>
      index % 2 === 0 && index > 0 ? { ...one, needs: [`s${index - 2}`] } : one,
    );
    const plan = forkJoin(linked, roomy);
    const even = tier(plan, 'worker').filter((one) => Number(one.key.slice(1)) % 2 === 0);
    assert.equal(new Set(even.map((one) => one.parent)).size, 1);
  });

  it('joins steps until the plan fits, and loses none of them', () => {
    const plan = forkJoin(steps(30), { ...roomy, maxAgents: 12 });
    assert.ok(plan.steps.length <= 12);
    assert.equal(tier(plan, 'worker').length, 9);
    const all = plan.steps.map((one) => one.task).join('\n');
    for (let n = 0; n < 30; n += 1) assert.equal(all.split(`task of s${n}.`).length, 2, `s${n}`);
    assert.equal(forkJoin(steps(30), { ...roomy, maxAgents: 1 }).steps.length, 1);
  });

  it('takes no key away from a step', () => {
    const plan = forkJoin([...steps(9), step('executive'), step('synthesis-1')], roomy);
    assert.equal(new Set(plan.steps.map((one) => one.key)).size, plan.steps.length);
    assert.equal(tier(plan, 'executive')[0]?.key, 'executive-2');
  });

  it('refuses a circle and an empty plan', () => {
    assert.throws(() => forkJoin([], roomy), /at least one step/);
    assert.throws(() => forkJoin([step('a', ['b']), step('b', ['a'])], { ...roomy, maxAgents: 1 }), /circle/);
  });

  it('always gives a valid plan within its limits that does every step exactly once', () => {
    const limits = fc.record({
      fanIn: fc.integer({ min: 2, max: 8 }),
      maxDepth: fc.integer({ min: 1, max: 4 }),
      maxAgents: fc.integer({ min: 1, max: 80 }),
      maxAgentsPerLevel: fc.integer({ min: 1, max: 60 }),
    });
    fc.assert(
      fc.property(anySteps(60), limits, (wished, options) => {
        const plan = forkJoin(wished, options);
        assert.deepEqual(validatePlan(plan, options), []);
        assert.ok(inOrder(plan.steps));
        const workers = tier(plan, 'worker');
        const synthesizers = tier(plan, 'synthesizer');
        const tiers = tiersFor(workers.length, options);
        assert.equal(synthesizers.length, tiers.synthesizers);
        assert.equal(tier(plan, 'executive').length, tiers.executives);
        const said = workers.map((one) => one.task).join('\n');
        for (const one of wished) assert.equal(said.split(one.task).length, 2, one.key);
        if (synthesizers.length > 0) {
          const sizes = synthesizers.map((one) => one.needs.length);
          assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1);
          assert.deepEqual(
            synthesizers.flatMap((one) => one.needs).toSorted(),
            workers.map((one) => one.key).toSorted(),
          );
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe('Validating a plan', () => {
  const good = forkJoin(steps(12), roomy);
  const faults = (change: (all: PlanStep[]) => void, limits: Partial<typeof roomy> = {}): string => {
    const copy = good.steps.map((one) => ({ ...one }));
    change(copy);
    return validatePlan({ steps: copy }, { ...roomy, ...limits })
      .map((fault) => `${fault.step ?? 'plan'}: ${fault.message}`)
      .join('\n');
  };
  const change = (all: PlanStep[], index: number, more: Partial<PlanStep>): void => {
    all[index] = { ...(all[index] as PlanStep), ...more };
  };

  it('finds nothing in a good one', () =>
    assert.equal(
      faults(() => {}),
      '',
    ));

  it('names each fault', () => {
    assert.match(
      faults((all) => all.splice(0)),
      /no steps/,
    );
    assert.match(
      faults((all) => change(all, 0, { task: ' ' })),
      /s0: It has no task/,
    );
    assert.match(
      faults((all) => change(all, 0, { key: 's1' })),
      /plan: Two steps have the same key/,
    );
    assert.match(
      faults((all) => change(all, 0, { needs: ['s0'] })),
      /s0: It needs itself/,
    );
    assert.match(
      faults((all) => change(all, 0, { needs: ['nobody'] })),
      /s0: It needs nobody, which is no step/,
    );
    assert.match(
      faults((all) => {
        change(all, 0, { needs: ['s1'] });
        change(all, 1, { needs: ['s0'] });
      }),
      /circle/,
    );
    assert.match(
      faults((all) => change(all, 0, { needs: ['executive'] })),
      /circle/,
    );
    assert.match(
      faults((all) => change(all, 0, { parent: 'nobody' })),
      /parent nobody is no step[\s\S]*never reach the run/,
    );
    assert.match(
      faults((all) => change(all, 14, { parent: 'synthesis-1' })),
      /never reach the run/,
    );
    assert.match(
      faults((all) => change(all, 0, { weight: 0 })),
      /weight/,
    );
    assert.match(
      faults((all) => change(all, 0, { temperature: Number.NaN })),
      /temperature/,
    );
    assert.match(
      faults(() => {}, { maxDepth: 2 }),
      /on level 3; 2 are allowed/,
    );
    assert.match(
      faults(() => {}, { maxAgents: 14 }),
      /15 agents; 14 are allowed/,
    );
    assert.match(
      faults(() => {}, { maxAgentsPerLevel: 11 }),
      /Level 3 has 12 agents; 11 are allowed/,
    );
  });
});
