import assert from 'node:assert/strict';
import type { CrashPoint } from '../../mcp-server/compose.ts';
import type { PlanStep } from '../../mcp-server/domain/plan.ts';
import type { Verdict } from '../support/engine-process.ts';
import { runEngine } from '../support/engine-program.ts';
import { killSweep } from '../support/kill-sweep.ts';
import { keyOf, step } from '../support/plans.ts';
import { makeRepository, type TestRepository } from '../support/repository.ts';
import {
  call,
  calls,
  finish,
  type ParsedRequest,
  type Rehearsal,
  type ScriptedAnswer,
  startRehearsal,
} from '../support/scripted-server.ts';

/** Writes `cleaned.txt`; its other effect, outside of git, is one line for each time that it was run. */
const CLEAN = "const fs = require('fs'); fs.appendFileSync('cleaned.txt', 'clean\\n'); ";

/** Of a step that fails: what it may have left is removed. */
const SWEEP = "require('fs').writeFileSync('swept.txt', 'swept\\n')";

const steps: readonly PlanStep[] = [
  step('one', { saga: 'all' }),
  step('two', { saga: 'all', needs: ['one'], undo: { kind: 'command', argv: ['node', '-e', CLEAN] } }),
  step('three', { saga: 'all', needs: ['two'], undo: { kind: 'agent', task: 'write told.txt' } }),
  step('four', { saga: 'all', needs: ['three'] }),
  step('bad', { saga: 'all', needs: ['four'], undo: { kind: 'command', argv: ['node', '-e', SWEEP] } }),
];

const script = (request: ParsedRequest): ScriptedAnswer => {
  if (request.firstUser.includes('must be undone'))
    return request.lastTool ? finish('Told.') : call('write_file', { path: 'told.txt', content: 'told\n' });
  const key = keyOf(request);
  if (key === 'bad') return finish('It went wrong.', 'blocked');
  if (request.lastTool) return finish(`${key} is done.`);
  if (key === 'two' || key === 'three') return finish(`${key} has told the world.`);
  return calls(
    ['write_file', { path: `out/${key}.txt`, content: `${key}\n` }],
    ['write_file', { path: 'shared.txt', content: `${key}\n` }],
  );
};

describe('an engine that is killed while it undoes', () => {
  let model: Rehearsal;
  before(async function () {
    this.timeout(60_000);
    model = await startRehearsal({ slots: 4, answer: script });
  });
  after(async () => {
    await model.close();
  });

  const start = (repo: TestRepository, crash: CrashPoint | null) =>
    runEngine({ root: repo.root, server: model.url, task: 'The whole', crash, steps, commands: true });

  const assertUndone = (repo: TestRepository, verdict: Verdict): void => {
    const context = JSON.stringify(verdict, null, 1);
    assert.deepEqual(verdict.faults, [], context);
    assert.equal(verdict.state, 'partial', context);
    const files = repo.git('ls-tree', '-r', '--name-only', verdict.commit).split('\n');
    assert.deepEqual(files, ['README.md', 'cleaned.txt', 'shared.txt', 'swept.txt', 'told.txt'], context);
    assert.equal(repo.git('show', `${verdict.commit}:shared.txt`), 'start', context);
    assert.equal(repo.git('show', `${verdict.commit}:cleaned.txt`), 'clean', 'what it did to files counts once');
    assert.equal(repo.git('rev-parse', verdict.branch), verdict.commit, context);
    const undone = (verdict.report ?? '').match(/^- \w+(?: \(failed half-way\))?: undone: /gm);
    const half = '- bad (failed half-way): undone: ';
    assert.deepEqual(
      undone,
      [half, '- four: undone: ', '- three: undone: ', '- two: undone: ', '- one: undone: '],
      context,
    );
    assert.equal(repo.git('worktree', 'list', '--porcelain').match(/^worktree /gm)?.length, 1, context);
  };

  const withRepo = async (work: (repo: TestRepository) => Promise<void>): Promise<void> => {
    const repo = makeRepository({ 'shared.txt': 'start\n', 'README.md': '# Kill\n' });
    try {
      await work(repo);
    } finally {
      repo.remove();
    }
  };

  it('undoes all of it when it is not killed', async function () {
    this.timeout(60_000);
    await withRepo(async (repo) => {
      const verdict = await start(repo, null);
      assert.ok(verdict);
      assertUndone(repo, verdict);
    });
  });

  for (const sweep of [
    { where: 'store', from: 5, stride: 23 },
    { where: 'git', from: 5, stride: 31 },
  ] as const)
    it(`goes on where it was, killed at many a ${sweep.where} step`, async function () {
      this.timeout(600_000);
      const once = async (crash: CrashPoint): Promise<boolean> => {
        let killed = true;
        await withRepo(async (repo) => {
          killed = (await start(repo, crash)) === null;
          const verdict = await start(repo, null);
          assert.ok(verdict, `${crash.where} ${crash.at}`);
          assertUndone(repo, verdict);
        });
        return killed;
      };
      await killSweep({ ...sweep, least: 3, once });
    });
});
