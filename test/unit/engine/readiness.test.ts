import assert from 'node:assert/strict';
import type { NeedState, PlanStep, Step } from '../../../mcp-server/domain/plan.ts';
import type { StepState } from '../../../mcp-server/domain/transitions.ts';
import { policyOf, readiness, waitsForAll } from '../../../mcp-server/engine/readiness.ts';
import { unneeded } from '../../../mcp-server/engine/unneeded.ts';
import { step } from '../../support/plans.ts';

const needs = (...states: readonly StepState[]): readonly NeedState[] =>
  states.map((state, place) => ({ key: 'abcdef'[place] ?? '', state }));

describe('A pending step', () => {
  const plain = step('x');
  const tolerant = step('x', { toleratesFailure: true });

  it('waits until all that it needs is settled', () => {
    assert.equal(readiness(plain, needs('done', 'running')), 'waits');
    assert.equal(readiness(plain, needs('done', 'merging')), 'waits');
    assert.equal(readiness(plain, needs('done', 'done')), 'starts');
    assert.equal(readiness(plain, []), 'starts');
  });

  it('need not be looked at before that, unless it starts at a quorum', () => {
    const states = ['pending', 'running', 'merging', 'done', 'failed', 'skipped', 'omitted'] as const;
    const conditions = [plain, tolerant, { ...plain, when: { step: 'a', is: 'failed' } as const }];
    for (const one of [...conditions, { ...plain, join: { quorum: null, withinMs: 5 } }]) {
      assert.equal(waitsForAll(one), true);
      for (const open of states.slice(0, 3))
        for (const other of states) assert.equal(readiness(one, needs(other, open)), 'waits');
    }
    assert.equal(waitsForAll({ ...plain, join: { quorum: 1, withinMs: null } }), false);
  });

  it('is stopped by a failure, or goes on without it, as its edge says', () => {
    assert.equal(readiness(plain, needs('done', 'failed')), 'skips');
    assert.equal(readiness(plain, needs('done', 'skipped')), 'skips');
    assert.equal(readiness(tolerant, needs('done', 'failed')), 'starts');
    assert.equal(readiness({ ...tolerant, onFailure: { b: 'fail' } }, needs('done', 'failed')), 'skips');
    assert.equal(readiness({ ...plain, onFailure: { b: 'continue' } }, needs('done', 'failed')), 'starts');
    assert.equal(readiness({ ...plain, onFailure: { b: 'compensate' } }, needs('done', 'failed')), 'skips');
  });

  it('takes no word of an object for what an edge says', () => {
    assert.equal(policyOf({ ...tolerant, onFailure: { b: 'fail' } }, 'constructor'), 'continue');
  });

  it('does not start from nothing', () => {
    assert.equal(readiness(tolerant, needs('failed', 'failed')), 'skips');
    assert.equal(readiness(tolerant, needs('failed', 'omitted')), 'skips');
  });

  it('takes what was omitted for no failure', () => {
    assert.equal(readiness(plain, needs('omitted', 'done')), 'starts');
    assert.equal(readiness(plain, needs('omitted', 'omitted')), 'starts');
  });

  it('leaves it to its condition when that asks about the failure', () => {
    const rescue = { ...plain, when: { step: 'a', is: 'failed' } as const };
    assert.equal(policyOf(rescue, 'a'), 'continue');
    assert.equal(policyOf(rescue, 'b'), 'fail');
    assert.equal(readiness(rescue, needs('failed')), 'starts');
    assert.equal(readiness(rescue, needs('done', 'failed')), 'skips');
  });

  it('starts at its quorum, whatever becomes of the rest; below it the usual rule holds', () => {
    const two = { ...plain, join: { quorum: 2, withinMs: null } };
    assert.equal(readiness(two, needs('done', 'running', 'running')), 'waits');
    assert.equal(readiness(two, needs('done', 'failed', 'done', 'running')), 'starts');
    assert.equal(readiness(two, needs('done', 'failed', 'failed')), 'skips');
    assert.equal(readiness({ ...two, toleratesFailure: true }, needs('done', 'failed', 'failed')), 'starts');
  });

  it('starts with what there is when its time is over, if that is anything', () => {
    assert.equal(readiness(plain, needs('done', 'running'), true), 'starts');
    assert.equal(readiness(plain, needs('failed', 'running'), true), 'waits');
  });
});

describe('Steps that go on for nobody', () => {
  const rows = (...planned: readonly (PlanStep & { readonly state: StepState })[]): readonly Step[] =>
    planned.map((one) => ({ ...one, id: one.key, run: 'r-1', agent: one.key, attempt: 1 }) as unknown as Step);
  const at = (key: string, state: StepState, of: readonly string[] = []) => ({ ...step(key, { needs: of }), state });
  const keys = (steps: readonly Step[]): readonly string[] => unneeded(steps, { key: 'join' }).map(({ key }) => key);

  it('are those that lead to the join alone, dependents first', () => {
    const steps = rows(
      at('done', 'done'),
      at('first', 'running'),
      at('second', 'pending', ['first']),
      at('join', 'running', ['done', 'second']),
    );
    assert.deepEqual(keys(steps), ['second', 'first']);
  });

  it('are not those that somebody else waits for', () => {
    const steps = rows(
      at('shared', 'running'),
      at('own', 'running'),
      at('other', 'pending', ['shared']),
      at('join', 'running', ['shared', 'own']),
    );
    assert.deepEqual(keys(steps), ['own']);
  });

  it('are not those that have settled or are being merged', () => {
    const steps = rows(at('a', 'done'), at('b', 'merging'), at('c', 'failed'), at('join', 'running', ['a', 'b', 'c']));
    assert.deepEqual(keys(steps), []);
  });
});
