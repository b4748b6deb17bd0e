import assert from 'node:assert/strict';
import { inTime } from '../../../mcp-server/domain/text.ts';
import { describeRecommendation } from '../../../mcp-server/faces/cli/forecast-command.ts';
import { remainingLine, renderForecast, renderPlan } from '../../../mcp-server/faces/cli/plan-text.ts';
import { displayWidth } from '../../../mcp-server/faces/cli/terminal.ts';
import { faultLines, listOf } from '../../../mcp-server/faces/cli/workflow-command.ts';
import { fakeForecast, fakePlan, fakeStep } from '../../support/fake-plan.ts';

const PAGE = { columns: 100, color: false };

describe('a plan in the terminal', () => {
  it('is a tree below those who join the work, with needs and tokens, and its forecast', () => {
    assert.deepEqual(renderPlan(fakePlan(), PAGE), [
      'Plan of r-1: fork-join, 3 steps on 2 levels, made by the model',
      'moderate: 2 parts',
      'fork-join: two steps side by side.',
      '',
      '  · join    synthesizer   6.0k',
      '    · docs  worker       12.0k',
      '    · src   worker       12.0k  after docs',
      '',
      'Forecast                       p50       p90',
      '  level 1: 1 synthesizer      2.0k      5.0k  tokens',
      '  level 2: 2 workers         60.0k      120k  tokens',
      '  3 agents                   62.0k      121k  tokens',
      '  time                       2 min     7 min  at 4 slots',
      '  worktrees                      2         3  4.5 MB to 12 MB of disk',
      '  By general experience: nothing of the kind was observed in this repository yet.',
    ]);
  });

  it('says what is special of a step: its pattern, condition, server, skills, tries and undo', () => {
    const steps = [
      fakeStep('a', {
        pattern: 'saga',
        when: 'if b says yes',
        server: 'http://h:1',
        model: 'm',
        skills: ['tests'],
        attempt: 2,
        undo: 'its commits are taken back',
      }),
      fakeStep('b', { undo: 'cannot be undone: it sends mail', state: 'omitted', tokens: 0 }),
      fakeStep('c', { needs: ['a', 'b', 'd', 'e'] }),
      fakeStep('d', { undo: 'x', undone: { state: 'done', result: 'reverted' } }),
      fakeStep('e', { state: 'done', incomplete: 'out of tokens' }),
    ];
    const text = renderPlan(fakePlan({ steps, cannotUndo: ['b'] }), { ...PAGE, columns: 200 }).join('\n');
    assert.match(
      text,
      /· a .* \[saga\] {2}try 2 {2}if b says yes {2}on m at http:\/\/h:1 {2}skills: tests {2}undo: its/,
    );
    assert.match(text, /○ b {2}worker +– {2}omitted {2}! cannot be undone: it sends mail/);
    assert.match(text, /· c .* after a, b, d and 1 more/);
    assert.match(text, /· d .* undone: reverted$/m);
    assert.match(text, /✓ e .* incomplete: out of tokens$/m);
    assert.match(text, /^cannot be undone when it fails: b$/m);
  });

  it('says when it was taken out of the cache', () => {
    const at = new Date(2026, 10, 21, 10, 0).getTime();
    const text = renderPlan(fakePlan({ cachedAt: at }), PAGE).join('\n');
    assert.match(text, /^plan of 2026-11-21 10:00 taken from the cache; --no-cache makes a new one$/m);
  });

  it('never writes beyond the width, nor commands the terminal', () => {
    const steps = [fakeStep('建造文檔🙂'.repeat(9), { undo: 'x\u001b[2J'.repeat(40) })];
    const plan = fakePlan({ steps, because: 'why '.repeat(80), by: 'rules (\u0007no)' });
    for (const columns of [20, 40, 80])
      for (const line of renderPlan(plan, { columns, color: false })) {
        assert.ok(displayWidth(line) <= columns, line);
        // oxlint-disable-next-line no-control-regex -- control characters are what this is about
        assert.doesNotMatch(line, /[\u0000-\u001f\u007f-\u009f]/);
      }
  });

  it('survives parents that are no steps', () => {
    const steps = [fakeStep('a', { parent: 'gone' })];
    assert.match(renderPlan(fakePlan({ steps }), PAGE).join('\n'), /^ {2}· a /m);
  });
});

