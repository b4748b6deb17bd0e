import assert from 'node:assert/strict';
import type { RunId } from '../../mcp-server/domain/ids.ts';
import { type Bench, openBench } from '../support/engine.ts';
import { keyOf, runPlan, startPlan, step, writeOwn } from '../support/plans.ts';
import { call, calls, finish, type ParsedRequest, type ScriptedAnswer, say } from '../support/scripted-server.ts';
import { agentNamed, agentsOf, eventsOf, isLastTurn, toolResults } from '../support/team.ts';

type Proposed = Readonly<Record<string, unknown>>;

/** A step whose agent writes a file named after it. */
const part = (key: string, more: Proposed = {}): Proposed => ({ key, task: `do ${key}`, ...more });
const three = [part('a'), part('b'), part('c', { needs: ['a', 'b'] })];

const results = (request: ParsedRequest): string => toolResults(request).join(' | ');

/** Whoever does `lead` splits; everybody else writes a file. */
const splits =
  (steps: readonly Proposed[], more: Proposed = {}) =>
  (request: ParsedRequest): ScriptedAnswer => {
    if (keyOf(request) !== 'lead') return writeOwn(request);
    return request.lastTool ? finish(results(request)) : call('split_step', { steps, ...more });
  };

const lead = [step('lead')];

