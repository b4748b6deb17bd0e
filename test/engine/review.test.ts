import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunView } from '../../mcp-server/engine/facade.ts';
import { type Bench, openBench } from '../support/engine.ts';
import { call, calls, finish, say } from '../support/scripted-server.ts';
import { agentNamed, BIG_TASK, eventsOf, isPlanner, partOf, planOf, writePart } from '../support/team.ts';

const files = { 'a.txt': 'one\ntwo\nthree\n', 'b.txt': 'b\n', 'c.txt': 'c\n' };

describe('A review', () => {
  let bench: Bench;
  afterEach(async () => {
    for (const run of await bench.engine.listRuns(10)) assert.deepEqual(await bench.invariants(run.run), []);
    await bench.close();
  });

  const read = (path: string): string => readFileSync(join(bench.repo.root, path), 'utf8');
  const count = async (type: string): Promise<number> =>
    (await eventsOf(bench)).filter((event) => event.type === type).length;
  const branches = (): readonly string[] =>
    bench.repo.git('for-each-ref', '--format=%(refname:short)', 'refs/heads/').split('\n');

  /** One agent changes a.txt, removes nothing, and adds new.txt. */
  const finished = async (): Promise<RunView> => {
    bench = await openBench({
      files,
      script: (_request, n) =>
        n === 1
          ? calls(
              ['edit_file', { path: 'a.txt', old_text: 'two', new_text: 'zwei' }],
              ['write_file', { path: 'dir/new.txt', content: 'new\n' }],
            )
          : finish('Changed two files.'),
    });
    const view = await bench.run('Translate a.txt', { maxAgents: 1 });
    assert.equal(view.review, 'open');
    return view;
  };

  /** Three agents write a file each; the second is then stuck. */
  const partial = async (): Promise<RunView> => {
    bench = await openBench({
      files,
      script: (request) => {
        if (isPlanner(request)) return planOf(3);
        return partOf(request) === 1 && request.lastTool ? finish('I am stuck.', 'blocked') : writePart(request);
      },
    });
    const view = await bench.run(BIG_TASK);
    assert.equal(view.state, 'partial');
    return view;
  };

  it('shows what changed: files, counts, the diff and both sides', async () => {
    const { run } = await finished();
    const [listed] = await bench.engine.listReviews();
    assert.deepEqual([listed?.run, listed?.files, listed?.additions, listed?.deletions], [run, 2, 2, 1]);
    const diff = await bench.engine.reviewDiff({ run });
    assert.deepEqual(
      diff.files.map(({ path, status }) => [path, status]),
      [
        ['a.txt', 'modified'],
        ['dir/new.txt', 'added'],
      ],
    );
    assert.match(diff.patch, /-two\n\+zwei/);
    assert.doesNotMatch((await bench.engine.reviewDiff({ run, path: 'dir/new.txt' })).patch, /zwei/);
    await assert.rejects(bench.engine.reviewDiff({ run, path: 'b.txt' }), { code: 'not-found' });
    const sides = await Promise.all(
      (['base', 'head'] as const).map((side) => bench.engine.reviewFile({ run, path: 'a.txt', side })),
    );
    assert.deepEqual(
      sides.map(({ text }) => text),
      ['one\ntwo\nthree\n', 'one\nzwei\nthree\n'],
    );
    assert.equal((await bench.engine.reviewFile({ run, path: 'dir/new.txt', side: 'base' })).text, null);
  });

  it('of a run that goes on can neither be landed nor discarded', async () => {
    bench = await openBench({ script: () => say('never', { latencyMs: 60_000 }) });
    const { run } = await bench.engine.startRun({ task: 'Think', options: { maxAgents: 1 } });
    await assert.rejects(bench.engine.land(run), { code: 'wrong-state', message: /still going on/ });
    await assert.rejects(bench.engine.discard(run), { code: 'wrong-state', message: /still going on/ });
    await bench.engine.cancelRun({ run, mode: 'abort' });
    await bench.waitEnd(run);
  });

  it('of a run that changed nothing has nothing to land', async () => {
    bench = await openBench({ script: () => say('Nothing to do.') });
    const { run } = await bench.run('Look', { maxAgents: 1 });
    await assert.rejects(bench.engine.land(run), { code: 'wrong-state', message: /changed no file/ });
    assert.deepEqual(await bench.engine.listReviews(), []);
  });

  describe('Landing', () => {
    it('brings the changes into the branch and the files, and is done once', async () => {
      const { run, branch } = await finished();
      const first = await bench.engine.land(run);
      assert.equal(first.kind, 'landed');
      assert.equal(read('a.txt'), 'one\nzwei\nthree\n');
      assert.equal(bench.repo.git('status', '--porcelain'), '');
      const head = bench.repo.git('rev-parse', 'HEAD');
      const log = bench.repo.git('rev-list', '--count', 'HEAD');
      assert.deepEqual(await bench.engine.land(run), first, 'the second time says the same');
      assert.equal(bench.repo.git('rev-parse', 'HEAD'), head);
      assert.equal(bench.repo.git('rev-list', '--count', 'HEAD'), log);
      assert.equal(await count('run.landed'), 1);
      assert.equal((await bench.engine.runStatus(run)).review, 'landed');
      assert.ok(!branches().includes(branch), 'its branch is gone');
    });

    it('is one commit that names the task and that one revert takes back', async () => {
      const { run } = await finished();
      const base = bench.repo.git('rev-parse', 'HEAD');
      await bench.engine.land(run);
      assert.equal(bench.repo.git('rev-list', '--count', '--first-parent', `${base}..HEAD`), '1');
      assert.equal(bench.repo.git('show', '-s', '--format=%s', 'HEAD'), 'Translate a.txt');
      bench.repo.git('revert', '--no-edit', '-m', '1', 'HEAD');
      assert.equal(read('a.txt'), files['a.txt']);
      assert.ok(!existsSync(join(bench.repo.root, 'dir/new.txt')));
    });

    it('is one landing when two windows ask at the same moment', async () => {
      const { run } = await finished();
      const [one, two] = await Promise.all([bench.engine.land(run), bench.engine.land(run)]);
      assert.deepEqual(one, two);
      assert.equal(await count('run.landed'), 1);
    });

    it('goes on top of newer commits of the person, and says the same commit each time', async () => {
      const { run } = await finished();
      bench.repo.write('b.txt', 'newer\n');
      const mine = bench.repo.commit('Mine');
      const landed = await bench.engine.land(run);
      assert.equal(landed.kind, 'landed');
      assert.equal(bench.repo.git('rev-parse', 'HEAD^1'), mine);
      assert.equal(read('b.txt') + read('a.txt'), 'newer\none\nzwei\nthree\n');
      assert.deepEqual(await bench.engine.land(run), landed);
    });

    it('leaves what is not committed elsewhere as it is', async () => {
      const { run } = await finished();
      bench.repo.write('b.txt', 'unfinished\n');
      bench.repo.write('untracked.txt', 'mine\n');
      assert.equal((await bench.engine.land(run)).kind, 'landed');
      assert.equal(read('b.txt') + read('untracked.txt'), 'unfinished\nmine\n');
    });

    it('does nothing where uncommitted changes are in the way, and works after they are gone', async () => {
      const { run, branch } = await finished();
      bench.repo.write('a.txt', 'my own\n');
      const head = bench.repo.git('rev-parse', 'HEAD');
      assert.deepEqual(await bench.engine.land(run), { kind: 'dirty', files: ['a.txt'] });
      assert.equal(read('a.txt'), 'my own\n');
      assert.equal(bench.repo.git('rev-parse', 'HEAD'), head);
      assert.ok(branches().includes(branch));
      bench.repo.git('checkout', '-q', 'a.txt');
      assert.equal((await bench.engine.land(run)).kind, 'landed');
    });

    it('does nothing where newer commits conflict, and keeps the branch', async () => {
      const { run, branch } = await finished();
      bench.repo.write('a.txt', 'one\ndeux\nthree\n');
      const head = bench.repo.commit('Mine');
      assert.deepEqual(await bench.engine.land(run), { kind: 'conflict', files: ['a.txt'] });
      assert.equal(bench.repo.git('rev-parse', 'HEAD'), head);
      assert.equal(bench.repo.git('status', '--porcelain'), '');
      assert.ok(branches().includes(branch));
      assert.equal((await bench.engine.runStatus(run)).review, 'open');
    });

    it('does nothing on another branch, and names both', async () => {
      const { run } = await finished();
      bench.repo.git('checkout', '-q', '-b', 'other');
      const outcome = await bench.engine.land(run);
      assert.deepEqual(outcome, { kind: 'wrong-branch', current: 'other', expected: 'main' });
      assert.equal(read('a.txt'), files['a.txt']);
    });

    it('does not bring back what was discarded', async () => {
      const { run } = await finished();
      await bench.engine.discard(run);
      await assert.rejects(bench.engine.land(run), { code: 'wrong-state', message: /was discarded/ });
    });

    it('of a part keeps the branch and the folder of the agent that failed', async () => {
      const { run } = await partial();
      const failed = await agentNamed(bench, run, 'part 1');
      const path = join(bench.repo.root, '.coppice/worktrees', failed.agent);
      assert.equal((await bench.engine.land(run)).kind, 'landed');
      await bench.restart();
      assert.ok(branches().includes(failed.branch));
      assert.equal(bench.repo.git('show', `${failed.branch}:out/1.txt`), '1');
      assert.ok(existsSync(join(path, 'out/1.txt')));
      assert.ok(!existsSync(join(bench.repo.root, 'out/1.txt')));
      await bench.waitUntil('the folder is kept, with the reason', async () => {
        const [kept] = await bench.store.worktrees({ run, states: ['kept'] });
        return /not merged/.test(kept?.reason ?? '');
      });
    });
  });

  describe('Discarding', () => {
    it('removes the branch and the folders, and keeps the commits where they can be found again', async () => {
      const { run, branch, commit } = await finished();
      assert.deepEqual(await bench.engine.discard(run), { discarded: true, keptWorktrees: [] });
      assert.ok(!branches().includes(branch));
      assert.equal(bench.repo.git('rev-parse', `refs/coppice/discarded/${run}`), commit);
      assert.equal(read('a.txt'), files['a.txt']);
      assert.equal((await bench.engine.runStatus(run)).review, 'discarded');
    });

    it('keeps the commits of agents whose work never came home, too', async () => {
      const { run } = await partial();
      const failed = await agentNamed(bench, run, 'part 1');
      const path = join(bench.repo.root, '.coppice/worktrees', failed.agent);
      await bench.waitUntil('it is kept', async () =>
        (await bench.store.worktrees({ run, states: ['kept'] })).some((row) => row.agent === failed.agent),
      );
      assert.deepEqual(await bench.engine.discard(run), { discarded: true, keptWorktrees: [] });
      assert.deepEqual(branches(), ['main']);
      assert.ok(!existsSync(path));
      const pinned = bench.repo.git('for-each-ref', '--format=%(objectname)', 'refs/coppice/discarded/').split('\n');
      assert.ok(pinned.includes(failed.commit ?? ''), 'the commit of the agent that failed');
      assert.ok(pinned.includes((await bench.engine.runStatus(run)).commit), 'the commit of the run');
    });

    it('is done once', async () => {
      const { run } = await finished();
      await bench.engine.discard(run);
      assert.deepEqual(await bench.engine.discard(run), { discarded: true, keptWorktrees: [] });
      assert.equal(await count('run.discarded'), 1);
    });

    it('comes too late after the landing', async () => {
      const { run } = await finished();
      await bench.engine.land(run);
      await assert.rejects(bench.engine.discard(run), { code: 'wrong-state', message: /git revert/ });
    });

    it('of one run leaves the others alone', async () => {
      const { run } = await finished();
      bench.model.script((_request) =>
        _request.lastTool ? finish('Did b.') : call('write_file', { path: 'b.txt', content: 'changed\n' }),
      );
      const other = await bench.run('Change b.txt', { maxAgents: 1 });
      await bench.engine.discard(run);
      assert.equal((await bench.engine.land(other.run)).kind, 'landed');
      assert.equal(read('b.txt'), 'changed\n');
      assert.equal(read('a.txt'), files['a.txt']);
    });
  });

  describe('What the person commits on the branch of a run', () => {
    const amend = (view: RunView): string => {
      bench.repo.git('checkout', '-q', view.branch);
      bench.repo.write('c.txt', 'put right by hand\n');
      const commit = bench.repo.commit('Put right by hand');
      bench.repo.git('checkout', '-q', 'main');
      return commit;
    };

    it('is still there after a restart', async () => {
      const view = await finished();
      const commit = amend(view);
      await bench.restart();
      assert.equal(bench.repo.git('rev-parse', view.branch), commit);
    });

    it('is not lost when the run is landed or discarded', async () => {
      const view = await finished();
      const commit = amend(view);
      assert.equal((await bench.engine.land(view.run)).kind, 'landed');
      assert.equal(bench.repo.git('rev-parse', view.branch), commit);
    });

    it('is not lost when the run is discarded', async () => {
      const view = await finished();
      const commit = amend(view);
      await bench.engine.discard(view.run);
      assert.equal(bench.repo.git('rev-parse', view.branch), commit);
    });
  });
});
