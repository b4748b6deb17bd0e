import assert from 'node:assert/strict';
import type { RunId } from '../../mcp-server/domain/ids.ts';
import { until } from '../support/coppice-process.ts';
import { type Bench, openBench } from '../support/engine.ts';
import { call, finish, type ParsedRequest, say } from '../support/scripted-server.ts';
import {
  agentNamed,
  agentsOf,
  BIG_TASK,
  eventsOf,
  isPlanner,
  partOf,
  planOf,
  taskOf,
  toolResults,
  writePart,
} from '../support/team.ts';

interface Span {
  readonly from: number;
  readonly to: number;
}

/** The most requests that were under way at one moment. */
const mostAtOnce = (spans: readonly Span[]): number =>
  Math.max(0, ...spans.map(({ from }) => spans.filter((other) => other.from <= from && from < other.to).length));

describe('The queue', () => {
  let bench: Bench;
  afterEach(async () => {
    for (const run of await bench.engine.listRuns(10)) assert.deepEqual(await bench.invariants(run.run), []);
    await bench.close();
  });

  const start = async (task: string, options = {}): Promise<RunId> =>
    (await bench.engine.startRun({ task, options })).run;
  const spansOf = (which: (request: ParsedRequest) => boolean): readonly Span[] =>
    bench.model.requests
      .filter(({ request }) => which(request))
      .map(({ arrivedAt, endedAt }) => ({ from: arrivedAt, to: endedAt ?? Number.POSITIVE_INFINITY }));

  it('never gives the server more than its slots, and fills each slot as soon as it is free', async () => {
    bench = await openBench({
      server: { slots: 2 },
      script: (request) => {
        if (isPlanner(request)) return planOf(8);
        if (partOf(request) < 0) return finish('Joined.');
        return writePart(request, { latencyMs: partOf(request) === 0 ? 2500 : 40 });
      },
    });
    const view = await bench.run(BIG_TASK);
    assert.equal(view.state, 'completed');
    const { maxProcessing, maxDeferred } = bench.model.stats();
    assert.deepEqual({ maxProcessing, maxDeferred }, { maxProcessing: 2, maxDeferred: 0 });
    const [slow] = spansOf((request) => partOf(request) === 0);
    const meanwhile = spansOf((request) => partOf(request) > 0).filter(({ to }) => slow && to < slow.to);
    assert.ok(meanwhile.length >= 7, `${meanwhile.length} turns were made while one slot was busy with a slow one`);
  });

  it('stores what begins at once with what it begins by: a run with its planner’s turn, a plan with its first turns', async () => {
    bench = await openBench({
      server: { slots: 4 },
      script: (request) => (isPlanner(request) ? planOf(3) : finish('Done.')),
    });
    // The server and the commit are known from then on.
    await bench.run(BIG_TASK);
    await until('all is quiet', () => bench.engine.isIdle());
    const commits: (readonly string[])[] = [];
    bench.store.onEvents((events) => void commits.push(events.map(({ type }) => type)));
    await bench.run(`${BIG_TASK} Again.`);
    const started = (first: string): number =>
      commits.find((types) => types.includes(first))?.filter((type) => type === 'turn.started').length ?? 0;
    assert.deepEqual([started('run.created'), started('run.planned')], [1, 3]);
  });

  it('ends a run that changed no file in the commit of its last answer', async () => {
    bench = await openBench({
      server: { slots: 8 },
      script: (request) => (isPlanner(request) ? planOf(5) : finish('Done.')),
    });
    const commits: (readonly string[])[] = [];
    bench.store.onEvents((events) => void commits.push(events.map(({ type }) => type)));
    await bench.run(BIG_TASK);
    const last = commits.find((types) => types.includes('run.ended')) ?? [];
    assert.deepEqual(last.slice(-2), ['agent.moved', 'run.ended']);
  });

  it('lets workers go before those who join a part of them, for the way from the last worker to the end is longer', async () => {
    bench = await openBench({
      server: { slots: 1 },
      script: (request) => {
        if (isPlanner(request)) return planOf(15);
        return partOf(request) < 0 ? finish('Joined.') : finish(`Did part ${partOf(request)}.`);
      },
    });
    const view = await bench.run(BIG_TASK);
    assert.equal(view.state, 'answered');
    const order = bench.model.requests.map(({ request }) =>
      isPlanner(request) ? 'planner' : partOf(request) < 0 ? 'joiner' : 'worker',
    );
    assert.deepEqual(order, ['planner', ...Array(15).fill('worker'), ...Array(4).fill('joiner')]);
  });

  it('lets a team of three levels work through one slot, since whoever waits holds nothing', async () => {
    const below: Readonly<Record<string, string>> = { One: 'Two', Two: 'Three' };
    bench = await openBench({
      server: { slots: 1 },
      script: (request) => {
        const next = below[taskOf(request)];
        if (next && !request.lastTool) return call('delegate', { task: next });
        return finish(`${taskOf(request)}(${request.lastTool?.content ?? ''})`);
      },
    });
    const view = await bench.run('One', { maxDepth: 3, maxAgents: 3, concurrency: 1, planning: { workers: 1 } });
    assert.equal(view.report, 'One(Two(Three()))');
  });

  it('shares the slots between runs, and keeps each to its own bound', async () => {
    bench = await openBench({
      server: { slots: 4 },
      script: (request) => {
        if (isPlanner(request)) return planOf(4);
        return partOf(request) < 0 ? finish('Joined.') : writePart(request, { latencyMs: 120 });
      },
    });
    const alpha = await start(`${BIG_TASK}, alpha`, { concurrency: 1 });
    const beta = await start(`${BIG_TASK}, beta`, { concurrency: 2 });
    for (const run of [alpha, beta]) assert.equal((await bench.waitEnd(run)).state, 'completed');
    const of = (name: string) => spansOf((request) => request.firstUser.includes(`, ${name}`));
    assert.equal(mostAtOnce(of('alpha')), 1);
    assert.equal(mostAtOnce(of('beta')), 2);
    assert.ok(mostAtOnce(spansOf(() => true)) >= 2, 'both work at the same time');
    const [first] = of('beta');
    assert.ok(
      of('alpha').some(({ to }) => first && to > first.from),
      'neither waits for the end of the other',
    );
  });

  it('lets whom a person has answered go before everybody else', async () => {
    bench = await openBench({
      server: { slots: 1 },
      script: (request) => {
        if (isPlanner(request)) return planOf(4);
        if (partOf(request) === 0)
          return request.lastTool ? finish('Thanks.') : call('ask_person', { question: 'Which?' });
        const done = toolResults(request).length;
        return done < 8 ? call('list_files', { path: `x${done}` }, { latencyMs: 60 }) : finish('Looked.');
      },
    });
    const run = await start(BIG_TASK);
    await bench.waitUntil('asked', async () =>
      (await agentsOf(bench, run)).some((agent) => agent.name === 'part 0' && agent.state === 'waiting'),
    );
    await bench.waitUntil('others work', async () => bench.model.requests.length > 6);
    const before = bench.model.requests.length;
    const { agent } = await agentNamed(bench, run, 'part 0');
    await bench.engine.messageAgent({ agent, text: 'That.' });
    await bench.waitUntil('two more', async () => bench.model.requests.length >= before + 2);
    const next = bench.model.requests.slice(before, before + 2).map(({ request }) => partOf(request));
    assert.ok(next.includes(0), `the next turns were those of ${next.join(' and ')}`);
    await bench.waitEnd(run);
  });

  it('lets runs write the same file at the same time without seeing each other', async () => {
    bench = await openBench({
      script: (request) => {
        const name = taskOf(request);
        if (!request.lastTool) return call('write_file', { path: 'same.txt', content: `${name}\n` }, { latencyMs: 50 });
        return request.lastTool.name === 'write_file'
          ? call('read_file', { path: 'same.txt' })
          : finish(request.lastTool.content);
      },
    });
    const names = ['Ann', 'Bob', 'Carl', 'Dora'];
    const runs = await Promise.all(names.map((name) => start(name, { maxAgents: 1 })));
    for (const [i, run] of runs.entries()) {
      const view = await bench.waitEnd(run);
      assert.match(view.report ?? '', new RegExp(names[i] ?? ''));
      assert.equal(bench.repo.git('show', `${view.branch}:same.txt`), names[i]);
      assert.equal(view.filesChanged, 1);
    }
    assert.equal(new Set(runs).size, 4);
  });

  it('starts one run for one key, also when two ask at the same moment', async () => {
    bench = await openBench({ script: () => say('Done.') });
    const ask = (task: string) => bench.engine.startRun({ task, options: { maxAgents: 1 }, key: 'k-1' });
    const [first, second] = await Promise.all([ask('Do it'), ask('Do it')]);
    assert.equal(first?.run, second?.run);
    await bench.waitEnd(first?.run);
    assert.equal((await ask('Do something else')).run, first?.run);
    assert.equal((await bench.engine.listRuns(10)).length, 1);
    assert.equal(bench.model.requests.length, 1);
  });

  it('goes on after a restart where it was: nothing is asked twice', async () => {
    bench = await openBench({
      server: { slots: 2 },
      script: (request) => {
        if (isPlanner(request)) return planOf(6);
        return partOf(request) < 0 ? finish('Joined.') : writePart(request, { latencyMs: 50 });
      },
    });
    const run = await start(BIG_TASK);
    await bench.waitUntil(
      'some have written',
      async () => (await eventsOf(bench, run)).filter((event) => event.type === 'agent.committed').length >= 2,
    );
    await bench.restart();
    const view = await bench.waitEnd(run);
    assert.equal(view.state, 'completed');
    assert.equal(view.filesChanged, 6);
    const answered = bench.model.requests.filter(({ state }) => state === 'answered').length;
    const turns = (await agentsOf(bench, run)).reduce((sum, agent) => sum + agent.turns, 0);
    assert.ok(answered - turns <= 2, `${answered} answers for ${turns} turns: only what was under way is asked again`);
  });
});