describe('a forecast in the terminal', () => {
  it('says what it rests on, and how far off such forecasts were', () => {
    const past = { runs: 12, percent: 23.4, bias: 5, belowP90: 85 };
    const forecast = fakeForecast({
      basis: 'mixed',
      observations: 9,
      agentsBy: { history: 1, prior: 2, mixed: 0 },
      pastError: { tokens: past, wallMs: { ...past, runs: 1, percent: 53_000 } },
      notes: ['The budget may be too small.'],
    });
    const text = renderForecast(forecast, { ...PAGE, columns: 300 }).join('\n');
    assert.match(text, /By 9 observations in this repository, and for 2 of 3 agents by general experience alone\./);
    assert.match(
      text,
      /off here by 23 % in tokens \(12 runs, 85 % of them below p90\), and by more than 1000 % in time/,
    );
    assert.match(text, /The budget may be too small\./);
    const seen = renderForecast(fakeForecast({ basis: 'history', observations: 40 }), PAGE).join('\n');
    assert.match(seen, /By 40 observations in this repository\./);
  });

  it('does not pretend to know the size of a checkout', () => {
    const disk = { worktrees: { p50: 0, p90: 1 }, bytes: null };
    assert.match(renderForecast(fakeForecast({ disk }), PAGE).join('\n'), /of a size that is not known/);
  });

  it('says what is left and until when, while the run goes on', () => {
    const at = (hours: number, minutes: number): number => new Date(2026, 10, 21, hours, minutes).getTime();
    const line = remainingLine({
      agents: 3,
      tokens: { p50: 12_000.4, p90: 30_000 },
      wallMs: { p50: 180_000, p90: 420_000 },
      eta: { p50: at(10, 42), p90: at(10, 46) },
      basis: 'prior',
    });
    assert.equal(
      line,
      'left: 3 agents, 12.0k tokens (p90 30.0k), 3 min (p90 7 min), until 10:42 (p90 10:46), by general experience',
    );
  });

  it('rounds times for people', () => {
    assert.deepEqual([10, 45_000, 700_000, 9_000_000].map(inTime), ['1 s', '45 s', '12 min', '2.5 h']);
  });
});

describe('workflows in the terminal', () => {
  const workflow = {
    name: 'tdd',
    description: 'Test first.',
    source: 'repository' as const,
    path: '/r/.coppice/workflows/tdd.yaml',
    parameters: { behaviour: { required: true }, rounds: { default: 3 } },
    nodes: 3,
    faults: [],
  };

  it('are listed with their parameters, optional ones in brackets', () => {
    assert.equal(listOf([workflow], 100), 'tdd  (this repository)  3 nodes  behaviour [rounds]  Test first.');
    assert.equal(listOf([], 100), 'There are no workflows.');
  });

  it('have their faults at lines and columns that count from 1', () => {
    const faults = [{ line: 3, column: 6, severity: 'error' as const, message: 'nodes.a: there is\nno "promt".' }];
    assert.deepEqual(faultLines({ path: 'bad.yaml', faults }), ['bad.yaml:4:7: error: nodes.a: there is no "promt".']);
    assert.match(listOf([{ ...workflow, faults }], 100), /1 error: workflow check tdd/);
  });
});

describe('a recommendation in the terminal', () => {
  it('gives the reason, the alternatives and what was seen here', () => {
    const text = describeRecommendation({
      pattern: 'map-reduce',
      because: 'the same on many things.',
      alternatives: [{ pattern: 'fork-join', because: 'side by side.' }],
      history: [{ pattern: 'fork-join', runs: 3, successRate: 2 / 3, tokens: 50_500, wallMs: 5000 }],
    });
    assert.equal(
      text,
      'map-reduce: the same on many things.\n\nInstead of it:\n  fork-join: side by side.\n\n' +
        'So far in this repository:\n  fork-join: 3 runs, 67 % ended whole, median 50.5k tokens, 5 s',
    );
  });
});
