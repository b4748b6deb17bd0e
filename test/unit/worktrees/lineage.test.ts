import assert from 'node:assert/strict';
import { array, assert as holds, nat, property } from 'fast-check';
import type { Commit } from '../../../mcp-server/domain/ids.ts';
import { Lineage } from '../../../mcp-server/worktrees/lineage.ts';

const named = (name: number | string): Commit => String(name) as Commit;

describe('the lineage of commits that were made here', () => {
  it('says of any two whether one leads to the other, or that it does not know, and is never wrong', () => {
    // Each commit has some of the earlier ones as parents; those of even number were made by somebody else.
    const history = array(array(nat(), { maxLength: 3 }), { minLength: 1, maxLength: 20 });
    holds(
      property(history, (drawn) => {
        const lineage = new Lineage();
        const reach: Set<number>[] = [];
        for (const [n, some] of drawn.entries()) {
          const parents = n === 0 ? [] : some.map((one) => one % n);
          if (n % 2 === 1) lineage.add(named(n), parents.map(named));
          reach.push(new Set([n, ...parents.flatMap((parent) => [...(reach[parent] ?? [])])]));
        }
        for (const [n, below] of reach.entries())
          for (const other of reach.keys()) {
            const said = lineage.leads(named(other), named(n));
            if (said !== null) assert.equal(said, below.has(other), `${other} to ${n}`);
          }
      }),
      { numRuns: 500 },
    );
  });

  it('knows that what was there before did not come of it', () => {
    const lineage = new Lineage();
    lineage.add(named('first'), [named('base')]);
    lineage.add(named('second'), [named('base')]);
    lineage.add(named('both'), [named('first'), named('second')]);
    assert.equal(lineage.leads(named('first'), named('base')), false);
    assert.equal(lineage.leads(named('first'), named('second')), false);
    assert.equal(lineage.leads(named('first'), named('both')), true);
    assert.equal(lineage.leads(named('base'), named('both')), true);
    assert.equal(lineage.leads(named('first'), named('of somebody else')), null);
    assert.equal(lineage.leads(named('of somebody else'), named('both')), null);
  });

  it('takes a commit that is made once more for the one that it is', () => {
    const lineage = new Lineage();
    lineage.add(named('work'), [named('base')]);
    lineage.add(named('next'), [named('on top of work, by somebody')]);
    lineage.add(named('work'), [named('base')]);
    assert.equal(lineage.leads(named('work'), named('next')), null);
  });

  it('forgets the oldest beyond ten thousand, and then knows nothing instead of something wrong', () => {
    const lineage = new Lineage();
    for (let n = 1; n <= 10_100; n += 1) lineage.add(named(n), [named(n - 1)]);
    assert.equal(lineage.leads(named(9000), named(10_100)), true);
    assert.equal(lineage.leads(named(10), named(10_100)), null);
  });
});
