import { openBenchEngine } from './bench-engine.ts';
import { measure, serve, type Used } from './child.ts';
import { agentsIn, type Shape, taskOf } from './shape.ts';

export interface CoppiceUsed extends Used {
  /** Until the run was there: git was asked how the repository stands, and the run was stored. Part of the wall time. */
  readonly startMs: number;
}

interface Job {
  readonly url: string;
  readonly root: string;
  readonly shape: Shape;
  readonly warmUp: Shape;
}

/** A whole engine carries the shape out, after a small one that warms it up. */
serve(async (job): Promise<CoppiceUsed> => {
  const { url, root, shape, warmUp } = job as Job;
  const bench = await openBenchEngine(root, url);
  let startMs = 0;
  const carryOut = async (one: Shape): Promise<void> => {
    const start = performance.now();
    const options = { maxAgents: agentsIn(one) + 10 };
    const { run } = await bench.engine.startRun({ task: taskOf(one), options });
    startMs = performance.now() - start;
    const view = await bench.engine.waitRun(run, 120_000, new AbortController().signal);
    // The planner is one more.
    if (view.state !== 'answered' || view.agents.completed !== agentsIn(one) + 1)
      throw new Error(`The run did not do the work: ${JSON.stringify(view)}`);
  };
  await carryOut(warmUp);
  const used = await measure(() => carryOut(shape));
  await bench.close();
  return { ...used, startMs };
});
