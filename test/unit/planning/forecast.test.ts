import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { ForecastFacts, PastForecast } from '../../../mcp-server/domain/forecast.ts';
import type { RunId } from '../../../mcp-server/domain/ids.ts';
import type { Observation } from '../../../mcp-server/domain/observation.ts';
import type { Plan, PlanStep } from '../../../mcp-server/domain/plan.ts';
import { estimator, PRIORS, sizeFactor } from '../../../mcp-server/planning/estimate.ts';
import { forecast, pastErrorOf } from '../../../mcp-server/planning/forecast.ts';
import {
  fromQuantiles,
  momentsOf,
  normalCdf,
  normalQuantile,
  quantileOf,
  sumQuantiles,
} from '../../../mcp-server/planning/lognormal.ts';
import { remaining } from '../../../mcp-server/planning/remaining.ts';
import { makespan, networkOf, pathsToEnd, placesOf } from '../../../mcp-server/planning/schedule.ts';

const step = (key: string, more: Partial<PlanStep> = {}): PlanStep => ({
  key,
  title: key,
  task: `do ${key}`,
  role: 'worker',
  tier: 'worker',
  needs: [],
  toleratesFailure: false,
  parent: null,
  weight: 1,
  temperature: 0.7,
  ...more,
});
const plan = (steps: readonly PlanStep[], more: Partial<Plan> = {}): Plan => ({
  pattern: 'fork-join',
  source: { by: 'model' },
  steps,
  ...more,
});
const facts: ForecastFacts = {
  slots: 4,
  budget: null,
  checkoutBytes: 1000,
  retries: 0,
  timeouts: { worker: null, synthesizer: null, executive: null },
};
const seen = (tokens: number, more: Partial<Observation> = {}): Observation => ({
  run: 'r-1' as RunId,
  agent: null,
  role: 'worker',
  tier: 'worker',
  pattern: 'fork-join',
  tokens,
  wallMs: tokens,
  turns: 5,
  ok: true,
  at: 0,
  ...more,
});
const none = { observations: [], past: [] };
const after = (observations: readonly Observation[], past: readonly PastForecast[] = []) => ({ observations, past });

describe('Sums of uncertain quantities', () => {
  it('know the normal distribution and its inverse', () => {
    for (const p of [0.001, 0.02, 0.3, 0.5, 0.9, 0.999])
      assert.ok(Math.abs(normalCdf(normalQuantile(p)) - p) < 1e-6, String(p));
    const one = fromQuantiles({ p50: 10, p90: 30 });
    assert.ok(Math.abs(quantileOf(one, 0.5) - 10) < 1e-6 && Math.abs(quantileOf(one, 0.9) - 30) < 1e-6);
  });

  it('are what drawing them many times gives, and of one they are itself', () => {
    const part = fromQuantiles({ p50: 20_000, p90: 60_000 });
    const single = sumQuantiles([momentsOf(part)]);
    assert.ok(Math.abs(single.p50 - 20_000) < 1 && Math.abs(single.p90 - 60_000) < 1);
    const sums = Array.from({ length: 4000 }, (_, round) => {
      const shared = normalQuantile((round + 0.5) / 4000) * Math.sqrt(0.45);
      let sum = 0;
      for (let agent = 0; agent < 20; agent += 1) {
        const luck = ((round * 7919 + agent * 104_729 + round * agent * 31) % 9973) / 9973 || 0.5;
        sum += Math.exp(part.mu + part.sigma * (shared + Math.sqrt(0.55) * normalQuantile(luck)));
      }
      return sum;
    }).sort((a, b) => a - b);
    const { p50, p90 } = sumQuantiles(Array.from({ length: 20 }, () => momentsOf(part)));
    assert.ok(Math.abs(p50 / (sums[2000] ?? 1) - 1) < 0.15, `${p50} ${sums[2000]}`);
    assert.ok(Math.abs(p90 / (sums[3600] ?? 1) - 1) < 0.2, `${p90} ${sums[3600]}`);
    assert.ok(p90 < 20 * 60_000, 'p90s are not added');
  });

  it('cannot be more than what is allowed', () => {
    const part = { mu: Math.log(100), sigma: 1 };
    assert.ok(momentsOf(part, 50).mean < 50);
    assert.ok(Math.abs(momentsOf(part, 1e9).mean - momentsOf(part).mean) < 0.1);
    assert.deepEqual(momentsOf(part, 0), { mean: 0, variance: 0 });
  });
});

