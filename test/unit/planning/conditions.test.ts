import assert from 'node:assert/strict';
import type { Condition } from '../../../mcp-server/domain/plan.ts';
import {
  failuresAsked,
  firstNumber,
  holds,
  inWords,
  renamedCondition,
  type StepResult,
  says,
  stepsAsked,
} from '../../../mcp-server/planning/conditions.ts';

const results = new Map<string, StepResult>([
  ['review', { state: 'done', report: 'The work is Approved,\nwith 3 remarks.' }],
  ['broken', { state: 'failed', report: 'Stopped at 40 %.' }],
  ['unreached', { state: 'skipped', report: null }],
  ['left-out', { state: 'omitted', report: null }],
  ['busy', { state: 'running', report: 'approved' }],
]);
const is = (condition: Condition): boolean => holds(condition, results);

describe('A condition on an earlier step', () => {
  it('asks how it ended', () => {
    assert.ok(is({ step: 'review', is: 'done' }));
    assert.ok(is({ step: 'broken', is: 'failed' }));
    assert.ok(is({ step: 'unreached', is: 'failed' }));
    assert.ok(is({ step: 'left-out', is: 'omitted' }));
    assert.ok(!is({ step: 'left-out', is: 'failed' }));
    assert.ok(!is({ step: 'broken', is: 'done' }));
  });

  it('asks what it reports, of a failed one as well', () => {
    assert.ok(is({ step: 'review', says: 'approved, with' }));
    assert.ok(is({ step: 'broken', says: 'STOPPED' }));
    assert.ok(is({ step: 'review', above: 2 }));
    assert.ok(!is({ step: 'review', above: 3 }));
    assert.ok(is({ step: 'broken', below: 40.5 }));
    assert.ok(!is({ step: 'broken', below: 40 }));
  });

  it('does not hold of a step that is not there, not settled, or without a report', () => {
    for (const step of ['nobody', 'busy', 'left-out']) {
      assert.ok(!is({ step, is: 'done' }));
      assert.ok(!is({ step, says: 'approved' }));
      assert.ok(!is({ step, above: -1 }));
      assert.ok(!is({ step, below: 1000 }));
      assert.ok(is({ not: { step, says: 'approved' } }));
    }
    assert.ok(!is({ step: 'nobody', is: 'omitted' }));
  });

  it('goes together with others', () => {
    const yes: Condition = { step: 'review', is: 'done' };
    const no: Condition = { not: yes };
    assert.ok(is({ all: [yes, { any: [no, yes] }] }));
    assert.ok(!is({ all: [yes, no] }));
    assert.ok(is({ all: [] }));
    assert.ok(!is({ any: [] }));
  });

  it('finds whole words only', () => {
    assert.ok(!says('Nothing was found', 'no'));
    assert.ok(says('No.', 'no'));
    assert.ok(says('well ✅done', '✅'));
    assert.ok(says('a  b\nc', 'B C'));
    assert.ok(!says('anything', ' '));
    assert.ok(says('unfähig, aber fähig', 'fähig'));
  });

  it('reads the first number, and none inside a word', () => {
    for (const [text, number] of [
      ['score: 7.5 of 10', 7.5],
      ['-3 degrees', -3],
      ['1,234,567.5 lines', 1_234_567.5],
      ['1,23', 1],
      ['2e3', 2000],
      ['v2 of sha256 is 9', 9],
      ['no number', null],
      ['85%', 85],
    ] as const)
      assert.equal(firstNumber(text), number, text);
  });

  it('can be renamed, listed, and said in words', () => {
    const condition: Condition = {
      any: [
        { step: 'a', is: 'failed' },
        {
          not: {
            all: [
              { step: 'b', says: 'x' },
              { step: 'a', above: 2 },
            ],
          },
        },
      ],
    };
    assert.deepEqual(stepsAsked(condition), ['a', 'b']);
    assert.deepEqual(failuresAsked(condition), ['a']);
    assert.equal(
      inWords(condition, (key) => key.toUpperCase()),
      '(A is failed) or (not ((B says "x") and (A gives a number above 2)))',
    );
    const split = (key: string): readonly string[] => (key === 'a' ? ['a1', 'a2'] : [`${key}1`]);
    assert.deepEqual(renamedCondition({ step: 'a', is: 'done' }, split), {
      all: [
        { step: 'a1', is: 'done' },
        { step: 'a2', is: 'done' },
      ],
    });
    assert.deepEqual(renamedCondition({ step: 'a', says: 'x' }, split), {
      any: [
        { step: 'a1', says: 'x' },
        { step: 'a2', says: 'x' },
      ],
    });
    assert.deepEqual(renamedCondition({ step: 'b', below: 1 }, split), { step: 'b1', below: 1 });
  });
});
