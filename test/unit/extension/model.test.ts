import assert from 'node:assert/strict';
import { Model, ROOT } from '../../../extension/model.ts';
import { accountRow, agentRow, jobRow, runRow } from './rows.ts';

describe('the model of the editor', () => {
  let model: Model;

  beforeEach(() => {
    model = new Model();
    model.applyRuns([runRow('r-1', { createdAt: 1 })]);
  });

  it('lists runs newest first and names the root when one is new', () => {
    model.takeChange();
    model.applyRuns([runRow('r-2', { createdAt: 2 })]);
    assert.deepEqual(
      model.runs().map((run) => run.run),
      ['r-2', 'r-1'],
    );
    assert.deepEqual([...(model.takeChange()?.grown ?? [])], [ROOT]);
  });

  it('builds the hierarchy and names each node whose children changed', () => {
    model.takeChange();
    model.applyAgents([agentRow('a-1', { run: 'r-1' }), agentRow('a-2', { run: 'r-1', parent: 'a-1' })]);
    assert.deepEqual(model.childrenOf('r-1'), ['a-1']);
    assert.deepEqual(model.childrenOf('a-1'), ['a-2']);
    assert.equal(model.parentOf('a-2'), 'a-1');
    assert.equal(model.parentOf('a-1'), 'r-1');
    assert.deepEqual([...(model.takeChange()?.grown ?? [])], ['r-1', 'a-1']);
  });

  it('says nothing about rows that are as they were', () => {
    model.applyAgents([agentRow('a-1', { run: 'r-1' })]);
    model.takeChange();
    model.applyRuns([runRow('r-1', { createdAt: 1 })]);
    model.applyAgents([agentRow('a-1', { run: 'r-1' })]);
    assert.equal(model.takeChange(), undefined);
  });

  it('names exactly the changed agent and those above it', () => {
    model.applyAgents([
      agentRow('a-1', { run: 'r-1' }),
      agentRow('a-2', { run: 'r-1', parent: 'a-1' }),
      agentRow('a-3', { run: 'r-1', parent: 'a-1' }),
    ]);
    model.takeChange();
    model.applyAgents([agentRow('a-2', { run: 'r-1', parent: 'a-1', used: 50 })]);
    const change = model.takeChange();
    assert.deepEqual([...(change?.nodes ?? [])].toSorted(), ['a-1', 'a-2', 'r-1']);
    assert.equal(change?.grown.size, 0);
  });

  it('leaves those above alone when only the action differs', () => {
    model.applyAgents([agentRow('a-1', { run: 'r-1' }), agentRow('a-2', { run: 'r-1', parent: 'a-1' })]);
    model.takeChange();
    model.applyAgents([agentRow('a-2', { run: 'r-1', parent: 'a-1', action: 'read_file a.ts' })]);
    assert.deepEqual([...(model.takeChange()?.nodes ?? [])], ['a-2']);
  });

  it('sums tokens over everything below, in whatever order the rows come', () => {
    const rows = [
      agentRow('a-1', { run: 'r-1', used: 1 }),
      agentRow('a-2', { run: 'r-1', parent: 'a-1', used: 20 }),
      agentRow('a-3', { run: 'r-1', parent: 'a-2', used: 300 }),
    ];
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 2, 0],
      [2, 0, 1],
    ]) {
      const other = new Model();
      other.applyAgents(order.map((index) => rows[index]).filter((row) => row !== undefined));
      assert.deepEqual([other.subtreeUsed('a-1'), other.subtreeUsed('a-2'), other.subtreeUsed('a-3')], [321, 320, 300]);
      assert.deepEqual([other.descendantsOf('r-1'), other.descendantsOf('a-1')], [3, 2]);
    }
  });

  it('follows tokens that are used later', () => {
    model.applyAgents([agentRow('a-1', { run: 'r-1' }), agentRow('a-2', { run: 'r-1', parent: 'a-1', used: 5 })]);
    model.applyAgents([agentRow('a-2', { run: 'r-1', parent: 'a-1', used: 12 })]);
    assert.equal(model.subtreeUsed('a-1'), 12);
  });

  it('keeps the tree of accounts and names those that moved', () => {
    const accounts = [accountRow('r-1', null), accountRow('a-1', 'r-1'), accountRow('a-2', 'a-1')];
    model.applyBudget('r-1', accounts);
    assert.deepEqual(model.accountChildrenOf('r-1'), ['a-1']);
    model.takeChange();
    model.applyBudget('r-1', [
      accountRow('r-1', null),
      accountRow('a-1', 'r-1', { used: 9 }),
      accountRow('a-2', 'a-1'),
    ]);
    const change = model.takeChange();
    assert.deepEqual([...(change?.budgets ?? [])], ['a-1']);
    assert.equal(change?.budgetsGrown.size, 0);
  });

  it('takes ages alone for no change of the queue', () => {
    const queue = { servers: [], jobs: [jobRow('j-1')], counts: { person: 0, review: 0, critical: 0, batch: 1 } };
    model.applyQueue(queue);
    model.takeChange();
    model.applyQueue({ ...queue, jobs: [jobRow('j-1', { ageMs: 5000 })] });
    assert.equal(model.takeChange(), undefined);
    assert.equal(model.queue()?.jobs[0]?.ageMs, 5000);
    model.applyQueue({ ...queue, jobs: [] });
    assert.equal(model.takeChange()?.queue, true);
  });

  it('takes in a thousand agents and a change to one of them without touching the others', () => {
    model.applyAgents(Array.from({ length: 1000 }, (_, i) => agentRow(`a-${i}`, { run: 'r-1' })));
    model.takeChange();
    model.applyAgents([agentRow('a-500', { run: 'r-1', action: 'edit_file x' })]);
    assert.deepEqual([...(model.takeChange()?.nodes ?? [])], ['a-500']);
  });
});
