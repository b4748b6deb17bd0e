import assert from 'node:assert/strict';
import type { RunId } from '../../mcp-server/domain/ids.ts';
import { MAX_ATTEMPTS } from '../../mcp-server/domain/policy.ts';
import { type Bench, openBench } from '../support/engine.ts';
import {
  call,
  type Fault,
  fault,
  finish,
  type ParsedRequest,
  type Script,
  say,
  startRehearsal,
} from '../support/scripted-server.ts';
import {
  agentsOf,
  BIG_TASK,
  eventsOf,
  isLastTurn,
  isPlanner,
  partOf,
  planOf,
  toolResults,
  writePart,
} from '../support/team.ts';

/** The server's silence that counts as a stall, ms: short, and yet long enough for a busy machine. */
const STALL_MS = 600;
/** Back-off goes by this much faster. */
const SPEED = 100;

const writeThenFinish: Script = (request) =>
  request.lastTool ? finish('Wrote it.') : call('write_file', { path: 'new.txt', content: 'new\n' });

const whole = (request: ParsedRequest): string => request.messages.map((message) => message.content).join('\n');

describe('A fault of the server', () => {
  let bench: Bench;
  afterEach(async () => {
    for (const run of await bench.engine.listRuns(10)) assert.deepEqual(await bench.invariants(run.run), []);
    await bench.close();
  });

  const start = async (task: string, options = {}): Promise<RunId> =>
    (await bench.engine.startRun({ task, options })).run;
  const events = async (type: string) => (await eventsOf(bench)).filter((event) => event.type === type);
  const attempts = async (): Promise<number> =>
    Math.max(...(await bench.store.jobs({ states: ['done', 'parked'] })).map((job) => job.attempts));
  /** What the turns used that gave an answer. */
  const answeredTokens = async (run: RunId): Promise<number> => {
    const [agent] = await agentsOf(bench, run);
    const turns = agent ? await bench.store.turns(agent.agent) : [];
    return turns.reduce((sum, { usage }) => sum + (usage ? usage.prompt + usage.completion : 0), 0);
  };

  describe('that passes', () => {
    const silent: readonly Fault[] = [
      'hang-before-headers',
      'reset',
      'error-500',
      'rate-limited',
      'loading',
      'context-exceeded',
    ];
    const midway: readonly Fault[] = [
      'stall-mid-stream',
      'cut-stream',
      'reset-mid-stream',
      'malformed-json',
      'huge-line',
      'stream-error',
    ];

    for (const kind of [...silent, ...midway])
      it(`is outlived: ${kind}`, async () => {
        bench = await openBench({
          speed: SPEED,
          stallMs: STALL_MS,
          script: (request, n) => (n <= 2 ? fault(kind, { content: 'half '.repeat(50) }) : writeThenFinish(request, n)),
        });
        const view = await bench.run('Write it', { maxAgents: 1 });
        assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
        const [first, second, third] = bench.model.requests.map(({ request }) => request.body);
        assert.deepEqual(second, first, 'the turn is asked for again just as before');
        assert.deepEqual(third, first);
        assert.equal(bench.model.requests.length, 4);
        assert.equal((await events('turn.failed')).length, 2);
        assert.equal((await agentsOf(bench, view.run))[0]?.turns, 2);
        const extra = view.tokens.used - (await answeredTokens(view.run));
        const most = 2 * ((bench.model.requests[0]?.promptTokens ?? 0) + 60);
        assert.ok(
          extra >= 0 && extra <= (silent.includes(kind) ? 0 : most),
          `${extra} tokens more than the answers cost`,
        );
      });

    it('is outlived: truncated-tool-call, which is not carried out', async () => {
      bench = await openBench({
        script: (request, n) =>
          n === 1
            ? fault('truncated-tool-call', {
                toolCalls: [{ name: 'write_file', arguments: { path: 'new.txt', content: 'x'.repeat(400) } }],
              })
            : writeThenFinish(request, n),
      });
      const view = await bench.run('Write it', { maxAgents: 1 });
      assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
      assert.equal(bench.repo.git('show', `${view.branch}:new.txt`), 'new');
      assert.match(bench.model.requests[1]?.request.lastUser ?? '', /was too long and was cut/);
      assert.equal(view.tokens.used, await answeredTokens(view.run));
    });

    it('is outlived: wrong-tool-name, which is told', async () => {
      bench = await openBench({
        script: (request, n) =>
          n === 1
            ? fault('wrong-tool-name')
            : n === 2
              ? call('write_file', { path: 'new.txt', content: 'new\n' })
              : finish(whole(request)),
      });
      const view = await bench.run('Write it', { maxAgents: 1 });
      assert.equal(view.state, 'completed');
      assert.match(view.report ?? '', /There is no tool no_such_tool\. Your tools: /);
    });
  });

  describe('that does not pass', () => {
    const kinds: readonly Fault[] = [
      'hang-before-headers',
      'cut-stream',
      'reset',
      'error-500',
      'rate-limited',
      'malformed-json',
      'stream-error',
    ];
    for (const kind of kinds)
      it(`parks the turn with its reason, until somebody resumes: ${kind}`, async () => {
        let broken = true;
        bench = await openBench({
          speed: SPEED,
          stallMs: 300,
          script: (request, n) => (broken ? fault(kind, { retryAfterS: 2 }) : writeThenFinish(request, n)),
        });
        const run = await start('Write it', { maxAgents: 1 });
        await bench.waitUntil('parked', async () => (await events('job.parked')).length === 1);
        assert.equal(bench.model.requests.length, MAX_ATTEMPTS);
        const { stuck } = await bench.engine.runStatus(run);
        assert.match(stuck ?? '', /^1 parked job: The .*\. run_resume lets them try again\.$/);
        const [job] = (await bench.engine.queue()).jobs;
        assert.deepEqual([job?.state, job?.attempts], ['parked', MAX_ATTEMPTS]);
        broken = false;
        await bench.engine.resumeRun(run);
        const view = await bench.waitEnd(run);
        assert.equal(view.state, 'completed');
        assert.equal(view.stuck, null);
      });

    it('fails the agent when trying again cannot help, and says why', async () => {
      bench = await openBench({ speed: SPEED, script: () => fault('context-exceeded') });
      const view = await bench.run('Write it', { maxAgents: 1 });
      assert.equal(view.state, 'failed');
      assert.match(view.error ?? '', /does not fit the model's context/);
      assert.ok(bench.model.requests.length <= MAX_ATTEMPTS);
      assert.equal((await agentsOf(bench, view.run))[0]?.endReason, 'model-failed');
    });

    it('leaves the plan to the rules when it meets the planner', async () => {
      bench = await openBench({
        speed: SPEED,
        script: (request) => (isPlanner(request) ? fault('context-exceeded') : finish('Did my part.')),
      });
      const view = await bench.run(BIG_TASK, { maxAgents: 2 });
      assert.equal(view.state, 'answered', JSON.stringify(view, null, 1));
      const [planned] = await events('run.planned');
      assert.ok(planned?.type === 'run.planned' && planned.by === 'rules');
      assert.match(planned.reason, /does not fit the model's context/);
    });

    it('waits for a server that says for ever that it loads, and asks it now and then', async () => {
      let loading = true;
      bench = await openBench({
        speed: 10,
        script: (request, n) => (loading ? fault('loading') : writeThenFinish(request, n)),
      });
      const run = await start('Write it', { maxAgents: 1 });
      await bench.waitUntil('it was asked often', async () => bench.model.requests.length > 2 * MAX_ATTEMPTS);
      const gaps = bench.model.requests
        .slice(1)
        .map((record, i) => record.arrivedAt - (bench.model.requests[i]?.arrivedAt ?? 0));
      assert.ok(Math.min(...gaps) * 10 >= 240, `asked again after ${Math.min(...gaps) * 10} ms`);
      loading = false;
      const view = await bench.waitEnd(run);
      assert.equal(view.state, 'completed');
      assert.equal(await attempts(), 1);
    });
  });

  describe('A server that goes away', () => {
    it('and comes back finds the run waiting, which goes on by itself without a counted attempt', async () => {
      const script: Script = (request) =>
        isPlanner(request)
          ? planOf(4)
          : partOf(request) >= 0
            ? writePart(request, { latencyMs: 150 })
            : finish('Joined.');
      bench = await openBench({ speed: SPEED, script });
      const run = await start(BIG_TASK);
      await bench.waitUntil('all work', async () => bench.model.requests.length === 5);
      const port = Number(new URL(bench.model.url).port);
      await bench.model.close();
      await bench.waitUntil('it is missed', async () =>
        /inference server/.test((await bench.engine.runStatus(run)).stuck ?? ''),
      );
      assert.match(
        (await bench.engine.runStatus(run)).stuck ?? '',
        /Waiting for the inference server: (No model server listens at|The model server at)/,
      );
      const again = await startRehearsal({ port, slots: 4, answer: script });
      try {
        const view = await bench.waitEnd(run);
        assert.equal(view.state, 'completed');
        assert.equal(view.filesChanged, 4);
        assert.equal(await attempts(), 1);
        assert.equal(view.stuck, null);
      } finally {
        await again.close();
      }
    });

    it('while agents wrap up does not keep the run open', async () => {
      bench = await openBench({ speed: SPEED, script: () => say('never', { latencyMs: 60_000 }) });
      const run = await start('Think', { maxAgents: 1 });
      await bench.waitUntil('it thinks', async () => bench.model.requests.length === 1);
      await bench.engine.cancelRun({ run, mode: 'wrap-up' });
      await bench.model.close();
      assert.equal((await bench.waitEnd(run, 3000)).state, 'cancelled');
    });

    it('lets a cancel end the run without its help', async () => {
      bench = await openBench({ speed: SPEED, script: () => say('never', { latencyMs: 60_000 }) });
      const run = await start('Think', { maxAgents: 1 });
      await bench.waitUntil('it thinks', async () => bench.model.requests.length === 1);
      await bench.model.close();
      await bench.waitUntil('it is missed', async () => (await bench.engine.runStatus(run)).stuck !== null);
      await bench.engine.cancelRun({ run, mode: 'wrap-up' });
      assert.equal((await bench.waitEnd(run, 3000)).state, 'cancelled');
      await bench.waitUntil('the engine may leave, though nobody answers', () => bench.engine.isIdle());
    });
  });
});

describe('A model', () => {
  let bench: Bench;
  afterEach(async () => {
    for (const run of await bench.engine.listRuns(10)) assert.deepEqual(await bench.invariants(run.run), []);
    await bench.close();
  });

  it('that answers nothing three times has failed', async () => {
    bench = await openBench({ script: () => say('') });
    const view = await bench.run('Do it', { maxAgents: 1 });
    assert.equal(view.state, 'failed');
    assert.equal((await agentsOf(bench, view.run))[0]?.endReason, 'bad-answers');
    assert.equal(bench.model.requests.length, 3);
  });

  it('that answers nothing once is told so, and may go on', async () => {
    bench = await openBench({ script: (request, n) => (n === 1 ? say('') : finish(request.lastUser)) });
    const view = await bench.run('Do it', { maxAgents: 1 });
    assert.match(view.report ?? '', /You have called no tool/);
  });

  it('that repeats one call is warned, and ended when it goes on', async () => {
    bench = await openBench({ script: () => call('read_file', { path: 'README.md' }) });
    const view = await bench.run('Do it', { maxAgents: 1 });
    assert.equal(view.state, 'failed');
    const [agent] = await agentsOf(bench, view.run);
    assert.equal(agent?.endReason, 'bad-answers');
    assert.match(agent?.error ?? '', /repeated the same call of read_file/);
    const results = toolResults(bench.model.requests.at(-1)?.request as ParsedRequest);
    assert.match(results[3] ?? '', /You have made this very call 3 times/);
    assert.equal(bench.model.requests.length, 7);
  });

  it('whose arguments are no JSON is told so, and they are never sent back', async () => {
    bench = await openBench({
      script: (request, n) => (n === 1 ? call('read_file', '{"path": "READ') : finish(request.lastTool?.content ?? '')),
    });
    const view = await bench.run('Do it', { maxAgents: 1 });
    assert.match(view.report ?? '', /not valid JSON/);
    for (const { request, state } of bench.model.requests) {
      assert.equal(state, 'answered');
      for (const { toolCalls } of request.messages) for (const one of toolCalls) JSON.parse(one.arguments);
    }
  });

  describe('with a small context', () => {
    const big = Object.fromEntries(
      Array.from({ length: 30 }, (_, i) => [`big/${i}.txt`, `line of file ${i}\n`.repeat(140)]),
    );
    const noneRefused = (): void => {
      for (const { state, promptTokens, request } of bench.model.requests) {
        assert.equal(state, 'answered');
        assert.ok(
          promptTokens + (request.maxTokens ?? 0) <= (bench.engine ? contextSize : 0),
          `${promptTokens} + ${request.maxTokens}`,
        );
      }
    };
    let contextSize = 0;

    it('gets old results cut before it overflows, and finishes', async () => {
      contextSize = 8192;
      bench = await openBench({
        files: big,
        server: { contextSize },
        script: (request) => {
          const read = toolResults(request).length;
          return read < 30 ? call('read_file', { path: `big/${read}.txt` }) : finish('Read all thirty.');
        },
      });
      const view = await bench.run('Read everything', { maxAgents: 1 });
      assert.equal(view.report, 'Read all thirty.', JSON.stringify(view, null, 1));
      noneRefused();
      const compacted = (await eventsOf(bench)).filter((event) => event.type === 'agent.compacted');
      assert.ok(compacted.length > 0 && compacted.length < 9, `${compacted.length} times`);
    });

    it('of 2,048 tokens gets its last turn instead of an error', async () => {
      contextSize = 2048;
      bench = await openBench({
        files: big,
        server: { contextSize },
        script: (request) =>
          isLastTurn(request)
            ? finish('Saw some.')
            : call('read_file', { path: `big/${toolResults(request).length}.txt` }),
      });
      const view = await bench.run('Read everything', { maxAgents: 1 });
      assert.equal(view.report, 'Saw some.', JSON.stringify(view, null, 1));
      noneRefused();
    });

    it('reads the reports of many agents cut to fit', async () => {
      contextSize = 4096;
      bench = await openBench({
        server: { contextSize },
        script: (request) => {
          if (isPlanner(request)) return planOf(5);
          if (partOf(request) >= 0) return finish(`Part ${partOf(request)} says: ${'many words '.repeat(700)}`);
          return finish(`Read ${whole(request).split('Report of part').length - 1} reports.`);
        },
      });
      const view = await bench.run(BIG_TASK);
      assert.match(view.report ?? '', /^Read 5 reports\.\n\n## Sources/, JSON.stringify(view, null, 1));
      noneRefused();
    });

    it('too small for any prompt fails with an error that names the context', async () => {
      contextSize = 600;
      bench = await openBench({ server: { contextSize }, script: () => finish('Never.') });
      const view = await bench.run(`Do it. ${'It matters. '.repeat(300)}`, { maxAgents: 1 });
      assert.equal(view.state, 'failed');
      assert.match(view.error ?? '', /context of 600 tokens/);
      assert.equal(bench.model.requests.length, 0);
    });
  });
});
