import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { type ForecastFacts, SHRINK_WAYS } from '../../../mcp-server/domain/forecast.ts';
import type { Pattern, Plan } from '../../../mcp-server/domain/plan.ts';
import { forecast } from '../../../mcp-server/planning/forecast.ts';
import { planOf } from '../../../mcp-server/planning/patterns/plan-of.ts';
import { shrinkPlan } from '../../../mcp-server/planning/shrink.ts';
import { inOrder, type PlannedStep } from '../../../mcp-server/planning/steps.ts';
import { validatePlan } from '../../../mcp-server/planning/validate-plan.ts';

const facts: ForecastFacts = {
  slots: 4,
  budget: 500_000,
  checkoutBytes: null,
  retries: 1,
  timeouts: { worker: null, synthesizer: null, executive: null },
};
const knowledge = { history: { observations: [], past: [] }, facts };
const limits = { maxDepth: 3, maxAgents: 100, maxAgentsPerLevel: 100 };
const planned = (count: number, needs: (n: number) => readonly string[] = () => []): readonly PlannedStep[] =>
  Array.from({ length: count }, (_, n) => ({
    key: `s${n}`,
    title: `part ${n}`,
    task: `do part ${n} of it`,
    role: 'worker',
    needs: needs(n),
  }));
const build = (pattern: Pattern, steps: readonly PlannedStep[]): Plan =>
  planOf(pattern, steps, { ...limits, fanIn: 5 });
const tiers = ({ steps }: Plan): string =>
  ['worker', 'synthesizer', 'executive'].map((tier) => steps.filter((step) => step.tier === tier).length).join(' ');

