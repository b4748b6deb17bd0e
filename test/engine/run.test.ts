import assert from 'node:assert/strict';
import { type Bench, openBench } from '../support/engine.ts';
import { call, finish, say } from '../support/scripted-server.ts';
import { agentsOf, BIG_TASK, isPlanner, writePart } from '../support/team.ts';

describe('a run', () => {
  let bench: Bench;
  afterEach(async () => {
    const runs = await bench.engine.listRuns(10);
    for (const run of runs) assert.deepEqual(await bench.invariants(run.run), []);
    await bench.close();
  });

  it('maps a repository with the built-in rules and ends completed, on a branch of its own', async () => {
    bench = await openBench();
    const head = bench.repo.git('rev-parse', 'HEAD');
    const view = await bench.run('Map this repository: write docs/map');
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    assert.equal(bench.repo.git('rev-parse', view.branch), view.commit);
    const files = bench.repo.git('diff', '--name-only', 'main', view.branch).split('\n');
    assert.ok(files.includes('docs/map/src.md'), files.join());
    assert.equal(bench.repo.git('rev-parse', 'HEAD'), head);
    assert.equal(bench.repo.git('status', '--porcelain'), '');
  });

  it('does an atomic task with one agent that edits a file', async () => {
    bench = await openBench({
      script: (request, n) =>
        n === 1
          ? call('edit_file', { path: 'src/add.ts', old_text: 'a + b', new_text: 'b + a' })
          : finish(`Swapped them (${request.messages.length} messages).`),
    });
    const view = await bench.run('Swap the operands in src/add.ts', { maxAgents: 1 });
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    assert.match(bench.repo.git('show', `${view.branch}:src/add.ts`), /b \+ a/);
    assert.equal(view.agents.total, 1);
  });

  it('takes plain text as a report and calls that answered', async () => {
    bench = await openBench({ script: () => say('It adds numbers.') });
    const view = await bench.run('What does src/add.ts do?', { maxAgents: 1 });
    assert.equal(view.state, 'answered');
    assert.equal(view.report, 'It adds numbers.');
  });

  it('brings work home from steps that a model has named with characters which no commit can hold', async () => {
    const named = [0, 1, 2].map((n) => ({
      title: `part\0 \u001b[2J${n}`,
      task: `Write the file out/${n}.txt about part number ${n}.\0`,
      role: 'work\0er',
      needs: [],
    }));
    bench = await openBench({
      script: (request) => (isPlanner(request) ? say(JSON.stringify({ steps: named })) : writePart(request)),
    });
    const view = await bench.run(BIG_TASK);
    assert.equal(view.state, 'completed', JSON.stringify(view));
    const names = (await agentsOf(bench, view.run)).map(({ name }) => name);
    assert.deepEqual(names.slice(1), ['part [2J0', 'part [2J1', 'part [2J2']);
  });

  it('says that nothing came of it when the model does nothing useful', async () => {
    bench = await openBench({ script: () => finish('I cannot do that.', 'nothing') });
    const view = await bench.run('Do the impossible', { maxAgents: 1 });
    assert.equal(view.state, 'nothing');
  });
});