describe('The schedule of a plan', () => {
  const run = (
    needs: readonly (readonly string[])[],
    durations: readonly number[],
    slots: number,
    quorum?: number,
  ): number => {
    const steps = needs.map((some, index) => ({
      key: `s${index}`,
      needs: some,
      ...(quorum !== undefined && index === needs.length - 1 ? { join: { quorum, withinMs: null } } : {}),
    }));
    const network = networkOf(steps);
    return makespan(network, durations, placesOf(pathsToEnd(network, durations)), slots);
  };

  it('is the longest way where slots are free, and the sum where there is one', () => {
    const needs = [[], [], ['s0'], ['s0', 's1']];
    assert.equal(run(needs, [10, 25, 20, 5], 9), 30);
    assert.equal(run(needs, [10, 25, 20, 5], 1), 60);
    assert.equal(run([[], [], [], []], [10, 10, 10, 10], 2), 20);
    assert.equal(run([['s1'], []], [5, 7], 3), 12);
  });

  it('gives what ends in one moment free together, so that the longest way goes first', () => {
    const both = ['s0', 's1'];
    assert.equal(run([[], [], [], both, both, ['s3', 's4']], [10, 10, 10, 10, 10, 40], 2), 60);
  });

  it('waits for a quorum alone where there is one', () => {
    assert.equal(run([[], [], [], ['s0', 's1', 's2']], [10, 20, 90, 5], 9, 2), 25);
  });

  it('is never shorter than the longest way or the work over the slots, nor longer than both together', () => {
    const graph = fc.array(
      fc.record({ needs: fc.array(fc.nat({ max: 30 }), { maxLength: 4 }), ms: fc.nat({ max: 100 }) }),
      {
        minLength: 1,
        maxLength: 30,
      },
    );
    fc.assert(
      fc.property(graph, fc.integer({ min: 1, max: 6 }), (raw, slots) => {
        const needs = raw.map((one, index) =>
          [...new Set(one.needs.filter((need) => need < index))].map((need) => `s${need}`),
        );
        const durations = raw.map((one) => one.ms);
        const network = networkOf(needs.map((some, index) => ({ key: `s${index}`, needs: some })));
        const longest = Math.max(...pathsToEnd(network, durations));
        const work = durations.reduce((sum, ms) => sum + ms, 0) / slots;
        const took = run(needs, durations, slots);
        assert.ok(
          took >= Math.max(longest, work) - 1e-9 && took <= work + longest + 1e-9,
          `${took} ${longest} ${work}`,
        );
      }),
    );
  });

  it('refuses a circle', () => {
    assert.throws(
      () =>
        networkOf([
          { key: 'a', needs: ['b'] },
          { key: 'b', needs: ['a'] },
        ]),
      /circle/,
    );
  });
});