describe('Shrinking a plan', () => {
  it('to fewer agents joins workers below one joiner, keeps every task, and says so', () => {
    const before = build('fork-join', planned(12));
    assert.equal(tiers(before), '12 2 1');
    const { plan, changes } = shrinkPlan(before, 'fewer-agents', knowledge);
    assert.equal(tiers(plan), '8 2 1');
    assert.deepEqual(validatePlan(plan, limits), []);
    const tasks = plan.steps.map((step) => step.task).join('\n');
    for (let n = 0; n < 12; n += 1) assert.match(tasks, new RegExp(`do part ${n} of it`));
    assert.deepEqual(changes, ['12 workers became 8: each does more, one part after another.']);
    const joiner = plan.steps.find((step) => step.key === 'synthesis-1');
    assert.match(joiner?.task ?? '', /the work of 4 agents[\s\S]*- part \d+ \+ part \d+/);
    assert.ok(
      forecast(plan, knowledge.history, facts).tokens.p50 < forecast(before, knowledge.history, facts).tokens.p50,
    );
  });

  it('down to one agent, without joiners that have nothing to join', () => {
    let plan = build('fork-join', planned(6));
    for (let n = 0; n < 9; n += 1) plan = shrinkPlan(plan, 'fewer-agents', knowledge).plan;
    assert.equal(tiers(plan), '1 0 0');
    assert.equal(plan.pattern, 'single');
    assert.deepEqual(shrinkPlan(plan, 'fewer-agents', knowledge).changes, []);
  });

  it('to cheaper tiers drops the executive, then the synthesizers, then nothing', () => {
    const first = shrinkPlan(build('fork-join', planned(12)), 'cheaper-tiers', knowledge);
    assert.equal(tiers(first.plan), '12 2 0');
    assert.match(first.changes[0] ?? '', /Without 1 executive \(join everything\)/);
    const second = shrinkPlan(first.plan, 'cheaper-tiers', knowledge);
    assert.equal(tiers(second.plan), '12 0 0');
    assert.ok(second.plan.steps.every((step) => step.parent === null));
    assert.deepEqual(shrinkPlan(second.plan, 'cheaper-tiers', knowledge).changes, []);
  });

  it('never joins two workers around another that stands between them', () => {
    const [a, b, c] = planned(3, (n) => (n === 0 ? [] : [`s${n - 1}`])).map((one) => ({
      ...one,
      tier: 'worker' as const,
      toleratesFailure: false,
      parent: null,
      weight: 1,
      temperature: 0.7,
    }));
    assert.ok(a && b && c);
    const source = { by: 'person' } as const;
    const chain: Plan = { pattern: 'workflow', source, steps: [a, { ...b, server: 'http://127.0.0.1:1' }, c] };
    assert.deepEqual(shrinkPlan(chain, 'fewer-agents', knowledge).changes, []);
    const { plan } = shrinkPlan({ ...chain, steps: [a, b, c] }, 'fewer-agents', knowledge);
    assert.equal(plan.steps.length, 2);
  });

  it('never drops who makes one result of many, nor whoever is asked', () => {
    for (const pattern of ['map-reduce', 'scatter-gather'] as const) {
      const before = build(pattern, planned(3));
      assert.deepEqual(shrinkPlan(before, 'cheaper-tiers', knowledge).changes, [], pattern);
    }
    assert.deepEqual(shrinkPlan(build('scatter-gather', planned(3)), 'fewer-agents', knowledge).changes, []);
    assert.deepEqual(shrinkPlan(build('saga', planned(3)), 'fewer-agents', knowledge).changes, []);
  });

  it('to tighter steps limits time, tries and tokens, once', () => {
    const { plan, changes, budget } = shrinkPlan(build('fork-join', planned(3)), 'tighter-steps', knowledge);
    assert.ok(plan.steps.every((step) => step.timeoutMs === 140_000 && step.retries === 0));
    assert.ok(budget !== null && budget < 100_000);
    assert.match(changes.join(' '), /3 steps must wrap up after 2 min.*not be tried again.*in place of 500,000/);
    const now = { ...knowledge, facts: { ...facts, budget } };
    assert.deepEqual(shrinkPlan(plan, 'tighter-steps', now).changes, []);
  });

  it('says why the plan is so as it is now, and nothing of what it was', () => {
    const before: Plan = { ...build('fork-join', planned(12)), because: '12 steps side by side under an executive.' };
    const fewer = shrinkPlan(before, 'fewer-agents', knowledge);
    assert.equal(
      fewer.plan.because,
      'You made the plan smaller: 8 workers, which do 12 parts among them; joined by 2 synthesizers and 1 executive.',
    );
    const cheaper = shrinkPlan(fewer.plan, 'cheaper-tiers', knowledge);
    assert.match(cheaper.plan.because ?? '', /^You made the plan smaller: 8 .*; joined by 2 synthesizers\.$/);
    const flat = shrinkPlan(cheaper.plan, 'cheaper-tiers', knowledge);
    assert.match(flat.plan.because ?? '', /; nobody joins their work\.$/);
    const tighter = shrinkPlan(flat.plan, 'tighter-steps', knowledge);
    assert.match(
      tighter.plan.because ?? '',
      /; nobody joins their work\. Every step has \d+ min.* before it must wrap up\. Every step is tried only once\. Its agents get [\d,]+ tokens\.$/,
    );
    let one = { ...tighter.plan, budget: 7000 };
    for (let n = 0; n < 9; n += 1) one = { ...one, ...shrinkPlan(one, 'fewer-agents', knowledge).plan };
    assert.match(one.because ?? '', /^You made the plan smaller: one agent does all of it\. .* 7,000 tokens\.$/);
    assert.equal(shrinkPlan(before, 'cheaper-tiers', knowledge).plan.because?.includes('executive'), false);
    const nothing = build('saga', planned(3));
    assert.deepEqual(
      shrinkPlan({ ...nothing, because: 'As it was.' }, 'fewer-agents', knowledge).plan.because,
      'As it was.',
    );
  });

  it('stays a plan with every task, whatever it was; what is given up is not paid for', () => {
    const pattern = fc.constantFrom<Pattern>('fork-join', 'map-reduce', 'pipeline', 'scatter-gather', 'saga');
    const shape = fc.array(fc.array(fc.nat({ max: 20 }), { maxLength: 2 }), { minLength: 1, maxLength: 16 });
    fc.assert(
      fc.property(
        pattern,
        shape,
        fc.array(fc.constantFrom(...SHRINK_WAYS), { maxLength: 5 }),
        (pattern, needs, ways) => {
          let plan = build(
            pattern,
            planned(needs.length, (n) => (needs[n] ?? []).filter((need) => need < n).map((need) => `s${need}`)),
          );
          const free = { ...facts, budget: null };
          let cost = forecast(plan, knowledge.history, free).tokens;
          for (const way of ways) {
            const { plan: next, changes } = shrinkPlan(plan, way, knowledge);
            if (changes.length === 0) assert.deepEqual(next, plan);
            assert.ok(inOrder(next.steps) && next.steps.length > 0 && next.steps.length <= plan.steps.length);
            assert.deepEqual(validatePlan(next, limits), []);
            const tasks = next.steps.map((step) => step.task).join('\n');
            for (let n = 0; n < needs.length; n += 1) assert.ok(tasks.includes(`do part ${n} of it`));
            const now = forecast(next, knowledge.history, facts).tokens;
            assert.ok(now.p50 <= cost.p50 + 1, `${way}: ${now.p50} ${cost.p50}`);
            [plan, cost] = [next, now];
          }
        },
      ),
      { numRuns: 80 },
    );
  });
});
