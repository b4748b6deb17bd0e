import assert from 'node:assert/strict';
import type { RunView } from '../../mcp-server/engine/facade.ts';
import type { PlanView } from '../../mcp-server/engine/planning-facade.ts';
import { type Bench, openBench } from '../support/engine.ts';
import { type Rehearsal, startRehearsal } from '../support/scripted-server.ts';
import { BIG_TASK, eventsOf, isPlanner, planOf, writePart } from '../support/team.ts';

const ASK = { planning: { gate: 'ask', retries: 0 } } as const;
const signal = new AbortController().signal;

describe('The gate before the fan-out', () => {
  let bench: Bench;
  afterEach(async () => {
    for (const run of await bench.engine.listRuns(10)) assert.deepEqual(await bench.invariants(run.run), []);
    await bench.close();
  });

  const open = async (steps = 6): Promise<void> => {
    bench = await openBench({ script: (request) => (isPlanner(request) ? planOf(steps) : writePart(request)) });
  };
  const planned = async (more: object = {}): Promise<RunView> => {
    const { run } = await bench.engine.startRun({ task: BIG_TASK, options: { ...ASK, ...more } });
    const view = await bench.engine.waitPlanned(run, 10_000, signal);
    assert.equal(view.state, 'planned', JSON.stringify(view));
    return view;
  };

  it('shows the plan with its levels, tokens and forecast, and begins no agent of it', async () => {
    await open();
    const { run } = await planned();
    const plan = await bench.engine.showPlan(run);
    assert.equal(plan.steps.filter((step) => step.tier === 'worker').length, 6);
    assert.equal(plan.steps.filter((step) => step.tier === 'synthesizer').length, 1);
    assert.ok(plan.because.length > 0 && plan.by === 'the model');
    assert.match(
      plan.complexity?.because ?? '',
      /; worth 2 levels: 5 to 9 workers; agents may divide their parts down to level 3$/,
    );
    assert.equal(plan.forecast.basis, 'prior');
    assert.equal(plan.forecast.agents, 7);
    assert.ok(plan.forecast.tokens.p50 > 0 && plan.forecast.tokens.p90 >= plan.forecast.tokens.p50);
    assert.ok((plan.forecast.disk.bytes?.p50 ?? 0) > 0);
    assert.ok(plan.steps.every((step) => step.tokens > 0 && step.agent === null && step.state === 'pending'));
    const { agents } = await bench.engine.listAgents({ run });
    assert.deepEqual(
      agents.map((agent) => agent.tier),
      ['planner'],
    );
    assert.equal(await bench.engine.isIdle(), true);
  });

  it('waits through a restart, and carries the plan out when it is let go, once', async () => {
    await open(2);
    const { run } = await planned();
    await bench.restart();
    assert.equal((await bench.engine.runStatus(run)).state, 'planned');
    await bench.engine.approvePlan(run);
    await bench.engine.approvePlan(run);
    const view = await bench.waitEnd(run);
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    assert.equal(view.filesChanged, 2);
    assert.equal(view.agents.total, 3);
    const { forecast, remaining } = await bench.engine.forecast(run);
    assert.ok(forecast.tokens.p50 > 0);
    assert.equal(remaining, null);
  });

  it('makes a plan smaller, forecasts it anew at once, and says what was changed', async () => {
    await open(10);
    const { run } = await planned();
    const before = await bench.engine.showPlan(run);
    const { plan, changes } = await bench.engine.changePlan({ run, shrink: 'fewer-agents' });
    assert.ok(changes.length > 0);
    assert.ok(plan.steps.length < before.steps.length);
    assert.ok(plan.forecast.agents < before.forecast.agents);
    const cheaper = await bench.engine.changePlan({ run, shrink: 'cheaper-tiers' });
    assert.ok(cheaper.plan.forecast.tokens.p50 <= plan.forecast.tokens.p50);
    assert.match(cheaper.plan.because, /^You made the plan smaller: \d+ workers, which do 10 parts among them/);
    await bench.engine.approvePlan(run);
    assert.equal((await bench.waitEnd(run)).state, 'completed');
  });

  it('takes a plan that a person has edited, and refuses a broken one with its lines and keeps the old', async () => {
    await open(2);
    const { run } = await planned();
    const { yaml } = await bench.engine.showPlan(run);
    await assert.rejects(
      bench.engine.changePlan({ run, yaml: yaml.replace('title: part 0', 'title: part 0\n    needs: [nobody]') }),
      /3?\d:\d+: s0: It needs nobody/,
    );
    assert.equal((await bench.engine.showPlan(run)).yaml, yaml);
    const { plan } = await bench.engine.changePlan({ run, yaml: yaml.replaceAll('part 0', 'the first part') });
    assert.equal(plan.steps[0]?.title, 'the first part');
    assert.equal(plan.by, 'you');
    await bench.engine.approvePlan(run);
    await bench.waitEnd(run);
    const { agents } = await bench.engine.listAgents({ run });
    assert.ok(agents.some((agent) => agent.name === 'the first part'));
  });

  describe('with several servers', () => {
    let other: Rehearsal;
    beforeEach(async () => {
      other = await startRehearsal({ slots: 4, answer: (request) => writePart(request) });
    });
    afterEach(() => other.close());
    const shared = (): Promise<RunView> => {
      const servers = [{ server: other.url, model: null, capabilities: ['sql'] }];
      return planned({ planning: { ...ASK.planning, servers, distribution: 'round-robin' } });
    };
    const places = ({ steps }: PlanView): string =>
      steps.map(({ server }) => (server === null ? '-' : server === other.url ? 'other' : 'own')).join(' ');

    it('shares the steps of an edited plan out as it says, save those that name a server', async () => {
      await open(4);
      const { run } = await shared();
      const before = await bench.engine.showPlan(run);
      assert.equal(places(before), 'own other own other');
      assert.match(before.yaml, /^distribution: round-robin$/m);
      assert.doesNotMatch(before.yaml, /server:/, 'what was not written by hand is chosen anew');
      const byCapability = before.yaml
        .replace('distribution: round-robin', 'distribution: capability')
        .replace('title: part 0', `title: part 0\n    capabilities: [sql]`)
        .replace('title: part 1', `title: part 1\n    capabilities: [sql]`)
        .replace('title: part 2', `title: part 2\n    capabilities: [sql]`)
        .replace('title: part 3', `title: part 3\n    server: ${bench.model.url}`);
      const { plan } = await bench.engine.changePlan({ run, yaml: byCapability });
      assert.equal(places(plan), 'other other other own');
      assert.match(plan.yaml, /^distribution: capability$/m);
      assert.equal(plan.yaml.match(/server:/g)?.length, 1, 'that one stays where it was put');
      await bench.engine.approvePlan(run);
      const view = await bench.waitEnd(run);
      assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
      assert.deepEqual([bench.model.requests.length, other.requests.length], [1 + 2, 3 * 2]);
    });

    it('shares the steps of a smaller plan out anew, and joins them wherever they were to go', async () => {
      await open(4);
      const { run } = await shared();
      const { plan } = await bench.engine.changePlan({ run, shrink: 'fewer-agents' });
      assert.equal(plan.steps.length, 3);
      assert.equal(places(plan), 'own other own');
      const again = await bench.engine.changePlan({ run, shrink: 'fewer-agents' });
      assert.equal(places(again.plan), 'own other');
    });
  });

  it('says that a distribution changes nothing where there is one server only', async () => {
    await open(2);
    const { run } = await planned();
    const { yaml } = await bench.engine.showPlan(run);
    const { changes } = await bench.engine.changePlan({ run, yaml: `distribution: capability\n${yaml}` });
    assert.match(changes.join(' '), /The distribution capability changes nothing: the run has one server only/);
    const again = await bench.engine.changePlan({ run, yaml: (await bench.engine.showPlan(run)).yaml });
    assert.deepEqual(again.changes, ['The plan was changed by hand.']);
  });

  it('ends a run whose plan is dropped, without an agent of it', async () => {
    await open(2);
    const { run } = await planned();
    await bench.engine.cancelRun({ run, mode: 'wrap-up' });
    const view = await bench.waitEnd(run);
    assert.equal(view.state, 'cancelled');
    assert.equal(view.agents.total, 1);
    await assert.rejects(bench.engine.approvePlan(run), /does not wait any more/);
  });

  it('holds a plan whose forecast is above the limit, and says so', async () => {
    await open(6);
    const { run } = await bench.engine.startRun({
      task: BIG_TASK,
      options: { planning: { maxForecastTokens: 10, retries: 0 } },
    });
    assert.equal((await bench.engine.waitPlanned(run, 10_000, signal)).state, 'planned');
    const held = (await eventsOf(bench, run)).find((event) => event.type === 'run.held');
    assert.match(held?.type === 'run.held' ? held.reason : '', /above 10/);
  });

  it('takes the plan of an earlier run of the same task and commit, unless that is refused', async () => {
    await open(3);
    const options = { planning: { retries: 0 } };
    const first = await bench.run(BIG_TASK, options);
    const again = await bench.run(BIG_TASK, options);
    assert.deepEqual([first.agents.total, again.agents.total], [4, 3]);
    assert.ok((await bench.engine.showPlan(again.run)).cachedAt !== null);
    const anew = await bench.run(BIG_TASK, { planning: { retries: 0, cache: false } });
    assert.equal(anew.agents.total, 4);
  });

  it('takes a plan without the servers that the earlier run shared it out among', async () => {
    await open(3);
    const other = await startRehearsal({ slots: 4, answer: (request) => writePart(request) });
    const servers = [{ server: other.url, model: null, capabilities: [] }];
    await bench.run(BIG_TASK, { planning: { retries: 0, servers, distribution: 'round-robin' } });
    await other.close();
    const again = await bench.run(BIG_TASK, { planning: { retries: 0 } });
    const plan = await bench.engine.showPlan(again.run);
    assert.ok(plan.cachedAt !== null);
    assert.deepEqual(
      plan.steps.map((step) => step.server),
      [null, null, null],
    );
  });

  it('learns from runs: the next forecast rests on what was observed, and knows the error of the last', async () => {
    await open(3);
    for (let n = 0; n < 3; n += 1) await bench.run(BIG_TASK, { planning: { retries: 0, cache: false } });
    await bench.waitUntil(
      'all three are recorded',
      async () => (await bench.store.forecasts(10)).filter(({ actual }) => actual !== null).length === 3,
    );
    const { run } = await planned({ planning: { ...ASK.planning, cache: false } });
    const { forecast } = await bench.engine.showPlan(run);
    assert.notEqual(forecast.basis, 'prior');
    assert.equal(forecast.pastError.tokens?.runs, 3);
    const { history } = await bench.engine.recommendPattern({ run });
    assert.equal(history[0]?.runs, 3);
    assert.equal(history[0]?.successRate, 1);
  });

  it('does not judge a forecast by a run that a person has stopped', async () => {
    await open(3);
    const { run } = await planned();
    await bench.engine.cancelRun({ run, mode: 'wrap-up' });
    await bench.waitEnd(run);
    const after = await bench.run(BIG_TASK, { planning: { retries: 0 } });
    const judged = async (id: RunView['run']): Promise<unknown> => (await bench.store.forecast(id))?.actual ?? null;
    await bench.waitUntil('the other run is judged', async () => (await judged(after.run)) !== null);
    assert.equal(await judged(run), null);
  });

  it('uses the pattern that the person names, and explains the one that it chooses', async () => {
    await open(3);
    const { run } = await planned({ planning: { ...ASK.planning, pattern: 'saga' } });
    const plan = await bench.engine.showPlan(run);
    assert.equal(plan.pattern, 'saga');
    assert.match(plan.because, /as you wished/);
    assert.ok(plan.steps.every((step) => step.undo === 'its commits are taken back'));
  });
});
