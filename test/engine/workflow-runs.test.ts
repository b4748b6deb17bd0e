import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Bench, openBench } from '../support/engine.ts';
import { call, finish, type ParsedRequest, type ScriptedAnswer, startRehearsal } from '../support/scripted-server.ts';

const GIVEN: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'backend-dev': { feature: 'a login' },
  tdd: { behaviour: 'it adds numbers' },
  research: { question: 'why is it slow' },
  review: { target: 'src/' },
  refactor: { target: 'src/', aim: 'smaller files' },
  docs: { parts: 'src, test' },
};

/** Writes one file of its own name, then reports; whoever tidies up says that the loop is done. */
const worker = (request: ParsedRequest): ScriptedAnswer => {
  const name = /You are "([^"]+)"/.exec(request.firstUser)?.[1] ?? 'agent';
  if (!request.lastTool)
    return call('write_file', { path: `out/${name.replace(/\W+/g, '-')}.txt`, content: `${name}\n` });
  return finish(name.includes('tidy') ? 'All is tidy: nothing is left.' : `${name} is done.`);
};

describe('A workflow', () => {
  let bench: Bench;
  afterEach(async () => {
    for (const run of await bench.engine.listRuns(20)) assert.deepEqual(await bench.invariants(run.run), []);
    await bench.close();
  });

  for (const [name, parameters] of Object.entries(GIVEN))
    it(`${name}, which comes with Coppice, runs on a real repository`, async () => {
      bench = await openBench({ script: worker });
      const { run } = await bench.engine.runWorkflow({ name, parameters, options: {} });
      const view = await bench.waitEnd(run, 30_000);
      assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
      const plan = await bench.engine.showPlan(run);
      assert.equal(plan.by, `the workflow ${name}`);
      const states = new Set(plan.steps.map((step) => step.state));
      assert.deepEqual(
        [...states].filter((state) => state !== 'done' && state !== 'omitted'),
        [],
      );
      if (name === 'tdd') assert.equal(plan.steps.filter((step) => step.state === 'omitted').length, 9);
      assert.match(view.report ?? '', /is done/);
    });

  it('of the repository wins over the bundled one of its name, and its faults are told with their lines', async () => {
    bench = await openBench({ script: worker });
    const folder = join(bench.repo.root, '.coppice', 'workflows');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'review.yaml'), 'name: review\ndescription: my own\nnodes:\n  look: {prompt: look}\n');
    writeFileSync(join(folder, 'bad.yaml'), 'name: bad\ndescription: d\nnodes:\n  a: {promt: x}\n');
    const listed = await bench.engine.listWorkflows();
    assert.equal(listed.find(({ name }) => name === 'review')?.source, 'repository');
    assert.match(listed.find(({ name }) => name === 'bad')?.faults[0]?.message ?? '', /no "promt"/);
    await assert.rejects(bench.engine.runWorkflow({ name: 'bad', parameters: {}, options: {} }), /4:7: .*promt/);
    await assert.rejects(bench.engine.runWorkflow({ name: 'none', parameters: {}, options: {} }), /Workflows: .*tdd/);
    await assert.rejects(
      bench.engine.runWorkflow({ name: 'tdd', parameters: {}, options: {} }),
      /"behaviour" must be given/,
    );
    const { run } = await bench.engine.runWorkflow({ name: 'review', parameters: {}, options: {} });
    assert.equal((await bench.waitEnd(run)).agents.total, 1);
  });

  it('sends nothing to a server that the settings do not know', async () => {
    let asked = 0;
    const elsewhere = await startRehearsal({
      answer: (request) => {
        asked += 1;
        return worker(request);
      },
    });
    try {
      bench = await openBench({ script: worker });
      const folder = join(bench.repo.root, '.coppice', 'workflows');
      mkdirSync(folder, { recursive: true });
      const nodes = `  near: {prompt: look}\n  far: {prompt: look, needs: [near], server: "${elsewhere.url}"}\n`;
      writeFileSync(join(folder, 'away.yaml'), `name: away\ndescription: d\nnodes:\n${nodes}`);
      writeFileSync(join(folder, 'around.yaml'), 'name: around\ndescription: d\nnodes:\n  in: {workflow: away}\n');
      for (const name of ['away', 'around'])
        await assert.rejects(bench.engine.runWorkflow({ name, parameters: {}, options: {} }), {
          code: 'permission-denied',
          message: /names the server .*planning\.servers/,
        });
      assert.deepEqual([await bench.engine.listRuns(5), asked], [[], 0]);
      const options = { planning: { servers: [{ server: elsewhere.url, model: null, capabilities: [] }] } };
      const { run } = await bench.engine.runWorkflow({ name: 'away', parameters: {}, options });
      assert.equal((await bench.waitEnd(run)).state, 'completed');
      assert.ok(asked > 0);
    } finally {
      await elsewhere.close();
    }
  });

  it('that asks for a processor which is not there is refused before anything is paid for', async () => {
    bench = await openBench({
      script: worker,
      processors: async (name) => (name === 'mine' ? () => ({ ok: true, report: 'Mine.' }) : undefined),
    });
    const folder = join(bench.repo.root, '.coppice', 'workflows');
    mkdirSync(folder, { recursive: true });
    const write = (name: string, processor: string): void =>
      writeFileSync(
        join(folder, `${name}.yaml`),
        `name: ${name}\ndescription: d\nnodes:\n  look: {prompt: look}\n  end: {processor: ${processor}, needs: [look]}\n`,
      );
    write('with-mine', 'mine');
    write('with-theirs', 'theirs');
    await assert.rejects(bench.engine.runWorkflow({ name: 'with-theirs', parameters: {}, options: {} }), {
      code: 'bad-input',
      message: /there is no processor "theirs"\. There are: concat, /,
    });
    const { run } = await bench.engine.runWorkflow({
      name: 'with-mine',
      parameters: {},
      options: { planning: { gate: 'ask' } },
    });
    const { yaml } = await bench.engine.showPlan(run);
    await assert.rejects(
      bench.engine.changePlan({ run, yaml: yaml.replace('processor: mine', 'processor: theirs') }),
      /\d+:\d+: end: there is no processor "theirs"/,
    );
    await bench.engine.changePlan({ run, yaml: yaml.replace('title: look', 'title: have a look') });
    await bench.engine.approvePlan(run);
    assert.match((await bench.waitEnd(run)).report ?? '', /^Mine\./);
  });

  it('can be made from a run that went well, and run again', async () => {
    bench = await openBench({ script: worker });
    const first = await bench.engine.runWorkflow({ name: 'review', parameters: { target: 'src/' }, options: {} });
    await bench.waitEnd(first.run);
    const { path } = await bench.engine.saveWorkflow({ run: first.run, name: 'my-review' });
    assert.match(readFileSync(path, 'utf8'), /^name: my-review$/m);
    await assert.rejects(bench.engine.saveWorkflow({ run: first.run, name: 'my-review' }), /already/);
    const again = await bench.engine.runWorkflow({ name: 'my-review', parameters: {}, options: {} });
    const view = await bench.waitEnd(again.run);
    assert.equal(view.state, 'completed');
    assert.equal(view.agents.total, 5);
  });
});
