import assert from 'node:assert/strict';
import { type Bench, openBench } from '../support/engine.ts';
import { call, calls, finish, type ParsedRequest, type ScriptedAnswer, say } from '../support/scripted-server.ts';
import { taskOf } from '../support/team.ts';

const plan = (n: number, needs: Record<number, number[]> = {}): ScriptedAnswer =>
  say(
    JSON.stringify({
      steps: Array.from({ length: n }, (_, i) => ({
        key: `s${i}`,
        title: `part ${i}`,
        task: `Write the file out/${i}.txt about part number ${i}.`,
        role: 'worker',
        needs: (needs[i] ?? []).map((j) => `s${j}`),
      })),
    }),
  );

const partOf = (request: ParsedRequest): number =>
  Number(/^Your task:\nWrite the file out\/(\d+)\.txt/.exec(request.firstUser)?.[1] ?? -1);
const isPlanner = (request: ParsedRequest): boolean => request.jsonSchema !== null;
const isWorker = (request: ParsedRequest): boolean => partOf(request) >= 0;
const task = 'Write many files, one for each part of the system, and then an overview of all of them';

/** Workers write their file and finish; whoever joins says how many reports it was given. */
const worker = (request: ParsedRequest): ScriptedAnswer => {
  const part = partOf(request);
  return request.lastTool
    ? finish(`Wrote part ${part}.`)
    : call('write_file', { path: `out/${part}.txt`, content: `${part}\n` });
};

