import assert from 'node:assert/strict';
import type { CrashPoint } from '../../mcp-server/compose.ts';
import type { AgentId, RunId } from '../../mcp-server/domain/ids.ts';
import { type Bench, openBench } from '../support/engine.ts';
import { runEngine } from '../support/engine-program.ts';
import { killSweep } from '../support/kill-sweep.ts';
import { makeRepository } from '../support/repository.ts';
import { call, calls, finish, type ParsedRequest, startRehearsal } from '../support/scripted-server.ts';
import {
  agentNamed,
  agentsOf,
  BIG_TASK,
  eventsOf,
  isLastTurn,
  isPlanner,
  planOf,
  taskOf,
  toolResults,
  writePart,
} from '../support/team.ts';

const whole = (request: ParsedRequest): string => request.messages.map((message) => message.content).join('\n');
/** Looks around in `turns` turns, then finishes with all that it has read. */
const look = (request: ParsedRequest, turns: number, latencyMs = 0) =>
  toolResults(request).length < turns
    ? call('list_files', { path: 'x'.repeat(toolResults(request).length + 1) }, { latencyMs })
    : finish(whole(request));

describe('Pausing', () => {
  let bench: Bench;
  afterEach(async () => {
    for (const run of await bench.engine.listRuns(10)) assert.deepEqual(await bench.invariants(run.run), []);
    await bench.close();
  });

  const start = async (task: string, options = {}): Promise<RunId> =>
    (await bench.engine.startRun({ task, options })).run;
  /** Empty while there is no such agent. */
  const stateOf = async (run: RunId, name: string): Promise<string> =>
    (await agentsOf(bench, run)).find((agent) => agent.name.startsWith(name))?.state ?? '';
  const until = (run: RunId, name: string, state: string): Promise<void> =>
    bench.waitUntil(`${name} is ${state}`, async () => (await stateOf(run, name)) === state);
  const asked = (n: number): Promise<void> =>
    bench.waitUntil(`request ${n}`, async () => bench.model.requests.length >= n);
  const pausedWhole = (run: RunId): Promise<void> =>
    bench.waitUntil('all of it is paused', async () => /paused/.test((await bench.engine.runStatus(run)).stuck ?? ''));
  const ids = async (run: RunId): Promise<readonly AgentId[]> => (await agentsOf(bench, run)).map(({ agent }) => agent);

  it('lets the call under way end, begins no other, and goes on where it was', async () => {
    bench = await openBench({ script: (request) => look(request, 2, request.lastTool ? 0 : 300) });
    const run = await start('Look', { maxAgents: 1 });
    await asked(1);
    const view = await bench.engine.pauseAgents({ run, below: true });
    assert.equal(view.paused, true);
    assert.equal(view.stuck, null, 'its call goes on');
    const during = await agentNamed(bench, run, 'Look');
    assert.deepEqual([during.state, during.pausing], ['running', true]);
    await until(run, 'Look', 'paused');
    assert.equal(bench.model.requests.length, 1);
    const [agent] = await ids(run);
    assert.equal((await bench.store.calls(agent as AgentId)).length, 1, 'its tool ran');
    assert.match((await bench.engine.runStatus(run)).stuck ?? '', /^1 paused agent\. agent_continue lets it go on\.$/);
    assert.equal(await bench.engine.isIdle(), true);
    await bench.clock.sleep(700, new AbortController().signal);
    assert.equal(bench.model.requests.length, 1, 'nothing is asked meanwhile');
    assert.deepEqual(await bench.invariants(run), []);
    const on = await bench.engine.continueAgents({ run, below: true });
    assert.equal(on.paused, false);
    assert.equal((await bench.waitEnd(run)).state, 'answered');
    assert.equal(bench.model.requests.length, 3);
    assert.equal((await agentNamed(bench, run, 'Look')).pausing, false);
  });

  it('asked for twice is one pause, and so is going on', async () => {
    bench = await openBench({ script: (request) => look(request, 1, request.lastTool ? 0 : 200) });
    const run = await start('Look', { maxAgents: 1 });
    for (let i = 0; i < 2; i++) await bench.engine.pauseAgents({ run, below: true });
    await until(run, 'Look', 'paused');
    for (let i = 0; i < 2; i++) await bench.engine.continueAgents({ run, below: true });
    await bench.waitEnd(run);
    const types = (await eventsOf(bench, run)).map(({ type }) => type);
    for (const type of ['run.paused', 'run.continued', 'agent.pauseRequested', 'agent.continued'])
      assert.equal(types.filter((one) => one === type).length, 1, type);
  });

  it('of one agent leaves the others at work', async () => {
    bench = await openBench({
      script: (request) => (isPlanner(request) ? planOf(2) : writePart(request, { latencyMs: 300 })),
    });
    const run = await start(BIG_TASK);
    await bench.waitUntil('both work', async () => (await agentsOf(bench, run)).length === 3);
    const { agent } = await agentNamed(bench, run, 'part 0');
    await bench.engine.pauseAgents({ run, agent, below: true });
    await until(run, 'part 1', 'completed');
    await until(run, 'part 0', 'paused');
    assert.equal((await bench.engine.runStatus(run)).paused, false);
    await pausedWhole(run);
    await bench.engine.continueAgents({ run, agent, below: true });
    assert.equal((await bench.waitEnd(run)).state, 'completed');
  });

  it('of a parent alone lets its children go on, and what they bring is there when it goes on', async () => {
    bench = await openBench({
      script: (request) => {
        if (taskOf(request) === 'Help')
          return request.lastTool
            ? finish('Helped.')
            : call('write_file', { path: 'help.txt', content: 'help\n' }, { latencyMs: 300 });
        if (!request.lastTool) return call('delegate', { task: 'Help' });
        return toolResults(request).length < 2 ? call('read_file', { path: 'help.txt' }) : finish(whole(request));
      },
    });
    const run = await start('Lead', { maxDepth: 2, maxAgents: 3 });
    await until(run, 'Help', 'running');
    const { agent } = await agentNamed(bench, run, 'Lead');
    await bench.engine.pauseAgents({ run, agent, below: false });
    assert.equal(await stateOf(run, 'Lead'), 'paused');
    assert.equal((await agentNamed(bench, run, 'Help')).pausing, false);
    assert.equal((await bench.engine.messageAgent({ agent, text: 'Hurry.' })).delivery, 'next-turn');
    await until(run, 'Help', 'completed');
    await bench.waitUntil('merged', async () =>
      (await eventsOf(bench, run)).some((event) => event.type === 'agent.merged' && event.agent === agent),
    );
    await pausedWhole(run);
    assert.deepEqual(await bench.invariants(run), []);
    await bench.engine.continueAgents({ run, agent, below: true });
    const view = await bench.waitEnd(run);
    assert.match(view.report ?? '', /Helped\.[^]*help[^]*/);
    assert.match(view.report ?? '', /Message from the person: Hurry\./);
  });

  it('puts a parent back to waiting while its child is still at work', async () => {
    bench = await openBench({
      script: (request) => {
        if (taskOf(request) === 'Help') return look(request, 1, 400);
        return request.lastTool ? finish('Led.', 'done') : call('delegate', { task: 'Help' });
      },
    });
    const run = await start('Lead', { maxDepth: 2, maxAgents: 3 });
    await until(run, 'Help', 'running');
    const { agent } = await agentNamed(bench, run, 'Lead');
    await bench.engine.pauseAgents({ run, agent, below: false });
    await bench.engine.continueAgents({ run, agent, below: false });
    const lead = await agentNamed(bench, run, 'Lead');
    assert.deepEqual([lead.state, lead.action], ['waiting', 'waits for 1 child']);
    assert.equal((await bench.waitEnd(run)).report, 'Led.');
  });

  it('reaches a child that the parent makes in its last turn before the pause, and no child when it is for it alone', async () => {
    const script = (request: ParsedRequest) => {
      if (taskOf(request) === 'Help') return finish('Helped.');
      return request.lastTool ? finish(whole(request)) : call('delegate', { task: 'Help' }, { latencyMs: 300 });
    };
    bench = await openBench({ script });
    for (const below of [true, false]) {
      const run = await start('Lead', { maxDepth: 2, maxAgents: 3 });
      await bench.waitUntil('it is asked', async () => (await stateOf(run, 'Lead')) === 'running');
      const { agent } = await agentNamed(bench, run, 'Lead');
      await bench.engine.pauseAgents({ run, agent, below });
      await until(run, 'Lead', 'paused');
      if (below) assert.equal(await stateOf(run, 'Help'), 'paused');
      else await until(run, 'Help', 'completed');
      await pausedWhole(run);
      await bench.engine.continueAgents({ run, agent, below });
      assert.match((await bench.waitEnd(run)).report ?? '', /Helped\./);
    }
  });

  it('of a run pauses what the planner makes and steps that have not begun', async () => {
    bench = await openBench({
      script: (request) => (isPlanner(request) ? { ...planOf(3, { 2: [0] }), latencyMs: 300 } : writePart(request)),
    });
    const run = await start(BIG_TASK);
    await asked(1);
    await bench.engine.pauseAgents({ run, below: true });
    await pausedWhole(run);
    const states = (await agentsOf(bench, run)).map(({ state, pausing }) => `${state} ${pausing}`);
    assert.deepEqual(states, ['completed false', 'paused true', 'paused true', 'pending true']);
    // One of them alone goes on, and the step that needs it still pauses.
    const { agent } = await agentNamed(bench, run, 'part 0');
    await bench.engine.continueAgents({ run, agent, below: true });
    await until(run, 'part 0', 'completed');
    await until(run, 'part 2', 'paused');
    assert.equal(await stateOf(run, 'part 1'), 'paused');
    await bench.engine.continueAgents({ run, below: true });
    assert.equal((await bench.waitEnd(run)).state, 'completed');
  });

  it('takes the answer of the person, and goes on with it later', async () => {
    bench = await openBench({
      script: (request) =>
        request.lastTool ? finish(request.lastTool.content) : call('ask_person', { question: 'Red or blue?' }),
    });
    const run = await start('Ask', { maxAgents: 1 });
    await until(run, 'Ask', 'waiting');
    await bench.engine.pauseAgents({ run, below: true });
    const { agent, question } = await agentNamed(bench, run, 'Ask');
    assert.equal(question, 'Red or blue?');
    assert.equal((await bench.engine.messageAgent({ agent, text: 'Blue.' })).delivery, 'answer');
    assert.equal(await stateOf(run, 'Ask'), 'paused');
    await bench.engine.continueAgents({ run, below: true });
    assert.equal((await bench.waitEnd(run)).report, 'The person answers: Blue.');
  });

  it('survives a restart during the call, and asks again only when it is continued', async () => {
    bench = await openBench({ script: (request) => look(request, 1, request.lastTool ? 0 : 400) });
    const run = await start('Look', { maxAgents: 1 });
    await asked(1);
    await bench.engine.pauseAgents({ run, below: true });
    await bench.restart();
    assert.equal(await stateOf(run, 'Look'), 'paused');
    assert.deepEqual(await bench.invariants(run), []);
    await bench.restart();
    await bench.clock.sleep(600, new AbortController().signal);
    assert.equal(bench.model.requests.length, 1);
    assert.equal((await bench.engine.runStatus(run)).endedAt, null);
    await bench.engine.continueAgents({ run, below: true });
    assert.equal((await bench.waitEnd(run)).state, 'answered');
  });

  it('pauses an agent whose call fails meanwhile, instead of trying again', async () => {
    let failing = true;
    bench = await openBench({
      script: (request) => (failing ? { status: 500, content: '', latencyMs: 200 } : look(request, 0)),
    });
    const run = await start('Look', { maxAgents: 1 });
    await asked(1);
    await bench.engine.pauseAgents({ run, below: true });
    await until(run, 'Look', 'paused');
    failing = false;
    await bench.engine.continueAgents({ run, below: true });
    assert.equal((await bench.waitEnd(run)).state, 'answered');
  });

  it('lets a paused agent be cancelled, which asks it for its report', async () => {
    bench = await openBench({
      script: (request) => (isLastTurn(request) ? finish('So far.') : look(request, 5, request.lastTool ? 0 : 200)),
    });
    const run = await start('Look', { maxAgents: 1 });
    await asked(1);
    await bench.engine.pauseAgents({ run, below: true });
    await until(run, 'Look', 'paused');
    await bench.engine.cancelRun({ run, mode: 'wrap-up' });
    const view = await bench.waitEnd(run);
    assert.deepEqual([view.state, view.paused], ['cancelled', false]);
    assert.equal((await agentNamed(bench, run, 'Look')).report, 'So far.');
    assert.equal(bench.model.requests.length, 2);
    await assert.rejects(bench.engine.pauseAgents({ run, below: true }), { code: 'wrong-state' });
  });

  it('lets a paused agent be aborted, one by one and with its run', async () => {
    bench = await openBench({
      script: (request) => (isPlanner(request) ? planOf(2) : writePart(request, { latencyMs: 200 })),
    });
    const run = await start(BIG_TASK);
    await bench.waitUntil('both work', async () => (await agentsOf(bench, run)).length === 3);
    await bench.engine.pauseAgents({ run, below: true });
    await pausedWhole(run);
    const { agent } = await agentNamed(bench, run, 'part 0');
    await bench.engine.cancelRun({ run, agent, mode: 'abort' });
    assert.equal(await stateOf(run, 'part 0'), 'cancelled');
    assert.equal(await stateOf(run, 'part 1'), 'paused');
    await bench.engine.cancelRun({ run, mode: 'abort' });
    assert.equal((await bench.waitEnd(run)).state, 'cancelled');
  });

  it('stops the time that an agent has', async () => {
    const timeouts = { worker: 1500, synthesizer: null, executive: null };
    bench = await openBench({
      settings: { planning: { retries: 0, timeouts } },
      script: (request) => (isPlanner(request) ? planOf(1) : look(request, 1, request.lastTool ? 0 : 300)),
    });
    const run = await start('Look', { maxAgents: 1 });
    await asked(1);
    await bench.engine.pauseAgents({ run, below: true });
    await until(run, 'Look', 'paused');
    const [agent] = await ids(run);
    const before = (await bench.store.agent(agent as AgentId))?.deadline ?? 0;
    assert.ok(before > 0);
    await bench.clock.sleep(2500, new AbortController().signal);
    assert.equal(await stateOf(run, 'Look'), 'paused');
    await bench.engine.continueAgents({ run, below: true });
    assert.ok(((await bench.store.agent(agent as AgentId))?.deadline ?? 0) >= before + 2400);
    await bench.waitEnd(run);
    assert.equal((await agentNamed(bench, run, 'Look')).endReason, 'finished');
  });

  it('refuses what is not there or has ended', async () => {
    bench = await openBench({
      script: (request) =>
        taskOf(request) === 'Lead' && !request.lastTool
          ? calls(['delegate', { task: 'Help' }], ['delegate', { task: 'Wait' }])
          : finish('Done.', 'done'),
    });
    const run = await start('Lead', { maxDepth: 2, maxAgents: 3 });
    await assert.rejects(bench.engine.pauseAgents({ run: 'r-none' as RunId, below: true }), { code: 'not-found' });
    const nobody = bench.engine.pauseAgents({ run, agent: 'a-none' as AgentId, below: true });
    await assert.rejects(nobody, { code: 'not-found' });
    await bench.waitEnd(run);
    const [agent] = await ids(run);
    const late = bench.engine.continueAgents({ run, ...(agent ? { agent } : {}), below: true });
    await assert.rejects(late, { code: 'wrong-state' });
  });
});

