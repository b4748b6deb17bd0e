import assert from 'node:assert/strict';
import type { CrashPoint } from '../../mcp-server/compose.ts';
import type { RunId } from '../../mcp-server/domain/ids.ts';
import { INBOX_BOUND } from '../../mcp-server/domain/message.ts';
import { type Bench, openBench } from '../support/engine.ts';
import { runEngine } from '../support/engine-program.ts';
import { killSweep } from '../support/kill-sweep.ts';
import { makeRepository } from '../support/repository.ts';
import {
  call,
  calls,
  finish,
  type ParsedRequest,
  type ScriptedAnswer,
  startRehearsal,
} from '../support/scripted-server.ts';
import { agentNamed, BIG_TASK, isLastTurn, isPlanner, partOf, planOf, toolResults } from '../support/team.ts';

const MORE = 5;
const BODIES = Array.from({ length: INBOX_BOUND + MORE }, (_, i) => `note-${i}.`);
const whole = (request: ParsedRequest): string => request.messages.map((message) => message.content).join('\n');
const places = (request: ParsedRequest): readonly number[] =>
  [...whole(request).matchAll(/note-(\d+)\./g)].map(([, n]) => Number(n));
const sendAll = (to: string, latencyMs = 0): ScriptedAnswer => ({
  ...calls(...BODIES.map((body) => ['send_message', { to, body }] as const)),
  latencyMs,
});
/** Looks around, slowly at first, until it has read all of them. */
const readAll = (request: ParsedRequest, latencyMs: number): ScriptedAnswer =>
  places(request).length >= BODIES.length
    ? finish(`Got ${places(request).join(' ')}`)
    : call(
        'list_files',
        { path: 'x'.repeat(toolResults(request).length + 1) },
        { latencyMs: request.lastTool ? 0 : latencyMs },
      );
const inOrder = BODIES.map((_, i) => i).join(' ');

