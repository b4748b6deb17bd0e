import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Plan, PlanStep } from '../../../mcp-server/domain/plan.ts';
import { buildPlan } from '../../../mcp-server/planning/patterns/build.ts';
import {
  type Item,
  isNested,
  type Part,
  type PatternOptions,
  type PatternSpec,
  partsOf,
  withParts,
} from '../../../mcp-server/planning/patterns/spec.ts';
import { inOrder, type PlannedStep } from '../../../mcp-server/planning/steps.ts';
import { validatePlan } from '../../../mcp-server/planning/validate-plan.ts';

const roomy: PatternOptions = { fanIn: 5, maxDepth: 12, maxAgents: 100_000, maxAgentsPerLevel: 100_000 };

const reduction = fc.constantFrom(
  { by: 'merge' },
  { by: 'best-of' },
  { by: 'vote' },
  { by: 'concat' },
  { by: 'weighted-average', options: { weights: [1, 2] } },
  { by: 'of-my-own', fanIn: 3 },
  { by: 'merge', fanIn: 2 },
);

/** Parts that need only earlier ones; some have a condition on one. */
const withNeeds = (inner: fc.Arbitrary<Part>, most: number): fc.Arbitrary<readonly Part[]> =>
  fc
    .array(fc.record({ part: inner, needs: fc.array(fc.nat(most), { maxLength: 2 }), asks: fc.nat(3 * most) }), {
      minLength: 1,
      maxLength: most,
    })
    .map((all) =>
      all.map(({ part, needs, asks }, index) => ({
        ...part,
        key: `p${index}`,
        needs: [...new Set(needs.filter((need) => need < index).map((need) => `p${need}`))],
        ...(asks < index ? { when: { step: `p${asks}`, is: 'failed' as const } } : {}),
      })),
    );

const leaf: fc.Arbitrary<PlannedStep> = fc
  .record({
    undo: fc.constantFrom(undefined, { kind: 'revert' as const }, { kind: 'command' as const, argv: ['undo'] }),
    computes: fc.nat(9),
    weight: fc.integer({ min: 1, max: 9 }),
  })
  .map(({ undo, computes, weight }) => ({
    key: 'step',
    title: 'a step',
    task: 'Work.',
    role: 'worker',
    needs: [],
    weight,
    ...(undo ? { undo } : {}),
    ...(computes === 0 ? { work: { kind: 'compute' as const, processor: 'concat', options: {} } } : {}),
  }));

const nested = (spec: fc.Arbitrary<PatternSpec>): fc.Arbitrary<Part> =>
  spec.map((inner) => ({ key: 'inner', title: 'a pattern', needs: [], spec: inner }));

const specs = (depth: number, most: number): fc.Arbitrary<PatternSpec> => {
  const part = depth === 0 ? leaf : fc.oneof({ weight: 3, arbitrary: leaf }, nested(specs(depth - 1, 4)));
  const parts = withNeeds(part, most);
  const items = fc
    .nat(most)
    .map((count) =>
      Array.from({ length: count }, (_, n): Item => ({ key: `i${n}`, title: `item ${n}`, text: `item ${n}` })),
    );
  const ahead = fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined });
  return fc.oneof(
    parts.map((all): PatternSpec => ({ pattern: 'fork-join', parts: all })),
    parts.map((all): PatternSpec => ({ pattern: 'workflow', parts: all })),
    parts.map((all): PatternSpec => ({ pattern: 'saga', parts: all })),
    fc.tuple(parts, reduction, ahead).map(
      ([mappers, reduce, most]): PatternSpec => ({
        pattern: 'map-reduce',
        mappers,
        reduce,
        ...(most === undefined ? {} : { most: most * 3 }),
      }),
    ),
    fc.tuple(parts, reduction, ahead).map(
      ([voices, gather, quorum]): PatternSpec => ({
        pattern: 'scatter-gather',
        voices,
        gather,
        quorum: quorum ?? null,
        withinMs: 60_000,
      }),
    ),
    fc.tuple(parts, items, fc.option(reduction, { nil: null }), ahead).map(
      ([stages, some, gather, inFlight]): PatternSpec => ({
        pattern: 'pipeline',
        items: some,
        stages: stages.map(({ when: _when, ...stage }) => stage as Part),
        gather,
        ...(inFlight === undefined ? {} : { inFlight }),
      }),
    ),
  );
};

/** The same with a mark in every task and every item, so that each can be found again. */
const marked = (spec: PatternSpec, mark: () => string): PatternSpec => {
  const parts = partsOf(spec).map(
    (part): Part =>
      isNested(part) ? { ...part, spec: marked(part.spec, mark) } : { ...part, task: `Work on ${mark()}.` },
  );
  const again = withParts(spec, parts);
  return again.pattern === 'pipeline'
    ? { ...again, items: again.items.map((item) => ({ ...item, text: mark() })) }
    : again;
};

/** What must be done: the marks of a step, and of the items that it is done for. */
const duties = (spec: PatternSpec): readonly (readonly string[])[] => {
  const inner = partsOf(spec).flatMap((part) => (isNested(part) ? duties(part.spec) : [marksIn(part.task)]));
  if (spec.pattern !== 'pipeline' || spec.items.length === 0) return inner;
  return spec.items.flatMap((item) => inner.map((duty) => [...duty, item.text]));
};

const marksIn = (text: string): readonly string[] => [...new Set(text.match(/<\d+>/g))].toSorted();

const anySpec = specs(2, 7).map((spec) => {
  let last = 0;
  return marked(spec, () => `<${(last += 1)}>`);
});

