import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Ended, isAlive, openStage, type Stage, until } from '../support/coppice-process.ts';
import { call, finish, type Rehearsal, type Script, say, startRehearsal } from '../support/scripted-server.ts';

const TASK = 'Map this repository: write docs/map';
const RESULT_KEYS = [
  'type',
  'run',
  'status',
  'branch',
  'commit',
  'filesChanged',
  'agents',
  'tokens',
  'wallMs',
  'report',
  'error',
];

interface Result {
  readonly run: string;
  readonly status: string;
  readonly branch: string;
  readonly commit: string;
  readonly filesChanged: number;
  readonly agents: { readonly total: number; readonly completed: number; readonly failed: number };
  readonly tokens: { readonly granted: number; readonly used: number; readonly reserved: number };
}

const linesOf = (ended: Ended): Record<string, unknown>[] =>
  ended.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
const resultOf = (ended: Ended): Result => {
  const last = linesOf(ended).at(-1);
  assert.deepEqual(Object.keys(last ?? {}), RESULT_KEYS, ended.stderr);
  return last as unknown as Result;
};

describe('coppice run', function () {
  this.timeout(60_000);
  let stage: Stage;
  let model: Rehearsal | undefined;
  afterEach(async () => {
    await stage.close();
    await model?.close();
    model = undefined;
  });

  /** Runs a task in a plain text model that never plans: one agent, whatever the script says. */
  const runScripted = async (script: Script, ...flags: string[]): Promise<Ended> => {
    stage = openStage();
    model = await startRehearsal({ answer: script });
    return stage.run('run', 'Do something', '--server', model.url, '--yes', '--json', ...flags);
  };

  it('prints every event and at last the result, for programs', async () => {
    stage = openStage();
    const ended = await stage.run(
      'run',
      TASK,
      '--server',
      'rehearsal',
      '--budget',
      '200000',
      '--agents',
      '20',
      '--depth',
      '2',
      '--yes',
      '--json',
    );
    assert.equal(ended.status, 0, ended.stderr);
    assert.equal(ended.stderr, '');
    const lines = linesOf(ended);
    const result = resultOf(ended);
    assert.equal(result.status, 'completed');
    assert.ok(result.filesChanged >= 3);
    assert.ok(result.agents.completed === result.agents.total && result.agents.total >= 4);
    assert.equal(result.tokens.granted, 200_000);
    assert.ok(result.tokens.used > 0 && result.tokens.reserved === 0);
    assert.equal(stage.repo.git('rev-parse', result.branch), result.commit);
    const events = lines.slice(0, -1);
    assert.ok(events.every((event) => event['run'] === result.run && typeof event['seq'] === 'number'));
    assert.equal(events[0]?.['type'], 'run.created');
    assert.equal(events.at(-1)?.['type'], 'run.ended');
    const numbers = events.map((event) => event['seq'] as number);
    assert.deepEqual(
      numbers,
      [...new Set(numbers)].sort((a, b) => a - b),
    );
  });

  it('tells a person what happens, what came of it and what to do next', async () => {
    stage = openStage();
    const ended = await stage.run(TASK, '--server=rehearsal');
    assert.equal(ended.status, 0, ended.stderr);
    assert.match(ended.stdout, /planned by the model/);
    assert.match(ended.stdout, /committed docs\/map\/src\.md/);
    assert.match(ended.stdout, /\ncompleted: \d+ of \d+ agents? completed/);
    assert.match(ended.stdout, /look: {4}node .*coppice\.js review r-\w+ --patch\n/);
    // oxlint-disable-next-line no-control-regex -- no colours, no cursor moves where there is no terminal
    assert.doesNotMatch(ended.stdout, /\u001b/);
  });

  it('takes an answer in plain text for a report: nothing changed, yet answered', async () => {
    const ended = await runScripted(() => say('Two plus two is four.'));
    assert.equal(ended.status, 0, ended.stderr);
    assert.equal(resultOf(ended).status, 'answered');
    assert.equal(resultOf(ended).filesChanged, 0);
  });

  it('does not call it a success when nothing useful came out', async () => {
    const ended = await runScripted(() => finish('There was nothing to do.', 'nothing'));
    assert.equal(ended.status, 3, ended.stdout);
    assert.equal(resultOf(ended).status, 'nothing');
  });

  it('says "failed" when no agent could do its work', async () => {
    const ended = await runScripted(() => call('no_such_tool', {}));
    assert.equal(resultOf(ended).status, 'failed');
    assert.equal(ended.status, 1);
  });

  it('ends at Ctrl-C with what the agents have, as cancelled', async () => {
    stage = openStage({ environment: { COPPICE_REHEARSAL_LATENCY_MS: '300' } });
    const running = stage.start('run', TASK, '--server', 'rehearsal', '--json');
    await running.says('"turn.answered"');
    running.child.kill('SIGINT');
    const ended = await running.ended;
    assert.match(ended.stderr, /its agents report what they have/);
    assert.equal(resultOf(ended).status, 'cancelled');
    assert.equal(ended.status, 130);
    assert.equal(resultOf(ended).tokens.reserved, 0);
  });

  it('aborts at the second Ctrl-C', async () => {
    stage = openStage({ environment: { COPPICE_REHEARSAL_LATENCY_MS: '4000' } });
    const running = stage.start('run', TASK, '--server', 'rehearsal', '--json');
    await running.says('"turn.started"');
    running.child.kill('SIGINT');
    await running.says('Ctrl-C again aborts');
    running.child.kill('SIGINT');
    const before = Date.now();
    const ended = await running.ended;
    assert.ok(Date.now() - before < 3500, 'no call was waited for');
    assert.equal(ended.status, 130);
    assert.equal(resultOf(ended).status, 'cancelled');
  });

  it('leaves at the third Ctrl-C, and the engine lives on', async () => {
    stage = openStage();
    // A server that never answers: neither wrapping up nor aborting is over before the person is gone.
    model = await startRehearsal({ answer: () => ({ fault: 'hang-before-headers' }) });
    const running = stage.start('run', TASK, '--server', model.url, '--json');
    await running.says('"run.created"');
    for (const word of ['Ctrl-C again aborts', 'Ctrl-C again leaves', 'Left.']) {
      running.child.kill('SIGINT');
      if (word === 'Left.') break;
      await running.says(word);
    }
    const ended = await running.ended;
    assert.equal(ended.status, 130);
    assert.match(resultOf(ended).status, /planning|running|cancelled/);
    assert.ok(isAlive(stage.enginePid() ?? 0));
  });

  it('leaves when it is asked to end, with its result as the last line, and the run goes on', async () => {
    stage = openStage({ environment: { COPPICE_REHEARSAL_LATENCY_MS: '300' } });
    const running = stage.start('run', TASK, '--server', 'rehearsal', '--json');
    await running.says('"turn.started"');
    running.child.kill('SIGTERM');
    const ended = await running.ended;
    assert.equal(ended.status, 130);
    assert.match(resultOf(ended).status, /planning|running/);
    assert.match(ended.stderr, /Left\. The run may go on/);
    await until('the run ends', async () => /completed/.test((await stage.run('status')).stdout));
  });

  it('leaves at once with --detach, and the run goes on', async () => {
    stage = openStage();
    const detached = await stage.run('run', TASK, '--server', 'rehearsal', '--detach', '--yes');
    assert.equal(detached.status, 0);
    const run = detached.stdout.trim();
    assert.match(run, /^r-\w{14}$/);
    await until('the run ends', async () => /completed/.test((await stage.run('status')).stdout));
    const status = await stage.run('status', run);
    assert.match(status.stdout, new RegExp(`^${run}  completed .*${TASK}`));
    assert.match(status.stdout, /✓ .*worker completed/);
  });

  it('survives the engine: killed in the middle, the same command sees the end', async () => {
    stage = openStage({ environment: { COPPICE_REHEARSAL_LATENCY_MS: '200' } });
    const running = stage.start('run', TASK, '--server', 'rehearsal', '--json');
    await running.says('"turn.answered"');
    process.kill(stage.enginePid() ?? 0, 'SIGKILL');
    const ended = await running.ended;
    assert.equal(ended.status, 0, ended.stderr);
    assert.equal(resultOf(ended).status, 'completed');
    const numbers = linesOf(ended)
      .slice(0, -1)
      .map((event) => event['seq'] as number);
    assert.deepEqual(
      numbers,
      [...new Set(numbers)].sort((a, b) => a - b),
      'no event twice',
    );
  });

  it('refuses settings that make no sense, and names them', async () => {
    stage = openStage();
    const flag = await stage.run('run', 'x', '--budget', 'lots');
    assert.equal(flag.status, 2);
    assert.match(flag.stderr, /^coppice: the command line: --budget is wrong: .* whole number/);
    mkdirSync(join(stage.environment['XDG_CONFIG_HOME'] ?? '', 'coppice'), { recursive: true });
    const path = join(stage.environment['XDG_CONFIG_HOME'] ?? '', 'coppice', 'config.json');
    writeFileSync(path, '{"budgit": 5}');
    const file = await stage.run('run', 'x', '--server', 'rehearsal');
    assert.equal(file.status, 2);
    assert.ok(file.stderr.startsWith(`coppice: ${path}: there is no setting "budgit"`), file.stderr);
  });

  it('keeps its flags for itself: the next run has the settings of everybody', async () => {
    stage = openStage({ environment: { COPPICE_SERVER: 'rehearsal' } });
    const first = await stage.run('run', TASK, '--budget', '200000', '--agents', '5', '--json', '--yes');
    assert.equal(resultOf(first).tokens.granted, 200_000, first.stderr);
    const flags = readFileSync(`/proc/${stage.enginePid()}/cmdline`, 'utf8').split('\0');
    assert.ok(!flags.some((flag) => /budget|agents/.test(flag)), flags.join(' '));
    const second = await stage.run('run', TASK, '--json', '--yes');
    assert.equal(resultOf(second).tokens.granted, 500_000, second.stderr);
  });

  it('gives its advice in the words of npm when npm has started it', async () => {
    stage = openStage({ environment: { npm_lifecycle_event: 'start' } });
    const ended = await stage.run(TASK, '--server=rehearsal');
    assert.match(ended.stdout, /look: {4}npm start -- review r-\w+ --patch\n/);
  });

  it('takes its settings from the repository, unless git tracks the file', async () => {
    stage = openStage();
    stage.repo.write('.coppice/config.json', '{"server":"rehearsal","budget":123456}');
    const ended = await stage.run('run', TASK, '--json', '--yes');
    assert.equal(resultOf(ended).tokens.granted, 123_456, ended.stderr);
    stage.repo.git('add', '-f', '.coppice/config.json');
    const refused = await stage.run('run', TASK, '--json', '--yes');
    assert.equal(refused.status, 2);
    assert.match(refused.stderr, /"server" is not accepted from a file that git tracks/);
  });
});

