import { join } from 'node:path';
import { systemClock } from '../../mcp-server/domain/clock.ts';
import type { RunOptions } from '../../mcp-server/domain/run.ts';
import { createEngine } from '../../mcp-server/engine/engine.ts';
import type { Engine, RunView } from '../../mcp-server/engine/facade.ts';
import { createEndpoint } from '../../mcp-server/inference/endpoint.ts';
import { createEndpoints } from '../../mcp-server/inference/registry.ts';
import { openStore } from '../../mcp-server/store/open.ts';
import type { Store } from '../../mcp-server/store/port.ts';
import { openRepository } from '../../mcp-server/worktrees/open.ts';

/** An engine as the program puts it together, on a repository of the benchmark's. */
export interface BenchEngine {
  readonly engine: Engine;
  readonly store: Store;
  /** How long opening the repository took, before the store was opened. */
  readonly openedMs: number;
  /** Starts a run and resolves when it has ended. */
  run(task: string, options?: Partial<RunOptions>): Promise<RunView>;
  close(): Promise<void>;
}

/** Tokens and agents that bound nothing here. */
const PLENTY = { budget: 500_000_000, maxAgents: 10_000, maxAgentsPerLevel: 10_000, concurrency: 1000 };

/** Opens the repository and starts an engine that calls `server`. */
export const openBenchEngine = async (root: string, server: string): Promise<BenchEngine> => {
  const clock = systemClock;
  const random = Math.random;
  const start = performance.now();
  const repository = await openRepository({ path: root, random, clock, environment: process.env });
  const openedMs = performance.now() - start;
  const { store } = await openStore({
    path: join(repository.stateDir, 'state.db'),
    backupDir: join(repository.stateDir, 'backups'),
    clock,
    version: 'bench',
  });
  const endpoints = createEndpoints({
    make: (url, model, pool) => createEndpoint({ url, model, pool, clock, apiKey: null }),
  });
  const engine = await createEngine({
    store,
    repository,
    clock,
    random,
    version: 'bench',
    settings: {
      ...PLENTY,
      maxDepth: 3,
      server,
      model: null,
      permissions: { commands: 'off' },
      unattended: true,
      planning: { cache: false },
    },
    commandEnvironment: {},
    endpoint: async (url, model) => endpoints.get(url, model),
    log: (line) => {
      // That is what the benchmark makes it do.
      if (!line.startsWith('recovered')) console.error(line);
    },
  });
  return {
    engine,
    store,
    openedMs,
    run: async (task, options = {}) => {
      const { run } = await engine.startRun({ task, options });
      return engine.waitRun(run, 120_000, new AbortController().signal);
    },
    close: async () => {
      await engine.stop();
      endpoints.close();
    },
  };
};
