import { openBenchEngine } from './bench-engine.ts';
import { serve } from './child.ts';

/** Opens what a killed engine left, until its first claim; is killed itself then. */
serve(async (job) => {
  const { url, root } = job as { readonly url: string; readonly root: string };
  const start = performance.now();
  const { store, openedMs } = await openBenchEngine(root, url);
  for (;;) {
    const claimed = (await store.jobs({ states: ['running'] })).some(({ epoch }) => epoch === store.epoch);
    if (claimed) return { openedMs, wholeMs: performance.now() - start };
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
});