describe('Re-planning', () => {
  let bench: Bench;
  afterEach(async () => {
    for (const run of await bench.engine.listRuns(10)) assert.deepEqual(await bench.invariants(run.run), []);
    await bench.close();
  });

  const leadOf = (run: RunId) => agentNamed(bench, run, 'lead');

  it('splits a step of an agent that asks for it: all files come home, and the agent gets every report', async () => {
    bench = await openBench({ script: splits(three) });
    const view = await runPlan(bench, [...lead, step('after', { needs: ['lead'] })]);
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    for (const key of ['a', 'b', 'c', 'after'])
      assert.equal(bench.repo.git('show', `${view.branch}:out/${key}.txt`), key);
    const { report } = await leadOf(view.run);
    assert.match(report ?? '', /^All 3 steps have ended\. .*## do a \(done\)\na is done\..*b is done\..*c is done\./s);
    assert.equal(view.report?.split('\n')[0], 'after is done.', 'the run speaks through its own last step');
  });

  it('shows them in the plan with level and needs, in the list of agents, and as an event', async () => {
    bench = await openBench({ script: splits(three) });
    const view = await runPlan(bench, lead);
    const { steps, yaml } = await bench.engine.showPlan(view.run);
    assert.deepEqual(
      steps.map(({ key, level, needs, parent, state }) => ({ key, level, needs, parent, state })),
      [
        { key: 'lead', level: 1, needs: [], parent: null, state: 'done' },
        { key: 'lead.a', level: 2, needs: [], parent: 'lead', state: 'done' },
        { key: 'lead.b', level: 2, needs: [], parent: 'lead', state: 'done' },
        { key: 'lead.c', level: 2, needs: ['lead.a', 'lead.b'], parent: 'lead', state: 'done' },
      ],
    );
    assert.ok(!yaml.includes('lead.a'), 'the plan as text is what was planned');
    const names = (await agentsOf(bench, view.run)).map(({ name, depth }) => `${depth} ${name}`);
    assert.deepEqual(names, ['1 lead', '2 do a', '2 do b', '2 do c']);
    const event = (await eventsOf(bench, view.run)).find(({ type }) => type === 'run.replanned');
    assert.deepEqual(
      { ...event, seq: 0, at: 0 },
      {
        type: 'run.replanned',
        run: view.run,
        agent: (await leadOf(view.run)).agent,
        by: 'split',
        step: 'lead',
        steps: 3,
        pattern: 'workflow',
        seq: 0,
        at: 0,
      },
    );
  });

  it('carries a split out in the pattern that the agent names', async () => {
    bench = await openBench({
      script: (request) =>
        keyOf(request) === '' && !request.firstUser.startsWith('Your task:\ndo')
          ? finish('Joined.')
          : splits([part('a'), part('b')], { pattern: 'map-reduce' })(request),
    });
    const view = await runPlan(bench, lead);
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    const agents = await agentsOf(bench, view.run);
    assert.equal(
      agents.find(({ tier }) => tier === 'executive'),
      undefined,
      'nobody below an agent is the executive',
    );
    assert.equal(agents.filter(({ depth }) => depth === 3).length, 2);
    assert.match((await leadOf(view.run)).report ?? '', /All 3 steps.*Joined\.$/s);
  });

  it('lets an agent split twice, and a part of a split split itself', async () => {
    bench = await openBench({
      script: (request) => {
        if (keyOf(request) === 'a')
          return request.lastTool ? finish(results(request)) : call('split_step', { steps: [part('x'), part('y')] });
        if (keyOf(request) !== 'lead') return writeOwn(request);
        const made = toolResults(request).length;
        if (made === 0) return call('split_step', { steps: [part('a'), part('b')] });
        return made === 1 ? call('split_step', { steps: [part('a2', { key: 'a' }), part('d')] }) : finish('Done.');
      },
    });
    const view = await runPlan(bench, lead);
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    const keys = (await bench.store.steps(view.run)).map(({ key }) => key);
    assert.deepEqual(keys, ['lead', 'lead.a', 'lead.b', 'lead.a.x', 'lead.a.y', 'lead.a-2', 'lead.d']);
    for (const key of ['x', 'y', 'b', 'a2', 'd'])
      assert.equal(bench.repo.git('show', `${view.branch}:out/${key}.txt`), key);
  });

  it('begins the steps where the agent is, with what it has written in the same answer', async () => {
    bench = await openBench({
      script: (request) => {
        if (keyOf(request) === 'a')
          return request.lastTool ? finish(results(request)) : call('read_file', { path: 'own.txt' });
        if (keyOf(request) !== 'lead') return writeOwn(request);
        if (request.lastTool) return finish(results(request));
        return calls(
          ['write_file', { path: 'own.txt', content: 'mine\n' }],
          ['split_step', { steps: [part('a'), part('b')] }],
        );
      },
    });
    const view = await runPlan(bench, lead);
    assert.match((await leadOf(view.run)).report ?? '', /mine/);
  });

  it('goes on with what failed in its place, told which and why, and the run is whole when the agent says so', async () => {
    bench = await openBench({
      script: (request) => (keyOf(request) === 'a' ? finish('The door is locked.', 'blocked') : splits(three)(request)),
    });
    const view = await runPlan(bench, lead);
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    const { report } = await leadOf(view.run);
    assert.match(report ?? '', /2 of them without success/);
    assert.match(report ?? '', /## do a \(failed\)\nIt failed \(blocked\): The door is locked\./);
    assert.match(report ?? '', /## do c \(skipped\)/);
  });

  it('lets a fresh agent try a step that has failed for a passing reason, and waits for that one', async () => {
    bench = await openBench({
      script: (request) => {
        if (keyOf(request) !== 'a') return splits([part('a'), part('b')])(request);
        // The first one answers nothing, three times.
        return request.firstUser.includes('(try 2)') ? writeOwn(request) : { content: '' };
      },
    });
    const view = await runPlan(bench, lead, { planning: { retries: 1 } });
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    assert.match((await leadOf(view.run)).report ?? '', /All 2 steps have ended\. .*a is done\./s);
    assert.equal(bench.repo.git('show', `${view.branch}:out/a.txt`), 'a');
  });

  describe('has its steps tried again', () => {
    /** How often each of them was tried. */
    const triesOf = async (run: RunId): Promise<Readonly<Record<string, number>>> =>
      Object.fromEntries((await bench.store.steps(run)).map(({ key, attempt }) => [key, attempt]));
    const mute = (request: ParsedRequest): ScriptedAnswer =>
      keyOf(request) === 'a' ? { content: '' } : splits([part('a'), part('b')])(request);

    it('as often as the step that was split may be', async () => {
      bench = await openBench({
        script: (request) => (request.firstUser.includes('(try 3)') ? writeOwn(request) : mute(request)),
      });
      const view = await runPlan(bench, [step('lead', { retries: 2 })], { planning: { retries: 0 } });
      assert.deepEqual(await triesOf(view.run), { lead: 1, 'lead.a': 3, 'lead.b': 1 });
      assert.match((await leadOf(view.run)).report ?? '', /^All 2 steps have ended\. /);
      const pauses = (await eventsOf(bench, view.run)).flatMap((event) =>
        event.type === 'step.retried' ? [event.startsAt - event.at] : [],
      );
      assert.ok((pauses[1] ?? 0) > (pauses[0] ?? 0) && (pauses[0] ?? 0) > 0, `after longer pauses: ${pauses.join()}`);
    });

    it('not at all where that one may not be', async () => {
      bench = await openBench({ script: mute });
      const view = await runPlan(bench, [step('lead', { retries: 0 })], { planning: { retries: 2 } });
      assert.deepEqual(await triesOf(view.run), { lead: 1, 'lead.a': 1, 'lead.b': 1 });
    });

    it('also below a part of it that was split again, and in a nested run', async () => {
      bench = await openBench({
        script: (request) => {
          if (request.jsonSchema)
            return say(JSON.stringify({ steps: [{ key: 'x', title: 'x', task: 'do x', role: 'worker', needs: [] }] }));
          if (keyOf(request) === 'x' && !request.firstUser.includes('(try 2)')) return { content: '' };
          if (keyOf(request) !== 'b') return splits([part('a'), part('b')])(request);
          return request.lastTool
            ? finish(results(request))
            : call('orchestrate', { task: 'Do x and what belongs to it' });
        },
      });
      const view = await runPlan(bench, [step('lead', { retries: 1 })], { planning: { retries: 0 } });
      const tries = await triesOf(view.run);
      assert.equal(tries['lead.b.x'], 2, JSON.stringify(tries));
    });

    it('with tokens of the agent that has split, when the first agent has left too few', async () => {
      bench = await openBench({
        script: (request) =>
          keyOf(request) === 'a' && !request.firstUser.includes('(try 2)')
            ? { content: '', promptTokens: 4200, latencyMs: 200 }
            : splits([part('a'), part('b')])(request),
      });
      const view = await runPlan(bench, [step('lead', { retries: 1 })], { budget: 40_000 });
      assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
      assert.deepEqual(await triesOf(view.run), { lead: 1, 'lead.a': 2, 'lead.b': 1 });
      const fresh = await agentNamed(bench, view.run, 'do a (try 2)');
      const lead1 = (await leadOf(view.run)).agent;
      const granted = (await bench.store.ledger(view.run)).filter(
        ({ kind, from, to }) => kind === 'grant' && from.startsWith(lead1) && to.startsWith(fresh.agent),
      );
      assert.ok(granted.reduce((sum, { amount }) => sum + amount, 0) > 5000, JSON.stringify(granted));
      assert.match((await leadOf(view.run)).report ?? '', /a is done\./);
    });
  });

  it('lets a resolver join two of its steps that changed the same place, before the agent goes on', async () => {
    bench = await openBench({
      files: { 'same.txt': 'start\n' },
      script: (request) => {
        if (request.firstUser.includes('conflict markers'))
          return request.lastTool
            ? finish('Joined both.')
            : call('write_file', { path: 'same.txt', content: 'start\na\nb\n' });
        const key = keyOf(request);
        if (key !== 'lead')
          return request.lastTool
            ? finish(`${key} is done.`)
            : call('write_file', { path: 'same.txt', content: `start\n${key}\n` });
        if (!request.lastTool) return call('split_step', { steps: [part('a'), part('b')] });
        return request.lastTool.name === 'split_step'
          ? call('read_file', { path: 'same.txt' })
          : finish(results(request));
      },
    });
    const view = await runPlan(bench, lead);
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    const { report } = await leadOf(view.run);
    assert.match(report ?? '', /^All 2 steps have ended\..*same\.txt \(3 lines\)\nstart\na\nb/s);
  });

  it('lets nobody below an agent do more than that agent may', async () => {
    const tools = new Map<string, readonly string[]>();
    bench = await openBench({
      script: (request) => {
        tools.set(
          keyOf(request),
          request.tools.map(({ name }) => name),
        );
        if (keyOf(request) !== 'lead') return writeOwn(request);
        if (toolResults(request).length === 0) return call('split_step', { steps: [part('a'), part('b')] });
        return request.lastTool?.name === 'split_step' ? call('delegate', { task: 'do d' }) : finish('Done.');
      },
    });
    const view = await runPlan(bench, [step('lead', { permissions: { commands: 'off' } }), step('free')], {
      permissions: { commands: 'any' },
    });
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    assert.ok(tools.get('free')?.includes('run_command'));
    for (const key of ['lead', 'a', 'b', 'd']) assert.ok(tools.get(key)?.includes('run_command') === false, key);
  });

  describe('is refused, with the reason, and the agent goes on', () => {
    const refusal = async (steps: readonly Proposed[], more: object = {}, plan = lead): Promise<string> => {
      bench = await openBench({ script: splits(steps) });
      const view = await runPlan(bench, plan, more);
      const before = plan.length;
      assert.equal(view.agents.total, before, 'nobody was made');
      assert.equal((await bench.store.steps(view.run)).length, before);
      return (await leadOf(view.run)).report ?? '';
    };

    it('at the last level, where it is not offered either', async () => {
      let offered: readonly string[] = [];
      bench = await openBench({
        script: (request) => {
          offered = request.tools.map(({ name }) => name);
          return splits(three)(request);
        },
      });
      const view = await runPlan(bench, lead, { maxDepth: 1 });
      assert.match((await leadOf(view.run)).report ?? '', /^You may not use split_step/);
      assert.ok(!offered.includes('split_step') && !offered.includes('orchestrate'));
    });

    it('beyond the agents of the run', async () =>
      assert.match(
        await refusal(three, { maxAgents: 3 }),
        /^It needs 3 more agents, and the run has 1 of its 3 already/,
      ));

    it('beyond the agents of a level', async () =>
      assert.match(
        await refusal(three, { maxAgentsPerLevel: 2 }),
        /^It needs 3 more agents on level 2, which has 0 of its 2/,
      ));

    it('beyond what the agent can pay for, its own report kept', async () =>
      assert.match(
        await refusal(three, { budget: 8000 }),
        /^You have \d+ tokens left, of which \d+ are kept for your own report: that is too little for 3 agents/,
      ));

    it('in a circle', async () =>
      assert.match(
        await refusal([part('a', { needs: ['b'] }), part('b', { needs: ['a'] })]),
        /^The steps cannot be carried out: Steps need each other in a circle\./,
      ));

    it('with a need that is no step', async () =>
      assert.match(await refusal([part('a'), part('b', { needs: ['z'] })]), /b: It needs z, which is no step\./));

    it('when all of it is one step', async () =>
      assert.match(await refusal([part('a'), part('b', { task: 'do a' })]), /b: It asks for the same as a\./));
  });

  it('pays the steps out of the agent that splits, and gives back what they leave', async () => {
    bench = await openBench({ script: splits(three) });
    const view = await runPlan(bench, [...lead, step('other')], { budget: 100_000 });
    const lead1 = (await leadOf(view.run)).agent;
    const rows = await bench.store.ledger(view.run);
    const sum = (kind: string, from: string, to: string): number =>
      rows
        .filter((row) => row.kind === kind && row.from.startsWith(from) && row.to.startsWith(to))
        .reduce((total, { amount }) => total + amount, 0);
    const own = sum('grant', view.run, lead1);
    const given = sum('grant', lead1, '');
    assert.equal(own, 47_500);
    assert.ok(given > 30_000 && given < own - 3000, `${given} of ${own}`);
    const children = (await agentsOf(bench, view.run)).filter(({ depth }) => depth === 2);
    const spent = children.reduce((total, { tokens }) => total + tokens.used, 0);
    assert.equal(sum('reclaim', '', lead1), given - spent, "what they left is the agent's again");
  });

  for (const mode of ['wrap-up', 'abort'] as const)
    it(`ends with its steps when the agent is cancelled: ${mode}`, async () => {
      bench = await openBench({
        script: (request) => {
          if (isLastTurn(request)) return finish('Stopped.');
          if (keyOf(request) === 'a' && request.lastTool) return { ...finish('Late.'), latencyMs: 2000 };
          return splits(three)(request);
        },
      });
      const run = await startPlan(bench, [...lead, step('other')]);
      await bench.waitUntil('a part has written', async () =>
        (await agentsOf(bench, run)).some(({ name, commit }) => name === 'do a' && commit !== null),
      );
      await bench.engine.cancelRun({ run, agent: (await leadOf(run)).agent, mode });
      const view = await bench.waitEnd(run);
      assert.equal((await leadOf(run)).state, 'cancelled');
      assert.equal(view.state, 'partial', JSON.stringify(view, null, 1));
      assert.equal(bench.repo.git('show', `${view.branch}:out/other.txt`), 'other');
      const states = (await bench.store.steps(run)).map(({ key, state }) => `${key} ${state}`);
      assert.ok(states.includes('lead failed') && states.includes('lead.c skipped'), states.join(', '));
      const home = bench.repo.git('ls-tree', '-r', '--name-only', view.branch).includes('out/a.txt');
      assert.equal(home, mode === 'wrap-up', 'what was reported comes home');
    });
});