describe('The forecast of a plan', () => {
  const team = plan([
    step('a', { parent: 'j', files: ['x'] }),
    step('b', { parent: 'j', role: 'researcher', files: [] }),
    step('count', { work: { kind: 'compute', processor: 'count', options: {} }, needs: ['a'] }),
    step('j', { tier: 'synthesizer', role: 'synthesizer', needs: ['a', 'b'] }),
  ]);

  it('says that it rests on general experience where nothing was seen', () => {
    const found = forecast(plan([step('a')]), none, facts);
    assert.deepEqual(found.tokens, PRIORS.worker.tokens);
    assert.equal(found.basis, 'prior');
    assert.equal(found.observations, 0);
    assert.match(found.notes.join(), /general experience/);
    assert.deepEqual(found.pastError, { tokens: null, wallMs: null });
  });

  it('counts agents by level, and worktrees for those that write', () => {
    const found = forecast(team, none, facts);
    assert.deepEqual(
      found.levels.map(({ level, name, agents }) => [level, name, agents]),
      [
        [1, 'synthesizer', 1],
        [2, 'worker', 2],
      ],
    );
    assert.equal(found.agents, 3);
    assert.deepEqual([found.disk.worktrees.p50, found.disk.bytes?.p50], [2, 2000]);
    assert.equal(forecast(team, none, { ...facts, checkoutBytes: null }).disk.bytes, null);
  });

  it('names levels that are deeper than there are tiers', () => {
    const chain = ['a', 'b', 'c', 'd'].map((key, n, keys) => step(key, { parent: keys[n - 1] ?? null }));
    const deep: Plan = { pattern: 'fork-join', source: { by: 'person' }, steps: chain };
    const names = (levelNames?: readonly string[]) =>
      forecast(deep, none, { ...facts, ...(levelNames ? { levelNames } : {}) }).levels.map(({ name }) => name);
    assert.deepEqual(names(), ['worker', 'worker', 'worker', 'specialist']);
    assert.deepEqual(names(['lead', '', 'editor']), ['lead', 'worker', 'editor', 'specialist']);
    assert.equal(names(['lead', '', '', 'hand']).at(-1), 'hand');
  });

  it('has no level that costs more than the whole, also where the budget bounds it', () => {
    const wide = plan(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((key) => step(key)));
    const { tokens, levels } = forecast(wide, none, { ...facts, budget: 50_000 });
    assert.deepEqual(tokens, { p50: 50_000, p90: 50_000 });
    assert.deepEqual(levels[0]?.tokens, tokens);
  });

  it('comes to what was seen, the more was seen', () => {
    const p50 = (count: number): number =>
      forecast(plan([step('a')]), after(Array.from({ length: count }, () => seen(4000))), facts).tokens.p50;
    assert.ok(p50(1) < 20_000 && p50(1) > p50(5) && p50(5) > p50(60) && p50(60) > 3900, `${p50(1)} ${p50(60)}`);
    const basis = (count: number) =>
      forecast(plan([step('a')]), after(Array.from({ length: count }, () => seen(4000))), facts).basis;
    assert.deepEqual([basis(0), basis(3), basis(30)], ['prior', 'mixed', 'history']);
  });

  it('learns by tier, role, pattern and complexity', () => {
    const observations = [
      ...Array.from({ length: 30 }, () => seen(5000)),
      ...Array.from({ length: 30 }, () => seen(50_000, { role: 'tester' })),
      ...Array.from({ length: 30 }, () => seen(200_000, { role: 'tester', pattern: 'saga', complexity: 'complex' })),
      ...Array.from({ length: 30 }, () => seen(900, { tier: 'synthesizer', role: 'synthesizer' })),
    ];
    const of = (more: Partial<PlanStep>, also: Partial<ForecastFacts> = {}): number =>
      forecast(plan([step('a', more)]), after(observations), { ...facts, ...also }).tokens.p50;
    const [plain, tester, saga, exact] = [
      of({}),
      of({ role: 'tester' }),
      of({ role: 'tester', pattern: 'saga' }),
      of({ role: 'tester', pattern: 'saga' }, { complexity: 'complex' }),
    ];
    assert.ok(
      plain < 12_000 && plain < tester && tester < saga && saga <= exact,
      `${plain} ${tester} ${saga} ${exact}`,
    );
    assert.ok(of({ tier: 'synthesizer', role: 'synthesizer' }) < 2000);
  });

  it('is numbers whatever a step calls its role', () => {
    for (const role of ['constructor', '__proto__', 'toString']) {
      const { tokens, wallMs, disk } = forecast(plan([step('a', { role })]), none, facts);
      for (const number of [tokens.p50, tokens.p90, wallMs.p50, wallMs.p90, disk.worktrees.p90, disk.bytes?.p90])
        assert.ok(Number.isFinite(number), `${role}: ${JSON.stringify({ tokens, wallMs, disk })}`);
    }
  });

  it('does not take steps that were left out for failures', () => {
    const good = Array.from({ length: 20 }, () => seen(9000));
    const omitted = Array.from({ length: 60 }, () => seen(0, { ok: false }));
    const patient = { ...facts, retries: 3 };
    const at = (observations: readonly Observation[]) => forecast(plan([step('a')]), after(observations), patient);
    assert.deepEqual(at([...good, ...omitted]).tokens, at(good).tokens);
  });

  it('tells how such forecasts did here', () => {
    const pair = (forecast: number, actual: number): PastForecast => ({
      forecast: { tokens: { p50: forecast, p90: 2 * forecast }, wallMs: { p50: 1, p90: 2 } },
      actual: { tokens: actual, wallMs: 0 },
    });
    const found = forecast(team, after([], [pair(100, 200), pair(100, 100), pair(100, 400)]), facts);
    assert.deepEqual(found.pastError.tokens, { runs: 3, percent: 50, bias: -50, belowP90: 67 });
    assert.equal(found.pastError.wallMs, null);
    assert.equal(pastErrorOf([]), null);
  });

  it('is bounded by the budget, and says when that is little', () => {
    const many = plan(Array.from({ length: 20 }, (_, n) => step(`s${n}`)));
    const found = forecast(many, none, { ...facts, budget: 50_000 });
    assert.deepEqual(found.tokens, { p50: 50_000, p90: 50_000 });
    assert.match(found.notes.join(' '), /will most likely not be enough[\s\S]*about 2,500 tokens/);
  });

  it('falls with a timeout, and rises with retries, joined parts and fewer slots', () => {
    const four = plan(['a', 'b', 'c', 'd'].map((key) => step(key)));
    const base = forecast(four, none, facts);
    const timed = forecast(four, none, { ...facts, timeouts: { ...facts.timeouts, worker: 60_000 } });
    assert.ok(timed.tokens.p50 < base.tokens.p50 && timed.wallMs.p90 <= 60_000);
    const failing = after(Array.from({ length: 20 }, (_, n) => seen(20_000, { ok: n % 2 === 0 })));
    assert.ok(
      forecast(four, failing, { ...facts, retries: 3 }).tokens.p50 > 1.3 * forecast(four, failing, facts).tokens.p50,
    );
    assert.ok(forecast(four, none, { ...facts, slots: 1 }).wallMs.p50 > 2 * base.wallMs.p50);
    const joined = forecast(plan([step('a', { parts: 4 })]), none, facts).tokens.p50;
    assert.ok(joined > 2 * forecast(plan([step('a')]), none, facts).tokens.p50 && joined < base.tokens.p50);
    assert.equal(sizeFactor(1), 1);
  });

  const tier = fc.constantFrom('worker' as const, 'synthesizer' as const, 'executive' as const);
  const role = fc.constantFrom('worker', 'tester', 'writer', 'odd');
  const observation = fc
    .record({
      tokens: fc.integer({ min: 0, max: 1_000_000 }),
      wallMs: fc.integer({ min: 0, max: 10_000_000 }),
      role,
      tier,
      ok: fc.boolean(),
    })
    .map((more) => seen(more.tokens, more));
  const anySteps = fc
    .array(
      fc.record({
        tier,
        role,
        needs: fc.array(fc.nat({ max: 20 }), { maxLength: 3 }),
        parts: fc.integer({ min: 1, max: 9 }),
      }),
      { minLength: 2, maxLength: 20 },
    )
    .map((raws) =>
      raws.map((raw, index) =>
        step(`s${index}`, {
          tier: raw.tier,
          role: raw.role,
          parts: raw.parts,
          needs: [...new Set(raw.needs.filter((need) => need < index))].map((need) => `s${need}`),
        }),
      ),
    );

  it('never costs less for a step more, whatever was seen; its quantiles are in order', () => {
    fc.assert(
      fc.property(
        anySteps,
        fc.array(observation, { maxLength: 12 }),
        fc.integer({ min: 1, max: 8 }),
        (steps, observations, slots) => {
          const of = (some: readonly PlanStep[], at: number) =>
            forecast(plan(some), after(observations), { ...facts, slots: at });
          const [less, more] = [of(steps.slice(0, -1), slots), of(steps, slots)];
          assert.ok(
            more.tokens.p50 >= less.tokens.p50 && more.tokens.p90 >= less.tokens.p90,
            JSON.stringify([less.tokens, more.tokens]),
          );
          for (const { p50, p90 } of [
            more.tokens,
            more.wallMs,
            more.disk.worktrees,
            ...more.levels.map((level) => level.tokens),
          ])
            assert.ok(p50 <= p90 && p50 >= 0 && Number.isFinite(p90));
          for (const at of [1, 99]) {
            const [few, many] = [of(steps.slice(0, -1), at).wallMs, of(steps, at).wallMs];
            assert.ok(many.p50 >= few.p50 && many.p90 >= few.p90, `time at ${at} slots`);
          }
          assert.deepEqual(of(steps, slots), of(steps, slots));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('never costs less than one of its levels, whatever bounds it', () => {
    fc.assert(
      fc.property(
        anySteps,
        fc.array(observation, { maxLength: 12 }),
        fc.option(fc.integer({ min: 1000, max: 2_000_000 })),
        fc.option(fc.integer({ min: 1000, max: 600_000 })),
        (steps, observations, budget, worker) => {
          const inLevels = steps.map((one, index) =>
            index % 3 === 0 ? one : { ...one, parent: `s${index - (index % 3)}` },
          );
          const timeouts = { ...facts.timeouts, worker };
          const { tokens, levels } = forecast(plan(inLevels), after(observations), { ...facts, budget, timeouts });
          for (const level of levels)
            assert.ok(
              level.tokens.p50 <= tokens.p50 && level.tokens.p90 <= tokens.p90,
              JSON.stringify([level, tokens]),
            );
          assert.ok(tokens.p50 <= tokens.p90 && (budget === null || tokens.p90 <= budget));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('varies within what its sums can bear, whatever was seen', () => {
    fc.assert(
      fc.property(fc.array(observation, { maxLength: 30 }), (observations) => {
        const { tokens, wallMs } = estimator(observations, facts, 'saga')(step('a'));
        for (const { mu, sigma } of [tokens, wallMs]) assert.ok(Number.isFinite(mu) && sigma >= 0.15 && sigma <= 1.2);
      }),
    );
  });
});

describe('What is left of a run', () => {
  const team = plan([step('a'), step('b'), step('j', { tier: 'synthesizer', role: 'synthesizer', needs: ['a', 'b'] })]);
  const at = (
    states: Record<string, readonly [string, number, number]>,
    now = 1_000_000,
    budget: number | null = null,
  ) =>
    remaining(
      team,
      {
        steps: new Map(
          Object.entries(states).map(([key, [state, startedAt, tokens]]) => [
            key,
            { state: state as 'running', startedAt, tokens },
          ]),
        ),
        spent: 10_000,
        now,
      },
      [],
      { ...facts, budget },
    );

  it('is the whole at first, less with each step that ends, and nothing at last', () => {
    const whole = forecast(team, none, facts);
    const start = at({});
    assert.deepEqual([start.tokens, start.wallMs], [whole.tokens, whole.wallMs]);
    const half = at({ a: ['done', 0, 1], b: ['running', 1_000_000, 0] });
    const late = at({ a: ['done', 0, 1], b: ['failed', 0, 1], j: ['running', 1_000_000, 0] });
    const done = at({ a: ['done', 0, 1], b: ['failed', 0, 1], j: ['done', 0, 1] });
    assert.ok(start.tokens.p50 > half.tokens.p50 && half.tokens.p50 > late.tokens.p50);
    assert.deepEqual([done.agents, done.tokens, done.eta], [0, { p50: 0, p90: 0 }, { p50: 1_000_000, p90: 1_000_000 }]);
    assert.equal(half.eta.p50, 1_000_000 + half.wallMs.p50);
  });

  it('expects more of who has been at it for long than nothing, and never more than the budget holds', () => {
    const others = { a: ['done', 0, 1], b: ['done', 0, 1] } as const;
    const fresh = at({ ...others, j: ['running', 1_000_000, 0] });
    const long = at({ ...others, j: ['running', 0, 9_000_000] }, 90_000_000);
    assert.ok(long.tokens.p50 > 0 && long.wallMs.p50 > 0);
    assert.ok(fresh.tokens.p50 > 0 && fresh.tokens.p50 <= fresh.tokens.p90);
    assert.deepEqual(at({}, 5, 12_000).tokens, { p50: 2000, p90: 2000 });
  });
});
