import assert from 'node:assert/strict';
import type { EventType } from '../../mcp-server/domain/event.ts';
import { type Bench, type BenchOptions, openBench } from '../support/engine.ts';
import {
  call,
  finish,
  type Rehearsal,
  type RehearsalOptions,
  type Script,
  say,
  startRehearsal,
} from '../support/scripted-server.ts';
import { BIG_TASK, eventsOf, isPlanner, partOf, planOf, writePart } from '../support/team.ts';

const WORKERS = 8;
const script: Script = (request) =>
  isPlanner(request) ? planOf(WORKERS) : partOf(request) >= 0 ? writePart(request) : finish('All is joined.');

/** A server on which the workers of a plan are really at work together. */
const server = (more: RehearsalOptions = {}): RehearsalOptions => ({
  slots: WORKERS,
  slotSavePath: 'memory',
  latencyMs: 40,
  ...more,
});

describe('agents that start together', function () {
  this.timeout(30_000);
  let bench: Bench;
  const extra: Rehearsal[] = [];
  const open = async (more: RehearsalOptions = {}, options: BenchOptions = {}): Promise<void> => {
    bench = await openBench({ script, server: server(more), ...options });
  };
  afterEach(async () => {
    for (const run of await bench.engine.listRuns(10)) assert.deepEqual(await bench.invariants(run.run), []);
    const { servers } = await bench.engine.queue();
    for (const { slots } of servers) assert.equal(slots.busy, 0, 'a permit was kept');
    await bench.close();
    for (const one of extra.splice(0)) await one.close();
  });

  const events = async <T extends EventType>(type: T) =>
    (await eventsOf(bench)).filter((event) => event.type === type) as Extract<
      Awaited<ReturnType<typeof eventsOf>>[number],
      { type: T }
    >[];
  const filesOf = (branch: string): string =>
    bench.repo
      .git('ls-tree', '-r', branch)
      .split('\n')
      .filter((line) => line.includes('out/'))
      .join('\n');
  /** What the first calls of the workers found in the cache. */
  const firstCalls = (): readonly number[] =>
    bench.model.requests
      .filter(({ request }) => partOf(request) >= 0 && !request.lastTool)
      .map(({ cachedTokens }) => cachedTokens);

  it('have their common prefix evaluated once instead of by each of them, and do the same work', async () => {
    // Long enough that all are under way before the first is done, on a slow machine too: else the last find its cache.
    const latencyMs = 200;
    await open({ slotSavePath: '', latencyMs });
    const alone = await bench.run(BIG_TASK);
    const without = { ...bench.model.stats(), files: filesOf(alone.branch), cached: firstCalls() };
    assert.equal(alone.state, 'completed');
    await bench.close();

    await open({ latencyMs });
    const view = await bench.run(BIG_TASK);
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    const [shared, ...more] = await events('prefix.shared');
    assert.deepEqual([more.length, shared?.slots, shared?.server], [0, WORKERS, bench.model.url]);
    const tokens = shared?.tokens ?? 0;
    assert.ok(tokens >= 512 && shared?.evaluated === tokens, JSON.stringify(shared));
    assert.ok(without.cached.some((cached) => cached < tokens / 2));
    for (const cached of firstCalls()) assert.ok(cached >= tokens - 1, `${cached} of ${tokens}`);
    const stats = bench.model.stats();
    const saved = without.promptTokens - stats.promptTokens;
    assert.ok(stats.promptTokens * 2 < without.promptTokens, `${stats.promptTokens} of ${without.promptTokens}`);
    assert.ok(saved > tokens * (WORKERS - 3), `${saved} saved`);
    assert.equal(filesOf(view.branch), without.files);
    assert.equal(filesOf(view.branch).split('\n').length, WORKERS);
  });

  it('never have more calls at the server than it has slots', async () => {
    await open({ promptTokensPerSecond: 40_000, slots: 5 });
    assert.equal((await bench.run(BIG_TASK)).state, 'completed');
    assert.equal((await events('prefix.shared'))[0]?.slots, 5);
    const { maxProcessing, maxDeferred } = bench.model.stats();
    assert.ok(maxProcessing <= 5, `${maxProcessing} at once`);
    assert.ok(maxDeferred <= 0, `${maxDeferred} waited in the server`);
  });

  it('pay for their own tokens only', async () => {
    await open();
    const { tokens } = await bench.run(BIG_TASK);
    const answered = await events('turn.answered');
    const paid = answered.reduce((sum, { usage }) => sum + usage.prompt + usage.completion, 0);
    assert.equal((await events('prefix.shared')).length, 1);
    assert.equal(tokens.used, paid);
  });

  it('simply start where the server cannot do it, and that is said once', async () => {
    await open({ slotSavePath: '' });
    assert.equal((await bench.run(BIG_TASK)).state, 'completed');
    assert.equal((await bench.run(BIG_TASK)).state, 'completed');
    assert.deepEqual(await events('prefix.shared'), []);
    const said = await events('prefix.unsupported');
    assert.deepEqual(
      said.map(({ reason }) => reason),
      ['The model server was not started with --slot-save-path.'],
    );
  });

  it('are not held up by it when there are only two, or when a run may only do one thing at a time', async () => {
    await open();
    bench.model.script((request) =>
      isPlanner(request) ? planOf(2) : partOf(request) >= 0 ? writePart(request) : finish('Joined.'),
    );
    assert.equal((await bench.run(BIG_TASK)).state, 'completed');
    bench.model.script(script);
    assert.equal((await bench.run(BIG_TASK, { concurrency: 1 })).state, 'completed');
    assert.deepEqual(await events('prefix.shared'), []);
  });

  it('go on when the server dies while their prefix is evaluated', async () => {
    await open({ promptTokensPerSecond: 4000 });
    const { run } = await bench.engine.startRun({ task: BIG_TASK, options: {} });
    // Plain completions are in no list of requests: the workers have been claimed, and none of them has called.
    await bench.waitUntil('the prefix is being evaluated', async () => {
      const { processing, answered } = bench.model.stats();
      return answered === 1 && processing === 1 && bench.model.requests.length === 1;
    });
    const port = Number(new URL(bench.model.url).port);
    await bench.model.close();
    await bench.waitUntil('the engine has noticed', async () => (await bench.engine.runStatus(run)).stuck !== null);
    const second = await startRehearsal({ ...server(), port, answer: script });
    extra.push(second);
    const view = await bench.waitEnd(run);
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    assert.equal(filesOf(view.branch).split('\n').length, WORKERS);
    assert.ok(second.stats().maxDeferred <= 0);
  });

  it('go on after the engine was stopped while their prefix was evaluated', async () => {
    await open({ promptTokensPerSecond: 4000 });
    const { run } = await bench.engine.startRun({ task: BIG_TASK, options: {} });
    await bench.waitUntil('the prefix is being evaluated', async () => {
      const { processing, answered } = bench.model.stats();
      return answered === 1 && processing === 1 && bench.model.requests.length === 1;
    });
    await bench.restart();
    const view = await bench.waitEnd(run);
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    assert.equal(filesOf(view.branch).split('\n').length, WORKERS);
    assert.equal((await events('prefix.shared')).length, 1);
  });
});

