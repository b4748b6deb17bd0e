import assert from 'node:assert/strict';
import type { AgentId } from '../../mcp-server/domain/ids.ts';
import type { RunOptions } from '../../mcp-server/domain/run.ts';
import type { PlanView } from '../../mcp-server/engine/planning-facade.ts';
import { type Bench, openBench } from '../support/engine.ts';
import { call, finish, type ParsedRequest } from '../support/scripted-server.ts';
import { agentsOf, isPlanner, planOf, taskOf, toolResults, writePart } from '../support/team.ts';

/** Two sentences that ask for something, and no word that leaves their number open. */
const SIMPLE = 'Add a flag for quiet output. Write a page about it.';
const MODERATE = 'Release it:\n- write the notes\n- raise the version\n- build the package';
const ATOMIC = 'Fix the typo in the readme';

const mostStepsIn = (request: ParsedRequest): unknown =>
  (request.jsonSchema as { properties: { steps: { maxItems: number } } } | null)?.properties.steps.maxItems;

describe('How complex a task is', () => {
  let bench: Bench;
  let planners: ParsedRequest[];
  afterEach(async () => {
    for (const run of await bench.engine.listRuns(10)) assert.deepEqual(await bench.invariants(run.run), []);
    await bench.close();
  });

  const open = async (steps: number): Promise<void> => {
    planners = [];
    bench = await openBench({
      script: (request) => {
        if (!isPlanner(request)) return request.firstUser.includes('out/') ? writePart(request) : finish('Joined.');
        planners.push(request);
        return planOf(steps);
      },
    });
  };
  const planFor = async (task: string, more: Partial<RunOptions> = {}): Promise<PlanView> => {
    const view = await bench.run(task, { ...more, planning: { retries: 0, cache: false, ...more.planning } });
    assert.ok(['completed', 'answered'].includes(view.state), JSON.stringify(view, null, 1));
    return bench.engine.showPlan(view.run);
  };
  const tiersOf = ({ steps }: PlanView): readonly number[] =>
    ['worker', 'synthesizer', 'executive'].map((tier) => steps.filter((step) => step.tier === tier).length);

  it('says how many steps the planner is asked for; what is beyond is joined, and has the levels that it is worth', async () => {
    await open(6);
    const plan = await planFor(SIMPLE);
    assert.deepEqual(tiersOf(plan), [4, 0, 0]);
    assert.equal(mostStepsIn(planners[0] as ParsedRequest), 4);
    assert.match(planners[0]?.firstUser ?? '', /Make at most 4 steps\. The task seems simple: make 2 to 4 steps,/);
    assert.match(plan.because, /6 steps became 4: the task seems simple/);
    assert.match(
      plan.complexity?.because ?? '',
      /; worth 1 level: 2 to 4 workers; agents may divide their parts down to level 2$/,
    );
  });

  it('lets the planner see fewer parts, and says so', async () => {
    await open(2);
    const plan = await planFor(MODERATE);
    assert.deepEqual(tiersOf(plan), [2, 0, 0]);
    assert.match(plan.complexity?.because ?? '', /worth 2 levels: 5 to 9 workers; .*; it falls into 2$/);
  });

  it('yields to the number and the pattern of a person', async () => {
    await open(6);
    assert.deepEqual(tiersOf(await planFor(SIMPLE, { planning: { workers: 6 } })), [6, 1, 0]);
    assert.equal((await planFor(SIMPLE, { planning: { pattern: 'saga' } })).steps.length, 6);
    assert.deepEqual([...new Set(planners.map(mostStepsIn))], [59]);
    assert.ok(planners.every(({ firstUser }) => !firstUser.includes('The task seems')));
  });

  it('yields to what a person writes to the planner', async () => {
    planners = [];
    bench = await openBench({
      script: (request) => {
        if (!isPlanner(request)) return request.firstUser.includes('out/') ? writePart(request) : finish('Joined.');
        planners.push(request);
        return { ...planOf(6), latencyMs: planners.length === 1 ? 400 : 0 };
      },
    });
    const { run } = await bench.engine.startRun({ task: SIMPLE, options: {} });
    await bench.waitUntil('it plans', async () => planners.length === 1);
    const [planner] = await agentsOf(bench, run);
    await bench.engine.messageAgent({ agent: planner?.agent as AgentId, text: 'Six steps.' });
    await bench.waitEnd(run);
    assert.deepEqual(planners.slice(0, 2).map(mostStepsIn), [4, 59]);
    assert.equal(planners[1]?.firstUser, planners[0]?.firstUser);
    assert.deepEqual(tiersOf(await bench.engine.showPlan(run)), [6, 1, 0]);
  });

  it('needs no planner where one agent is enough, unless the person names a pattern', async () => {
    await open(2);
    const alone = await planFor(ATOMIC, {});
    assert.deepEqual([alone.steps.length, planners.length], [1, 0]);
    assert.match(alone.complexity?.because ?? '', /; worth one agent$/);
    const wished = await planFor(SIMPLE, { planning: { workers: 1 } });
    assert.deepEqual([wished.steps.length, wished.steps[0]?.task, planners.length], [1, SIMPLE, 0]);
    const pipeline = await planFor(ATOMIC, { planning: { pattern: 'pipeline' } });
    assert.equal(pipeline.pattern, 'pipeline');
    assert.ok(planners.length > 0);
  });

  it('says how deep agents may divide their work, where the person has not shaped the team', async () => {
    bench = await openBench({
      script: (request) => {
        if (request.lastTool) return finish(toolResults(request).join());
        const below: Readonly<Record<string, string>> = { [ATOMIC]: 'Two', Two: 'Three', Three: 'Four' };
        const next = below[taskOf(request)];
        return next ? call('delegate', { task: next }) : finish('The last.');
      },
    });
    const depth = async (task: string, more: Partial<RunOptions> = {}): Promise<number> => {
      const view = await bench.run(task, { maxDepth: 4, ...more });
      return Math.max(...(await agentsOf(bench, view.run)).map((agent) => agent.depth));
    };
    assert.equal(await depth(ATOMIC), 2);
    assert.equal(await depth(ATOMIC, { maxDepth: 1 }), 1);
    assert.equal(await depth(ATOMIC, { planning: { workers: 1 } }), 4);
    const asked = bench.model.requests.find(({ request }) => taskOf(request) === 'Two')?.request;
    assert.match(asked?.firstUser ?? '', /on level 2 of at most 2:/);
    assert.ok(!asked?.tools.some(({ name }) => name === 'delegate' || name === 'split_step'));
  });
});