describe('A run that is paused and continued by an engine that is killed', () => {
  it('comes to the same end wherever that was', async function () {
    this.timeout(300_000);
    const model = await startRehearsal({
      slots: 2,
      answer: (request) => (isPlanner(request) ? planOf(3, { 2: [0] }) : writePart(request)),
    });
    const live = (root: string, crash: CrashPoint | null) =>
      runEngine({ root, server: model.url, task: BIG_TASK, crash, pause: true });
    const once = async (crash: CrashPoint): Promise<boolean> => {
      const repo = makeRepository();
      try {
        const first = await live(repo.root, crash);
        const verdict = await live(repo.root, null);
        const context = `killed at ${crash.at}: ${JSON.stringify(verdict, null, 1)}`;
        assert.equal(verdict?.state, 'completed', context);
        assert.deepEqual(verdict.faults, [], context);
        assert.deepEqual(
          verdict.log.filter((line) => /never/.test(line)),
          [],
          context,
        );
        for (const part of [0, 1, 2]) assert.equal(repo.git('show', `${verdict.branch}:out/${part}.txt`), `${part}`);
        return first === null;
      } finally {
        repo.remove();
      }
    };
    try {
      await killSweep({ where: 'store', from: 4, stride: 31, least: 3, once });
    } finally {
      await model.close();
    }
  });
});