describe('what a person should know of the engine', function () {
  this.timeout(60_000);
  let stage: Stage;
  beforeEach(async () => {
    stage = openStage({ environment: { COPPICE_SERVER: 'rehearsal' } });
    assert.equal((await stage.run('run', TASK, '--yes')).status, 0);
    await stage.run('stop');
  });
  afterEach(() => stage.close());

  it('is said by every command while the engine lives: a damaged database was replaced', async () => {
    writeFileSync(join(stage.repo.root, '.coppice', 'state.db'), 'no database at all'.repeat(1000));
    const status = await stage.run('status');
    const warning = /^coppice: warning: The database was damaged \(.*\) and was moved to .*earlier runs are not in it/;
    assert.match(status.stderr, warning);
    assert.match((await stage.run('status', '--json')).stderr, warning);
    assert.match((await stage.run('run', TASK, '--yes')).stderr, warning);
    assert.match((await stage.run('doctor')).stdout, /^! The database was damaged/m);
    const noticed = (await stage.run('events')).stdout.split('\n').filter((line) => line.includes('was damaged'));
    assert.equal(noticed.length, 1);
    await stage.run('stop');
    assert.equal((await stage.run('status')).stderr, '');
  });

  it('is said of settings that are wrong, which stop no command that needs none', async () => {
    const run = (JSON.parse((await stage.run('status', '--json')).stdout) as { run: string }[])[0]?.run ?? '';
    await stage.run('stop');
    stage.repo.write('.coppice/config.json', '{"budget": }');
    const commands = [['status'], ['events'], ['review'], ['review', run], ['stop', run], ['stop'], ['status']];
    for (const args of commands) {
      const ended = await stage.run(...args);
      assert.equal(ended.status, 0, `${args.join(' ')}: ${ended.stderr}`);
      assert.match(ended.stderr, /^coppice: warning: \S+\/config\.json is not valid JSON/);
    }
    assert.match((await stage.run('status')).stderr, /works without some settings until "coppice stop": \S+ is not/);
    const refused = await stage.run('run', TASK, '--yes');
    assert.equal(refused.status, 2);
    assert.match(refused.stderr, /^coppice: \S+\/config\.json is not valid JSON/);
    await stage.run('stop');
    assert.match((await stage.run('doctor')).stdout, /✗ No engine can work here: \S+ is not valid JSON/);
  });
});

