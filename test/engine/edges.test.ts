import assert from 'node:assert/strict';
import { type Bench, openBench } from '../support/engine.ts';
import { keyOf, runPlan, startPlan, step, stepStates, writeOwn } from '../support/plans.ts';
import { call, finish, type ParsedRequest, type ScriptedAnswer } from '../support/scripted-server.ts';
import { agentNamed, agentsOf, eventsOf, isLastTurn, toolResults } from '../support/team.ts';

/** Steps whose key begins with `bad` are blocked. */
const worker = (request: ParsedRequest): ScriptedAnswer =>
  keyOf(request).startsWith('bad') ? finish('The door is locked.', 'blocked') : writeOwn(request);

describe('The executor', () => {
  let bench: Bench;
  afterEach(async () => {
    for (const run of await bench.engine.listRuns(10)) assert.deepEqual(await bench.invariants(run.run), []);
    await bench.close();
  });

  describe('when a need has failed', () => {
    it('stops at an edge that says fail, goes on at one that says continue', async () => {
      bench = await openBench({ script: worker });
      const view = await runPlan(bench, [
        step('bad'),
        step('good'),
        step('stops', { needs: ['good', 'bad'], onFailure: { bad: 'fail' }, toleratesFailure: true }),
        step('goes', { needs: ['good', 'bad'], onFailure: { bad: 'continue' } }),
        step('after', { needs: ['stops'] }),
      ]);
      assert.equal(view.state, 'partial', JSON.stringify(view, null, 1));
      assert.deepEqual(await stepStates(bench, view.run), {
        bad: 'failed',
        good: 'done',
        stops: 'skipped',
        goes: 'done',
        after: 'skipped',
      });
    });

    it('tells whoever joins what is missing, and why; the run’s report names it and its sources', async () => {
      let heard = '';
      bench = await openBench({
        script: (request) => {
          if (keyOf(request) === 'join') {
            heard = JSON.stringify(request.messages);
            return finish('Joined what there was.');
          }
          return worker(request);
        },
      });
      const view = await runPlan(bench, [
        step('good'),
        step('bad'),
        step('join', { needs: ['good', 'bad'], toleratesFailure: true, tier: 'executive' }),
      ]);
      assert.equal(view.state, 'partial');
      assert.match(heard, /Notice from the engine: Not all that you need is there\. Missing:/);
      assert.match(heard, /\\"bad\\": it failed \(blocked\): The door is locked\./);
      assert.match(
        view.report ?? '',
        /^Joined what there was\.\n\n## Sources\n\n- Missing: bad: it failed \(blocked\): The door is locked\.\n- good: out\/good\.txt \([0-9a-f]{10}\)$/,
      );
      assert.equal((await agentNamed(bench, view.run, 'join')).report, view.report);
    });
  });

  describe('when the end of one step settles others, too', () => {
    it('tells whoever needs them all once what is missing', async () => {
      let heard = '';
      bench = await openBench({
        script: (request) => {
          if (keyOf(request) === 'join') heard = JSON.stringify(request.messages);
          return worker(request);
        },
      });
      const view = await runPlan(bench, [
        step('good'),
        step('bad', { needs: ['good'] }),
        step('after', { needs: ['bad'] }),
        step('join', { needs: ['good', 'bad', 'after'], toleratesFailure: true }),
      ]);
      assert.deepEqual(await stepStates(bench, view.run), {
        good: 'done',
        bad: 'failed',
        after: 'skipped',
        join: 'done',
      });
      assert.equal(heard.split('Not all that you need is there').length - 1, 1, heard);
    });

    it('starts what needs them all once, though the files of another branch have to be brought first', async () => {
      bench = await openBench({ script: worker });
      const view = await runPlan(bench, [
        step('far', { parent: 'boss' }),
        step('boss', { needs: ['far'] }),
        step('bad', { needs: ['far'] }),
        step('after', { needs: ['bad'] }),
        step('join', { needs: ['far', 'bad', 'after'], toleratesFailure: true }),
      ]);
      assert.deepEqual(await stepStates(bench, view.run), {
        far: 'done',
        boss: 'done',
        bad: 'failed',
        after: 'skipped',
        join: 'done',
      });
    });

    it('starts once what has its quorum by them', async () => {
      bench = await openBench({ script: worker });
      const view = await runPlan(bench, [
        step('far', { parent: 'boss' }),
        step('boss', { needs: ['far'] }),
        step('gate', { needs: ['far'] }),
        step('rescue', { needs: ['gate'], when: { step: 'gate', is: 'failed' } }),
        step('join', { needs: ['far', 'gate', 'rescue'], join: { quorum: 2, withinMs: null } }),
      ]);
      assert.deepEqual(await stepStates(bench, view.run), {
        far: 'done',
        boss: 'done',
        gate: 'done',
        rescue: 'omitted',
        join: 'done',
      });
    });
  });

  describe('with conditions', () => {
    it('omits what does not hold, which is no failure, and rolls a loop to its end', async () => {
      const going = (round: number) =>
        ({
          all: [{ not: { step: `check-${round}`, is: 'omitted' } }, { not: { step: `check-${round}`, says: 'good' } }],
        }) as const;
      bench = await openBench({
        script: (request) => (keyOf(request) === 'check-2' ? finish('All good.') : writeOwn(request)),
      });
      const view = await runPlan(bench, [
        step('check-1'),
        step('check-2', { needs: ['check-1'], when: going(1) }),
        step('check-3', { needs: ['check-2'], when: going(2) }),
        step('check-4', { needs: ['check-3'], when: going(3) }),
        step('end', { needs: ['check-1', 'check-2', 'check-3', 'check-4'] }),
      ]);
      assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
      assert.deepEqual(await stepStates(bench, view.run), {
        'check-1': 'done',
        'check-2': 'done',
        'check-3': 'omitted',
        'check-4': 'omitted',
        end: 'done',
      });
      const omitted = (await eventsOf(bench, view.run)).filter((event) => event.type === 'step.omitted');
      assert.match(omitted[0]?.type === 'step.omitted' ? omitted[0].reason : '', /check-2 says "good"/);
      assert.equal(view.agents.failed, 0);
    });

    it('starts a step that is there for the failure of another', async () => {
      bench = await openBench({ script: worker });
      const view = await runPlan(bench, [
        step('bad'),
        step('rescue', { needs: ['bad'], when: { step: 'bad', is: 'failed' } }),
        step('praise', { needs: ['bad'], when: { step: 'bad', is: 'done' }, onFailure: { bad: 'continue' } }),
      ]);
      assert.equal(view.state, 'partial');
      assert.deepEqual(await stepStates(bench, view.run), { bad: 'failed', rescue: 'done', praise: 'omitted' });
    });
  });

  describe('with a join', () => {
    /** `slow` steps never finish by themselves. */
    const slowly = (request: ParsedRequest): ScriptedAnswer => {
      if (!keyOf(request).startsWith('slow')) return worker(request);
      if (isLastTurn(request)) return finish('Half of it.');
      const path = `out/${keyOf(request)}-${toolResults(request).length}.txt`;
      return call('write_file', { path, content: 'more\n' }, { latencyMs: 150 });
    };

    it('starts at its quorum; the others wrap up, and what they did is not used', async () => {
      bench = await openBench({ script: slowly, server: { slots: 8 } });
      const names = ['a', 'b', 'slow-1', 'slow-2'];
      const view = await runPlan(bench, [
        ...names.map((name) => step(name, { parent: 'join' })),
        step('late', { needs: ['slow-1'], parent: 'join', when: { step: 'slow-1', is: 'done' } }),
        step('join', { needs: [...names, 'late'], join: { quorum: 2, withinMs: null }, toleratesFailure: true }),
      ]);
      assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
      const states = await stepStates(bench, view.run);
      assert.deepEqual([states['a'], states['b'], states['join']], ['done', 'done', 'done']);
      assert.deepEqual([states['slow-1'], states['slow-2'], states['late']], ['omitted', 'omitted', 'omitted']);
      const files = bench.repo.git('ls-tree', '-r', '--name-only', view.branch);
      assert.match(files, /out\/a\.txt/);
      assert.doesNotMatch(files, /slow/);
    });

    it('starts when its time is over, also when the engine was started anew meanwhile', async () => {
      bench = await openBench({ script: slowly, server: { slots: 8 } });
      const run = await startPlan(bench, [
        step('a'),
        step('slow-1'),
        step('join', { needs: ['a', 'slow-1'], join: { quorum: null, withinMs: 1500 } }),
      ]);
      await bench.waitUntil('a is done', async () => (await stepStates(bench, run))['a'] === 'done');
      await bench.restart();
      const view = await bench.waitEnd(run);
      assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
      assert.deepEqual(await stepStates(bench, run), { a: 'done', 'slow-1': 'omitted', join: 'done' });
      assert.ok((await agentsOf(bench, run)).some(({ endReason }) => endReason === 'omitted'));
    });

    it('waits on when its time is over and nothing is there', async () => {
      bench = await openBench({
        script: (request) => ({ ...writeOwn(request), latencyMs: keyOf(request) === 'a' ? 700 : 0 }),
      });
      const view = await runPlan(bench, [
        step('a'),
        step('join', { needs: ['a'], join: { quorum: null, withinMs: 100 } }),
      ]);
      assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    });
  });
});
