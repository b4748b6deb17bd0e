import { openBenchEngine } from './bench-engine.ts';
import { measure, serve, type Used } from './child.ts';
import { agentsIn, type Shape, taskOf } from './shape.ts';

interface Job {
  readonly url: string;
  readonly root: string;
  readonly shape: Shape;
  readonly warmUp: Shape;
}

/** A whole engine carries the shape out, after a small one that warms it up. */
serve(async (job): Promise<Used> => {
  const { url, root, shape, warmUp } = job as Job;
  const bench = await openBenchEngine(root, url);
  const carryOut = async (one: Shape): Promise<void> => {
    const view = await bench.run(taskOf(one), { maxAgents: agentsIn(one) + 10 });
    // The planner is one more.
    if (view.state !== 'answered' || view.agents.completed !== agentsIn(one) + 1)
      throw new Error(`The run did not do the work: ${JSON.stringify(view)}`);
  };
  await carryOut(warmUp);
  const used = await measure(() => carryOut(shape));
  await bench.close();
  return used;
});
