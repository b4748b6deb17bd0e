import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { forkJoin } from '../../../mcp-server/planning/fork-join.ts';
import { keptBack, shareBudget } from '../../../mcp-server/planning/share-budget.ts';

const plan = (workers: number) =>
  forkJoin(
    Array.from({ length: workers }, (_, n) => ({ key: `s${n}`, title: 't', task: `t${n}`, role: 'worker', needs: [] })),
    { fanIn: 5, maxDepth: 3, maxAgents: 1000, maxAgentsPerLevel: 1000 },
  );

describe('Sharing a budget', () => {
  it('gives every token exactly once, and keeps a twentieth back', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 10_000_000 }), (workers, tokens) => {
        const { steps } = plan(workers);
        const shares = shareBudget({ steps }, tokens);
        const subtree = (key: string): number => shares.get(key)?.subtree ?? Number.NaN;
        const roots = steps.filter((step) => step.parent === null);
        assert.equal(roots.reduce((sum, step) => sum + subtree(step.key), 0) + keptBack(tokens), tokens);
        for (const step of steps) {
          const children = steps.filter((child) => child.parent === step.key);
          const below = children.reduce((sum, child) => sum + subtree(child.key), 0);
          assert.equal((shares.get(step.key)?.own ?? 0) + below, subtree(step.key));
          assert.ok(Number.isInteger(subtree(step.key)) && subtree(step.key) >= 0);
        }
      }),
      { numRuns: 60 },
    );
    assert.equal(keptBack(100_000), 5000);
  });

  it('follows the weights', () => {
    const [first, second] = plan(2).steps;
    assert.ok(first && second);
    const shares = shareBudget({ steps: [{ ...first, weight: 3 }, second] }, 1000);
    assert.deepEqual([shares.get('s0')?.own, shares.get('s1')?.own], [713, 237]);
  });

  it('refuses a hierarchy with a circle', () => {
    const [first, second] = plan(2).steps;
    assert.ok(first && second);
    assert.throws(
      () =>
        shareBudget(
          {
            steps: [
              { ...first, parent: 's1' },
              { ...second, parent: 's0' },
            ],
          },
          10,
        ),
      /cycle/,
    );
  });
});