describe('the other commands', function () {
  this.timeout(60_000);
  let stage: Stage;
  before(async () => {
    stage = openStage();
    const ended = await stage.run('run', TASK, '--server', 'rehearsal', '--json', '--yes');
    assert.equal(ended.status, 0, ended.stderr);
  });
  after(() => stage.close());

  const theRun = async (): Promise<string> =>
    (JSON.parse((await stage.run('review', '--json')).stdout) as { run: string }[])[0]?.run ?? '';

  it('list and show runs', async () => {
    const run = await theRun();
    assert.match((await stage.run('status')).stdout, new RegExp(`^${run}  completed .*to review .*${TASK}\n$`));
    const shown = JSON.parse((await stage.run('status', run, '--json')).stdout) as {
      state: string;
      agentList: unknown[];
    };
    assert.equal(shown.state, 'completed');
    assert.ok(shown.agentList.length >= 4);
    const missing = await stage.run('status', 'r-none');
    assert.equal(missing.status, 2);
    assert.match(missing.stderr, /^coppice: .*r-none/);
  });

  it('print events after a number', async () => {
    const all = (await stage.run('events', '--json')).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { seq: number });
    const middle = all[Math.floor(all.length / 2)]?.seq ?? 0;
    const rest = (await stage.run('events', '--json', '--after', String(middle))).stdout.trim().split('\n');
    assert.deepEqual(
      rest.map((line) => (JSON.parse(line) as { seq: number }).seq),
      all.map(({ seq }) => seq).filter((seq) => seq > middle),
    );
    assert.match((await stage.run('events')).stdout, /^\d+ \d\d:\d\d:\d\d r-\w+ started on/m);
  });

  it('follow events until Ctrl-C', async () => {
    const following = stage.start('events', '--follow', '--json');
    await following.says('"run.ended"');
    following.child.kill('SIGINT');
    assert.equal((await following.ended).status, 0);
  });

  it('show, land and drop what a run changed', async () => {
    const run = await theRun();
    const summary = await stage.run('review', run);
    assert.match(summary.stdout, /added +\+\d+ -0 +docs\/map\/src\.md/);
    assert.match(summary.stdout, /\d+ files? changed, \+\d+ -0, on coppice\//);
    assert.match((await stage.run('review', run, '--patch')).stdout, /^\+\+\+ b\/docs\/map\/src\.md$/m);
    stage.repo.write('docs/map/src.md', 'mine, and not committed\n');
    const dirty = await stage.run('review', run, '--land');
    assert.equal(dirty.status, 1);
    assert.match(dirty.stdout, /nothing was changed.*\n {2}docs\/map\/src\.md/);
    rmSync(join(stage.repo.root, 'docs', 'map'), { recursive: true });
    const landed = await stage.run('review', run, '--land');
    assert.equal(landed.status, 0, landed.stdout);
    assert.match(landed.stdout, /^Landed on main as [0-9a-f]{10}\.\n$/);
    assert.equal(stage.repo.git('status', '--porcelain'), '');
    const discard = await stage.run('review', run, '--discard');
    assert.equal(discard.status, 2);
    assert.match(discard.stderr, /landed/);
  });

  it('look at the set-up with an engine, and without one', async () => {
    const ready = await stage.run('doctor', '--server', 'rehearsal');
    assert.equal(ready.status, 0, ready.stdout);
    assert.match(ready.stdout, /✓ Node v[^]*✓ git version[^]*Ready\.\n$/);
    const unreachable = await stage.run('doctor', '--server', 'http://127.0.0.1:1', '--json');
    assert.equal(unreachable.status, 1);
    assert.equal((JSON.parse(unreachable.stdout) as { ok: boolean }).ok, false);
    const nowhere = mkdtempSync(join(tmpdir(), 'coppice-nowhere-'));
    const none = await stage.run('doctor', '--repo', nowhere);
    rmSync(nowhere, { recursive: true });
    assert.equal(none.status, 1);
    assert.match(none.stdout, /✗ No engine can work here: .*not in a git repository/);
  });

  it('name the folder that the engine cannot write', async () => {
    const other = openStage();
    try {
      other.repo.write('.coppice', 'a file');
      const doctor = await other.run('doctor', '--server', 'rehearsal');
      assert.equal(doctor.status, 1);
      assert.match(doctor.stdout, /✗ No engine can work here: \S+\/\.coppice is not a folder\. Move it away/);
      const run = await other.run('run', 'x', '--json');
      assert.equal(run.status, 2);
      assert.partialDeepStrictEqual(linesOf(run), [{ type: 'error', code: 'permission-denied' }]);
    } finally {
      await other.close();
    }
  });

  it('refuse what they do not know, with a hint', async () => {
    for (const [args, hint] of [
      [['stauts'], /Did you mean "coppice status"\?/],
      [['status', '--jsn'], /Did you mean --json\?/],
      [['run', '--json'], /There is no task/],
      [['status', '--repo', '/nowhere/at/all'], /There is no folder/],
    ] as const) {
      const ended = await stage.run(...args);
      assert.equal(ended.status, 2);
      assert.match(ended.stderr, hint);
      const line = args.some((arg) => arg === '--json') ? JSON.parse(ended.stdout) : null;
      if (line === null) assert.equal(ended.stdout, '');
      else assert.deepEqual(line, { type: 'error', code: 'bad-input', message: ended.stderr.slice(9, -1) });
    }
    assert.match((await stage.run('help')).stdout, /Exit status: 0 completed/);
    assert.match((await stage.run('--version')).stdout, /^\d+\.\d+\.\d+\n$/);
  });

  it('pause a run, cancel it, and stop the engine', async () => {
    await stage.close();
    // Nothing is over before it is paused, however busy the machine is.
    stage = openStage({ environment: { COPPICE_REHEARSAL_LATENCY_MS: '4000' } });
    const started = await stage.run('run', TASK, '--server', 'rehearsal', '--detach', '--yes');
    const id = started.stdout.trim();
    assert.match((await stage.run('pause', id)).stdout, /pauses: turns that are under way still end/);
    assert.match((await stage.run('status', id)).stdout, /paus/);
    assert.match((await stage.run('continue', id)).stdout, /goes on/);
    const cancelled = await stage.run('stop', id, '--now');
    assert.equal(cancelled.status, 0, cancelled.stderr);
    const pid = stage.enginePid() ?? 0;
    assert.equal((await stage.run('stop', '--json')).stdout, '{"stopped":true}\n');
    await until('the engine ends', () => !isAlive(pid));
  });
});
