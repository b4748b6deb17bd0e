import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunId } from '../../mcp-server/domain/ids.ts';
import { type Bench, type BenchOptions, openBench } from '../support/engine.ts';
import { call, finish, type ParsedRequest, type ScriptedAnswer } from '../support/scripted-server.ts';
import { agentNamed, BIG_TASK, eventsOf, isPlanner, planOf, toolResults, writePart } from '../support/team.ts';

const files = { '.gitignore': 'installed/\n', 'README.md': '# Set up\n' };
const NODE = process.execPath;

/** Notes each of its runs in `log` that is not in the repository, and leaves one ignored file and one that is not. */
const program = (log: string, more: string): string =>
  `const fs = require('node:fs');
   const LOG = ${JSON.stringify(log)};
   fs.appendFileSync(LOG, process.cwd() + '\\n');
   fs.mkdirSync('installed', { recursive: true });
   fs.writeFileSync('installed/tool.txt', 'installed');
   fs.writeFileSync('litter.txt', 'litter');
   fs.writeFileSync('README.md', 'changed');
   ${more}`;

describe('The set-up of worktrees', () => {
  let bench: Bench;
  let log: string;
  let folder: string;
  afterEach(async () => {
    for (const run of await bench.engine.listRuns(10)) assert.deepEqual(await bench.invariants(run.run), []);
    await bench.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const open = async (options: BenchOptions, more = '', timeoutMs = 20_000): Promise<void> => {
    folder = mkdtempSync(join(tmpdir(), 'coppice-setup-'));
    log = join(folder, 'log');
    bench = await openBench({
      files,
      settings: { permissions: { commands: 'any' } },
      worktreeSetup: { argv: [NODE, '-e', program(log, more)], timeoutMs },
      ...options,
    });
  };
  const runsOfIt = (): readonly string[] => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []);
  const types = async (run: RunId): Promise<readonly string[]> => (await eventsOf(bench, run)).map(({ type }) => type);

  /** Writes, then reads what the set-up has installed, then reports it. */
  const useIt = (request: ParsedRequest): ScriptedAnswer => {
    const results = toolResults(request);
    if (results.length === 0) return call('write_file', { path: 'own.txt', content: 'own\n' });
    if (results.length === 1)
      return call('run_command', {
        argv: [NODE, '-p', 'require("node:fs").readFileSync("installed/tool.txt", "utf8")'],
      });
    return finish(results.join('\n---\n'));
  };

  it('runs once in each new worktree, before its first use, and leaves only what git ignores', async () => {
    await open({ script: (request) => (isPlanner(request) ? planOf(2) : writePart(request)) });
    const view = await bench.run(BIG_TASK);
    assert.equal(view.state, 'completed', JSON.stringify(view));
    assert.equal(runsOfIt().length, 2);
    assert.equal(new Set(runsOfIt()).size, 2);
    assert.deepEqual(bench.repo.git('ls-tree', '-r', '--name-only', view.branch).split('\n').toSorted(), [
      '.gitignore',
      'README.md',
      'out/0.txt',
      'out/1.txt',
    ]);
    assert.equal(bench.repo.git('show', `${view.branch}:README.md`), '# Set up');
    assert.equal((await types(view.run)).filter((type) => type === 'worktree.setUp').length, 2);
  });

  it('has its work there for the commands of the agent', async () => {
    await open({ script: useIt });
    const view = await bench.run('Use it', { maxAgents: 1 });
    assert.match(view.report ?? '', /exit code 0\ninstalled/);
    assert.doesNotMatch(view.report ?? '', /set-up/);
    assert.equal(runsOfIt().length, 1);
  });

  it('that fails is told in the first result and as an event, and the agent goes on without', async () => {
    await open({ script: useIt }, 'console.error("no network"); process.exit(3)');
    const view = await bench.run('Use it', { maxAgents: 1 });
    const [first = '', second = ''] = (view.report ?? '').split('\n---\n');
    assert.match(first, /^\[The set-up of your copy of the repository failed: .*exit code 3\nno network/s);
    assert.match(first, /go on without it.*\]\n\n\S/s);
    assert.doesNotMatch(second, /set-up/);
    assert.equal(runsOfIt().length, 1, 'it is not tried again');
    const failed = (await eventsOf(bench, view.run)).find(({ type }) => type === 'worktree.setUpFailed');
    assert.match(failed?.type === 'worktree.setUpFailed' ? failed.error : '', /exit code 3/);
    assert.equal(view.state, 'completed');
  });

  it('that takes too long is ended', async () => {
    await open({ script: useIt }, 'setInterval(() => {}, 1000)', 1000);
    const view = await bench.run('Use it', { maxAgents: 1 });
    assert.match(view.report ?? '', /ended because it ran longer than 1 s/);
  });

  it('that cannot be started is told', async () => {
    await open({ script: useIt, worktreeSetup: { argv: ['no-such-program'], timeoutMs: 1000 } });
    assert.match(
      (await bench.run('Use it', { maxAgents: 1 })).report ?? '',
      /no-such-program: there is no such program/,
    );
  });

  it('is not run where the settings or the run allow no such program', async () => {
    await open({ script: writeOnly, settings: { permissions: { commands: { allowed: ['npm'] } } } });
    assert.equal((await bench.run('Write', { maxAgents: 1 })).state, 'completed');
    assert.deepEqual(runsOfIt(), []);
    const { problems } = await bench.engine.checkSetup({});
    assert.ok(problems.some(({ severity, what }) => severity === 'warning' && /worktree\.setup is not run/.test(what)));
    await bench.close();
    rmSync(folder, { recursive: true, force: true });
    await open({ script: writeOnly });
    await bench.run('Write', { maxAgents: 1, permissions: { commands: 'off' } });
    assert.deepEqual(runsOfIt(), []);
  });
  const writeOnly = (request: ParsedRequest): ScriptedAnswer =>
    request.lastTool ? finish('Wrote.') : call('write_file', { path: 'own.txt', content: 'own\n' });

  it('is not run for an agent that only reads', async () => {
    await open({
      script: (request) => (request.lastTool ? finish('Read.', 'done') : call('read_file', { path: 'README.md' })),
    });
    await bench.run('Read', { maxAgents: 1 });
    assert.deepEqual(runsOfIt(), []);
  });

  it('that is cut by the end of the engine is run again, in a worktree made anew', async () => {
    await open(
      { script: useIt },
      'if (fs.readFileSync(LOG, "utf8").split("\\n").length < 3) setInterval(() => {}, 1000);',
    );
    const run = (await bench.engine.startRun({ task: 'Use it', options: { maxAgents: 1 } })).run;
    await bench.waitUntil('it runs', async () => runsOfIt().length === 1);
    assert.match((await agentNamed(bench, run, 'Use it')).action, /^sets up its worktree: /);
    await bench.restart();
    const view = await bench.waitEnd(run);
    assert.equal(runsOfIt().length, 2);
    assert.match(view.report ?? '', /exit code 0\ninstalled/);
  });
});