describe('a hierarchy', () => {
  let bench: Bench;
  afterEach(async () => {
    for (const run of await bench.engine.listRuns(10)) assert.deepEqual(await bench.invariants(run.run), []);
    await bench.close();
  });

  it('has two synthesizers and an executive above twelve workers, and brings all of their files home', async () => {
    bench = await openBench({
      script: (request) => {
        if (isPlanner(request)) return plan(12);
        if (isWorker(request)) return worker(request);
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
    const view = await bench.run(task);
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
        if (isPlanner(request)) return plan(10, { 9: [0] });
        if (!isWorker(request)) return finish('Joined.');
        if (partOf(request) === 9 && !request.lastTool) return call('read_file', { path: 'out/0.txt' });
        if (partOf(request) === 9 && request.lastTool?.name === 'read_file') {
          seen.push(request.lastTool.content);
          return call('write_file', { path: 'out/9.txt', content: '9\n' });
        }
        return worker(request);
      },
    });
    const view = await bench.run(task);
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    assert.match(seen[0] ?? '', /^out\/0\.txt \(1 line/);
    assert.equal(view.filesChanged, 10);
  });

  it('falls back to rules when the model cannot plan, and says so', async () => {
    bench = await openBench({
      script: (request) => (isPlanner(request) ? say('I will not plan.') : finish('Done by hand.')),
    });
    const view = await bench.run(task);
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
        if (isPlanner(request)) return plan(5);
        if (!isWorker(request)) return finish('Joined what there was.');
        return partOf(request) === 2 ? finish('I am stuck.', 'blocked') : worker(request);
      },
    });
    const view = await bench.run(task);
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

  it('turns a conflict of two workers into a resolver that keeps both sides', async () => {
    bench = await openBench({
      files: { 'shared.txt': 'start\n', 'a/x.txt': 'x\n', 'b/y.txt': 'y\n' },
      script: (request) => {
        if (isPlanner(request))
          return say(
            JSON.stringify({
              steps: ['left', 'right'].map((key) => ({
                key,
                title: key,
                task:
                  key === 'left'
                    ? 'Append left, the greeting of the morning crew'
                    : 'Append right, as the auditors want it',
                role: 'worker',
                needs: [],
              })),
            }),
          );
        if (request.firstUser.includes('conflict markers')) {
          if (!request.lastTool) return call('read_file', { path: 'shared.txt' });
          if (request.lastTool.name === 'read_file')
            return call('write_file', { path: 'shared.txt', content: 'start\nleft\nright\n' });
          return finish('Kept both.');
        }
        const side = /Append (\w+)/.exec(request.firstUser)?.[1] ?? '';
        return request.lastTool
          ? finish(`${side} done`)
          : call('write_file', { path: 'shared.txt', content: `start\n${side}\n` });
      },
    });
    const view = await bench.run('Two people append to the same file, each a line of their own, at the same time');
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    assert.equal(bench.repo.git('show', `${view.branch}:shared.txt`), 'start\nleft\nright');
    const { agents } = await bench.engine.listAgents({ run: view.run });
    assert.equal(agents.filter((agent) => agent.role === 'resolver').length, 1);
  });

  it('lets resolvers work one after another when more than two workers change the same place', async () => {
    const words = ['Append alpha, the greeting of the crew', 'Add beta as auditors want', 'Put gamma for visitors in'];
    bench = await openBench({
      files: { 'shared.txt': 'start\n' },
      script: (request) => {
        if (isPlanner(request))
          return say(
            JSON.stringify({
              steps: words.map((task, at) => ({ key: `s${at}`, title: `s${at}`, task, role: 'worker', needs: [] })),
            }),
          );
        if (request.firstUser.includes('conflict markers')) {
          const tool = request.lastTool;
          if (!tool) return call('read_file', { path: 'shared.txt' });
          if (tool.name !== 'read_file') return finish('Kept both.');
          const kept = ['alpha', 'beta', 'gamma'].filter((word) => tool.content.includes(word));
          return call('write_file', { path: 'shared.txt', content: `start\n${kept.join('\n')}\n` });
        }
        const word = /alpha|beta|gamma/.exec(request.firstUser)?.[0] ?? '';
        return request.lastTool
          ? finish(`${word} done`)
          : call('write_file', { path: 'shared.txt', content: `start\n${word}\n` });
      },
    });
    const view = await bench.run('Three people append to the same file, each a line of their own, at the same time');
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    assert.equal(bench.repo.git('show', `${view.branch}:shared.txt`), 'start\nalpha\nbeta\ngamma');
    const { agents } = await bench.engine.listAgents({ run: view.run });
    assert.equal(agents.filter((agent) => agent.role === 'resolver').length, 2);
  });

  it('lets a step that needs others start when a resolver has joined them, though the last of them merged cleanly', async () => {
    let seen = '';
    const step = (key: string, task: string, needs: readonly string[] = []) => ({
      key,
      title: key,
      task,
      role: 'worker',
      needs,
    });
    bench = await openBench({
      files: { 'shared.txt': 'start\n' },
      script: (request) => {
        const own = taskOf(request);
        if (isPlanner(request))
          return say(
            JSON.stringify({
              steps: [
                step('left', 'Append left, the greeting of the morning crew'),
                step('right', 'Add right as the auditors want'),
                step('other', 'Create another file for visitors'),
                step('notes', 'Say in words what was never decided'),
                step('names', 'Name whoever is to be asked later'),
                step('check', 'Check that what the teams wrote is whole', ['left', 'right', 'other']),
              ],
            }),
          );
        const tool = request.lastTool;
        if (request.firstUser.includes('conflict markers')) {
          const both = call('write_file', { path: 'shared.txt', content: 'start\nleft\nright\n' });
          return tool ? finish('Kept both.') : { ...both, latencyMs: 700 };
        }
        if (/^(?:Say|Name|The work)/.test(own)) return finish('Said.');
        if (own.startsWith('Check')) {
          if (!tool) return call('read_file', { path: 'shared.txt' });
          seen = tool.content;
          return finish('Whole.');
        }
        if (tool) return finish('Done.');
        if (own.startsWith('Create')) return call('write_file', { path: 'other.txt', content: 'other\n' });
        const word = own.includes('left') ? 'left' : 'right';
        return call('write_file', { path: 'shared.txt', content: `start\n${word}\n` });
      },
    });
    const view = await bench.run(task);
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    assert.match(seen, /left[^]*right/);
  });

  it('keeps both branches and ends as partial when the resolver leaves the markers', async () => {
    bench = await openBench({
      files: { 'shared.txt': 'start\n' },
      script: (request) => {
        if (isPlanner(request))
          return say(
            JSON.stringify({
              steps: ['left', 'right'].map((key) => ({
                key,
                title: key,
                task:
                  key === 'left'
                    ? 'Append left, the greeting of the morning crew'
                    : 'Append right, as the auditors want it',
                role: 'worker',
                needs: [],
              })),
            }),
          );
        if (request.firstUser.includes('conflict markers')) return say('I give up.');
        const side = /Append (\w+)/.exec(request.firstUser)?.[1] ?? '';
        return request.lastTool
          ? finish(`${side} done`)
          : call('write_file', { path: 'shared.txt', content: `start\n${side}\n` });
      },
    });
    const view = await bench.run('Two people append to the same file, each a line of their own, at the same time');
    assert.equal(view.state, 'partial', JSON.stringify(view, null, 1));
    assert.doesNotMatch(bench.repo.git('show', `${view.branch}:shared.txt`), /<<<<|>>>>/);
    const { agents } = await bench.engine.listAgents({ run: view.run });
    const branches = bench.repo.git('for-each-ref', '--format=%(refname:short)', 'refs/heads/').split('\n');
    const lost = agents.filter((a) => a.tier === 'worker' && a.role !== 'resolver' && !a.error?.includes('kept'));
    assert.ok(lost.length >= 1 && branches.some((b) => agents.some((a) => a.branch === b)), branches.join());
  });
});