const limits: fc.Arbitrary<PatternOptions> = fc.record({
  fanIn: fc.integer({ min: 2, max: 6 }),
  maxDepth: fc.integer({ min: 1, max: 5 }),
  maxAgents: fc.integer({ min: 1, max: 60 }),
  maxAgentsPerLevel: fc.integer({ min: 1, max: 40 }),
});

/** Keys of all steps that come before each, as whoever carries the plan out would find them. */
const before = (plan: Plan): ReadonlyMap<string, ReadonlySet<string>> => {
  const found = new Map<string, Set<string>>();
  for (const step of inOrder(plan.steps) ?? assert.fail('a circle'))
    found.set(step.key, new Set(step.needs.flatMap((need) => [need, ...(found.get(need) ?? [])])));
  return found;
};

const conditionKeys = (when: unknown): readonly string[] =>
  [...JSON.stringify(when ?? null).matchAll(/"step":"([^"]+)"/g)].map(([, key]) => key ?? '');

const check = (plan: Plan, options: PatternOptions): void => {
  assert.deepEqual(validatePlan(plan, options), []);
  for (const { key, needs, onFailure } of plan.steps)
    assert.deepEqual(
      Object.keys(onFailure ?? {}).filter((need) => !needs.includes(need)),
      [],
      key,
    );
  const earlier = before(plan);
  const byKey = new Map(plan.steps.map((step) => [step.key, step]));
  for (const step of plan.steps) {
    const seen = earlier.get(step.key);
    if (step.parent !== null) {
      const parent = byKey.get(step.parent);
      assert.ok(
        earlier.get(step.parent)?.has(step.key),
        `${step.parent} starts after ${step.key}, which hangs from it`,
      );
      assert.notEqual(parent?.work?.kind, 'compute', 'a processor has no agents below it');
      assert.ok(step.tier === 'worker' || (parent?.temperature ?? 0) <= step.temperature, 'temperature falls upwards');
    }
    for (const key of Object.keys(step.onFailure ?? {}))
      assert.ok(step.needs.includes(key), `${step.key}: edge ${key}`);
    for (const key of conditionKeys(step.when)) assert.ok(seen?.has(key), `${step.key} asks about ${key} too early`);
    const quorum = step.join?.quorum ?? null;
    if (quorum !== null)
      assert.ok(quorum >= 1 && quorum <= step.needs.length, `quorum ${quorum} of ${step.needs.length}`);
    assert.ok(step.tier !== 'executive' || step.parent === null);
  }
};

const isWork = (step: PlanStep): boolean => marksIn(step.task).length > 0;

describe('Any pattern, nested in any way', () => {
  it('gives a valid plan in which each step is done once for each of its items', () => {
    fc.assert(
      fc.property(anySpec, fc.integer({ min: 2, max: 6 }), (spec, fanIn) => {
        const plan = buildPlan(withoutMost(spec), { ...roomy, fanIn });
        check(plan, roomy);
        const wanted = duties(spec).map((duty) => duty.toSorted().join(' '));
        const found = plan.steps.filter(isWork).map((step) => marksIn(step.task).join(' '));
        assert.deepEqual(found.toSorted(), wanted.toSorted());
      }),
      { numRuns: 250 },
    );
  });

  it('fits any limits, and still does everything in exactly one step', () => {
    fc.assert(
      fc.property(anySpec, limits, (spec, options) => {
        const plan = buildPlan(spec, options);
        check(plan, options);
        const works = plan.steps.map((step) => new Set(marksIn(step.task)));
        for (const duty of duties(spec))
          assert.equal(works.filter((work) => duty.every((mark) => work.has(mark))).length, 1, duty.join(' '));
        if (
          plan.steps.length <
          buildPlan(spec, { ...roomy, fanIn: options.fanIn, maxDepth: options.maxDepth }).steps.length
        )
          assert.match(plan.because ?? '', /Parts were joined to fit the limits/);
      }),
      { numRuns: 250 },
    );
  });

  it('is the same plan each time', () => {
    fc.assert(
      fc.property(anySpec, limits, (spec, options) =>
        assert.deepEqual(buildPlan(spec, options), buildPlan(spec, options)),
      ),
      { numRuns: 20 },
    );
  });

  it('is planned at once, a hundred steps and more', () => {
    const part = (n: number): Part => ({
      key: `s${n}`,
      title: `step ${n}`,
      task: `Work ${n}.`,
      role: 'worker',
      needs: [],
    });
    const inner: PatternSpec = {
      pattern: 'map-reduce',
      mappers: Array.from({ length: 20 }, (_, n) => part(n)),
      reduce: { by: 'merge' },
    };
    const spec: PatternSpec = {
      pattern: 'fork-join',
      parts: Array.from({ length: 6 }, (_, n): Part => ({ key: `m${n}`, title: `map ${n}`, needs: [], spec: inner })),
    };
    const tight = { ...roomy, maxDepth: 4, maxAgents: 60, maxAgentsPerLevel: 40 };
    buildPlan(spec, tight);
    const start = performance.now();
    assert.ok(buildPlan(spec, tight).steps.length > 30);
    assert.ok(performance.now() - start < 50, String(performance.now() - start));
  });
});

/** Slices are joined to reach `most`; without it every mapper is a step of its own. */
const withoutMost = (spec: PatternSpec): PatternSpec => {
  const again = withParts(
    spec,
    partsOf(spec).map((part) => (isNested(part) ? { ...part, spec: withoutMost(part.spec) } : part)),
  );
  if (again.pattern !== 'map-reduce') return again;
  const { most: _most, ...rest } = again;
  return rest;
};
