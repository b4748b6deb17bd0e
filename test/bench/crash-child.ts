import { openBenchEngine } from './bench-engine.ts';
import { startBusyRun, untilBusy } from './busy-run.ts';
import { serve } from './child.ts';

/** Gets a run, or the one that is there, into the middle of its work; whoever asked for it kills the process then. */
serve(async (job) => {
  const { url, root, workers } = job as { readonly url: string; readonly root: string; readonly workers: number };
  const bench = await openBenchEngine(root, url);
  const [before] = await bench.store.activeRuns();
  if (before) await untilBusy(bench.store, before.id);
  else await startBusyRun(bench, workers);
  return {};
});
