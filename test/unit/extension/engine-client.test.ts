import assert from 'node:assert/strict';
import { join } from 'node:path';
import { EngineClient } from '../../../extension/engine-client.ts';
import type { Change } from '../../../extension/model.ts';

const FAKE = join(import.meta.dirname, '../../editor/fake-coppice.ts');

describe('the editor as a client of the engine', () => {
  const clients: EngineClient[] = [];
  const logs: string[] = [];

  const clientOf = (env: Record<string, string>): EngineClient => {
    const client = new EngineClient({
      launch: async () => ({
        command: process.execPath,
        args: ['--no-warnings', FAKE, 'mcp', '--repo', import.meta.dirname],
        env: { PATH: process.env['PATH'] ?? '', COPPICE_FAKE_STEP_MS: '20', ...env },
        cwd: import.meta.dirname,
      }),
      version: '0.0.0',
      log: (line) => logs.push(line),
    });
    clients.push(client);
    return client;
  };

  const start = (client: EngineClient, steps = 0) =>
    client.call('run_start', { task: 'Map this repository', options: { budget: 100_000 }, key: String(steps) });

  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.dispose()));
  });

  it('starts nothing before it is asked to', () => {
    assert.equal(clientOf({}).state.kind, 'idle');
  });

  it('follows a run from its start to its end and hands on each event once', async () => {
    const client = clientOf({ COPPICE_FAKE_WORKERS: '12', COPPICE_FAKE_STEPS: '20' });
    const seen: number[] = [];
    client.onEvents((events) => seen.push(...events.map((event) => event.seq)));
    const run = await start(client);
    await until(() => client.model.run(run.run)?.state === 'completed');
    const top = client.model.childrenOf(run.run);
    assert.equal(top.length, 1);
    assert.equal(client.model.childrenOf(top[0] ?? '').length, 3);
    assert.equal(client.model.descendantsOf(run.run), 16);
    await until(() => client.model.subtreeUsed(top[0] ?? '') === client.model.run(run.run)?.tokens.used);
    assert.deepEqual(
      seen,
      [...new Set(seen)].toSorted((a, b) => a - b),
    );
  });

  it('reports only the nodes that changed, a few times a second', async () => {
    const client = clientOf({ COPPICE_FAKE_WORKERS: '200', COPPICE_FAKE_PER_STEP: '1' });
    const run = await start(client);
    await until(() => client.model.descendantsOf(run.run) === 241);
    const changes: Change[] = [];
    client.onChange((change) => changes.push(change));
    const before = client.model.run(run.run)?.tokens.used ?? 0;
    await until(() => (client.model.run(run.run)?.tokens.used ?? 0) >= before + 3000);
    const touched = changes.reduce((sum, change) => sum + change.nodes.size, 0);
    // Thirty turns: each changes its agent and at most three nodes above it.
    assert.ok(touched <= 4 * 40, `${touched} nodes were drawn`);
    assert.ok(changes.length <= 15, `${changes.length} changes`);
  });

  it('reads budgets and the queue only while somebody looks at them', async () => {
    const client = clientOf({});
    const run = await start(client);
    await until(() => client.model.childrenOf(run.run).length > 0);
    client.setNeeds({ budgets: true, queue: true });
    await until(() => client.model.accountChildrenOf(run.run).length > 0);
    assert.equal(client.model.account(run.run)?.tokens.granted, 100_000);
    assert.equal(client.model.queue()?.servers[0]?.slots.total, 4);
  });

  it('says in the words of the engine why there is none, and tries again', async () => {
    const client = clientOf({ COPPICE_FAKE_FAILS: import.meta.filename });
    await assert.rejects(client.call('run_list', { limit: 1 }), /not a git repository/);
    assert.equal(client.state.kind, 'failed');
    let tries = 0;
    client.onState((state) => {
      if (state.kind === 'failed') tries += 1;
    });
    client.retry();
    await until(() => tries > 0);
  });

  it('hands on a refusal with the words of the engine', async () => {
    await assert.rejects(clientOf({}).call('run_status', { run: 'r-none' }), /There is no run r-none/);
  });

  it('connects again when the engine is gone, and forgets what the new one does not know', async () => {
    const client = clientOf({});
    const run = await start(client);
    await until(() => client.model.run(run.run) !== undefined);
    await client.restart();
    await until(() => client.state.kind === 'ready' && client.model.runs().length === 0);
    assert.equal((await client.call('run_list', { limit: 1 })).runs.length, 0);
  });
});

const until = async (isSo: () => boolean): Promise<void> => {
  for (const deadline = Date.now() + 10_000; !isSo(); ) {
    if (Date.now() > deadline) throw new Error('It did not happen within ten seconds.');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};
