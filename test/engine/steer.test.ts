import assert from 'node:assert/strict';
import type { AgentId, RunId } from '../../mcp-server/domain/ids.ts';
import { type Bench, openBench } from '../support/engine.ts';
import { call, calls, finish, type ParsedRequest, say } from '../support/scripted-server.ts';
import {
  agentNamed,
  agentsOf,
  BIG_TASK,
  eventsOf,
  isPlanner,
  partOf,
  planOf,
  taskOf,
  toolResults,
  writePart,
} from '../support/team.ts';

const whole = (request: ParsedRequest): string => request.messages.map((message) => message.content).join('\n');
const times = (text: string, part: string): number => text.split(part).length - 1;
const look = (request: ParsedRequest, latencyMs = 0) =>
  call('list_files', { path: 'x'.repeat(toolResults(request).length + 1) }, { latencyMs });

describe('Steering', () => {
  let bench: Bench;
  afterEach(async () => {
    for (const run of await bench.engine.listRuns(10)) assert.deepEqual(await bench.invariants(run.run), []);
    await bench.close();
  });

  const start = async (task: string, options = {}): Promise<RunId> =>
    (await bench.engine.startRun({ task, options })).run;
  const requestsOf = (part: number): readonly ParsedRequest[] =>
    bench.model.requests.map(({ request }) => request).filter((request) => partOf(request) === part);
  const seen = (run: RunId, type: string): Promise<void> =>
    bench.waitUntil(type, async () => (await eventsOf(bench, run)).some((event) => event.type === type));

  it('reaches the next turn, before the messages of others, and exactly once', async () => {
    bench = await openBench({
      script: (request) => {
        if (isPlanner(request)) return planOf(2);
        if (partOf(request) === 1)
          return request.lastTool ? finish('Told it.') : call('send_message', { to: 'part 0', body: 'Mind the gap.' });
        return toolResults(request).length < 3 ? look(request, request.lastTool ? 0 : 800) : finish('Done.');
      },
    });
    const run = await start(BIG_TASK);
    await seen(run, 'message.sent');
    const { agent } = await agentNamed(bench, run, 'part 0');
    const { delivery } = await bench.engine.messageAgent({ agent, text: 'Use tabs.' });
    assert.equal(delivery, 'next-turn');
    await bench.waitEnd(run);
    const [first, second, , last] = requestsOf(0);
    assert.doesNotMatch(whole(first as ParsedRequest), /Use tabs|Mind the gap/);
    assert.match(second?.lastUser ?? '', /Message from the person: Use tabs\.[^]*Message from part 1: Mind the gap\./);
    assert.equal(times(whole(last as ParsedRequest), 'Use tabs.'), 1);
    assert.equal(times(whole(last as ParsedRequest), 'Mind the gap.'), 1);
  });

  it('is not lost when the agent was just about to finish', async () => {
    bench = await openBench({
      script: (request) =>
        whole(request).includes('Also the docs')
          ? finish('Did the docs as well.')
          : request.lastTool
            ? finish('Done.', 'done')
            : look(request),
    });
    bench.model.setLatency(300);
    const run = await start('Do it', { maxAgents: 1 });
    await bench.waitUntil('its second turn', async () => bench.model.requests.length === 2);
    const [agent] = await agentsOf(bench, run);
    await bench.engine.messageAgent({ agent: agent?.agent as AgentId, text: 'Also the docs.' });
    const view = await bench.waitEnd(run);
    assert.equal(view.report, 'Did the docs as well.');
    const last = bench.model.requests.at(-1)?.request as ParsedRequest;
    assert.match(last.lastTool?.content ?? '', /person/);
  });

  it('is not lost when the agent has just answered in plain text', async () => {
    bench = await openBench({
      script: (request) => say(whole(request).includes('In French') ? 'Oui.' : 'Yes.', { latencyMs: 300 }),
    });
    const run = await start('Is it so?', { maxAgents: 1 });
    await bench.waitUntil('its turn', async () => bench.model.requests.length === 1);
    const [agent] = await agentsOf(bench, run);
    await bench.engine.messageAgent({ agent: agent?.agent as AgentId, text: 'In French.' });
    assert.equal((await bench.waitEnd(run)).report, 'Oui.');
    assert.equal(bench.model.requests.length, 2);
  });

  it('of the planner makes it plan again', async () => {
    bench = await openBench({
      script: (request) => {
        if (!isPlanner(request)) return writePart(request);
        const steered = whole(request).includes('Only two parts');
        return { ...planOf(steered ? 2 : 5), latencyMs: steered ? 0 : 400 };
      },
    });
    const run = await start(BIG_TASK);
    await bench.waitUntil('it plans', async () => bench.model.requests.length === 1);
    const [planner] = await agentsOf(bench, run);
    await bench.engine.messageAgent({ agent: planner?.agent as AgentId, text: 'Only two parts.' });
    const view = await bench.waitEnd(run);
    assert.equal(view.agents.total, 3, JSON.stringify(view));
    for (const { request } of bench.model.requests) {
      const roles = request.messages.map((message) => message.role);
      assert.ok(!roles.some((role, i) => role === 'user' && roles[i + 1] === 'user'), roles.join());
    }
  });

  it('of a planner that has not begun goes into its first prompt', async () => {
    bench = await openBench({
      server: { slots: 1 },
      script: (request) => {
        if (isPlanner(request)) return planOf(whole(request).includes('Only one part') ? 1 : 5);
        return taskOf(request) === 'Wait' ? finish('Waited.') : writePart(request);
      },
    });
    bench.model.setLatency(300);
    const before = await start('Wait', { maxAgents: 1 });
    await bench.waitUntil('the slot is taken', async () => bench.model.requests.length === 1);
    const run = await start(BIG_TASK);
    const [planner] = await agentsOf(bench, run);
    await bench.engine.messageAgent({ agent: planner?.agent as AgentId, text: 'Only one part.' });
    bench.model.setLatency(0);
    const view = await bench.waitEnd(run);
    assert.equal(view.agents.total, 2);
    const prompt = bench.model.requests.find(({ request }) => isPlanner(request))?.request;
    assert.deepEqual(
      prompt?.messages.map((message) => message.role),
      ['system', 'user'],
    );
    await bench.waitEnd(before);
  });

  it('waits for the children of an agent that waits, and then reaches it', async () => {
    bench = await openBench({
      script: (request) => {
        if (taskOf(request) === 'Help') return finish('Helped.', 'done');
        if (!request.lastTool) return call('delegate', { task: 'Help' });
        return finish(whole(request));
      },
    });
    bench.model.setLatency(200);
    const run = await start('Lead', { maxDepth: 2, maxAgents: 3 });
    await bench.waitUntil('the child works', async () => bench.model.requests.length === 2);
    const { agent } = await agentNamed(bench, run, 'Lead');
    assert.equal((await bench.engine.messageAgent({ agent, text: 'Hurry.' })).delivery, 'next-turn');
    const view = await bench.waitEnd(run);
    assert.equal(times(view.report ?? '', 'Message from the person: Hurry.'), 1);
    assert.match(view.report ?? '', /Helped\./);
  });

  it('of an agent that has ended, or never was, is refused', async () => {
    bench = await openBench({ script: () => finish('Done.') });
    const view = await bench.run('Do it', { maxAgents: 1 });
    const [agent] = await agentsOf(bench, view.run);
    const late = bench.engine.messageAgent({ agent: agent?.agent as AgentId, text: 'Wait!' });
    await assert.rejects(late, { name: 'UserError', code: 'wrong-state' });
    const nobody = bench.engine.messageAgent({ agent: 'a-none' as AgentId, text: 'Hello?' });
    await assert.rejects(nobody, { name: 'UserError', code: 'not-found' });
  });

  describe('A question to the person', () => {
    it('holds no slot while it waits, and the next message is its answer', async () => {
      bench = await openBench({
        server: { slots: 1 },
        script: (request) => {
          if (isPlanner(request)) return planOf(2);
          if (partOf(request) === 1) return writePart(request);
          return request.lastTool ? finish(request.lastTool.content) : call('ask_person', { question: 'Red or blue?' });
        },
      });
      const run = await start(BIG_TASK);
      await seen(run, 'agent.asked');
      await bench.waitUntil(
        'the other ends',
        async () => (await agentNamed(bench, run, 'part 1')).state === 'completed',
      );
      const waiting = await agentNamed(bench, run, 'part 0');
      assert.equal(waiting.state, 'waiting');
      assert.equal(waiting.question, 'Red or blue?');
      assert.equal((await bench.engine.queue()).servers[0]?.slots.busy, 0);
      assert.equal((await bench.engine.messageAgent({ agent: waiting.agent, text: 'Blue.' })).delivery, 'answer');
      const view = await bench.waitEnd(run);
      assert.equal(view.state, 'completed');
      assert.equal((await agentNamed(bench, run, 'part 0')).report, 'The person answers: Blue.');
      assert.equal(times(whole(requestsOf(0).at(-1) as ParsedRequest), 'Blue.'), 1);
    });

    it('is asked again by nobody after a restart, and can still be answered', async () => {
      bench = await openBench({
        script: (request) =>
          request.lastTool ? finish(request.lastTool.content) : call('ask_person', { question: 'Why?' }),
      });
      const run = await start('Ask', { maxAgents: 1 });
      await seen(run, 'agent.asked');
      await bench.restart();
      const [agent] = await agentsOf(bench, run);
      assert.equal(agent?.question, 'Why?');
      await bench.engine.messageAgent({ agent: agent?.agent, text: 'Because.' });
      assert.equal((await bench.waitEnd(run)).report, 'The person answers: Because.');
      assert.equal(bench.model.requests.length, 2);
    });

    it('answers itself when nobody is there', async () => {
      bench = await openBench({
        script: (request) =>
          request.lastTool ? finish(request.lastTool.content) : call('ask_person', { question: 'Red or blue?' }),
      });
      const view = await bench.run('Paint it', { maxAgents: 1, unattended: true });
      assert.match(view.report ?? '', /^Nobody is there to answer\. Decide yourself/);
    });
  });

  describe('A message between agents', () => {
    it('reaches a sibling by its name and a parent by that word, each once', async () => {
      bench = await openBench({
        script: (request) => {
          const task = taskOf(request);
          if (task === 'Lead')
            return request.lastTool
              ? finish(whole(request))
              : calls(['delegate', { task: 'Ann' }], ['delegate', { task: 'Bob' }]);
          if (task === 'Ann')
            return request.lastTool
              ? finish(toolResults(request).join(' '))
              : calls(
                  ['send_message', { to: 'Bob', body: 'From Ann to Bob.' }],
                  ['send_message', { to: 'parent', body: 'From Ann up.' }],
                  ['send_message', { to: 'Carl', body: 'Never read.' }],
                  ['send_message', { to: 'person', body: 'Never read.' }],
                );
          return times(whole(request), 'From Ann to Bob.') > 0 ? finish(whole(request)) : look(request, 50);
        },
      });
      const run = await start('Lead', { maxDepth: 2, maxAgents: 3 });
      const view = await bench.waitEnd(run);
      const bob = await agentNamed(bench, run, 'Bob');
      assert.equal(times(bob.report ?? '', 'Message from Ann: From Ann to Bob.'), 1);
      assert.equal(times(view.report ?? '', 'Message from Ann: From Ann up.'), 1);
      assert.match(
        (await agentNamed(bench, run, 'Ann')).report ?? '',
        /Sent to Bob.*Sent to Lead.*no agent "Carl".*ask_person/s,
      );
    });
  });
});
