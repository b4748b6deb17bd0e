import assert from 'node:assert/strict';
import { type Bench, openBench } from '../support/engine.ts';
import { keyOf, runPlan, step, stepStates, writeOwn } from '../support/plans.ts';
import { call, finish, type ParsedRequest, type ScriptedAnswer } from '../support/scripted-server.ts';
import { agentNamed, agentsOf, isLastTurn, toolResults } from '../support/team.ts';

const hearing = (request: ParsedRequest): string => JSON.stringify(request.messages);
const readme = { 'README.md': 'A line of text.\n'.repeat(100) };

/** Writes a first file, then only looks around until it has to report. */
const neverDone = (request: ParsedRequest): ScriptedAnswer => {
  const key = keyOf(request);
  if (isLastTurn(request)) return finish(`${key}: the first half is there.`);
  const looks = toolResults(request).length;
  return looks === 0
    ? call('write_file', { path: `out/${key}-half.txt`, content: 'half\n' })
    : call('read_file', { path: 'README.md', from_line: 1, to_line: 2 + looks });
};

describe('An agent that runs out of tokens before it is done', () => {
  let bench: Bench;
  afterEach(async () => {
    for (const run of await bench.engine.listRuns(10)) assert.deepEqual(await bench.invariants(run.run), []);
    await bench.close();
  });

  it('leaves its run partly done, which says why, though its work is brought home', async () => {
    bench = await openBench({ files: readme, script: neverDone });
    const view = await runPlan(bench, [step('big')], { budget: 15_000 });
    const [agent] = await agentsOf(bench, view.run);
    assert.deepEqual([agent?.state, agent?.endReason], ['completed', 'out-of-budget']);
    assert.equal(view.state, 'partial', JSON.stringify(view, null, 1));
    assert.equal(view.error, 'big: incomplete, out of tokens');
    assert.equal(view.report, 'big: the first half is there.');
    assert.equal(bench.repo.git('show', `${view.branch}:out/big-half.txt`), 'half');
    const { steps } = await bench.engine.showPlan(view.run);
    assert.deepEqual(
      steps.map(({ state, incomplete }) => [state, incomplete]),
      [['done', 'out of tokens']],
    );
  });

  it('leaves a run without a file partly done as well, not answered', async () => {
    bench = await openBench({
      files: readme,
      script: (request) => {
        const looks = toolResults(request).length;
        return isLastTurn(request)
          ? finish('That is all I saw.')
          : call('read_file', { path: 'README.md', from_line: 1, to_line: 2 + looks });
      },
    });
    const view = await runPlan(bench, [step('big')], { budget: 15_000 });
    assert.equal(view.state, 'partial', JSON.stringify(view, null, 1));
    assert.equal(view.report, 'That is all I saw.');
  });

  it('leaves its run whole if nothing of its task was left when it had to report', async () => {
    bench = await openBench({
      files: readme,
      script: (request) => (isLastTurn(request) ? finish('Both halves are there.', 'whole') : neverDone(request)),
    });
    const view = await runPlan(bench, [step('big')], { budget: 15_000 });
    const [agent] = await agentsOf(bench, view.run);
    assert.deepEqual([agent?.state, agent?.endReason], ['completed', 'finished']);
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
  });

  /** `big` gets a small share of the tokens. */
  const steps = [
    step('big', { parent: 'join', weight: 0.05 }),
    step('small', { parent: 'join' }),
    step('count', {
      needs: ['big', 'small'],
      weight: 0.001,
      work: { kind: 'compute', processor: 'concat', options: {} },
    }),
    step('join', { needs: ['big', 'small'], tier: 'synthesizer', toleratesFailure: true }),
  ];

  it('is told of to whoever joins its part, and to a processor', async () => {
    let heard = '';
    bench = await openBench({
      files: readme,
      script: (request) => {
        if (keyOf(request) === 'big') return neverDone(request);
        if (keyOf(request) === 'join') heard = hearing(request);
        return writeOwn(request);
      },
    });
    const view = await runPlan(bench, steps, { budget: 250_000 });
    assert.equal(view.state, 'partial', JSON.stringify(view, null, 1));
    assert.match(
      heard,
      /Report of big \(incomplete\): INCOMPLETE \(out of tokens\): only a part of its task is done\. Say in your report what is missing because of it\. As far as it came: big: the first half/,
    );
    assert.match(heard, /Report of small \(completed\): small is done/);
    assert.match((await agentNamed(bench, view.run, 'count')).report ?? '', /## big \(incomplete: out of tokens\)\n/);
    assert.equal(view.error, 'big: incomplete, out of tokens');
  });

  it('is followed by another one when the failed steps are tried again, who knows what there is', async () => {
    let more = false;
    let heard = '';
    bench = await openBench({
      files: readme,
      script: (request) => {
        if (keyOf(request) !== 'big' || more) {
          if (keyOf(request) === 'big') heard = hearing(request);
          return writeOwn(request);
        }
        return neverDone(request);
      },
    });
    const first = await runPlan(bench, steps, { budget: 250_000 });
    const small = (await agentNamed(bench, first.run, 'small')).agent;
    more = true;
    await bench.engine.retryFailedSteps({ run: first.run, budget: 50_000 });
    const view = await bench.waitEnd(first.run);
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    assert.equal(view.error, null);
    assert.match(heard, /An agent before you was out of tokens when it was at this task\. What it did is in your copy/);
    assert.match(heard, /Its report: big: the first half is there\./);
    assert.deepEqual(await stepStates(bench, view.run), { big: 'done', small: 'done', count: 'done', join: 'done' });
    const agents = await bench.store.steps(view.run);
    assert.equal(agents.find(({ key }) => key === 'small')?.agent, small, 'what was done is kept');
    const files = bench.repo.git('ls-tree', '-r', '--name-only', view.branch, 'out/').split('\n');
    assert.deepEqual(files, ['out/big-half.txt', 'out/big.txt', 'out/join.txt', 'out/small.txt']);
    await assert.rejects(bench.engine.retryFailedSteps({ run: first.run }), /failed steps, or with incomplete ones/);
  });

  it('is told of to an agent that has delegated to it, whose own affair it is', async () => {
    let heard = '';
    bench = await openBench({
      files: readme,
      script: (request) => {
        if (keyOf(request) === 'big') return neverDone(request);
        if (!request.lastTool) return call('delegate', { task: 'do big', tokens: 12_000 });
        heard = request.lastTool.content;
        return finish('I have done the rest myself.');
      },
    });
    const view = await runPlan(bench, [step('lead')]);
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    assert.match(heard, /^INCOMPLETE \(out of tokens\)/);
  });

  it('is incomplete as well when its time or its turns ran out', async () => {
    bench = await openBench({ files: readme, script: neverDone, limits: { turns: 3 } });
    const view = await runPlan(bench, [step('turns')]);
    assert.deepEqual([view.state, view.error], ['partial', 'turns: incomplete, out of turns']);
    const slow = (request: ParsedRequest): ScriptedAnswer => ({ ...neverDone(request), latencyMs: 200 });
    await bench.close();
    bench = await openBench({ files: readme, script: slow });
    const late = await runPlan(bench, [step('late', { timeoutMs: 500 })]);
    assert.deepEqual([late.state, late.error], ['partial', 'late: incomplete, out of time']);
  });

  it('has not undone what it was to undo', async () => {
    bench = await openBench({
      files: readme,
      script: (request) => {
        if (request.firstUser.includes('must be undone')) return neverDone(request);
        return keyOf(request) === 'bad' ? finish('It went wrong.', 'blocked') : writeOwn(request);
      },
    });
    const view = await runPlan(
      bench,
      [
        step('one', { saga: 'all', undo: { kind: 'agent', task: 'tell everybody' } }),
        step('bad', { saga: 'all', needs: ['one'] }),
      ],
      { budget: 25_000 },
    );
    assert.match(view.report ?? '', /- one: could NOT be undone: incomplete, out of tokens: /);
  });
});
