import assert from 'node:assert/strict';
import { systemClock } from '../../mcp-server/domain/clock.ts';
import type { Commit, RunId } from '../../mcp-server/domain/ids.ts';
import type { Tx } from '../../mcp-server/store/port.ts';
import { type Bench, openBench } from '../support/engine.ts';
import { call, fault, finish, type ParsedRequest, type Script, say } from '../support/scripted-server.ts';
import {
  agentNamed,
  agentsOf,
  BIG_TASK,
  eventsOf,
  isLastTurn,
  isPlanner,
  partOf,
  planOf,
  writePart,
} from '../support/team.ts';

/** Back-off and ticks go by this much faster. */
const SPEED = 40;

const writer = (request: ParsedRequest, latencyMs = 0) => ({
  ...(request.lastTool ? finish('Wrote it.') : call('write_file', { path: 'new.txt', content: 'new\n' })),
  latencyMs,
});

type Work<T> = (tx: Tx) => Promise<T>;

/** While `full`, every transaction fails as it does on a full disk; so does the look at the runs that go on. */
const fillDisk = (bench: Bench): { full: boolean; refused: number } => {
  const { store } = bench;
  const real = store.transaction.bind(store);
  const disk = { full: false, refused: 0 };
  const refuse = (): never => {
    disk.refused += 1;
    throw new Error('database or disk is full');
  };
  const activeRuns = store.activeRuns.bind(store);
  store.transaction = async <T>(work: Work<T>): Promise<T> => (disk.full ? refuse() : real(work));
  store.activeRuns = async () => (disk.full ? refuse() : activeRuns());
  return disk;
};

