import assert from 'node:assert/strict';
import { UserError } from '../../../mcp-server/domain/errors.ts';
import { parseArguments, wantsJson } from '../../../mcp-server/faces/cli/arguments.ts';

const refusal = (...argv: string[]): string => {
  try {
    parseArguments(argv);
  } catch (error) {
    assert.ok(error instanceof UserError, String(error));
    return error.message;
  }
  throw new assert.AssertionError({ message: 'It was accepted.' });
};

describe('the command line', () => {
  it('takes a task without a command for a run', () => {
    const parsed = parseArguments(['Fix the test', '--repo', '/x', '--server', 'http://h:1', '--yes', '--json']);
    assert.ok(parsed.command === 'run');
    assert.deepEqual(
      [parsed.task, parsed.repo, parsed.yes, parsed.json, parsed.detach],
      ['Fix the test', '/x', true, true, false],
    );
    assert.equal(parsed.settings['server'], 'http://h:1');
  });

  it('takes flags before the task, and several words for one task', () => {
    const parsed = parseArguments(['run', '--budget', '1000', 'fix', 'it', '--agents=3', '--depth', '2']);
    assert.ok(parsed.command === 'run');
    assert.equal(parsed.task, 'fix it');
    assert.deepEqual(
      [parsed.settings['budget'], parsed.settings['maxAgents'], parsed.settings['maxDepth']],
      ['1000', '3', '2'],
    );
  });

  it('shows the demonstration when nothing at all is asked', () => {
    assert.equal(parseArguments([]).command, 'demo');
  });

  it('does not take flags without a task for the demonstration', () => {
    assert.match(refusal('run'), /no task/);
    assert.match(refusal('run', '--json'), /no task/);
    assert.match(refusal('--json'), /no task/);
  });

  it('knows the other commands', () => {
    assert.deepEqual(parseArguments(['status', 'r-1']), {
      command: 'status',
      run: 'r-1',
      repo: '.',
      json: false,
      settings: { ...NONE },
    });
    const events = parseArguments(['events', '--after', '7', '--follow']);
    assert.ok(events.command === 'events' && events.after === 7 && events.follow && events.run === null);
    const land = parseArguments(['review', 'r-1', '--land']);
    assert.ok(land.command === 'review' && land.action === 'land' && land.run === 'r-1');
    const stop = parseArguments(['stop', '--seconds', '5']);
    assert.ok(stop.command === 'stop' && stop.seconds === 5 && stop.run === null);
    const pause = parseArguments(['pause', 'r-1', 'a-1', '--alone']);
    assert.ok(pause.command === 'pause' && pause.run === 'r-1' && pause.agent === 'a-1' && pause.alone);
    const on = parseArguments(['continue', 'r-1']);
    assert.ok(on.command === 'continue' && on.agent === null && !on.alone);
    const engine = parseArguments(['engine', '--detached', '--idle-seconds', '3']);
    assert.ok(engine.command === 'engine' && engine.detached && engine.idleSeconds === 3);
    assert.equal(parseArguments(['mcp', '--repo', '/x']).command, 'mcp');
    for (const help of [['help'], ['--help'], ['run', '--help'], ['stop', '-h']])
      assert.equal(parseArguments(help).command, 'help');
    assert.equal(parseArguments(['--version']).command, 'version');
  });

  it('knows how a run is to be planned', () => {
    const parsed = parseArguments([
      'run',
      'x',
      '--pattern',
      'saga',
      '--fan-in=4',
      '--level-names=lead,editor',
      '--max-forecast-tokens',
      '9',
      '--no-cache',
    ]);
    assert.deepEqual(
      Object.entries(parsed.command === 'run' ? parsed.settings : {}).filter(([, value]) => value !== undefined),
      [
        ['planning.pattern', 'saga'],
        ['planning.fanIn', '4'],
        ['planning.maxForecastTokens', '9'],
        ['planning.levelNames', 'lead,editor'],
        ['planning.cache', 'no'],
      ],
    );
    assert.match(refusal('run', 'x', '--workers', '-3'), /--workers wants a whole number/);
  });

  it('tells a task that is to be planned from what is done with a plan', () => {
    const action = (...argv: string[]): unknown => {
      const parsed = parseArguments(['plan', ...argv]);
      return parsed.command === 'plan' ? parsed.action : null;
    };
    assert.deepEqual(action('show the tests'), { kind: 'create', task: 'show the tests' });
    assert.deepEqual(action('show', 'r-1', '--yaml'), { kind: 'show', run: 'r-1', yaml: true });
    assert.deepEqual(action('edit', 'r-1', '--file', '-'), { kind: 'edit', run: 'r-1', file: '-' });
    assert.deepEqual(action('shrink', 'r-1', 'cheaper-tiers'), { kind: 'shrink', run: 'r-1', how: 'cheaper-tiers' });
    assert.deepEqual(action('approve', 'r-1', '--detach'), { kind: 'approve', run: 'r-1', detach: true, yes: false });
    assert.deepEqual(action('drop', 'r-1'), { kind: 'drop', run: 'r-1' });
    assert.match(refusal('plan'), /coppice plan "what is to be done"/);
    assert.match(refusal('plan', 'shrink', 'r-1', 'more'), /fewer-agents\|cheaper-tiers\|tighter-steps/);
    assert.match(refusal('plan', 'show'), /coppice plan show RUN/);
  });

  it('reads the parameters of a workflow', () => {
    const parsed = parseArguments(['workflow', 'run', 'tdd', '--param', 'task=a=b', '--param', 'n=3', '--yes']);
    assert.deepEqual(parsed.command === 'workflow' && parsed.action, {
      kind: 'run',
      name: 'tdd',
      parameters: { task: 'a=b', n: '3' },
      detach: false,
      yes: true,
    });
    assert.deepEqual(parseArguments(['workflow']), parseArguments(['workflow', 'list']));
    assert.match(refusal('workflow', 'run', 'tdd', '--param', 'task'), /--param wants KEY=VALUE/);
    assert.match(refusal('workflow', 'chekc'), /It knows list, show, check, run and save/);
  });

  it('tells a run from a task', () => {
    const of = (text: string): unknown => {
      const parsed = parseArguments(['recommend', text]);
      return parsed.command === 'recommend' ? parsed.of : null;
    };
    assert.deepEqual(of('r-3k9m1p7q2zhx'), { run: 'r-3k9m1p7q2zhx' });
    assert.deepEqual(of('r-eview it'), { task: 'r-eview it' });
    const retry = parseArguments(['retry', 'r-1', '--budget', '5']);
    assert.ok(retry.command === 'retry' && retry.budget === 5 && retry.run === 'r-1');
    assert.match(refusal('forecast'), /coppice forecast RUN/);
  });

  it('refuses what it does not know, with a hint', () => {
    assert.match(refusal('stauts'), /no command "stauts".*"coppice status"/);
    assert.match(refusal('frobnicate'), /no command "frobnicate"\. A task of one word/);
    assert.match(refusal('run', 'x', '--budgt', '5'), /no --budgt\. Did you mean --budget\?/);
    assert.match(refusal('status', '--zzzzzzzz'), /It knows --repo, --json/);
    assert.match(refusal('run', 'x', '--budget'), /--budget/);
    assert.match(refusal('pause'), /coppice pause RUN, or coppice pause RUN AGENT/);
    assert.match(refusal('continue', 'r-1', '--alone'), /--alone goes with an agent/);
    assert.match(refusal('doctor', 'what'), /does not know what to do with "what"/);
    assert.match(refusal('events', '--after', 'x'), /--after wants a whole number/);
    assert.match(refusal('events', '--after', '-1'), /^--after wants a whole number, 0 or above, not "-1"\.$/);
    assert.match(refusal('events', '--after=-1'), /^--after wants a whole number, 0 or above, not "-1"\.$/);
    assert.match(refusal('run', 'x', '--model', '-big'), /"-big" looks like a flag.*--model=-big/);
    assert.match(refusal('review', '--land'), /Which run\?/);
    assert.match(refusal('review', 'r-1', '--land', '--discard'), /exclude each other/);
    assert.match(refusal('run', 'x', '--follow', '--detach'), /exclude each other/);
  });
});

