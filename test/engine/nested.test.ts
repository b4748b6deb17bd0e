import assert from 'node:assert/strict';
import type { RunId } from '../../mcp-server/domain/ids.ts';
import { type Bench, openBench } from '../support/engine.ts';
import { keyOf, runPlan, startPlan, step, writeOwn } from '../support/plans.ts';
import { call, finish, type ParsedRequest, type ScriptedAnswer, say } from '../support/scripted-server.ts';
import { agentNamed, agentsOf, eventsOf, isLastTurn, isPlanner, toolResults } from '../support/team.ts';

const SUB_TASK = 'Write the files a and b, then c out of both';
const steps = ['a', 'b', 'c'].map((key) => ({
  key,
  title: key,
  task: `do ${key}`,
  role: 'worker',
  needs: key === 'c' ? ['a', 'b'] : [],
}));

const results = (request: ParsedRequest): string => toolResults(request).join(' | ');
const plans = (): ScriptedAnswer => say(JSON.stringify({ steps }));

type Turns = (request: ParsedRequest, made: number) => ScriptedAnswer;

/** Whoever does `lead` takes these turns; planners plan three files; everybody else writes one. */
const led =
  (turns: Turns, others: (request: ParsedRequest) => ScriptedAnswer | undefined = () => undefined) =>
  (request: ParsedRequest): ScriptedAnswer => {
    const own = others(request);
    if (own) return own;
    if (isPlanner(request)) return plans();
    return keyOf(request) === 'lead' ? turns(request, toolResults(request).length) : writeOwn(request);
  };

const once: Turns = (request, made) =>
  made === 0 ? call('orchestrate', { task: SUB_TASK }) : finish(results(request));
const lead = [step('lead')];

