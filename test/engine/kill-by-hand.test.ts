import assert from 'node:assert/strict';
import { appendFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CrashPoint } from '../../mcp-server/compose.ts';
import type { Verdict } from '../support/engine-process.ts';
import { runEngine } from '../support/engine-program.ts';
import { killSweep } from '../support/kill-sweep.ts';
import { step } from '../support/plans.ts';
import { makeRepository, type TestRepository } from '../support/repository.ts';
import {
  call,
  finish,
  type ParsedRequest,
  type Rehearsal,
  type ScriptedAnswer,
  startRehearsal,
} from '../support/scripted-server.ts';

const steps = [step('one')];

const BODY = Array.from({ length: 20 }, (_, n) => `line ${n}\n`).join('');

/** What the helper writes, one file a turn; a link that leads outside will be in its way, and a change of one.txt. */
const WRITES = [
  { path: 'part.txt', content: 'part\n' },
  { path: 'one.txt', content: BODY.replace('line 1\n', 'the part\n') },
  { path: 'link', content: 'part\n' },
];

/** One agent writes a file and delegates; the person changes its worktree while its helper is asked for the first time. */
const scriptOn = (repo: TestRepository): ((request: ParsedRequest) => ScriptedAnswer) => {
  let changed = false;
  const change = (): void => {
    if (changed) return;
    changed = true;
    const worktrees = join(repo.root, '.coppice/worktrees');
    const folder = join(worktrees, readdirSync(worktrees)[0] ?? '');
    writeFileSync(join(folder, 'by-hand.txt'), 'hand\n');
    appendFileSync(join(folder, 'one.txt'), 'and by hand\n');
    symlinkSync('/etc/hosts', join(folder, 'link'));
  };
  return (request) => {
    const done = request.messages.filter(({ role }) => role === 'tool').length;
    if (request.firstUser.startsWith('Your task:\nThe part')) {
      change();
      const next = WRITES[done];
      return next ? call('write_file', next) : finish('Part.');
    }
    if (done === 0) return call('write_file', { path: 'one.txt', content: BODY });
    return done === 1 ? call('delegate', { task: 'The part' }) : finish('Done.');
  };
};

/** Each of the changes is in the run's commit, or in one that keeps it; and the helper's work is in the run's. */
const assertKept = (repo: TestRepository, verdict: Verdict): void => {
  const context = JSON.stringify(verdict, null, 1);
  assert.equal(verdict.state, 'completed', context);
  assert.deepEqual(verdict.faults, [], context);
  const kept = repo.git('for-each-ref', '--format=%(objectname)', 'refs/coppice/discarded').split('\n');
  const commits = [verdict.commit, ...kept.filter(Boolean)];
  const isIn = (commit: string, path: string, text: RegExp): boolean =>
    repo.git('ls-tree', '--name-only', commit).split('\n').includes(path) &&
    text.test(repo.git('show', `${commit}:${path}`));
  for (const [path, text] of [
    ['by-hand.txt', /^hand$/],
    ['one.txt', /and by hand$/],
    ['link', /^\/etc\/hosts$/],
  ] as const)
    assert.ok(
      commits.some((commit) => isIn(commit, path, text)),
      `${path} is lost: ${context}`,
    );
  for (const [path, text] of [
    ['part.txt', /^part$/],
    ['one.txt', /the part/],
    ['link', /^part$/],
  ] as const)
    assert.ok(isIn(verdict.commit, path, text), `${path}: ${context}`);
  const subjects = repo.git('log', '--format=%s', `main..${verdict.commit}`).split('\n');
  for (const once of ['Changed by hand', 'Merge The part'])
    assert.ok(subjects.filter((line) => line.startsWith(once)).length <= 1, `${once}: ${context}`);
  assert.equal(repo.git('worktree', 'list', '--porcelain').match(/^worktree /gm)?.length, 1, context);
};

describe('an engine that is killed while a person changes the worktree of an agent', () => {
  const withRepo = async (work: (repo: TestRepository, model: Rehearsal) => Promise<void>): Promise<void> => {
    const repo = makeRepository({ 'README.md': '# Kill\n' });
    const model = await startRehearsal({ slots: 4, answer: scriptOn(repo) });
    try {
      await work(repo, model);
    } finally {
      await model.close();
      repo.remove();
    }
  };
  const start = (repo: TestRepository, model: Rehearsal, crash: CrashPoint | null): Promise<Verdict | null> =>
    runEngine({ root: repo.root, server: model.url, task: 'The whole', crash, steps });

  it('has what may be committed in the result when it is not killed', async function () {
    this.timeout(60_000);
    await withRepo(async (repo, model) => {
      const verdict = await start(repo, model, null);
      assert.ok(verdict);
      assertKept(repo, verdict);
      const files = ['by-hand.txt', 'one.txt'].map((path) => repo.git('show', `${verdict.commit}:${path}`));
      assert.match(files.join('\n'), /^hand\n[^]*and by hand$/);
    });
  });

  for (const where of ['store', 'git'] as const)
    it(`loses nothing of it, killed at many a ${where} step`, async function () {
      this.timeout(600_000);
      const once = async (crash: CrashPoint): Promise<boolean> => {
        let killed = true;
        await withRepo(async (repo, model) => {
          killed = (await start(repo, model, crash)) === null;
          const verdict = await start(repo, model, null);
          assert.ok(verdict, `${where} ${crash.at}`);
          assertKept(repo, verdict);
        });
        return killed;
      };
      await killSweep({ where, from: 4, stride: 12, least: 3, once });
    });
});
