import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Ended, openStage, type Stage } from '../support/coppice-process.ts';
import { call, finish, startRehearsal } from '../support/scripted-server.ts';

const TASK = 'Map this repository: write docs/map';

interface Plan {
  readonly run: string;
  readonly state: string;
  readonly by: string;
  readonly cachedAt: number | null;
  readonly steps: readonly { readonly title: string; readonly tier: string }[];
  readonly forecast: { readonly tokens: { readonly p50: number; readonly p90: number } };
  readonly yaml: string;
}

const jsonOf = (ended: Ended): unknown => {
  assert.equal(ended.status, 0, ended.stderr);
  return JSON.parse(ended.stdout);
};
const hasScript = ((): boolean => {
  try {
    return execFileSync('script', ['--version'], { encoding: 'utf8' }).includes('util-linux');
  } catch {
    return false;
  }
})();

describe('plans in the terminal', function () {
  this.timeout(60_000);
  let stage: Stage;
  beforeEach(() => {
    stage = openStage({ environment: { COPPICE_SERVER: 'rehearsal', TERM: 'xterm' } });
  });
  afterEach(() => stage.close());

  const makePlan = async (...flags: string[]): Promise<Plan> =>
    (jsonOf(await stage.run('plan', TASK, '--json', ...flags)) as { plan: Plan }).plan;

  it('are made and shown, and wait; shrunk, edited, approved', async () => {
    const made = await stage.run('plan', TASK);
    assert.equal(made.status, 0, made.stderr);
    assert.match(made.stdout, /^Plan of r-\w{14}: fork-join, \d+ steps on \d levels?, made by the model\n/);
    assert.match(made.stdout, /· Map src\/ +worker[^]*Forecast +p50 +p90[^]*By general experience: nothing/);
    const run = /r-\w{14}/.exec(made.stdout)?.[0] ?? '';
    assert.match((await stage.run('status')).stdout, new RegExp(`^${run}  planned `));

    const before = jsonOf(await stage.run('plan', 'show', run, '--json')) as Plan;
    const shrunk = await stage.run('plan', 'shrink', run, 'fewer-agents');
    assert.match(shrunk.stdout, /workers became/);
    const less = jsonOf(await stage.run('plan', 'show', run, '--json')) as Plan;
    assert.ok(less.steps.length < before.steps.length);
    assert.ok(less.forecast.tokens.p50 < before.forecast.tokens.p50);

    const yaml = (await stage.run('plan', 'show', run, '--yaml')).stdout;
    const file = join(stage.repo.root, 'plan.yaml');
    writeFileSync(file, `${yaml}oops: 1\n`);
    const refused = await stage.run('plan', 'edit', run, '--file', file);
    assert.equal(refused.status, 2);
    assert.match(refused.stderr, /\n\d+:1: there is no "oops" here/);
    writeFileSync(file, yaml.replace(/title: Map src.*/, 'title: The sources'));
    assert.match((await stage.run('plan', 'edit', run, '--file', file)).stdout, /made by you[^]*· The sources/);

    const ended = await stage.run('plan', 'approve', run);
    assert.equal(ended.status, 0, ended.stderr);
    assert.match(ended.stdout, /The sources: worker created[^]*\ncompleted: /);
    assert.doesNotMatch(ended.stdout, /planner created/, 'what was before is not told again');
    const forecast = await stage.run('forecast', run);
    assert.match(forecast.stdout, /^Forecast +p50 +p90\n/);
  });

  it('are dropped', async () => {
    const { run } = await makePlan();
    assert.equal((await stage.run('plan', 'drop', run)).stdout, `Dropped the plan of ${run}.\n`);
    assert.match((await stage.run('status')).stdout, /cancelled/);
    const again = await stage.run('plan', 'drop', run);
    assert.equal(again.status, 2);
    assert.match(again.stderr, /does not wait: the run is cancelled/);
  });

  it('come out of the cache, which is said, unless that is refused', async () => {
    await makePlan();
    const cached = await stage.run('plan', TASK);
    assert.match(
      cached.stdout,
      /^plan of \d{4}-\d\d-\d\d \d\d:\d\d taken from the cache; --no-cache makes a new one$/m,
    );
    assert.equal((await makePlan('--no-cache')).cachedAt, null);
    const ran = await stage.run('run', TASK, '--yes');
    assert.match(ran.stderr, /taken from the cache/);
    assert.equal(ran.status, 0, ran.stderr);
  });

  it('take pattern and workers from flags', async () => {
    const plan = await makePlan('--workers', '2', '--no-cache');
    assert.equal(plan.steps.filter(({ tier }) => tier === 'worker').length, 2);
    const refused = await stage.run('plan', TASK, '--pattern', 'circle');
    assert.equal(refused.status, 2);
    assert.match(refused.stderr, /--pattern is wrong: .*map-reduce/);
  });

  it('that would cost too much are not run where nobody is asked, and the status says so', async () => {
    const refused = await stage.run('run', TASK, '--max-forecast-tokens', '1000', '--json');
    assert.equal(refused.status, 5, refused.stderr);
    const lines = refused.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; status?: string; forecast?: Plan['forecast'] });
    const forecast = lines.find(({ type }) => type === 'run.forecast');
    assert.ok((forecast?.forecast?.tokens.p90 ?? 0) > 1000);
    assert.deepEqual([lines.at(-1)?.type, lines.at(-1)?.status], ['run.result', 'cancelled']);
    assert.match(refused.stderr, /The plan is not run: its forecast is [\d.]+k tokens \(p90\), and 1\.0k are the most/);
    const allowed = await stage.run('run', TASK, '--max-forecast-tokens', '9000000', '--yes');
    assert.equal(allowed.status, 0, allowed.stderr);
  });

  it('have their failed steps tried again, and followed from there', async () => {
    let works = false;
    const model = await startRehearsal({
      answer: () => (works ? finish('Done at last.') : call('no_such_tool', {})),
    });
    try {
      const failed = await stage.run('run', 'Do something', '--server', model.url, '--yes', '--retries', '0');
      assert.equal(failed.status, 1, failed.stdout);
      const retry = /try the failed steps again: \S+ \S+ (retry r-\w{14})/.exec(failed.stdout)?.[1] ?? '';
      works = true;
      const again = await stage.run(...retry.split(' '));
      assert.equal(again.status, 0, again.stdout + again.stderr);
      assert.match(again.stdout, /^\S+ 1 step tried again\n[^]*\nanswered: [^]*Done at last\./);
    } finally {
      await model.close();
    }
  });

  it('recommend their pattern, with the reason', async () => {
    const { stdout } = await stage.run('recommend', TASK);
    assert.match(stdout, /^(map-reduce|fork-join): .+/);
  });

  (hasScript ? it : it.skip)('are asked for at a terminal: shrink, edit with a fault, run', async () => {
    const child = spawn('script', ['-qec', `${process.execPath} ${stage.script} run '${TASK}'`, '/dev/null'], {
      cwd: stage.repo.root,
      env: { ...stage.environment, EDITOR: 'sed -i s/fork-join/fork-jin/' },
    });
    let seen = '';
    const says = async (text: string, then?: string): Promise<void> => {
      for (let tries = 0; !seen.includes(text); tries++) {
        assert.ok(tries < 1000, `never said: ${text}\n${seen}`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      seen = seen.slice(seen.indexOf(text) + text.length);
      if (then !== undefined) child.stdin.write(`${then}\n`);
    };
    child.stdout.on('data', (chunk) => {
      seen += String(chunk);
    });
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    try {
      await says('[c] Cancel', 's');
      await says('[3] tighter steps', '1');
      await says('workers became');
      await says('[c] Cancel', 'e');
      await says('pattern: Invalid option');
      await says('[e] edit again', '');
      await says('[c] Cancel', 'r');
      await says('completed: ');
      assert.equal(await ended, 0);
    } finally {
      child.kill('SIGKILL');
      await ended;
    }
  });
});