describe('A nested run', () => {
  let bench: Bench;
  afterEach(async () => {
    for (const run of await bench.engine.listRuns(10)) assert.deepEqual(await bench.invariants(run.run), []);
    await bench.close();
  });

  const leadOf = (run: RunId) => agentNamed(bench, run, 'lead');
  const reportOf = async (run: RunId): Promise<string> => (await leadOf(run)).report ?? '';

  it('is planned and done for an agent, which waits and gets the reports and the files', async () => {
    let asked = '';
    bench = await openBench({
      files: { 'start.txt': 'start\n' },
      script: led(once, (request) => {
        if (isPlanner(request)) asked = request.messages.map(({ content }) => content).join('\n');
        return undefined;
      }),
    });
    const view = await runPlan(bench, [...lead, step('after', { needs: ['lead'] })]);
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    for (const key of ['a', 'b', 'c', 'after'])
      assert.equal(bench.repo.git('show', `${view.branch}:out/${key}.txt`), key);
    assert.match(await reportOf(view.run), /^All 3 steps have ended\. .*## a \(done\)\na is done\..*c is done\./s);
    assert.match(asked, /Task:\nWrite the files a and b/);
    assert.ok(!asked.includes('The whole'), 'its planner plans the sub-task, not the task of the run');
    assert.equal(view.report?.split('\n')[0], 'after is done.');
  });

  it('hangs below the agent: levels, keys, events, tokens', async () => {
    bench = await openBench({ script: led(once) });
    const view = await runPlan(bench, lead);
    const agents = (await agentsOf(bench, view.run)).map(({ name, depth, tier }) => `${depth} ${tier} ${name}`);
    assert.deepEqual(agents, [
      '1 worker lead',
      `2 planner plan: ${SUB_TASK}`,
      '2 worker a',
      '2 worker b',
      '2 worker c',
    ]);
    const { steps: shown } = await bench.engine.showPlan(view.run);
    assert.deepEqual(
      shown.map(({ key, level, needs }) => `${level} ${key}: ${needs.join(' ')}`),
      ['1 lead: ', '2 lead.a: ', '2 lead.b: ', '2 lead.c: lead.a lead.b'],
    );
    const replanned = (await eventsOf(bench, view.run)).filter(({ type }) => type === 'run.replanned');
    assert.deepEqual(
      replanned.map((event) => ({ ...event, seq: 0, at: 0, agent: '' })),
      [
        {
          type: 'run.replanned',
          run: view.run,
          agent: '',
          by: 'nested-run',
          step: 'lead',
          steps: 3,
          pattern: 'fork-join',
          seq: 0,
          at: 0,
        },
      ],
    );
  });

  it('goes on beside the agent that does not wait for it, which asks how far it is and then for its end', async () => {
    let id = '';
    const seen: string[] = [];
    bench = await openBench({
      script: led(
        (request, made) => {
          if (request.lastTool) seen.push(request.lastTool.content);
          id = /Its id is (\S+)\./.exec(results(request))?.[1] ?? id;
          if (made === 0) return call('orchestrate', { task: SUB_TASK, wait: false, tokens: 60_000 });
          if (made === 1) return call('orchestrate_status', {});
          if (made === 2) return call('write_file', { path: 'out/own.txt', content: 'own\n' });
          if (made === 3) return call('orchestrate_status', { id, wait: true });
          return made === 4 ? call('orchestrate_status', { id }) : finish(seen.at(-1) ?? '');
        },
        (request) => (keyOf(request) === 'a' ? { ...writeOwn(request), latencyMs: 150 } : undefined),
      ),
    });
    const view = await runPlan(bench, lead);
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    assert.match(seen[1] ?? '', new RegExp(`^Nested run ${id}: It (is being planned|works)\\. Agents: \\d of \\d`));
    assert.match(seen[3] ?? '', /^All 3 steps have ended/);
    const said = await reportOf(view.run);
    assert.match(said, /: It has ended\. Agents: 4 of 4 have ended, 0 failed\. Tokens: \d+ used of 60000\./);
    const inside = (await agentsOf(bench, view.run)).filter(({ depth }) => depth === 2);
    const used = inside.reduce((sum, { tokens }) => sum + tokens.used, 0);
    assert.ok(said.includes(`${used} used of`), said);
    for (const key of ['a', 'b', 'c', 'own'])
      assert.equal(bench.repo.git('show', `${view.branch}:out/${key}.txt`), key);
  });

  for (const last of ['finish', 'plain text'])
    it(`is waited for by an agent that would end before it, by ${last}`, async () => {
      bench = await openBench({
        script: led(
          (request, made) => {
            if (made === 0) return call('orchestrate', { task: SUB_TASK, wait: false });
            if (request.messages.some(({ content }) => content.includes('All 3 steps'))) return finish('All of it.');
            return last === 'finish' || request.messages.some(({ content }) => content.includes('still works for you'))
              ? finish('Enough.')
              : say('Enough.');
          },
          (request) => (keyOf(request) === 'a' ? { ...writeOwn(request), latencyMs: 100 } : undefined),
        ),
      });
      const view = await runPlan(bench, lead);
      assert.equal(await reportOf(view.run), 'All of it.');
      assert.equal(view.filesChanged, 3);
    });

  it('is stopped by its agent: whoever has begun reports, the rest never starts', async () => {
    bench = await openBench({
      script: led(
        (request, made) => {
          if (made === 0) return call('orchestrate', { task: SUB_TASK, wait: false });
          const works = results(request).includes('It works');
          if (!works) return { ...call('orchestrate_status', { id: '', n: made }), latencyMs: 30 };
          if (!results(request).includes('asked to stop')) return call('orchestrate_cancel', {});
          return results(request).includes('have ended') && request.lastTool?.content.startsWith('All')
            ? finish(request.lastTool.content)
            : call('orchestrate_status', { wait: true });
        },
        (request) => {
          if (isLastTurn(request)) return finish(`${keyOf(request)} was stopped.`);
          return ['a', 'b'].includes(keyOf(request)) && request.lastTool
            ? { ...finish('Too late.'), latencyMs: 200 }
            : undefined;
        },
      ),
    });
    const view = await runPlan(bench, lead);
    const said = await reportOf(view.run);
    assert.match(said, /^All 3 steps have ended, 3 of them without success/);
    assert.equal(view.state, 'completed', 'the agent has decided it so');
    const states = (await agentsOf(bench, view.run)).filter(({ depth, tier }) => depth === 2 && tier === 'worker');
    assert.deepEqual(states.at(-1)?.state, 'cancelled');
    assert.equal(states.at(-1)?.startedAt, null, 'what had not begun never did');
  });

  it('plans by the rules when its planner cannot be understood', async () => {
    bench = await openBench({
      script: led(once, (request) => (isPlanner(request) ? say('I would rather not.') : undefined)),
    });
    const view = await runPlan(bench, lead);
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    assert.match(await reportOf(view.run), /^The only step has ended\. /);
  });

  it('is fitted into the agents and levels that the run has left', async () => {
    bench = await openBench({ script: led(once) });
    const view = await runPlan(bench, lead, { maxAgents: 4, maxDepth: 2 });
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    assert.equal(view.agents.total, 4, 'the agent, its planner, and two for three steps');
  });

  describe('is refused, with the reason', () => {
    const refusal = async (args: object, more: object = {}): Promise<string> => {
      bench = await openBench({
        script: led((request, made) =>
          made === 0 ? call('orchestrate', { task: SUB_TASK, ...args }) : finish(results(request)),
        ),
      });
      const view = await runPlan(bench, lead, more);
      assert.equal(view.agents.total, 1, 'nobody was made');
      return reportOf(view.run);
    };

    it('at the last level', async () =>
      assert.match(await refusal({}, { maxDepth: 1 }), /^You may not use orchestrate/));
    it('when the run has no agents left', async () =>
      assert.match(await refusal({}, { maxAgents: 2 }), /^It needs 2 more agents, and the run has 1 of its 2 already/));
    it('when the level is full', async () =>
      assert.match(await refusal({}, { maxAgentsPerLevel: 1 }), /^It needs 2 more agents on level 2/));
    it('when the agent cannot pay for it', async () =>
      assert.match(
        await refusal({ tokens: 1_000_000 }),
        /^You have \d+ tokens left and cannot grant 1000000: \d+ are kept/,
      ));
    it('when the tokens buy nothing', async () =>
      assert.match(
        await refusal({ tokens: 500 }),
        /^500 tokens cannot pay for a plan and its agents: 4000 are the least/,
      ));
    it('when there is none to look at', async () => {
      bench = await openBench({
        script: led((request, made) => (made === 0 ? call('orchestrate_status', {}) : finish(results(request)))),
      });
      const view = await runPlan(bench, lead);
      assert.match(await reportOf(view.run), /^You have started no nested run/);
    });
  });

  for (const mode of ['wrap-up', 'abort'] as const)
    it(`ends with the agent that is cancelled while it is planned: ${mode}`, async () => {
      bench = await openBench({
        script: led(once, (request) =>
          isPlanner(request) ? { ...plans(), latencyMs: 3000 } : isLastTurn(request) ? finish('Stopped.') : undefined,
        ),
      });
      const run = await startPlan(bench, [...lead, step('other')]);
      await bench.waitUntil('it is planned', async () =>
        (await agentsOf(bench, run)).some(({ tier, state }) => tier === 'planner' && state === 'running'),
      );
      await bench.engine.cancelRun({ run, agent: (await leadOf(run)).agent, mode });
      const view = await bench.waitEnd(run);
      assert.equal((await leadOf(run)).state, 'cancelled');
      assert.equal(view.state, 'partial', JSON.stringify(view, null, 1));
      assert.equal((await bench.store.steps(run)).length, 2, 'no step of it was added');
    });

  it('ends with its run: whoever waits and whoever plans', async () => {
    bench = await openBench({
      script: led(once, (request) => (isPlanner(request) ? { ...plans(), latencyMs: 3000 } : undefined)),
    });
    const run = await startPlan(bench, lead);
    await bench.waitUntil('it is planned', async () => (await agentsOf(bench, run)).length === 2);
    await bench.engine.cancelRun({ run, mode: 'abort' });
    assert.equal((await bench.waitEnd(run)).state, 'cancelled');
  });

  it('goes on where it was when the engine is stopped while its agents work', async () => {
    bench = await openBench({
      script: led(once, (request) => (keyOf(request) === 'a' ? { ...writeOwn(request), latencyMs: 300 } : undefined)),
    });
    const run = await startPlan(bench, lead);
    await bench.waitUntil('they work', async () => (await agentsOf(bench, run)).length === 5);
    await bench.restart();
    const view = await bench.waitEnd(run);
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    assert.equal(view.agents.total, 5);
    assert.equal(view.filesChanged, 3);
  });
});
