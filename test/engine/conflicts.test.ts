import assert from 'node:assert/strict';
import type { EngineEvent } from '../../mcp-server/domain/event.ts';
import type { RunView } from '../../mcp-server/engine/facade.ts';
import { type Bench, openBench } from '../support/engine.ts';
import { runPlan, step } from '../support/plans.ts';
import { call, finish, type ParsedRequest, type Script, type ScriptedAnswer, say } from '../support/scripted-server.ts';
import { agentNamed, agentsOf, eventsOf, isPlanner } from '../support/team.ts';

/** The second word of the asking agent's task is the line that it adds. */
const lineOf = (request: ParsedRequest): string => /^Your task:\n\w+ (\w+)/.exec(request.firstUser)?.[1] ?? '';

const isResolver = (request: ParsedRequest): boolean => request.firstUser.includes('conflict markers');

/** Puts its own line below what was there at the start, so that no two of them merge. */
const addOwnLine = (request: ParsedRequest): ScriptedAnswer =>
  request.lastTool
    ? finish(`${lineOf(request)} done`)
    : call('write_file', { path: 'shared.txt', content: `start\n${lineOf(request)}\n` });

/** A resolver that keeps each of these lines which is there between the markers. */
const keep = (lines: readonly string[], request: ParsedRequest): ScriptedAnswer => {
  const tool = request.lastTool;
  if (!tool) return call('read_file', { path: 'shared.txt' });
  if (tool.name !== 'read_file') return finish('Kept both.');
  const kept = lines.filter((line) => tool.content.includes(line));
  return call('write_file', { path: 'shared.txt', content: `start\n${kept.join('\n')}\n` });
};

/** The planner gives each of the tasks to a worker of its own; all of them add their line at the same place. */
const adding =
  (tasks: readonly string[], resolver: (request: ParsedRequest) => ScriptedAnswer): Script =>
  (request) => {
    if (isPlanner(request))
      return say(
        JSON.stringify({
          steps: tasks.map((task, at) => ({ key: `s${at}`, title: `s${at}`, task, role: 'worker', needs: [] })),
        }),
      );
    return isResolver(request) ? resolver(request) : addOwnLine(request);
  };

const TWO = ['Append left, the greeting of the morning crew', 'Append right, as the auditors want it'];
const THREE = ['Append alpha, the greeting of the crew', 'Add beta as auditors want', 'Put gamma for visitors in'];
const FILES = { 'shared.txt': 'start\n' };

describe('Workers that change the same place', () => {
  let bench: Bench;
  afterEach(async () => {
    for (const run of await bench.engine.listRuns(10)) assert.deepEqual(await bench.invariants(run.run), []);
    await bench.close();
  });

  const run = (people: string): Promise<RunView> =>
    bench.run(`${people} people append to the same file, each a line of their own, at the same time`);
  const resolversOf = async (view: RunView): Promise<number> =>
    (await agentsOf(bench, view.run)).filter(({ role }) => role === 'resolver').length;

  it('get a resolver that keeps both sides', async () => {
    bench = await openBench({
      files: { ...FILES, 'a/x.txt': 'x\n', 'b/y.txt': 'y\n' },
      script: adding(TWO, (request) => keep(['left', 'right'], request)),
    });
    const view = await run('Two');
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    assert.equal(bench.repo.git('show', `${view.branch}:shared.txt`), 'start\nleft\nright');
    assert.equal(await resolversOf(view), 1);
  });

  it('get resolvers that work one after another when there are more than two of them', async () => {
    bench = await openBench({
      files: FILES,
      script: adding(THREE, (request) => keep(['alpha', 'beta', 'gamma'], request)),
    });
    const view = await run('Three');
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    assert.equal(bench.repo.git('show', `${view.branch}:shared.txt`), 'start\nalpha\nbeta\ngamma');
    assert.equal(await resolversOf(view), 2);
  });

  it('let one that needs them start when a resolver has joined them, though the last of them merged cleanly', async () => {
    let seen = '';
    const check = (request: ParsedRequest): ScriptedAnswer => {
      if (!request.lastTool) return call('read_file', { path: 'shared.txt' });
      seen = request.lastTool.content;
      return finish('Whole.');
    };
    bench = await openBench({
      files: FILES,
      script: (request) => {
        // Still at work when the clean merge is made.
        if (isResolver(request)) return { ...keep(['left', 'right'], request), latencyMs: request.lastTool ? 0 : 500 };
        switch (lineOf(request)) {
          case 'check':
            return check(request);
          case 'other':
            return request.lastTool ? finish('Done.') : call('write_file', { path: 'other.txt', content: 'other\n' });
          case 'team':
            return finish('Joined.');
          default:
            return addOwnLine(request);
        }
      },
    });
    // It has another parent than what it needs, so that this is merged into it when it begins, in this order.
    const view = await runPlan(bench, [
      step('left'),
      step('right'),
      step('other'),
      step('team', { tier: 'synthesizer', needs: ['check'] }),
      step('check', { parent: 'team', needs: ['left', 'right', 'other'] }),
    ]);
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    const { agent } = await agentNamed(bench, view.run, 'check');
    const names = new Map((await agentsOf(bench, view.run)).map((one) => [one.agent, one.name]));
    const told = (event: EngineEvent): readonly string[] => {
      if (!('agent' in event) || event.agent !== agent) return [];
      if (event.type === 'agent.merged') return [`takes ${names.get(event.source)}`];
      if (event.type === 'agent.conflicted') return [`conflicts with ${names.get(event.source)}`];
      return event.type === 'agent.moved' && event.from === 'pending' ? ['starts'] : [];
    };
    assert.deepEqual((await eventsOf(bench, view.run)).flatMap(told), [
      'takes left',
      'conflicts with right',
      'takes other',
      'takes resolve shared.txt',
      'starts',
    ]);
    assert.match(seen, /left[^]*right/);
  });

  it('end as partial, with both branches kept, when the resolver leaves the markers', async () => {
    bench = await openBench({ files: FILES, script: adding(TWO, () => say('I give up.')) });
    const view = await run('Two');
    assert.equal(view.state, 'partial', JSON.stringify(view, null, 1));
    assert.doesNotMatch(bench.repo.git('show', `${view.branch}:shared.txt`), /<<<<|>>>>/);
    const agents = await agentsOf(bench, view.run);
    const branches = bench.repo.git('for-each-ref', '--format=%(refname:short)', 'refs/heads/').split('\n');
    const lost = agents.filter((a) => a.tier === 'worker' && a.role !== 'resolver' && !a.error?.includes('kept'));
    assert.ok(lost.length >= 1 && branches.some((b) => agents.some((a) => a.branch === b)), branches.join());
  });
});