describe('An engine', () => {
  let bench: Bench;
  afterEach(async () => {
    for (const run of await bench.engine.listRuns(10)) assert.deepEqual(await bench.invariants(run.run), []);
    await bench.close();
  });

  const start = async (task: string, options = {}): Promise<RunId> =>
    (await bench.engine.startRun({ task, options })).run;
  const seen = (type: string): Promise<void> =>
    bench.waitUntil(type, async () => (await eventsOf(bench)).some((event) => event.type === type));

  describe('whose disk is full for a while', () => {
    it('goes on afterwards, when nothing was in flight', async () => {
      bench = await openBench({
        speed: SPEED,
        script: (request, n) => (n === 1 ? fault('rate-limited', { retryAfterS: 20 }) : writer(request)),
      });
      const disk = fillDisk(bench);
      const run = await start('Write it', { maxAgents: 1 });
      await seen('turn.failed');
      disk.full = true;
      await systemClock.sleep(800);
      assert.equal(bench.model.requests.length, 1, 'nothing can be claimed');
      assert.ok(disk.refused > 0);
      disk.full = false;
      assert.equal((await bench.waitEnd(run, 5000)).state, 'completed');
    });

    it('goes on afterwards, when an answer came in that could not be stored', async () => {
      bench = await openBench({ speed: SPEED, script: (request, n) => writer(request, n === 1 ? 200 : 0) });
      const disk = fillDisk(bench);
      const run = await start('Write it', { maxAgents: 1 });
      await bench.waitUntil('it asks', async () => bench.model.requests.length === 1);
      disk.full = true;
      await bench.waitUntil('the answer is refused', async () => bench.log.some((line) => line.startsWith('turn ')));
      await systemClock.sleep(200);
      disk.full = false;
      assert.equal((await bench.waitEnd(run, 5000)).state, 'completed');
      assert.ok(!bench.log.some((line) => line.includes('nobody worked on it')), 'its job was not given up');
      assert.equal(bench.repo.git('show', `${(await bench.engine.runStatus(run)).branch}:new.txt`), 'new');
    });
  });

  it('that cannot store an answer once asks for it again, also when its tools only read', async () => {
    bench = await openBench({
      speed: SPEED,
      script: (request) => (request.lastTool ? finish('Done.') : call('read_file', { path: 'README.md' })),
    });
    const { store } = bench;
    const real = store.transaction.bind(store);
    let failures = 0;
    store.transaction = <T>(work: Work<T>): Promise<T> =>
      real(async (tx) => {
        const answerTurn = tx.answerTurn.bind(tx);
        tx.answerTurn = async (...given) => {
          if (failures++ === 0) throw new Error('disk I/O error');
          return answerTurn(...given);
        };
        return work(tx);
      });
    const view = await bench.run('Read it', { maxAgents: 1 });
    assert.equal(view.report, 'Done.');
    assert.equal(bench.model.requests.length, 3);
  });

  it('that is stopped in the middle of a claim cuts what was claimed, and takes it up at its next start', async () => {
    let stopping: Promise<void> | undefined;
    let latencyMs = 5000;
    bench = await openBench({ script: (request) => writer(request, latencyMs) });
    const { store } = bench;
    const real = store.transaction.bind(store);
    store.transaction = async <T>(work: Work<T>): Promise<T> => {
      const result = await real(work);
      if ((await store.jobs({ states: ['running'] })).length === 0) return result;
      stopping ??= bench.restart();
      await systemClock.sleep(50);
      return result;
    };
    const run = await start('Write it', { maxAgents: 1 });
    const asked = systemClock.now();
    await bench.waitUntil('the claim', async () => stopping !== undefined);
    await stopping;
    latencyMs = 0;
    assert.ok(systemClock.now() - asked < 3000, 'it does not wait for the answer');
    assert.equal((await bench.waitEnd(run, 10_000)).state, 'completed');
    assert.deepEqual(
      bench.log.filter((line) => !line.startsWith('recovered')),
      [],
    );
  });

  it('makes the digest for the planner again when it failed once', async () => {
    bench = await openBench({
      speed: SPEED,
      script: (request) => (isPlanner(request) ? planOf(2) : writePart(request)),
    });
    const { repository } = bench;
    const real = repository.treeOf.bind(repository);
    let planning = false;
    let failures = 0;
    repository.treeOf = (commit: Commit) => {
      if (!planning || failures > 0) return real(commit);
      failures += 1;
      throw new Error('cannot fork');
    };
    bench.store.onEvents((events) => {
      planning ||= events.some((event) => event.type === 'run.created');
    });
    const view = await bench.run(BIG_TASK);
    assert.equal(failures, 1);
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
  });

  it("asks each run's own model, though one server serves both", async () => {
    bench = await openBench({ script: () => finish('Looked.', 'nothing') });
    await bench.run('Do this', { maxAgents: 1, model: 'one' });
    await bench.run('Do that', { maxAgents: 1, model: 'two' });
    assert.deepEqual(
      bench.model.requests.map(({ request }) => request.model),
      ['one', 'two'],
    );
  });

  describe('whose server always fails', () => {
    const failing: Script = () => fault('error-500');

    it('ends an unattended run as failed', async () => {
      bench = await openBench({ speed: SPEED, script: failing });
      const view = await bench.waitEnd(await start('Do it', { maxAgents: 1, unattended: true }), 5000);
      assert.equal(view.state, 'failed');
      assert.notEqual(view.error, null);
    });

    it('tries again when the person speaks to the agent whose turn is parked', async () => {
      let broken = true;
      bench = await openBench({
        speed: 100,
        script: (request, n) => (broken ? failing(request, n) : finish(request.lastUser, 'nothing')),
      });
      const run = await start('Do it', { maxAgents: 1 });
      await seen('job.parked');
      broken = false;
      const [agent] = await agentsOf(bench, run);
      assert.ok(agent);
      await bench.engine.messageAgent({ agent: agent.agent, text: 'Try again.' });
      assert.match((await bench.waitEnd(run, 5000)).report ?? '', /Message from the person: Try again\./);
    });
  });

  describe('that is told to cancel', () => {
    it('asks for the last report at once, and does not wait out a Retry-After', async () => {
      bench = await openBench({
        script: (request) => (isLastTurn(request) ? finish('Stopped.') : fault('rate-limited', { retryAfterS: 120 })),
      });
      const run = await start('Do it', { maxAgents: 1 });
      await seen('turn.failed');
      await bench.engine.cancelRun({ run, mode: 'wrap-up' });
      const view = await bench.waitEnd(run, 5000);
      assert.equal(view.state, 'cancelled');
      assert.equal((await agentsOf(bench, run))[0]?.report, 'Stopped.');
    });

    it('says nothing of a lost claim when an abort comes too late to cut the turn', async () => {
      bench = await openBench({ script: (request) => writer(request) });
      const { repository } = bench;
      const real = repository.publish.bind(repository);
      let aborted: Promise<unknown> | undefined;
      repository.publish = async (branch: string, commit: Commit) => {
        const [run] = await bench.engine.listRuns(1);
        if (run) aborted ??= bench.engine.cancelRun({ run: run.run, mode: 'abort' });
        await aborted;
        await real(branch, commit);
      };
      const view = await bench.run('Write it', { maxAgents: 1 });
      assert.ok(aborted, 'the abort came while the turn was brought in');
      assert.equal(view.state, 'cancelled');
      assert.deepEqual(bench.log, []);
    });
  });

  it('lets one of a landing and a discarding win that are asked for at once', async () => {
    bench = await openBench({ script: (request) => writer(request) });
    for (const first of ['discard', 'land'] as const) {
      const { run } = await bench.run('Write it', { maxAgents: 1 });
      const second = first === 'land' ? 'discard' : 'land';
      const [won, lost] = await Promise.allSettled([bench.engine[first](run), bench.engine[second](run)]);
      assert.equal(won.status, 'fulfilled');
      assert.equal(lost.status === 'rejected' && lost.reason.code, 'wrong-state');
      const reviews = (await eventsOf(bench, run)).filter(({ type }) => /^run\.(landed|discarded)$/.test(type));
      assert.deepEqual(
        reviews.map(({ type }) => type),
        [first === 'land' ? 'run.landed' : 'run.discarded'],
      );
    }
  });

  describe("on whose run's branch the person commits while the run goes on", () => {
    const commitMidway = async (between: () => Promise<void>): Promise<{ run: RunId; mine: string }> => {
      bench = await openBench({
        script: (request) => {
          if (isPlanner(request)) return planOf(2);
          if (partOf(request) === 1 && !request.lastTool) return call('ask_person', { question: 'Go on?' });
          if (partOf(request) === 1 && request.lastTool?.content.includes('Yes.'))
            return call('write_file', { path: 'out/1.txt', content: '1\n' });
          return partOf(request) >= 0 ? writePart(request) : say('Joined.');
        },
      });
      const run = await start(BIG_TASK);
      await seen('agent.asked');
      await bench.waitUntil('the first merge', async () =>
        (await eventsOf(bench)).some((event) => event.type === 'agent.merged' && event.agent === null),
      );
      bench.repo.git('switch', '-q', (await bench.engine.runStatus(run)).branch);
      bench.repo.write('mine.txt', 'mine\n');
      const mine = bench.repo.commit('My fix');
      bench.repo.git('switch', '-q', 'main');
      await between();
      const { agent } = await agentNamed(bench, run, 'part 1');
      await bench.engine.messageAgent({ agent, text: 'Yes.' });
      assert.equal((await bench.waitEnd(run)).state, 'completed');
      return { run, mine };
    };

    it('keeps that commit below refs/coppice/discarded when a merge moves the branch', async () => {
      const { run, mine } = await commitMidway(async () => {});
      assert.equal(bench.repo.git('rev-parse', `refs/coppice/discarded/${run}-${mine.slice(0, 12)}`), mine);
      assert.ok(bench.log.some((line) => line.includes(mine)));
    });

    it('keeps that commit reachable when it is started anew meanwhile', async () => {
      const { mine } = await commitMidway(() => bench.restart());
      assert.notEqual(bench.repo.git('for-each-ref', '--contains', mine), '');
    });
  });
});
