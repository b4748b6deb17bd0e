import { planOf } from '../../mcp-server/planning/patterns/plan-of.ts';
import { planToYaml } from '../../mcp-server/planning/workflows/plan-yaml.ts';
import { openBenchEngine } from './bench-engine.ts';
import { measure, serve, type Used } from './child.ts';
import { type Shape, taskOf } from './shape.ts';

interface Job {
  readonly url: string;
  readonly root: string;
  readonly shape: Shape;
  readonly warmUp: Shape;
}

const LIMITS = { maxDepth: 4, maxAgents: 1000, maxAgentsPerLevel: 1000, fanIn: 5 };

/** Workers, those who join five of them, those who join five of these, and one who joins the rest. */
const yamlOf = ({ workers }: Shape): string => {
  const steps = Array.from({ length: workers }, (_, index) => ({
    key: `part-${index + 1}`,
    title: `part ${index + 1}`,
    task: `Read src/add.ts, part ${index + 1}`,
    role: 'worker',
    needs: [],
  }));
  return planToYaml(planOf('map-reduce', steps, LIMITS, { reduce: { by: 'merge', fanIn: 5 } }));
};

/** A plan that is there already is carried out: from the person's word to the end of the run. */
serve(async (job): Promise<Used & { readonly agents: number; readonly levels: number }> => {
  const { url, root, shape, warmUp } = job as Job;
  const bench = await openBenchEngine(root, url);
  const { engine } = bench;
  const signal = new AbortController().signal;
  const prepare = async (one: Shape) => {
    const options = { ...LIMITS, planning: { gate: 'ask' as const } };
    const { run } = await engine.startRun({ task: taskOf(one), options });
    await engine.waitPlanned(run, 60_000, signal);
    return { run, plan: (await engine.changePlan({ run, yaml: yamlOf(one) })).plan };
  };
  const carryOut = async ({ run, plan }: Awaited<ReturnType<typeof prepare>>): Promise<void> => {
    await engine.approvePlan(run);
    const view = await engine.waitRun(run, 120_000, signal);
    if (view.state !== 'answered' || view.agents.completed < plan.steps.length)
      throw new Error(`The run did not do the work: ${JSON.stringify(view)}`);
  };
  await carryOut(await prepare(warmUp));
  const ready = await prepare(shape);
  const used = await measure(() => carryOut(ready));
  await bench.close();
  return {
    ...used,
    agents: ready.plan.steps.length,
    levels: Math.max(...ready.plan.steps.map(({ level }) => level)),
  };
});
