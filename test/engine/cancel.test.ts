import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../mcp-server/domain/clock.ts';
import type { RunId } from '../../mcp-server/domain/ids.ts';
import type { RunView } from '../../mcp-server/engine/facade.ts';
import { type Bench, openBench } from '../support/engine.ts';
import {
  call,
  calls,
  fault,
  finish,
  type ParsedRequest,
  type ScriptedAnswer,
  say,
} from '../support/scripted-server.ts';
import {
  agentNamed,
  agentsOf,
  BIG_TASK,
  eventsOf,
  isLastTurn,
  isPlanner,
  partOf,
  planOf,
  taskOf,
  toolResults,
  writePart,
} from '../support/team.ts';

/** Longer than any test: whoever thinks so long is cut off, or the test fails. */
const FOR_EVER = 60_000;

const thinking = (more: Partial<ScriptedAnswer> = {}): ScriptedAnswer => say('never', { latencyMs: FOR_EVER, ...more });

describe('a cancel', () => {
  let bench: Bench;
  afterEach(async () => {
    for (const run of await bench.engine.listRuns(10)) assert.deepEqual(await bench.invariants(run.run), []);
    await bench.close();
  });

  const start = async (task: string, options = {}): Promise<RunId> =>
    (await bench.engine.startRun({ task, options })).run;
  const seen = (run: RunId, type: string, count: number): Promise<void> =>
    bench.waitUntil(
      `${count} events ${type}`,
      async () => (await eventsOf(bench, run)).filter((event) => event.type === type).length >= count,
    );
  const asked = (count: number): Promise<void> =>
    bench.waitUntil(`${count} requests`, async () => bench.model.requests.length >= count);
  const filesOf = (view: RunView): string[] =>
    bench.repo.git('diff', '--name-only', view.baseCommit, view.commit).split('\n').filter(Boolean);

  describe('that lets agents wrap up', () => {
    it('gives each that has begun one last turn, starts no other, and brings their work home', async () => {
      bench = await openBench({
        server: { slots: 2 },
        script: (request) => {
          if (isPlanner(request)) return planOf(9);
          if (isLastTurn(request)) return finish(`Part ${partOf(request)} is cut short.`);
          if (!request.lastTool) return writePart(request, { latencyMs: partOf(request) < 2 ? 0 : 1500 });
          return call('list_files', { path: 'x'.repeat(toolResults(request).length) }, { latencyMs: 60 });
        },
      });
      const run = await start(BIG_TASK);
      await seen(run, 'agent.committed', 1);
      await bench.engine.cancelRun({ run, mode: 'wrap-up' });
      const view = await bench.waitEnd(run);
      assert.equal(view.state, 'cancelled');
      const agents = (await agentsOf(bench, run)).filter((agent) => agent.tier !== 'planner');
      const begun = agents.filter((agent) => agent.startedAt !== null);
      assert.ok(begun.length >= 2 && begun.length < 9, `${begun.length} had begun`);
      for (const agent of agents) assert.equal(agent.state, 'cancelled', agent.name);
      for (const agent of begun) {
        const part = Number(agent.name.split(' ')[1]);
        const own = bench.model.requests.filter(({ request }) => partOf(request) === part);
        assert.equal(own.filter(({ request }) => isLastTurn(request)).length, 1, `${agent.name} had one last turn`);
        assert.ok(isLastTurn(own.at(-1)?.request as ParsedRequest), 'and nothing after it');
        assert.equal(agent.report, `Part ${part} is cut short.`);
      }
      const wrote = bench.model.requests.filter(({ request }) => partOf(request) >= 0 && !isLastTurn(request));
      const written = new Set(wrote.map(({ request }) => `out/${partOf(request)}.txt`));
      assert.deepEqual(filesOf(view), [...written].sort());
      assert.equal(view.review, 'open');
      assert.equal(view.tokens.reserved, 0);
    });

    it('ends at once while the planner still plans', async () => {
      bench = await openBench({ script: (request) => (isPlanner(request) ? thinking() : finish('never')) });
      const run = await start(BIG_TASK);
      await asked(1);
      await bench.engine.cancelRun({ run, mode: 'wrap-up' });
      const view = await bench.waitEnd(run, 3000);
      assert.equal(view.state, 'cancelled');
      assert.equal(view.agents.total, 1);
      assert.equal(bench.model.requests.length, 1);
    });

    it('does not wait for an answer of the person any more', async () => {
      bench = await openBench({
        script: (request) =>
          isLastTurn(request) ? finish('I never got an answer.') : call('ask_person', { question: 'Red or blue?' }),
      });
      const run = await start('Paint it', { maxAgents: 1 });
      await seen(run, 'agent.asked', 1);
      await bench.waitUntil('it waits', async () => (await agentsOf(bench, run))[0]?.state === 'waiting');
      await bench.engine.cancelRun({ run, mode: 'wrap-up' });
      const view = await bench.waitEnd(run);
      assert.equal(view.state, 'cancelled');
      assert.equal((await agentsOf(bench, run))[0]?.report, 'I never got an answer.');
    });

    it('takes in what was joined so far, although the agent that was to join it never starts', async () => {
      bench = await openBench({
        script: (request) => {
          if (isPlanner(request)) return planOf(5);
          if (isLastTurn(request)) return finish('Cut short.');
          if (partOf(request) < 0) return finish('Joined.');
          if (partOf(request) === 4 && request.lastTool)
            return call('list_files', { path: 'x'.repeat(toolResults(request).length) }, { latencyMs: 50 });
          return writePart(request);
        },
      });
      const run = await start(BIG_TASK);
      await seen(run, 'agent.merged', 4);
      await seen(run, 'agent.committed', 5);
      const joiner = await agentNamed(bench, run, 'join');
      await bench.engine.cancelRun({ run, agent: joiner.agent, mode: 'wrap-up' });
      const view = await bench.waitEnd(run);
      assert.equal(view.state, 'partial', JSON.stringify(view, null, 1));
      assert.equal(bench.model.requests.filter(({ request }) => taskOf(request).startsWith('Join')).length, 0);
      assert.equal((await agentNamed(bench, run, 'join')).state, 'cancelled');
      assert.equal((await agentNamed(bench, run, 'part 4')).state, 'cancelled');
      assert.deepEqual(
        filesOf(view),
        [0, 1, 2, 3, 4].map((part) => `out/${part}.txt`),
      );
    });

    it('reaches the children first, and their parent reports last', async () => {
      bench = await openBench({
        script: (request) => {
          if (isLastTurn(request)) return finish(`${taskOf(request)}: ${request.lastTool?.content ?? 'nothing'}`);
          if (taskOf(request) === 'Lead') return call('delegate', { task: 'Help' });
          return call('list_files', { path: 'x'.repeat(toolResults(request).length) }, { latencyMs: 50 });
        },
      });
      const run = await start('Lead', { maxDepth: 2, maxAgents: 3 });
      await asked(3);
      await bench.engine.cancelRun({ run, mode: 'wrap-up' });
      await bench.waitEnd(run);
      const lead = await agentNamed(bench, run, 'Lead');
      assert.match(lead.report ?? '', /^Lead: It failed \(cancelled\): Help: /);
    });

    it('ends agents whose turn is parked, too', async () => {
      bench = await openBench({ speed: 100, script: () => fault('error-500') });
      const run = await start('Do it', { maxAgents: 1 });
      await seen(run, 'job.parked', 1);
      await bench.engine.cancelRun({ run, mode: 'wrap-up' });
      assert.equal((await bench.waitEnd(run, 3000)).state, 'cancelled');
    });
  });

  describe('that aborts', () => {
    it('cuts calls at once, asks nothing more and leaves no reservation', async () => {
      bench = await openBench({
        server: { slots: 3 },
        script: (request) => (isPlanner(request) ? planOf(8) : thinking()),
      });
      const run = await start(BIG_TASK);
      await asked(4);
      const before = await bench.engine.runStatus(run);
      assert.ok(before.tokens.reserved > 0);
      await bench.engine.cancelRun({ run, mode: 'abort' });
      const view = await bench.waitEnd(run, 3000);
      assert.equal(view.state, 'cancelled');
      assert.equal(view.tokens.reserved, 0);
      await bench.waitUntil('the slots are free', async () => bench.model.stats().processing === 0);
      await systemClock.sleep(100);
      assert.equal(bench.model.requests.length, 4);
      assert.deepEqual(
        bench.model.requests.slice(1).map((request) => request.state),
        ['cancelled', 'cancelled', 'cancelled'],
      );
      const states = new Set((await agentsOf(bench, run)).filter((a) => a.tier !== 'planner').map((a) => a.state));
      assert.deepEqual([...states], ['cancelled']);
    });

    it('ends the program that an agent runs', async () => {
      const program = `require('fs').writeFileSync('pid.txt', String(process.pid)); setInterval(() => {}, 1000)`;
      bench = await openBench({
        settings: { permissions: { commands: 'any' } },
        script: () => call('run_command', { argv: [process.execPath, '-e', program] }),
      });
      const run = await start('Run it', { maxAgents: 1 });
      const pidFile = async (): Promise<string> => {
        const [row] = await bench.store.worktrees({ run });
        return join(row?.path ?? '', 'pid.txt');
      };
      await bench.waitUntil(
        'it runs',
        async () => existsSync(await pidFile()) && readFileSync(await pidFile()).length > 0,
      );
      const pid = Number(readFileSync(await pidFile(), 'utf8'));
      await bench.engine.cancelRun({ run, mode: 'abort' });
      assert.equal((await bench.waitEnd(run, 3000)).state, 'cancelled');
      assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
      assert.equal(bench.model.requests.length, 1);
    });

    it('is finished by the next engine when this one stops in the middle of it', async () => {
      bench = await openBench({ script: (request) => (isPlanner(request) ? planOf(3) : thinking()) });
      const run = await start(BIG_TASK);
      await asked(4);
      await bench.store.transaction((tx) => tx.patchRun(run, { cancelRequested: 'abort' }));
      await bench.restart();
      assert.equal((await bench.waitEnd(run, 3000)).state, 'cancelled');
      assert.equal(bench.model.requests.length, 4);
    });
  });

  describe('of one agent', () => {
    it('lets the rest go on, and the run ends as partial', async () => {
      bench = await openBench({
        script: (request) => {
          if (isPlanner(request)) return planOf(4);
          return partOf(request) === 2 ? thinking() : writePart(request);
        },
      });
      const run = await start(BIG_TASK);
      await seen(run, 'agent.merged', 3);
      const slow = await agentNamed(bench, run, 'part 2');
      await bench.engine.cancelRun({ run, agent: slow.agent, mode: 'abort' });
      const view = await bench.waitEnd(run, 3000);
      assert.equal(view.state, 'partial');
      assert.equal(view.filesChanged, 3);
      assert.equal(view.cancelRequested, 'no');
    });

    it('ends its descendants as well, calls under way included', async () => {
      bench = await openBench({
        script: (request) => {
          if (isPlanner(request)) return planOf(2);
          if (partOf(request) === 0) return writePart(request);
          if (taskOf(request) === 'Deep') return thinking();
          return calls(['delegate', { task: 'Deep' }], ['delegate', { task: 'Deep' }]);
        },
      });
      const run = await start(BIG_TASK, { maxDepth: 3 });
      await bench.waitUntil(
        'both children think',
        async () => bench.model.requests.filter(({ request }) => taskOf(request) === 'Deep').length === 2,
      );
      const parent = await agentNamed(bench, run, 'part 1');
      await bench.engine.cancelRun({ run, agent: parent.agent, mode: 'abort' });
      const view = await bench.waitEnd(run, 3000);
      assert.equal(view.state, 'partial');
      await bench.waitUntil('the slots are free', async () => bench.model.stats().processing === 0);
      const ended = (await agentsOf(bench, run)).filter((agent) => agent.state === 'cancelled').map((a) => a.name);
      assert.deepEqual(ended.sort(), ['Deep', 'Deep', 'part 1']);
    });

    it('that is not of this run is refused', async () => {
      bench = await openBench({ script: () => finish('Done.') });
      const run = await start('Do it', { maxAgents: 1 });
      const missing = { run, agent: 'a-none' as never, mode: 'abort' } as const;
      await assert.rejects(bench.engine.cancelRun(missing), { code: 'not-found' });
      await assert.rejects(bench.engine.cancelRun({ run: 'r-none' as RunId, mode: 'abort' }), { code: 'not-found' });
      await bench.waitEnd(run);
    });
  });

  it('can be asked for twice, and the second may be harder', async () => {
    bench = await openBench({ script: (request) => (isLastTurn(request) ? finish('Never.') : thinking()) });
    const run = await start('Think', { maxAgents: 1 });
    await asked(1);
    await bench.engine.cancelRun({ run, mode: 'wrap-up' });
    await bench.engine.cancelRun({ run, mode: 'wrap-up' });
    const view = await bench.engine.cancelRun({ run, mode: 'abort' });
    assert.equal(view.cancelRequested, 'abort');
    assert.equal((await bench.waitEnd(run, 3000)).state, 'cancelled');
    assert.equal(bench.model.requests.length, 1);
  });

  it('never takes an abort back', async () => {
    bench = await openBench({ script: () => thinking() });
    const run = await start('Think', { maxAgents: 1 });
    await asked(1);
    const [view] = await Promise.all([
      bench.engine.cancelRun({ run, mode: 'abort' }),
      bench.engine.cancelRun({ run, mode: 'wrap-up' }),
    ]);
    assert.equal(view.run, run);
    assert.equal((await bench.waitEnd(run, 3000)).cancelRequested, 'abort');
  });

  it('of a run that has ended changes nothing', async () => {
    bench = await openBench({ script: () => finish('Done.') });
    const ended = await bench.run('Do it', { maxAgents: 1 });
    const events = (await eventsOf(bench)).length;
    for (const mode of ['wrap-up', 'abort'] as const) {
      const view = await bench.engine.cancelRun({ run: ended.run, mode });
      assert.deepEqual([view.state, view.cancelRequested], ['answered', 'no']);
    }
    assert.equal((await eventsOf(bench)).length, events);
  });
});
