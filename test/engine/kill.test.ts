import assert from 'node:assert/strict';
import type { CrashPoint } from '../../mcp-server/compose.ts';
import type { Verdict } from '../support/engine-process.ts';
import { runEngine } from '../support/engine-program.ts';
import { killSweep } from '../support/kill-sweep.ts';
import { makeRepository, type TestRepository } from '../support/repository.ts';
import {
  call,
  finish,
  type ParsedRequest,
  type Rehearsal,
  type ScriptedAnswer,
  say,
  startRehearsal,
} from '../support/scripted-server.ts';

const task = 'Write five files, one for each part, with a line in the shared list for two of them, and an overview';
const steps = [0, 1, 2, 3, 4].map((i) => ({
  key: `s${i}`,
  title: `part ${i}`,
  task: `Write part ${i}.`,
  role: 'worker',
  needs: i === 4 ? ['s0'] : [],
}));

/** Five workers, of which one delegates, one needs another, and two change the same line; one synthesizer; one resolver. */
const script = (request: ParsedRequest): ScriptedAnswer => {
  if (request.jsonSchema) return say(JSON.stringify({ steps }));
  const results = request.messages.filter((message) => message.role === 'tool').length;
  const own = /^Your task:\n(.*)/.exec(request.firstUser)?.[1] ?? '';
  if (own.startsWith('The work of')) {
    if (results === 0) return call('write_file', { path: 'shared.txt', content: 'start\ntwo\nthree\n' });
    return finish('Kept both lines.');
  }
  if (own.startsWith('Write the child'))
    return results === 0 ? call('write_file', { path: 'out/child.txt', content: 'child\n' }) : finish('Child done.');
  const part = /^Write part (\d)/.exec(own)?.[1];
  if (part === undefined)
    return results === 0 ? call('write_file', { path: 'out/overview.txt', content: 'all\n' }) : finish('Joined.');
  if (part === '1' && results === 0) return call('delegate', { task: 'Write the child file.' });
  if (part === '4' && results === 0)
    return call('edit_file', { path: 'out/0.txt', old_text: '0', new_text: '0 and 4' });
  const own2 = part === '2' || part === '3';
  if (own2 && results === 0)
    return call('write_file', { path: 'shared.txt', content: `start\n${part === '2' ? 'two' : 'three'}\n` });
  const written = results > (part === '1' || part === '4' || own2 ? 1 : 0);
  return written ? finish(`Part ${part} done.`) : call('write_file', { path: `out/${part}.txt`, content: `${part}\n` });
};

const files = { 'shared.txt': 'start\n', 'README.md': '# Kill\n' };

const start = (repo: TestRepository, model: Rehearsal, crash: CrashPoint | null): Promise<Verdict | null> =>
  runEngine({ root: repo.root, server: model.url, task, crash });

const tree = (repo: TestRepository, verdict: Verdict): string => repo.git('ls-tree', '-r', verdict.commit);

/** Every thing that must hold after the end, however often the engine was killed before. */
const assertWhole = (repo: TestRepository, verdict: Verdict, expected: string): void => {
  const context = JSON.stringify(verdict, null, 1);
  assert.equal(verdict.state, 'completed', context);
  assert.deepEqual(verdict.faults, [], context);
  assert.equal(tree(repo, verdict), expected, context);
  assert.equal(repo.git('rev-parse', verdict.branch), verdict.commit, context);
  assert.equal(repo.git('worktree', 'list', '--porcelain').match(/^worktree /gm)?.length, 1, 'no worktree is orphaned');
  assert.equal(
    repo.git('for-each-ref', '--format=%(refname)', 'refs/heads/').split('\n').length,
    2,
    'no branch is left over',
  );
  const turns = repo.git(
    'log',
    '--format=%(trailers:key=Agent,valueonly,separator=%x20)/%(trailers:key=Turn,valueonly)',
    verdict.branch,
  );
  const commits = turns.split('\n').filter((line) => /\/\d/.test(line));
  assert.equal(new Set(commits).size, commits.length, 'no commit appears twice');
  assert.equal(repo.git('status', '--porcelain'), '');
};

describe('an engine that is killed', () => {
  let model: Rehearsal;
  let whole: string;

  const withRepo = async (work: (repo: TestRepository) => Promise<void>): Promise<void> => {
    const repo = makeRepository(files);
    try {
      await work(repo);
    } finally {
      repo.remove();
    }
  };

  before(async function () {
    this.timeout(60_000);
    model = await startRehearsal({ slots: 4, answer: script });
    await withRepo(async (repo) => {
      const verdict = await start(repo, model, null);
      assert.ok(verdict);
      whole = tree(repo, verdict);
      assertWhole(repo, verdict, whole);
      assert.equal(repo.git('show', `${verdict.branch}:shared.txt`), 'start\ntwo\nthree');
      assert.equal(repo.git('show', `${verdict.branch}:out/0.txt`), '0 and 4');
    });
  });
  after(async () => {
    await model.close();
  });

  for (const sweep of [
    { where: 'store', from: 3, stride: 29 },
    { where: 'git', from: 2, stride: 31 },
  ] as const)
    it(`goes on where it was and gives the same files, killed at many a ${sweep.where} step`, async function () {
      this.timeout(600_000);
      const once = async (crash: CrashPoint): Promise<boolean> => {
        let killed = true;
        await withRepo(async (repo) => {
          killed = (await start(repo, model, crash)) === null;
          const verdict = await start(repo, model, null);
          assert.ok(verdict, `${crash.where} ${crash.at}`);
          assertWhole(repo, verdict, whole);
        });
        return killed;
      };
      await killSweep({ ...sweep, least: 5, once });
    });

  it('comes to its end although every engine is killed after a few steps', async function () {
    this.timeout(600_000);
    await withRepo(async (repo) => {
      let lives = 0;
      let ended: Verdict | null;
      do {
        lives += 1;
        assert.ok(lives < 60, 'it makes no progress');
        ended = await start(repo, model, {
          where: lives % 2 ? 'store' : 'git',
          at: lives % 2 ? 25 + (lives % 7) : 12 + (lives % 5),
        });
      } while (ended === null);
      const verdict = await start(repo, model, null);
      assert.ok(verdict);
      assertWhole(repo, verdict, whole);
      assert.ok(lives > 3, `it was killed ${lives - 1} times`);
    });
  });
});
