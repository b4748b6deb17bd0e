import assert from 'node:assert/strict';
import type { Observation } from '../../../mcp-server/domain/observation.ts';
import type { Pattern } from '../../../mcp-server/domain/plan.ts';
import { type PatternStats, patternStats, recommend } from '../../../mcp-server/planning/recommend.ts';
import type { PlannedStep } from '../../../mcp-server/planning/steps.ts';

const step = (key: string, task: string, more: Partial<PlannedStep> = {}): PlannedStep => ({
  key,
  title: key,
  task,
  role: 'worker',
  needs: [],
  ...more,
});
const chain = (...tasks: readonly string[]): readonly PlannedStep[] =>
  tasks.map((task, n) => step(`s${n}`, task, { needs: n === 0 ? [] : [`s${n - 1}`] }));
const distinct = [
  step('api', 'Add an endpoint for invoices to the server'),
  step('ui', 'Draw a page with a table of bills'),
  step('docs', 'Explain how taxes work'),
];
const each = (count: number): readonly PlannedStep[] =>
  Array.from({ length: count }, (_, n) =>
    step(`f${n}`, `Find every unused export of the folder number ${n} and name it`),
  );
const stats = (pattern: Pattern, success: number, tokens = 1000, runs = 10): PatternStats => ({
  pattern,
  runs,
  success,
  tokens,
  wallMs: 1000,
});

describe('The recommended pattern', () => {
  it('suits the shape of the steps', () => {
    for (const [pattern, shape] of [
      ['single', { steps: [step('a', 'Fix it')] }],
      ['fork-join', { steps: distinct, task: 'Add invoices' }],
      ['pipeline', { steps: chain('Parse the logs', 'Look for errors', 'Write a page') }],
      ['map-reduce', { steps: each(9), task: 'Give one list of unused exports' }],
      ['scatter-gather', { steps: [step('a', 'Why is it slow?')], task: 'Get several opinions on why it is slow' }],
      ['saga', { steps: chain('Provision a database', 'Deploy the service', 'Promote it to production') }],
      ['saga', { steps: distinct.map((one) => ({ ...one, undo: { kind: 'revert' as const } })) }],
    ] as const)
      assert.equal(recommend(shape).pattern, pattern, JSON.stringify(recommend(shape)));
  });

  it('explains itself to a person, and names others that would do', () => {
    const { because, alternatives } = recommend({ steps: each(9) });
    assert.equal(
      because,
      '9 steps do the same work on different things, there are many of them: the same work is done on each, and one result is made of theirs.',
    );
    assert.deepEqual(alternatives.map(({ pattern }) => pattern).slice(0, 1), ['fork-join']);
    assert.ok(alternatives.every((one) => one.because.endsWith('.')));
  });

  it('lets history decide a close call, and says so', () => {
    const shape = { steps: each(4) };
    assert.equal(recommend(shape).pattern, 'map-reduce');
    const tipped = recommend(shape, [stats('map-reduce', 0.5), stats('fork-join', 0.9)]);
    assert.equal(tipped.pattern, 'fork-join');
    assert.match(
      tipped.because,
      /suits about as well as map-reduce, and 90 % of its 10 runs here went well, against 50 % of map-reduce\.$/,
    );
    assert.equal(tipped.alternatives[0]?.pattern, 'map-reduce');
    const cheaper = recommend(shape, [stats('map-reduce', 0.9), stats('fork-join', 0.9, 400)]);
    assert.match(cheaper.because, /as often as map-reduce here, for 40 % of its tokens/);
  });

  it('does not follow history where the shape is clear, or where there is little of it', () => {
    assert.equal(
      recommend({ steps: each(4) }, [stats('map-reduce', 0.5, 1, 3), stats('fork-join', 1)]).pattern,
      'map-reduce',
    );
    const clear = recommend({ steps: chain('a', 'b', 'c', 'd') }, [stats('pipeline', 0.1), stats('map-reduce', 1)]);
    assert.equal(clear.pattern, 'pipeline');
    assert.match(clear.because, /10 % of its 10 runs here went well\.$/);
  });

  it('learns from whole runs only', () => {
    const seen = (pattern: string, ok: boolean, tokens: number, agent: Observation['agent'] = null): Observation => ({
      run: 'r1' as Observation['run'],
      agent,
      role: '',
      tier: '',
      pattern,
      tokens,
      wallMs: 10,
      turns: 1,
      ok,
      at: 0,
    });
    assert.deepEqual(
      patternStats([
        seen('saga', true, 100),
        seen('saga', false, 300),
        seen('saga', false, 9, 'a1' as Observation['agent']),
        seen('odd', true, 1),
      ]),
      [{ pattern: 'saga', runs: 2, success: 0.5, tokens: 200, wallMs: 10 }],
    );
  });
});
