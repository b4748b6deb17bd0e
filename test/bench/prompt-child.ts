import { openBenchEngine } from './bench-engine.ts';
import { serve } from './child.ts';
import { median, quantile } from './part.ts';
import { agentsIn, taskOf } from './shape.ts';

export interface PromptCosts {
  /** From a worker's birth to the first token of its first answer, ms; of those that a slot was free for. */
  readonly firstToken: number;
  /** 95 % are quicker. */
  readonly firstTokenMost: number;
  /** Prompt tokens that the run sent, and those that the server had to evaluate. */
  readonly sent: number;
  readonly evaluated: number;
}

/** A run at a server that answers at once: what its agents wait for, and what their prompts cost. */
serve(async (job): Promise<PromptCosts> => {
  const { url, root, workers } = job as { readonly url: string; readonly root: string; readonly workers: number };
  const bench = await openBenchEngine(root, url);
  await bench.run(taskOf({ workers: 5, latencyMs: 1 }), { maxAgents: 20 });
  const shape = { workers, latencyMs: 1 };
  const { run } = await bench.run(taskOf(shape), { maxAgents: agentsIn(shape) + 10 });
  const waits: number[] = [];
  for (const agent of await bench.store.agents(run)) {
    const [first] = await bench.store.turns(agent.id);
    if (agent.tier === 'worker' && first?.timings)
      waits.push(first.startedAt - agent.createdAt + first.timings.firstTokenMs);
  }
  const prompts = (await bench.engine.listAgents({ run })).agents.map(({ prompt }) => prompt);
  const sent = prompts.reduce((sum, prompt) => sum + prompt.sent, 0);
  const cached = prompts.reduce((sum, prompt) => sum + prompt.cached, 0);
  await bench.close();
  return { firstToken: median(waits), firstTokenMost: quantile(waits, 0.95), sent, evaluated: sent - cached };
});