describe('an error for programs', () => {
  it('is for who asked for JSON, and not for who speaks a protocol', () => {
    assert.equal(wantsJson(['status', '--json', '--zzz']), true);
    assert.equal(wantsJson(['status']), false);
    assert.equal(wantsJson(['run', '--', '--json']), false);
    assert.equal(wantsJson(['mcp', '--json']), false);
  });

  it('knows where to serve, and what to do with tokens', () => {
    const plain = parseArguments(['serve']);
    assert.ok(plain.command === 'serve' && plain.port === 7717 && plain.scope === null && plain.token === null);
    const full = parseArguments([
      'serve',
      '--port',
      '0',
      '--scope',
      'read',
      '--allow-origin',
      'http://localhost:3000/x',
    ]);
    assert.ok(full.command === 'serve');
    assert.deepEqual([full.port, full.scope, full.origins], [0, 'read', ['http://localhost:3000']]);
    const tokenOf = (...argv: string[]) => {
      const parsed = parseArguments(['serve', ...argv]);
      return parsed.command === 'serve' ? parsed.token : null;
    };
    assert.deepEqual(tokenOf('token', 'add', 'ci', '--scope', 'run'), { kind: 'add', name: 'ci' });
    assert.deepEqual(tokenOf('token', 'remove', 'ci'), { kind: 'remove', name: 'ci' });
    assert.deepEqual(tokenOf('token'), { kind: 'list' });
    for (const words of [['tokens'], ['token', 'add'], ['token', 'list', 'x'], ['token', 'add', 'a', 'b']])
      assert.match(refusal('serve', ...words), /coppice serve knows/);
    assert.match(refusal('serve', '--port', '65536'), /at most 65535/);
    assert.match(refusal('serve', '--allow-origin', 'file:///x'), /wants an origin/);
    const mcp = parseArguments(['mcp', '--print-config', 'zed']);
    assert.ok(mcp.command === 'mcp' && mcp.printConfig === 'zed');
  });
});

const NONE = {
  server: undefined,
  model: undefined,
  budget: undefined,
  maxAgents: undefined,
  maxDepth: undefined,
  concurrency: undefined,
};
