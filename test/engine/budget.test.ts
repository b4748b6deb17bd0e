import assert from 'node:assert/strict';
import type { RunId } from '../../mcp-server/domain/ids.ts';
import { type Bench, openBench } from '../support/engine.ts';
import { keyOf, runPlan, step, writeOwn } from '../support/plans.ts';
import { call, calls, finish, type ParsedRequest, type ScriptedAnswer, say } from '../support/scripted-server.ts';
import { agentNamed, agentsOf, BIG_TASK, eventsOf, isLastTurn, taskOf, toolResults } from '../support/team.ts';

/** Another look at the same file each time, so that no two calls are alike. */
const lookAgain = (request: ParsedRequest): ScriptedAnswer =>
  call('read_file', { path: 'README.md', from_line: 1, to_line: 2 + toolResults(request).length });

/** What every request may cost at the most and what all that were answered did cost, in order of arrival. */
const costs = (bench: Bench) =>
  bench.model.requests.map((record) => ({
    most: record.promptTokens + (record.request.maxTokens ?? Number.POSITIVE_INFINITY),
    real: record.promptTokens + record.completionTokens,
  }));

const readme = { 'README.md': 'A line of text.\n'.repeat(100) };

describe('a budget', () => {
  let bench: Bench;
  afterEach(async () => {
    for (const run of await bench.engine.listRuns(10)) assert.deepEqual(await bench.invariants(run.run), []);
    await bench.close();
  });

  it('lets no call be made that could cost more than the account holds', async () => {
    bench = await openBench({
      files: readme,
      script: (request) => (isLastTurn(request) ? finish('That is all I saw.') : lookAgain(request)),
    });
    const view = await bench.run('Read the readme', { maxAgents: 1, budget: 30_000 });
    const [agent] = await agentsOf(bench, view.run);
    let left = 30_000 * 0.95;
    for (const { most, real } of costs(bench)) {
      assert.ok(most <= left, `a call of at most ${most} was made with ${left} left`);
      left -= real;
    }
    assert.ok(bench.model.requests.length > 4, 'several turns were made');
    assert.equal(
      view.tokens.used,
      costs(bench).reduce((sum, { real }) => sum + real, 0),
    );
    assert.equal(agent?.endReason, 'out-of-budget');
    assert.equal(agent?.state, 'completed');
    assert.equal(view.report, 'That is all I saw.');
  });

  it('brings home what was done when the tokens run out', async () => {
    bench = await openBench({
      files: readme,
      script: (request, n) =>
        isLastTurn(request)
          ? say('I wrote one file.')
          : n === 1
            ? call('write_file', { path: 'one.txt', content: 'one\n' })
            : lookAgain(request),
    });
    const view = await bench.run('Write a file', { maxAgents: 1, budget: 15_000 });
    assert.equal(view.state, 'partial', JSON.stringify(view, null, 1));
    assert.equal(view.report, 'I wrote one file.');
    assert.equal(bench.repo.git('show', `${view.branch}:one.txt`), 'one');
    const refused = (await eventsOf(bench)).filter((event) => event.type === 'budget.refused');
    assert.ok(refused.length > 0, 'the refusal is an event');
  });

  it('that ran out before the work was done does not make it done', async () => {
    bench = await openBench({
      files: readme,
      script: (request) => (isLastTurn(request) ? finish('I could not find it.', 'blocked') : lookAgain(request)),
    });
    const view = await bench.run('Write a file', { maxAgents: 1, budget: 15_000 });
    assert.equal(view.state, 'failed', JSON.stringify(view, null, 1));
    assert.match(view.error ?? '', /I could not find it/);
  });

  it('gives an agent that runs out what others did not need, but nothing of what a joiner needs or is kept back', async () => {
    bench = await openBench({
      files: readme,
      script: (request) => {
        if (keyOf(request) !== 'big') return writeOwn(request);
        return toolResults(request).length < 9 ? lookAgain(request) : finish('All nine looks.');
      },
    });
    const steps = [
      step('small', { parent: 'join', weight: 3 }),
      step('big', { parent: 'join', weight: 0.8, needs: ['small'] }),
      step('join', { needs: ['small', 'big'], tier: 'synthesizer' }),
    ];
    const view = await runPlan(bench, steps, { budget: 100_000 });
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    const given = (await eventsOf(bench)).filter((event) => event.type === 'budget.granted');
    assert.ok(given.length > 0, 'it is told');
    const ledger = await bench.store.ledger(view.run);
    const drawn = ledger.filter(({ kind, from }) => kind === 'grant' && from.startsWith(view.run));
    assert.equal(drawn.length, 1, 'only the plan got tokens of the run');
  });

  it('lets an agent that runs out wait for those at work who may leave something, but never for one that waits as well', async () => {
    bench = await openBench({
      files: readme,
      script: (request) => {
        const key = keyOf(request);
        if (key === 'small') return { ...writeOwn(request), latencyMs: 400 };
        if (key === 'join') return writeOwn(request);
        if (isLastTurn(request)) return finish('As far as I came.');
        return key === 'endless' || toolResults(request).length < 9 ? lookAgain(request) : finish('All nine looks.');
      },
    });
    const parts = ['small', 'big', 'endless'] as const;
    const weights = { small: 6, big: 0.9, endless: 0.5 };
    const steps = [
      ...parts.map((key) => step(key, { parent: 'join', weight: weights[key] })),
      step('join', { needs: parts, tier: 'synthesizer', toleratesFailure: true }),
    ];
    const view = await runPlan(bench, steps, { budget: 180_000 });
    assert.equal(view.error, 'endless: incomplete, out of tokens', JSON.stringify(view, null, 1));
    assert.equal(view.state, 'partial');
  });

  it('lets it wait for what comes back over those who join other parts', async () => {
    bench = await openBench({
      files: readme,
      script: (request) => {
        const key = keyOf(request);
        if (key !== 'big') return { ...writeOwn(request), latencyMs: key === 'slow' ? 400 : 50 };
        if (isLastTurn(request)) return finish('As far as I came.');
        return toolResults(request).length < 9 ? lookAgain(request) : finish('All nine looks.');
      },
    });
    const join = { tier: 'synthesizer', parent: 'all', toleratesFailure: true } as const;
    const steps = [
      step('slow', { parent: 'left', weight: 6 }),
      step('big', { parent: 'right', weight: 0.9 }),
      step('left', { ...join, needs: ['slow'] }),
      step('right', { ...join, needs: ['big'] }),
      step('all', { needs: ['left', 'right'], tier: 'executive', toleratesFailure: true }),
    ];
    const view = await runPlan(bench, steps, { budget: 200_000 });
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
  });

  it('that cannot pay for one turn ends as failed, says why, and asks nothing of the server', async () => {
    bench = await openBench({ script: () => finish('Never asked.') });
    const view = await bench.run(`Do something. ${'It matters. '.repeat(1000)}`, { maxAgents: 1, budget: 1000 });
    assert.equal(view.state, 'failed');
    assert.match(view.error ?? '', /budget is too small: the cheapest last turn needs \d+ tokens/);
    assert.equal(bench.model.requests.length, 0);
    assert.equal(view.tokens.used, 0);
  });

  it('below the least is refused before there is a run', async () => {
    bench = await openBench();
    await assert.rejects(bench.engine.startRun({ task: 'Do something', options: { budget: 999 } }), {
      name: 'UserError',
      code: 'budget-too-small',
    });
    assert.deepEqual(await bench.engine.listRuns(10), []);
  });

  it('too small for a planner is planned by the rules instead of failing', async () => {
    bench = await openBench({ script: (request) => (request.jsonSchema ? say('never') : finish('Did my part.')) });
    const view = await bench.run(BIG_TASK, { budget: 2000, maxAgents: 2 });
    assert.equal(bench.model.requests.filter(({ request }) => request.jsonSchema !== null).length, 0);
    const planned = (await eventsOf(bench)).find((event) => event.type === 'run.planned');
    assert.equal(planned?.type === 'run.planned' && planned.by, 'rules');
    assert.equal(view.state, 'partial', JSON.stringify(view, null, 1));
    assert.match(view.error ?? '', /: incomplete, out of tokens$/);
  });

  it('flows down a chain of delegations and never back up what was not granted', async () => {
    const levels = ['Level one', 'Level two', 'Level three', 'Level four'];
    const grants = [0, 40_000, 26_000, 16_000];
    bench = await openBench({
      files: readme,
      script: (request) => {
        const level = levels.findIndex((name) => taskOf(request).startsWith(name));
        if (isLastTurn(request)) return finish(`${levels[level]} is out of tokens.`);
        if (level < 3 && !request.lastTool)
          return call('delegate', { task: levels[level + 1], tokens: grants[level + 1] });
        return level === 3 ? lookAgain(request) : finish(`${levels[level]} has ended.`);
      },
    });
    const sums: number[] = [];
    const looks: Promise<void>[] = [];
    const stop = bench.store.onEvents((events) => {
      const run = events.find((event) => event.run !== null)?.run as RunId | undefined;
      if (!run) return;
      const look = async (): Promise<void> => {
        const { accounts, granted, sum } = await bench.engine.budget(run);
        sums.push(sum - granted);
        for (const { tokens } of accounts) assert.ok(Math.min(tokens.available, tokens.reserved, tokens.used) >= 0);
      };
      looks.push(look());
    });
    const view = await bench.run('Level one', { maxDepth: 4, maxAgents: 10, budget: 60_000, planning: { workers: 1 } });
    stop();
    await Promise.all(looks);
    assert.ok(sums.length > 15 && sums.every((off) => off === 0), `the sum was off: ${sums.join()}`);
    for (const [level, name] of levels.entries()) {
      const agent = await agentNamed(bench, view.run, name);
      assert.equal(agent.depth, level + 1);
      const granted = level === 0 ? 57_000 : (grants[level] ?? 0);
      assert.ok(agent.tokens.subtreeUsed <= granted, `${name} used ${agent.tokens.subtreeUsed} of ${granted}`);
    }
    const last = await agentNamed(bench, view.run, 'Level four');
    assert.equal(last.endReason, 'out-of-budget');
    assert.equal(view.tokens.available + view.tokens.used, 60_000);
    assert.equal(view.report, 'Level one has ended.');
  });

  it('gets back what a child did not use, and the parent can spend it', async () => {
    bench = await openBench({
      files: readme,
      script: (request) => {
        if (taskOf(request) === 'Look once') return finish('Saw it.');
        if (isLastTurn(request)) return finish('Out of tokens.');
        if (!request.lastTool) return call('delegate', { task: 'Look once', tokens: 30_000 });
        return toolResults(request).length < 7 ? lookAgain(request) : finish('Enough.');
      },
    });
    const view = await bench.run('Have a look', { maxDepth: 2, maxAgents: 3, budget: 42_000 });
    const parent = await agentNamed(bench, view.run, 'Have a look');
    assert.equal(parent.endReason, 'finished', JSON.stringify(view));
    const kept = 42_000 * 0.95 - 30_000;
    assert.ok(parent.tokens.used > kept, `${parent.tokens.used} used, ${kept} kept`);
  });

  it('refuses a grant that is larger than what the parent holds, and keeps what its own report needs', async () => {
    const results: string[] = [];
    bench = await openBench({
      script: (request) => {
        if (taskOf(request) === 'A part') return finish('Done.');
        if (request.lastTool) results.push(request.lastTool.content);
        if (results.length === 0) return call('delegate', { task: 'A part', tokens: 1_000_000 });
        if (results.length === 1) return call('delegate', { task: 'A part', tokens: 0 });
        const left = Number(/You have (\d+) tokens/.exec(results[0] ?? '')?.[1]);
        if (results.length === 2) return call('delegate', { task: 'A part', tokens: left - 6500 });
        return finish(results.at(-1) ?? '');
      },
    });
    const view = await bench.run('Delegate', { maxDepth: 2, maxAgents: 5, budget: 20_000 });
    assert.match(results[0] ?? '', /You have \d+ tokens left and cannot grant 1000000/);
    assert.match(results[1] ?? '', /tokens/);
    assert.match(results[2] ?? '', /cannot grant \d+: \d+ are kept for your own report/);
    assert.equal(view.agents.total, 1);
  });

  it('starts nobody and asks nobody in a last turn', async () => {
    bench = await openBench({
      files: readme,
      script: (request) => {
        if (!isLastTurn(request)) return lookAgain(request);
        return calls(['delegate', { task: 'Go on for me' }], ['ask_person', { question: 'More tokens?' }]);
      },
    });
    const view = await bench.run('Read', { maxDepth: 2, maxAgents: 5, budget: 15_000 });
    assert.equal(view.agents.total, 1);
    const [agent] = await agentsOf(bench, view.run);
    assert.equal(agent?.endReason, 'out-of-budget');
    const { entries } = await bench.engine.transcript(agent?.agent);
    const last = entries.findLast((entry) => entry.kind === 'answer');
    assert.deepEqual(last?.kind === 'answer' && last.calls.map((one) => [one.tool, one.state, one.ok]), [
      ['delegate', 'done', false],
      ['ask_person', 'done', false],
    ]);
  });

  it('is never below zero when the server reports more than was reserved, and an event says so', async () => {
    bench = await openBench({
      server: { contextSize: 400_000 },
      files: readme,
      script: (_request, n) => (n === 1 ? call('list_files', {}, { promptTokens: 300_000 }) : finish('Done.')),
    });
    const view = await bench.run('Look', { maxAgents: 1, budget: 20_000 });
    const overran = (await eventsOf(bench)).filter((event) => event.type === 'budget.overran');
    assert.equal(overran.length, 1);
    assert.ok(view.tokens.used <= 20_000);
    assert.equal(view.tokens.used, 19_000, 'all that the agent had is gone, and nothing of the others');
    assert.equal(bench.model.requests.length, 1, 'and nothing more is asked');
    const [agent] = await agentsOf(bench, view.run);
    assert.equal(agent?.endReason, 'out-of-budget');
  });
});
