import assert from 'node:assert/strict';
import { retryFailedSteps } from '../../mcp-server/engine/retry-run.ts';
import { type Bench, openBench } from '../support/engine.ts';
import { keyOf, runPlan, startPlan, step, stepStates, writeOwn } from '../support/plans.ts';
import { call, finish, type ParsedRequest, type ScriptedAnswer, say } from '../support/scripted-server.ts';
import { agentsOf, eventsOf, isLastTurn, toolResults } from '../support/team.ts';

/** Answers nothing, as often as it is asked. */
const mute = say('');
const hearing = (request: ParsedRequest): string => JSON.stringify(request.messages);

describe('A failed step', () => {
  let bench: Bench;
  afterEach(async () => {
    for (const run of await bench.engine.listRuns(10)) assert.deepEqual(await bench.invariants(run.run), []);
    await bench.close();
  });

  it('is tried again by a fresh agent, which knows why and has the reports that the first one had', async () => {
    let heard = '';
    bench = await openBench({
      script: (request) => {
        if (keyOf(request) !== 'odd') return writeOwn(request);
        if (!hearing(request).includes('(try 2)')) return mute;
        heard = hearing(request);
        return writeOwn(request);
      },
    });
    const view = await runPlan(bench, [step('first'), step('odd', { needs: ['first'], retries: 2 })]);
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    assert.match(heard, /Report of first \(completed\): first is done/);
    assert.match(heard, /An agent before you has failed at this task \(bad-answers: /);
    const names = (await agentsOf(bench, view.run)).map(({ name, state }) => `${name}: ${state}`);
    assert.deepEqual(names, ['first: completed', 'odd: failed', 'odd (try 2): completed']);
    const odd = (await bench.store.steps(view.run))[1];
    assert.equal(odd?.attempt, 2);
    const retried = (await eventsOf(bench, view.run)).filter(({ type }) => type === 'step.retried');
    assert.equal(retried.length, 1);
    assert.equal(bench.repo.git('show', `${view.branch}:out/odd.txt`), 'odd');
  });

  it('is tried as often as the run says, and no more', async () => {
    bench = await openBench({ script: () => mute });
    const view = await runPlan(bench, [step('odd')], { planning: { retries: 2 } });
    assert.equal(view.state, 'failed');
    assert.equal((await agentsOf(bench, view.run)).length, 3);
    assert.match(view.error ?? '', /^odd \(try 3\): The model answered nothing, three times\.$/);
  });

  it('is not tried again where that cannot help', async () => {
    bench = await openBench({ script: () => finish('It cannot be done.', 'blocked') });
    const view = await runPlan(bench, [step('odd', { retries: 5 })]);
    assert.equal(view.state, 'failed');
    assert.equal((await agentsOf(bench, view.run)).length, 1);
  });

  it('keeps what was merged into a joiner before it began', async () => {
    bench = await openBench({
      script: (request) => {
        if (keyOf(request) !== 'join') return writeOwn(request);
        return hearing(request).includes('(try 2)') ? finish('Joined.') : mute;
      },
    });
    const view = await runPlan(bench, [
      step('a', { parent: 'join' }),
      step('b', { parent: 'join' }),
      step('join', { needs: ['a', 'b'], retries: 1, tier: 'synthesizer' }),
    ]);
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    const files = bench.repo.git('ls-tree', '-r', '--name-only', view.branch, 'out/').split('\n');
    assert.deepEqual(files, ['out/a.txt', 'out/b.txt']);
  });

  describe('of a run that has ended', () => {
    /** `broken` steps fail until they are mended. */
    const openBroken = async (): Promise<{ mend(): void }> => {
      let mended = false;
      bench = await openBench({
        script: (request) =>
          keyOf(request).startsWith('broken') && !mended ? finish('It is broken.', 'blocked') : writeOwn(request),
      });
      return { mend: () => (mended = true) };
    };
    const steps = [
      step('good', { parent: 'join' }),
      step('broken', { parent: 'join' }),
      step('after', { needs: ['broken'], parent: 'join' }),
      step('join', { needs: ['good', 'broken', 'after'], tier: 'synthesizer', toleratesFailure: true }),
    ];

    it('is done again with all that needs it, and the rest is kept', async () => {
      const { mend } = await openBroken();
      const first = await runPlan(bench, steps);
      assert.equal(first.state, 'partial');
      const kept = (await bench.store.steps(first.run)).find(({ key }) => key === 'good')?.agent;
      mend();
      await retryFailedSteps(coreOf(bench), first.run);
      await bench.engine.resumeRun(first.run);
      const view = await bench.waitEnd(first.run);
      assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
      assert.deepEqual(await stepStates(bench, view.run), {
        good: 'done',
        broken: 'done',
        after: 'done',
        join: 'done',
      });
      assert.equal((await bench.store.steps(view.run)).find(({ key }) => key === 'good')?.agent, kept);
      const files = bench.repo.git('ls-tree', '-r', '--name-only', view.branch, 'out/').split('\n');
      assert.deepEqual(files, ['out/after.txt', 'out/broken.txt', 'out/good.txt', 'out/join.txt']);
      assert.equal(view.error, null);
    });

    it('gets more tokens when they are granted, and the books still balance', async () => {
      const { mend } = await openBroken();
      const first = await runPlan(bench, steps, { budget: 60_000 });
      mend();
      await retryFailedSteps(coreOf(bench), first.run, 25_000);
      await bench.engine.resumeRun(first.run);
      const view = await bench.waitEnd(first.run);
      assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
      assert.equal(view.tokens.granted, 85_000);
      const { sum, granted } = await bench.engine.budget(view.run);
      assert.deepEqual([sum, granted], [85_000, 85_000]);
    });

    it('is not there in a run that went well, nor in one that goes on', async () => {
      const { mend } = await openBroken();
      mend();
      const well = await runPlan(bench, steps);
      await assert.rejects(retryFailedSteps(coreOf(bench), well.run), /Only a run that has ended with failed steps/);
    });
  });
});

describe('The time of an agent', () => {
  let bench: Bench;
  afterEach(async () => {
    for (const run of await bench.engine.listRuns(10)) assert.deepEqual(await bench.invariants(run.run), []);
    await bench.close();
  });
  const slowly = (request: ParsedRequest): ScriptedAnswer => {
    if (isLastTurn(request)) return finish(`As far as I came: ${hearing(request).includes('Your time is over')}`);
    return call('write_file', { path: `out/${toolResults(request).length}.txt`, content: 'x\n' }, { latencyMs: 200 });
  };

  it('ends with a report when it is over', async () => {
    bench = await openBench({ script: slowly });
    const view = await runPlan(bench, [step('slow', { timeoutMs: 500 })]);
    const [agent] = await agentsOf(bench, view.run);
    assert.deepEqual([agent?.state, agent?.endReason], ['completed', 'timeout']);
    assert.match(view.report ?? '', /As far as I came: true/);
    assert.ok((view.filesChanged ?? 0) > 0, 'what it did is brought home');
  });

  it('is cut some time after it is over, and another agent tries', async () => {
    bench = await openBench({
      script: (request) =>
        hearing(request).includes('(try 2)')
          ? writeOwn(request)
          : { ...writeOwn(request), fault: 'hang-before-headers' },
    });
    const run = await startPlan(bench, [step('stuck', { retries: 1 })], {
      planning: { timeouts: { worker: 300, synthesizer: null, executive: null } },
    });
    const view = await bench.waitEnd(run);
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    const [first, second] = await agentsOf(bench, run);
    assert.deepEqual([first?.state, first?.endReason, second?.state], ['failed', 'timeout', 'completed']);
  });
});

/** What the engine's modules share, as far as a retry uses it; the engine is woken by the test. */
const coreOf = (bench: Bench): Parameters<typeof retryFailedSteps>[0] =>
  ({ parts: { store: bench.store, clock: bench.clock, random: Math.random }, wake: () => {} }) as never;
