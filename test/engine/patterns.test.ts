import assert from 'node:assert/strict';
import type { Pattern } from '../../mcp-server/domain/plan.ts';
import type { RunView } from '../../mcp-server/engine/facade.ts';
import type { PlanView } from '../../mcp-server/engine/planning-facade.ts';
import { type Bench, openBench } from '../support/engine.ts';
import { call, finish, type ParsedRequest, type ScriptedAnswer, startRehearsal } from '../support/scripted-server.ts';
import { BIG_TASK, isPlanner, partOf, planOf, writePart } from '../support/team.ts';

/** Workers write their part; whoever joins or judges writes one file and reports. */
const agent = (request: ParsedRequest): ScriptedAnswer => {
  if (partOf(request) >= 0) return writePart(request);
  return request.lastTool
    ? finish('Answer: all of it.')
    : call('write_file', { path: 'out/whole.txt', content: 'whole\n' });
};

describe('On a real repository', () => {
  let bench: Bench;
  afterEach(async () => {
    for (const run of await bench.engine.listRuns(10)) assert.deepEqual(await bench.invariants(run.run), []);
    await bench.close();
  });

  const runAs = async (pattern: Pattern, steps = 3): Promise<{ readonly view: RunView; readonly plan: PlanView }> => {
    bench = await openBench({ script: (request) => (isPlanner(request) ? planOf(steps) : agent(request)) });
    const view = await bench.run(BIG_TASK, { planning: { retries: 0, pattern } });
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    const plan = await bench.engine.showPlan(view.run);
    assert.ok(
      plan.steps.every((step) => step.state === 'done'),
      JSON.stringify(plan.steps.map(({ key, state }) => [key, state])),
    );
    return { view, plan };
  };
  /** Whether each step began only after all that it needs had ended. */
  const assertOrder = async (run: RunView, plan: PlanView): Promise<void> => {
    const { agents } = await bench.engine.listAgents({ run: run.run });
    const of = new Map(agents.map((one) => [one.agent, one]));
    const byKey = new Map(plan.steps.map((step) => [step.key, step.agent === null ? undefined : of.get(step.agent)]));
    for (const step of plan.steps)
      for (const need of step.needs)
        assert.ok(
          (byKey.get(step.key)?.startedAt ?? 0) >= (byKey.get(need)?.endedAt ?? Number.POSITIVE_INFINITY),
          `${step.key} after ${need}`,
        );
  };

  it('a fork-join works side by side and brings all files home', async () => {
    const { view, plan } = await runAs('fork-join', 6);
    assert.equal(view.filesChanged, 7);
    assert.equal(plan.steps.filter((step) => step.tier === 'synthesizer').length, 1);
    await assertOrder(view, plan);
  });

  it('a map-reduce makes one result of all', async () => {
    const { view, plan } = await runAs('map-reduce');
    assert.equal(view.filesChanged, 4);
    const reducer = plan.steps.find((step) => step.needs.length === 3);
    assert.equal(reducer?.tier, 'synthesizer');
    await assertOrder(view, plan);
  });

  it('a pipeline does one stage after another, each with the files of those before', async () => {
    const { view, plan } = await runAs('pipeline');
    assert.equal(view.filesChanged, 3);
    assert.deepEqual(
      plan.steps.map((step) => step.needs.length),
      [0, 1, 1],
    );
    await assertOrder(view, plan);
  });

  it('a scatter-gather asks several and has one chosen', async () => {
    const { view, plan } = await runAs('scatter-gather');
    const judge = plan.steps.find((step) => step.role === 'judge');
    assert.equal(judge?.needs.length, 3);
    await assertOrder(view, plan);
  });

  it('a saga does one part after another, and keeps it all when it goes well', async () => {
    const { view, plan } = await runAs('saga');
    assert.equal(view.filesChanged, 3);
    assert.ok(plan.steps.every((step) => step.undo === 'its commits are taken back'));
    await assertOrder(view, plan);
  });

  it('a saga whose last part fails leaves the branch as it was at the start, and says what was undone', async () => {
    bench = await openBench({
      script: (request) => {
        if (isPlanner(request)) return planOf(3);
        return partOf(request) === 2 ? finish('It cannot be done.', 'blocked') : agent(request);
      },
    });
    const view = await bench.run(BIG_TASK, { planning: { retries: 0, pattern: 'saga' } });
    assert.equal(view.state, 'failed', JSON.stringify(view, null, 1));
    assert.equal(view.filesChanged, 0);
    assert.equal(bench.repo.git('rev-parse', `${view.branch}^{tree}`), bench.repo.git('rev-parse', 'HEAD^{tree}'));
    assert.match(view.report ?? '', /undone|taken back/i);
  });

  it('steps are shared out among two servers, and each agent asks its own', async () => {
    bench = await openBench({ script: (request) => (isPlanner(request) ? planOf(8) : agent(request)) });
    const other = await startRehearsal({ slots: 4, answer: agent });
    try {
      const servers = [{ server: other.url, model: null, capabilities: [] }];
      const view = await bench.run(BIG_TASK, { planning: { retries: 0, servers, distribution: 'least-loaded' } });
      assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
      const plan = await bench.engine.showPlan(view.run);
      const there = plan.steps.filter((step) => step.server === other.url).length;
      assert.ok(there >= 3 && there <= 6, String(there));
      assert.equal(
        other.requests.filter(({ request }) => partOf(request) >= 0 || !isPlanner(request)).length,
        there * 2,
      );
    } finally {
      await other.close();
    }
  });
});
