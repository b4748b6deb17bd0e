import assert from 'node:assert/strict';
import { type WorkflowEntry, workflowPrompts } from '../../../mcp-server/faces/mcp/workflow-prompts.ts';

describe('prompts of workflows', () => {
  const tdd: WorkflowEntry = {
    name: 'tdd',
    description: 'Test first.',
    parameters: { task: { description: 'What to build.', required: true }, level: { choices: ['unit', 'all'] } },
    faults: [{ severity: 'warning' }],
  };
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('have the parameters as arguments, and tell of a change when it is seen', async () => {
    let now = 0;
    let workflows: readonly WorkflowEntry[] = [tdd, { ...tdd, name: 'broken', faults: [{ severity: 'error' }] }];
    const source = workflowPrompts({ list: async () => workflows, now: () => now });
    let told = 0;
    source.onChange?.(() => told++);
    await settle();
    const [entry, ...rest] = source.list();
    assert.deepEqual([entry?.name, rest.length, told], ['tdd', 0, 1]);
    assert.deepEqual(
      entry?.arguments.map((one) => [one.name, one.required, one.description]),
      [
        ['task', true, 'What to build.'],
        ['level', false, 'level One of: unit, all.'],
      ],
    );
    assert.deepEqual(await entry?.arguments[1]?.complete?.('u'), ['unit']);
    assert.match(await source.get('tdd', { task: 'x', level: '' }), /workflow_run[^]*\{\n {2}"task": "x"\n\}/);
    await assert.rejects(source.get('broken', {}));
    workflows = [];
    source.list();
    await settle();
    assert.equal(source.list().length, 1, 'it is not read at every turn');
    now = 3000;
    source.list();
    await settle();
    assert.deepEqual([source.list().length, told], [0, 2]);
  });

  it('are none while the list cannot be read', async () => {
    const source = workflowPrompts({ list: () => Promise.reject(new Error('stopped')), now: () => 0 });
    await settle();
    assert.deepEqual(source.list(), []);
  });
});
