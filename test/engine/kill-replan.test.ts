import assert from 'node:assert/strict';
import type { CrashPoint } from '../../mcp-server/compose.ts';
import { runEngine } from '../support/engine-program.ts';
import { killSweep } from '../support/kill-sweep.ts';
import { keyOf, step, writeOwn } from '../support/plans.ts';
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

const steps = [step('splits'), step('nests'), step('goes-on'), step('last', { needs: ['splits', 'nests', 'goes-on'] })];

const parts = (prefix: string) =>
  ['a', 'b'].map((name) => ({
    key: `${prefix}-${name}`,
    title: `${prefix} ${name}`,
    task: `do ${prefix}-${name}`,
    role: 'worker',
    needs: name === 'b' ? [`${prefix}-a`] : [],
  }));

/** One splits its step, one waits for a nested run, and one goes on beside such a run and waits at its end. */
const script = (request: ParsedRequest): ScriptedAnswer => {
  if (request.jsonSchema)
    return say(JSON.stringify({ steps: parts(/Task:\nthe (\w+) files/.exec(request.firstUser)?.[1] ?? 'x') }));
  const results = request.messages.filter((message) => message.role === 'tool').length;
  switch (keyOf(request)) {
    case 'splits':
      return results === 0 ? call('split_step', { steps: parts('split') }) : finish('Split.');
    case 'nests':
      return results === 0 ? call('orchestrate', { task: 'the nested files' }) : finish('Nested.');
    case 'goes-on':
      if (results === 0) return call('orchestrate', { task: 'the other files', wait: false });
      return results === 1 ? call('write_file', { path: 'out/own.txt', content: 'own\n' }) : finish('Went on.');
    default:
      return writeOwn(request);
  }
};

describe('an engine that is killed while agents re-plan', () => {
  let model: Rehearsal;
  let whole: string;
  let agents: number;
  before(async function () {
    this.timeout(60_000);
    model = await startRehearsal({ slots: 4, answer: script });
    await withRepo(async (repo) => {
      const verdict = await start(repo, null);
      assert.equal(verdict?.state, 'completed', JSON.stringify(verdict, null, 1));
      whole = repo.git('ls-tree', '-r', verdict.commit);
      for (const name of ['split-a', 'split-b', 'nested-a', 'nested-b', 'other-a', 'other-b', 'own', 'last'])
        assert.match(whole, new RegExp(`out/${name}\\.txt`));
      agents = verdict.agents;
      assert.equal(agents, 12, 'four, two planners, and two for each of three');
    });
  });
  after(async () => {
    await model.close();
  });

  const withRepo = async (work: (repo: TestRepository) => Promise<void>): Promise<void> => {
    const repo = makeRepository({ 'README.md': '# Kill\n' });
    try {
      await work(repo);
    } finally {
      repo.remove();
    }
  };

  const start = (repo: TestRepository, crash: CrashPoint | null) =>
    runEngine({ root: repo.root, server: model.url, task: 'The whole', crash, steps });

  for (const sweep of [
    { where: 'store', from: 9, stride: 71 },
    { where: 'git', from: 4, stride: 47 },
  ] as const)
    it(`goes on where it was, and adds no step twice: killed at many a ${sweep.where} step`, async function () {
      this.timeout(600_000);
      const once = async (crash: CrashPoint): Promise<boolean> => {
        let killed = true;
        await withRepo(async (repo) => {
          killed = (await start(repo, crash)) === null;
          const verdict = await start(repo, null);
          const context = `${crash.where} ${crash.at} ${JSON.stringify(verdict, null, 1)}`;
          assert.equal(verdict?.state, 'completed', context);
          assert.deepEqual(verdict.faults, [], context);
          assert.equal(verdict.agents, agents, context);
          assert.equal(repo.git('ls-tree', '-r', verdict.commit), whole, context);
        });
        return killed;
      };
      await killSweep({ ...sweep, least: 3, once });
    });
});
