import type { RunId } from '../../mcp-server/domain/ids.ts';
import type { Store } from '../../mcp-server/store/port.ts';
import type { BenchEngine } from './bench-engine.ts';
import { agentsIn, type Shape, SLOTS, taskOf } from './shape.ts';

/** Longer than any measurement: the calls of such a run stay in flight. */
const NEVER_MS = 600_000;

/** Starts a run and returns when all slots are busy with its agents. */
export const startBusyRun = async ({ engine, store }: BenchEngine, workers: number): Promise<RunId> => {
  const shape: Shape = { workers, latencyMs: NEVER_MS };
  const { run } = await engine.startRun({ task: taskOf(shape), options: { maxAgents: agentsIn(shape) + 10 } });
  await untilBusy(store, run);
  return run;
};

/** Resolves when all slots are busy with workers of the run. */
export const untilBusy = async (store: Store, run: RunId): Promise<void> => {
  for (;;) {
    const running = await store.agents(run, { states: ['running'] });
    if (running.filter(({ tier }) => tier === 'worker').length === SLOTS) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};