describe('A full inbox', () => {
  let bench: Bench;
  afterEach(async () => {
    for (const run of await bench.engine.listRuns(10)) assert.deepEqual(await bench.invariants(run.run), []);
    await bench.close();
  });

  /** Two agents side by side: `part 0` reads, `part 1` sends. */
  const script =
    (reader: (request: ParsedRequest) => ScriptedAnswer, plan = planOf(2)) =>
    (request: ParsedRequest): ScriptedAnswer => {
      if (isPlanner(request)) return plan;
      if (partOf(request) === 0) return reader(request);
      if (isLastTurn(request)) return finish('So far.');
      return request.lastTool ? finish('Sent all.', 'done') : sendAll('part 0');
    };
  const begin = async (): Promise<RunId> => (await bench.engine.startRun({ task: BIG_TASK, options: {} })).run;
  const waits = (run: RunId, name = 'part 1'): Promise<void> =>
    bench.waitUntil(`${name} waits`, async () => {
      const { agents } = await bench.engine.listAgents({ run });
      return agents.some((agent) => agent.name === name && agent.state === 'waiting');
    });
  const sendsOf = async (run: RunId, name: string) =>
    bench.store
      .calls((await agentNamed(bench, run, name)).agent)
      .then((all) => all.filter((one) => one.tool === 'send_message'));

  it('lets the sender wait without a slot until there is room, and everything comes once and in order', async () => {
    bench = await openBench({ script: script((request) => readAll(request, 800)) });
    const run = await begin();
    await waits(run);
    const sender = await agentNamed(bench, run, 'part 1');
    assert.equal(sender.action, 'waits for room in the inbox of part 0');
    assert.equal((await bench.engine.queue()).servers[0]?.slots.busy, 1);
    assert.equal((await sendsOf(run, 'part 1')).filter(({ state }) => state === 'waiting').length, MORE);
    assert.deepEqual(await bench.invariants(run), []);
    assert.equal((await bench.waitEnd(run)).state, 'answered');
    assert.equal((await agentNamed(bench, run, 'part 0')).report, `Got ${inOrder}`);
    for (const one of await sendsOf(run, 'part 1'))
      assert.deepEqual([one.ok, one.output], [true, 'Sent to part 0. It will be read at its next turn.']);
    assert.equal(sender.turns, 1);
    assert.equal((await agentNamed(bench, run, 'part 1')).turns, 2, 'it sends nothing twice');
  });

  it('still takes the words of the person', async () => {
    bench = await openBench({
      script: script((request) =>
        whole(request).includes('Enough') ? finish('Stopped reading.') : readAll(request, 800),
      ),
    });
    const run = await begin();
    await waits(run);
    const { agent } = await agentNamed(bench, run, 'part 0');
    assert.equal((await bench.engine.messageAgent({ agent, text: 'Enough.' })).delivery, 'next-turn');
    await bench.waitEnd(run);
    assert.equal((await agentNamed(bench, run, 'part 0')).report, 'Stopped reading.');
  });

  it('lets the sender go on when the reader ends first, and says so', async () => {
    bench = await openBench({ script: script(() => ({ ...finish('I read nothing.'), latencyMs: 800 })) });
    const run = await begin();
    await waits(run);
    await bench.waitEnd(run);
    const refused = (await sendsOf(run, 'part 1')).filter(({ ok }) => !ok);
    assert.equal(refused.length, MORE);
    assert.equal(refused[0]?.output, 'Not sent: "part 0" has ended and reads no more messages.');
    assert.equal((await agentNamed(bench, run, 'part 1')).report, 'Sent all.');
  });

  it('is waited for across a restart, and each message still comes once', async () => {
    bench = await openBench({ script: script((request) => readAll(request, 800)) });
    const run = await begin();
    await waits(run);
    await bench.restart();
    assert.equal((await agentNamed(bench, run, 'part 1')).state, 'waiting');
    assert.equal((await bench.waitEnd(run)).state, 'answered');
    assert.equal((await agentNamed(bench, run, 'part 0')).report, `Got ${inOrder}`);
  });

  it('keeps nobody from wrapping up', async () => {
    bench = await openBench({
      script: script((request) => (isLastTurn(request) ? finish('So far.') : readAll(request, 1500))),
    });
    const run = await begin();
    await waits(run);
    const { agent } = await agentNamed(bench, run, 'part 1');
    await bench.engine.cancelRun({ run, agent, mode: 'wrap-up' });
    await bench.waitUntil('it has ended', async () => (await agentNamed(bench, run, 'part 1')).state === 'cancelled');
    assert.equal((await agentNamed(bench, run, 'part 0')).state, 'running');
    assert.equal((await agentNamed(bench, run, 'part 1')).report, 'So far.');
    await bench.engine.cancelRun({ run, mode: 'abort' });
    await bench.waitEnd(run);
  });

  it('of each other refuses the second one, and both go on', async () => {
    bench = await openBench({
      script: (request) => {
        if (isPlanner(request)) return planOf(2);
        const other = partOf(request) === 0 ? 'part 1' : 'part 0';
        if (!request.lastTool) return sendAll(other, partOf(request) * 300 + 300);
        return places(request).length >= INBOX_BOUND ? finish('Done.', 'done') : readAll(request, 0);
      },
    });
    const run = await begin();
    assert.equal((await bench.waitEnd(run)).state, 'answered');
    const [first, second] = [await sendsOf(run, 'part 0'), await sendsOf(run, 'part 1')];
    assert.deepEqual(
      first.filter(({ ok }) => !ok),
      [],
    );
    const refused = second.filter(({ ok }) => !ok);
    assert.equal(refused.length, MORE);
    assert.match(
      refused[0]?.output ?? '',
      /^Not sent: the inbox of part 0 is full, and it reads nothing before you have gone on/,
    );
  });

  it('of an agent that begins only after the sender refuses at once', async () => {
    bench = await openBench({
      script: (request) => {
        if (isPlanner(request)) return planOf(2, { 1: [0] });
        if (partOf(request) === 1) return finish('Read.', 'done');
        return request.lastTool ? finish('Sent what fits.', 'done') : sendAll('part 1');
      },
    });
    const run = await begin();
    assert.equal((await bench.waitEnd(run)).state, 'answered');
    assert.equal((await sendsOf(run, 'part 0')).filter(({ ok }) => !ok).length, MORE);
  });

  it('lets a paused sender have its room, and go on when it is continued', async () => {
    bench = await openBench({ script: script((request) => readAll(request, 600)) });
    const run = await begin();
    await waits(run);
    const { agent } = await agentNamed(bench, run, 'part 1');
    await bench.engine.pauseAgents({ run, agent, below: true });
    await bench.waitUntil('all is read', async () => (await agentNamed(bench, run, 'part 0')).state === 'completed');
    assert.equal((await agentNamed(bench, run, 'part 1')).state, 'paused');
    await bench.engine.continueAgents({ run, agent, below: true });
    await bench.waitEnd(run);
    assert.equal((await agentNamed(bench, run, 'part 1')).report, 'Sent all.');
  });

  it('loses and doubles nothing when the engine is killed', async function () {
    this.timeout(300_000);
    const answer = script((request) => readAll(request, 150));
    const model = await startRehearsal({ slots: 2, answer });
    bench = await openBench({ script: answer });
    const live = (root: string, crash: CrashPoint | null) =>
      runEngine({ root, server: model.url, task: BIG_TASK, crash });
    const once = async (crash: CrashPoint): Promise<boolean> => {
      const repo = makeRepository();
      try {
        const first = await live(repo.root, crash);
        const verdict = await live(repo.root, null);
        const context = `killed at ${crash.at}: ${JSON.stringify(verdict, null, 1)}`;
        assert.equal(verdict?.state, 'answered', context);
        assert.deepEqual(verdict.faults, [], context);
        const got = (/Got ([\d ]+)/.exec(verdict.report ?? '')?.[1] ?? '').trim().split(' ').map(Number);
        assert.deepEqual(
          got,
          BODIES.map((_, i) => i),
          context,
        );
        return first === null;
      } finally {
        repo.remove();
      }
    };
    try {
      await killSweep({ where: 'store', from: 5, stride: 17, least: 3, once });
    } finally {
      await model.close();
    }
  });
});
