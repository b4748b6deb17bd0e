import assert from 'node:assert/strict';
import type { PlanStep, ProposedStep } from '../../../mcp-server/domain/plan.ts';
import { asPlanned, below, proposedPlan } from '../../../mcp-server/planning/sub-plan.ts';
import { step } from '../../support/plans.ts';

const part = (task: string, more: Partial<ProposedStep> = {}): ProposedStep => ({
  key: null,
  title: null,
  task,
  role: null,
  needs: [],
  ...more,
});
const bounds = { task: 'The whole', levels: 2, fanIn: 5 };
const keysAndNeeds = (steps: readonly PlanStep[]): readonly string[] =>
  steps.map(({ key, needs }) => `${key}: ${needs.join(' ')}`.trim());

describe('A proposed split', () => {
  it('takes the names that the agent has given, and finds its needs by them', () => {
    const proposed = [
      part('Read the parser', { key: 'Read It' }),
      part('Mend the printer', { key: 'mend', needs: ['Read It'] }),
      part('Look at the lexer', { needs: ['read-it', 'mend'] }),
    ];
    const split = proposedPlan(proposed, null, bounds);
    assert.ok(split.ok);
    assert.deepEqual(keysAndNeeds(split.plan.steps), ['read-it:', 'mend: read-it', 'step-3: read-it mend']);
  });

  it('has joiners only where a level is left for them', () => {
    const names = ['parser', 'printer', 'lexer', 'reader', 'writer', 'linker'];
    const stepsWith = (levels: number): readonly PlanStep[] => {
      const split = proposedPlan(
        names.map((name) => part(`Mend the ${name}`)),
        'fork-join',
        { ...bounds, levels },
      );
      assert.ok(split.ok);
      return split.plan.steps;
    };
    assert.equal(stepsWith(1).length, 6);
    assert.ok(stepsWith(2).length > 6);
    assert.ok(stepsWith(2).some(({ parent }) => parent !== null));
  });
});

describe('Steps of a plan as a part of a bigger one', () => {
  const inner = [
    step('a', { saga: 'all', undo: { kind: 'revert' } }),
    step('b', { needs: ['a'], parent: 'top', onFailure: { a: 'continue' }, when: { step: 'a', is: 'failed' } }),
    step('top', { tier: 'executive', role: 'executive', needs: ['b'] }),
  ];

  it('get keys that nobody has, everywhere where a key stands', () => {
    const steps = below(inner, 'lead', 'lead', new Set(['lead', 'lead.a']));
    assert.deepEqual(keysAndNeeds(steps), ['lead.a-2:', 'lead.b: lead.a-2', 'lead.top: lead.b']);
    assert.deepEqual(
      steps.map(({ parent }) => parent),
      ['lead', 'lead.top', 'lead'],
    );
    assert.deepEqual(steps[1]?.onFailure, { 'lead.a-2': 'continue' });
    assert.deepEqual(steps[1]?.when, { step: 'lead.a-2', is: 'failed' });
  });

  it('have no executive and no saga among them', () => {
    const [a, , top] = below(inner, 'lead', null, new Set());
    assert.equal(a?.saga, undefined);
    assert.equal(a?.undo, undefined);
    assert.deepEqual([top?.tier, top?.role], ['synthesizer', 'synthesizer']);
  });

  it('are left out of the plan as it was planned', () => {
    const subPlan = { by: 'split', id: 's-1' as never, caller: 'a-1' as never } as const;
    const plan = asPlanned({ steps: [step('lead'), step('lead.a', { subPlan })] });
    assert.deepEqual(keysAndNeeds(plan.steps), ['lead:']);
  });
});