describe('an agent whose slot was taken by another caller between two turns', () => {
  it('has lost its cache, and an event says how much and why', async () => {
    const intrude = (url: string): Promise<unknown> =>
      fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        body: JSON.stringify({ messages: [{ role: 'user', content: 'Something else altogether. '.repeat(50) }] }),
      });
    let intruder: Promise<unknown> | undefined;
    const bench: Bench = await openBench({
      server: { slots: 1, latencyMs: 30 },
      script: (request, n) => {
        if (request.firstUser.startsWith('Something else')) return say('Thanks for the slot.');
        // It waits in the server until this call is over, and is there before the agent's next one.
        if (n === 1) intruder = intrude(bench.model.url);
        return n === 1 ? call('read_file', { path: 'README.md' }) : finish('Read it.');
      },
    });
    const view = await bench.run('Read the readme', { maxAgents: 1 });
    await intruder;
    const all = await eventsOf(bench, view.run);
    const turns = all.filter((event) => event.type === 'turn.answered');
    const missed = all.filter((event) => event.type === 'turn.cacheMissed');
    assert.equal(turns.length, 2);
    assert.deepEqual(
      missed.map(({ turn, expected, reason }) => ({ turn, expected, reason })),
      [{ turn: turns[1]?.turn, expected: turns[0]?.usage.prompt, reason: 'slot-taken' }],
    );
    assert.ok((missed[0]?.cached ?? 0) < 50);
    await bench.close();
  });

  it('is not said of an agent that goes on undisturbed', async () => {
    const bench = await openBench({
      script: (_request, n) => (n < 4 ? call('read_file', { path: 'README.md', to_line: n }) : finish('Read it.')),
    });
    const view = await bench.run('Read the readme', { maxAgents: 1 });
    const all = await eventsOf(bench, view.run);
    assert.equal(all.filter((event) => event.type === 'turn.answered').length, 4);
    assert.deepEqual(
      all.filter((event) => event.type === 'turn.cacheMissed'),
      [],
    );
    await bench.close();
  });
});
