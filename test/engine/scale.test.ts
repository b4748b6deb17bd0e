import assert from 'node:assert/strict';
import { type Bench, openBench } from '../support/engine.ts';
import { call, say } from '../support/scripted-server.ts';

const WORKERS = 200;
const SLOTS = 16;

const steps = Array.from({ length: WORKERS }, (_, n) => ({
  key: `part-${n}`,
  title: `part ${n}`,
  task: `Read src/add.ts, part ${n}`,
  role: 'worker',
  needs: [],
}));

describe('a run with two hundred workers', function () {
  this.timeout(60_000);
  let bench: Bench;
  afterEach(() => bench.close());

  it('completes all of them, keeps every slot busy and never asks for more', async () => {
    bench = await openBench({
      server: { slots: SLOTS, contextSize: 131_072, latencyMs: 60, remembered: 10_000 },
      settings: { maxAgents: 300, maxAgentsPerLevel: 300, budget: 20_000_000 },
      script: (request) => {
        if (request.jsonSchema) return { content: JSON.stringify({ steps }) };
        const isWorker = !/^You are (?:a synthesizer|the executive)/m.test(request.system);
        return isWorker && !request.lastTool ? call('read_file', { path: 'src/add.ts' }) : say('Done.');
      },
    });
    const { run } = await bench.engine.startRun({ task: 'Rewrite all 200 parts', options: {} });
    const view = await bench.waitEnd(run, 50_000);
    assert.equal(view.state, 'answered', JSON.stringify(view, null, 1));
    // The planner, the workers, a synthesizer for each five of them, the executive.
    const agents = 1 + WORKERS + WORKERS / 5 + 1;
    assert.deepEqual(view.agents, { total: agents, completed: agents, failed: 0, active: 0 });
    assert.deepEqual(await bench.invariants(run), []);
    const calls = 1 + WORKERS * 2 + WORKERS / 5 + 1;
    assert.equal(bench.model.requests.length, calls);
    const { maxProcessing, maxDeferred } = bench.model.stats();
    assert.deepEqual({ maxProcessing, maxDeferred }, { maxProcessing: SLOTS, maxDeferred: 0 });
    assert.deepEqual(bench.log, []);
  });
});
