import assert from 'node:assert/strict';
import { type Bench, openBench } from '../support/engine.ts';
import { call, calls, finish, type ParsedRequest, type ScriptedAnswer, say } from '../support/scripted-server.ts';
import { agentNamed, agentsOf, BIG_TASK, isPlanner, taskOf, toolResults } from '../support/team.ts';

/** A child that writes a file named after its task. */
const writeOwn = (request: ParsedRequest): ScriptedAnswer =>
  request.lastTool
    ? finish(`${taskOf(request)} is written.`)
    : call('write_file', { path: `${taskOf(request)}.txt`, content: `${taskOf(request)}\n` });

const results = (request: ParsedRequest): string => toolResults(request).join(' | ');

describe('Delegation', () => {
  let bench: Bench;
  afterEach(async () => {
    for (const run of await bench.engine.listRuns(10)) assert.deepEqual(await bench.invariants(run.run), []);
    await bench.close();
  });

  for (const role of ['planner', 'resolver', 'executive', 'Ünïcode <b>role</b> of some length that goes on and on'])
    it(`takes any role that a model makes up, and the work comes home: ${role}`, async () => {
      bench = await openBench({
        script: (request) => {
          if (taskOf(request) === 'Child') return writeOwn(request);
          return request.lastTool ? finish(results(request)) : call('delegate', { task: 'Child', role });
        },
      });
      const view = await bench.run('Lead', { maxDepth: 2, maxAgents: 3 });
      assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
      assert.equal(view.report, 'Child is written.');
      assert.equal(bench.repo.git('show', `${view.branch}:Child.txt`), 'Child');
    });

  it('takes any role in a plan, too', async () => {
    const steps = ['planner', 'resolver'].map((role) => ({ key: role, title: role, task: role, role, needs: [] }));
    bench = await openBench({
      script: (request) => (isPlanner(request) ? say(JSON.stringify({ steps })) : writeOwn(request)),
    });
    const view = await bench.run(BIG_TASK);
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    assert.equal(view.filesChanged, 2);
  });

  it('stops at the number of agents of the run, and says so', async () => {
    bench = await openBench({
      script: (request) => {
        if (taskOf(request).startsWith('Child')) return finish('Done.');
        if (request.lastTool) return finish(results(request));
        return calls(...['A', 'B', 'C', 'D'].map((name) => ['delegate', { task: `Child ${name}` }] as const));
      },
    });
    const view = await bench.run('Lead', { maxDepth: 2, maxAgents: 3 });
    assert.equal(view.agents.total, 3);
    assert.equal(
      view.report,
      Array(2).fill('Done.').concat(Array(2).fill('The run already has its 3 agents: do it yourself.')).join(' | '),
    );
  });

  it('stops at the number of agents of a level, and says so', async () => {
    bench = await openBench({
      script: (request) => {
        if (taskOf(request).startsWith('Child')) return finish('Done.');
        if (request.lastTool) return finish(results(request));
        return calls(...['A', 'B'].map((name) => ['delegate', { task: `Child ${name}` }] as const));
      },
    });
    const view = await bench.run('Lead', { maxDepth: 2, maxAgents: 9, maxAgentsPerLevel: 1 });
    assert.match(view.report ?? '', /^Done\. \| Your level already has its 1 agent:/);
  });

  it('tells the parent how a child has failed, and the parent goes on', async () => {
    bench = await openBench({
      script: (request) => {
        if (taskOf(request) === 'Child')
          return request.lastTool ? finish('The door is locked.', 'blocked') : writeOwn(request);
        return request.lastTool ? finish(results(request)) : call('delegate', { task: 'Child' });
      },
    });
    const view = await bench.run('Lead', { maxDepth: 2, maxAgents: 3 });
    assert.equal(view.report, 'It failed (blocked): The door is locked.');
    assert.equal(view.filesChanged, 0, 'half-done work of a failed child stays on its branch');
    const child = await agentNamed(bench, view.run, 'Child');
    assert.equal(bench.repo.git('show', `${child.branch}:Child.txt`), 'Child');
  });

  it('joins what the parent and its children have changed', async () => {
    bench = await openBench({
      script: (request) => {
        if (taskOf(request).startsWith('Child')) return writeOwn(request);
        const made = toolResults(request).length;
        if (made === 0)
          return calls(
            ['write_file', { path: 'own.txt', content: 'own\n' }],
            ['delegate', { task: 'ChildA' }],
            ['delegate', { task: 'ChildB' }],
          );
        if (made === 3) return call('list_files', { path: '.' });
        return made === 4 ? call('write_file', { path: 'after.txt', content: 'after\n' }) : finish(results(request));
      },
    });
    const view = await bench.run('Lead', { maxDepth: 2, maxAgents: 3 });
    assert.match(view.report ?? '', /ChildA\.txt\nChildB\.txt\n.*own\.txt/s);
    assert.equal(view.filesChanged, 4);
  });

  it('lets a resolver join two children that changed the same place, before the parent goes on', async () => {
    bench = await openBench({
      files: { 'same.txt': 'start\n' },
      script: (request) => {
        if (request.firstUser.includes('conflict markers'))
          return request.lastTool
            ? finish('Joined both.')
            : call('write_file', { path: 'same.txt', content: 'start\nA\nB\n' });
        if (taskOf(request).startsWith('Child'))
          return request.lastTool
            ? finish('Done.')
            : call('write_file', { path: 'same.txt', content: `start\n${taskOf(request).slice(-1)}\n` });
        if (!request.lastTool) return calls(['delegate', { task: 'Child A' }], ['delegate', { task: 'Child B' }]);
        return request.lastTool.name === 'delegate'
          ? call('read_file', { path: 'same.txt' })
          : finish(results(request));
      },
    });
    const view = await bench.run('Lead', { maxDepth: 2, maxAgents: 3 });
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    assert.match(view.report ?? '', /same\.txt \(3 lines\)\nstart\nA\nB/);
    assert.equal((await agentsOf(bench, view.run)).filter((agent) => agent.role === 'resolver').length, 1);
  });

  it('goes on where it was when the engine is stopped while a child works', async () => {
    bench = await openBench({
      script: (request) => {
        if (taskOf(request) === 'Child') return { ...writeOwn(request), latencyMs: 300 };
        return request.lastTool ? finish(results(request)) : call('delegate', { task: 'Child' });
      },
    });
    const { run } = await bench.engine.startRun({ task: 'Lead', options: { maxDepth: 2, maxAgents: 3 } });
    await bench.waitUntil('the child works', async () => bench.model.requests.length === 2);
    await bench.restart();
    const view = await bench.waitEnd(run);
    assert.equal(view.report, 'Child is written.');
    assert.equal(view.agents.total, 2);
  });

  it('does not take a message to oneself for one to somebody who has ended', async () => {
    bench = await openBench({
      script: (request) =>
        request.lastTool ? finish(results(request)) : call('send_message', { to: 'Talk', body: 'Hello me.' }),
    });
    const view = await bench.run('Talk', { maxAgents: 1 });
    assert.match(view.report ?? '', /yourself/);
  });
});
