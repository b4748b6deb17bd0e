import assert from 'node:assert/strict';
import { type Bench, openBench } from '../support/engine.ts';
import { keyOf, runPlan, startPlan, step, writeOwn } from '../support/plans.ts';
import { finish, type ParsedRequest, type Rehearsal, startRehearsal } from '../support/scripted-server.ts';

describe('A step with options of its own', () => {
  let bench: Bench;
  let other: Rehearsal | undefined;
  afterEach(async () => {
    for (const run of await bench.engine.listRuns(10)) assert.deepEqual(await bench.invariants(run.run), []);
    await bench.close();
    await other?.close();
    other = undefined;
  });

  it('asks its own server, with the model that the run uses there', async () => {
    const here: string[] = [];
    const there: string[] = [];
    other = await startRehearsal({
      slots: 2,
      answer: (request) => {
        there.push(keyOf(request));
        return writeOwn(request);
      },
    });
    bench = await openBench({
      script: (request) => {
        here.push(keyOf(request));
        return writeOwn(request);
      },
    });
    const servers = [{ server: other.url, model: 'coder', capabilities: ['code'] }];
    const view = await runPlan(bench, [step('a'), step('b', { server: other.url }), step('c', { needs: ['a', 'b'] })], {
      planning: { retries: 0, servers },
    });
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    assert.deepEqual([new Set(here), new Set(there)], [new Set(['a', 'c']), new Set(['b'])]);
  });

  it('waits for its own server when that is away, and the run says so', async () => {
    const gone = await startRehearsal({ slots: 2 });
    await gone.close();
    bench = await openBench({ script: writeOwn });
    const run = await startPlan(bench, [step('a', { server: gone.url })]);
    const statusOf = () => bench.engine.runStatus(run);
    await bench.waitUntil('it says why it waits', async () => (await statusOf()).stuck?.includes(gone.url) ?? false);
    const { servers } = await bench.engine.queue();
    assert.equal(servers.find(({ url }) => url === gone.url)?.reachable, false);
    await bench.engine.cancelRun({ run, mode: 'abort' });
    await bench.waitEnd(run);
  });

  it('may do less than the run, never more, and is told of its skills', async () => {
    const seen = new Map<string, ParsedRequest>();
    bench = await openBench({
      settings: { permissions: { commands: { allowed: ['git', 'node'] } } },
      script: (request) => {
        seen.set(keyOf(request), request);
        return finish('Looked.');
      },
    });
    await runPlan(bench, [
      step('plain'),
      step('less', { permissions: { commands: { allowed: ['node', 'rm'] } }, skills: ['tdd', 'review'] }),
      step('none', { permissions: { commands: 'off' } }),
    ]);
    const told = (key: string): string => JSON.stringify(seen.get(key)?.messages);
    const tools = (key: string): string => (seen.get(key)?.tools ?? []).map(({ name }) => name).join();
    assert.match(told('plain'), /these programs with run_command, and no others: git, node\./);
    assert.match(told('less'), /these programs with run_command, and no others: node\./);
    assert.match(told('less'), /tdd, review/);
    assert.match(told('none'), /You cannot run programs/);
    assert.deepEqual([/run_command/.test(tools('less')), /run_command/.test(tools('none'))], [true, false]);
  });

  it('goes first when it is more urgent', async () => {
    const order: string[] = [];
    bench = await openBench({
      server: { slots: 1 },
      script: (request) => {
        order.push(keyOf(request));
        return finish('Done.');
      },
    });
    await runPlan(bench, [step('a'), step('b'), step('c', { urgency: 5 })]);
    assert.deepEqual(order, ['c', 'a', 'b']);
  });
});