describe('workflows in the terminal', function () {
  this.timeout(60_000);
  let stage: Stage;
  before(() => {
    stage = openStage({ environment: { COPPICE_SERVER: 'rehearsal' } });
  });
  after(() => stage.close());

  it('are listed and shown, those of the repository with those that come along', async () => {
    const { stdout } = await stage.run('workflow');
    for (const name of ['backend-dev', 'docs', 'refactor', 'research', 'review', 'tdd'])
      assert.match(stdout, new RegExp(`^${name} +\\d+ nodes`, 'm'));
    assert.match((await stage.run('workflow', 'show', 'tdd')).stdout, /^# \S+tdd\.yaml\n[^]*^name: tdd$/m);
    const missing = await stage.run('workflow', 'show', 'tddd');
    assert.equal(missing.status, 2);
    assert.match(missing.stderr, /There is no workflow "tddd"\. Workflows: backend-dev/);
  });

  it('are checked, with the place of each fault', async () => {
    assert.equal((await stage.run('workflow', 'check')).stdout, '6 workflows checked, no error.\n');
    stage.repo.write('bad.yaml', 'name: bad\ndescription: d\nnodes:\n  a: {promt: x}\n');
    const bad = await stage.run('workflow', 'check', 'bad.yaml');
    assert.equal(bad.status, 1);
    assert.match(bad.stdout, /^bad\.yaml:4:\d+: error: nodes\.a: there is no "promt" here/);
    assert.equal(
      (JSON.parse((await stage.run('workflow', 'check', 'bad.yaml', '--json')).stdout) as { ok: boolean }).ok,
      false,
    );
  });

  it('run with their parameters, and a run becomes one', async () => {
    const missing = await stage.run('workflow', 'run', 'tdd', '--yes');
    assert.equal(missing.status, 2);
    assert.match(missing.stderr, /The parameter "behaviour" must be given/);
    const ended = await stage.run('workflow', 'run', 'tdd', '--param', 'behaviour=it adds', '--yes', '--json');
    const last = JSON.parse(ended.stdout.trim().split('\n').at(-1) ?? '') as { run: string; type: string };
    assert.equal(last.type, 'run.result', ended.stderr);
    assert.match((await stage.run('plan', 'show', last.run)).stdout, /workflow, \d+ steps .* made by the workflow tdd/);
    const saved = await stage.run('workflow', 'save', last.run, 'mine');
    assert.match(saved.stdout, /^Saved as \S+mine\.yaml\. .* workflow run mine/);
    assert.match((await stage.run('workflow', 'list')).stdout, /^mine +\(this repository\)/m);
    const retried = await stage.run('retry', last.run);
    assert.equal(retried.status, 2);
    assert.match(retried.stderr, /Only a run that has ended with failed steps/);
  });
});
