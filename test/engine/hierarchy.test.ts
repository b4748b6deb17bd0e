import assert from 'node:assert/strict';
import { type Bench, openBench } from '../support/engine.ts';
import { call, calls, finish, type ParsedRequest, say } from '../support/scripted-server.ts';
import { BIG_TASK, isPlanner, partOf, planOf, writePart } from '../support/team.ts';

const isWorker = (request: ParsedRequest): boolean => partOf(request) >= 0;

describe('a hierarchy', () => {
  let bench: Bench;
  afterEach(async () => {
    for (const run of await bench.engine.listRuns(10)) assert.deepEqual(await bench.invariants(run.run), []);
    await bench.close();
  });

  it('has two synthesizers and an executive above twelve workers, and brings all of their files home', async () => {
    bench = await openBench({
      script: (request) => {
        if (isPlanner(request)) return planOf(12);
        if (isWorker(request)) return writePart(request);
        return finish(
          `Joined ${
            request.messages
              .map((m) => m.content)
              .join('\n')
              .split('Report of').length - 1
          } reports.`,
        );
      },
    });
    const view = await bench.run(BIG_TASK);
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    assert.equal(view.filesChanged, 12);
    const { agents } = await bench.engine.listAgents({ run: view.run });
    const tiers = agents.map((agent) => agent.tier);
    assert.deepEqual(
      ['planner', 'executive', 'synthesizer', 'worker'].map((tier) => tiers.filter((t) => t === tier).length),
      [1, 1, 2, 12],
    );
    const executive = agents.find((agent) => agent.tier === 'executive');
    assert.match(view.report ?? '', /^Joined 2 reports\.\n\n## Sources\n\n- join part 1: /);
    assert.equal(executive?.tokens.subtreeUsed, view.tokens.used - (agents[0]?.tokens.used ?? 0));
    await bench.waitUntil(
      'only main and the branch of the run are left',
      async () => bench.repo.git('for-each-ref', '--format=%(refname:short)', 'refs/heads/').split('\n').length === 2,
    );
  });

  it('lets a step see the files of the step that it needs, across different parents', async () => {
    const seen: string[] = [];
    bench = await openBench({
      script: (request) => {
        if (isPlanner(request)) return planOf(10, { 9: [0] });
        if (!isWorker(request)) return finish('Joined.');
        if (partOf(request) === 9 && !request.lastTool) return call('read_file', { path: 'out/0.txt' });
        if (partOf(request) === 9 && request.lastTool?.name === 'read_file') {
          seen.push(request.lastTool.content);
          return call('write_file', { path: 'out/9.txt', content: '9\n' });
        }
        return writePart(request);
      },
    });
    const view = await bench.run(BIG_TASK);
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    assert.match(seen[0] ?? '', /^out\/0\.txt \(1 line/);
    assert.equal(view.filesChanged, 10);
  });

  it('falls back to rules when the model cannot plan, and says so', async () => {
    bench = await openBench({
      script: (request) => (isPlanner(request) ? say('I will not plan.') : finish('Done by hand.')),
    });
    const view = await bench.run(BIG_TASK);
    const { events } = await bench.engine.events({
      after: 0,
      waitMs: 0,
      limit: 1000,
      signal: new AbortController().signal,
    });
    const planned = events.find((event) => event.type === 'run.planned');
    assert.equal(planned?.type === 'run.planned' && planned.by, 'rules');
    assert.ok(['answered', 'completed'].includes(view.state));
  });

  it('ends as partial with what it has when one worker fails', async () => {
    bench = await openBench({
      script: (request) => {
        if (isPlanner(request)) return planOf(5);
        if (!isWorker(request)) return finish('Joined what there was.');
        return partOf(request) === 2 ? finish('I am stuck.', 'blocked') : writePart(request);
      },
    });
    const view = await bench.run(BIG_TASK);
    assert.equal(view.state, 'partial', JSON.stringify(view, null, 1));
    assert.equal(view.filesChanged, 4);
    assert.match(view.error ?? '', /part 2: I am stuck/);
  });

  it('gives a delegating agent the reports of its children as the results of its calls, and their files', async () => {
    bench = await openBench({
      script: (request) => {
        if (request.firstUser.includes('Write child')) {
          const name = /Write child (\w+)/.exec(request.firstUser)?.[1] ?? '';
          return request.lastTool
            ? finish(`Child ${name} is done.`)
            : call('write_file', { path: `${name}.txt`, content: name });
        }
        if (!request.lastTool)
          return calls(
            ['delegate', { task: 'Write child one' }],
            ['delegate', { task: 'Write child two', tokens: 20_000 }],
          );
        const results = request.messages.filter((m) => m.role === 'tool').map((m) => m.content);
        if (request.lastTool.name === 'delegate') return call('read_file', { path: 'one.txt' });
        return finish(results.join(' | '));
      },
    });
    const view = await bench.run('Have two files written', { maxAgents: 5, maxDepth: 2, budget: 200_000 });
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    assert.match(view.report ?? '', /Child one is done.*Child two is done.*one\.txt \(1 line/s);
    assert.equal(view.filesChanged, 2);
  });

  it('does not offer delegation at the last level, and refuses it there', async () => {
    bench = await openBench({
      script: (request, n) => {
        assert.equal(
          request.tools.some((tool) => tool.name === 'delegate'),
          false,
        );
        return n === 1 ? call('delegate', { task: 'Do it for me' }) : finish(request.lastTool?.content ?? '');
      },
    });
    const view = await bench.run('Try to delegate', { maxAgents: 1, maxDepth: 1 });
    assert.match(view.report ?? '', /delegate/);
    assert.equal(view.agents.total, 1);
  });
});
