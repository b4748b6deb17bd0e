import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ownProcessors } from '../../mcp-server/engine/own-processors.ts';
import { type Bench, openBench } from '../support/engine.ts';
import { keyOf, runPlan, step, stepStates, writeOwn } from '../support/plans.ts';
import { finish, type ParsedRequest, type ScriptedAnswer } from '../support/scripted-server.ts';
import { agentNamed } from '../support/team.ts';

const voice = (request: ParsedRequest): ScriptedAnswer => {
  const key = keyOf(request);
  if (key === 'bad') return finish('I cannot say.', 'blocked');
  return finish(`I looked.\nAnswer: ${key === 'c' ? 'blue' : 'red'}`);
};
const compute = (processor: string, options: Record<string, unknown> = {}) =>
  ({ work: { kind: 'compute', processor, options }, role: 'processor', toleratesFailure: true }) as const;

describe('A step that is a processor', () => {
  let bench: Bench;
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'coppice-processors-'));
    mkdirSync(folder, { recursive: true });
    writeFileSync(
      join(folder, 'count.mjs'),
      'export default (inputs, options) => ({ ok: true, report: `${options.word} ${inputs.filter((i) => i.ok).length}/${inputs.length}` });',
    );
    writeFileSync(join(folder, 'endless.mjs'), 'export default () => { for (;;); };');
    writeFileSync(join(folder, 'leaves.mjs'), 'export default () => process.exit(0);');
    writeFileSync(join(folder, 'throws.mjs'), "export const process = async () => { throw new Error('no'); };");
    writeFileSync(join(folder, 'peeks.mjs'), 'export default () => `${Object.keys(process.env).length} variables`;');
  });
  after(() => rmSync(folder, { recursive: true }));
  afterEach(async () => {
    for (const run of await bench.engine.listRuns(10)) assert.deepEqual(await bench.invariants(run.run), []);
    await bench.close();
  });

  it('works on the reports of its needs, and spends no token', async () => {
    bench = await openBench({ script: voice });
    const view = await runPlan(bench, [
      step('a'),
      step('b'),
      step('c'),
      step('gather', { ...compute('vote'), needs: ['a', 'b', 'c'] }),
    ]);
    assert.equal(view.state, 'answered', JSON.stringify(view, null, 1));
    assert.match(view.report ?? '', /red/);
    const agent = await agentNamed(bench, view.run, 'gather');
    assert.deepEqual([agent.state, agent.turns, agent.tokens.used], ['completed', 0, 0]);
  });

  it('hands the work of its needs on to the step after it', async () => {
    bench = await openBench({ script: writeOwn });
    const view = await runPlan(bench, [
      step('a', { parent: 'end' }),
      step('joined', { ...compute('concat'), needs: ['a'] }),
      step('other', { needs: ['joined'], parent: 'end' }),
      step('end', { needs: ['other'] }),
    ]);
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    const files = bench.repo.git('ls-tree', '-r', '--name-only', view.branch, 'out/').split('\n');
    assert.deepEqual(files, ['out/a.txt', 'out/end.txt', 'out/other.txt']);
  });

  it('may be the person’s own', async () => {
    bench = await openBench({ script: voice, processors: ownProcessors(folder) });
    const view = await runPlan(bench, [
      step('a'),
      step('bad'),
      step('counted', { ...compute('count', { word: 'heard' }), needs: ['a', 'bad'] }),
      step('peeked', { ...compute('peeks'), needs: ['a'] }),
    ]);
    assert.equal((await agentNamed(bench, view.run, 'counted')).report, 'heard 1/2');
    assert.equal((await agentNamed(bench, view.run, 'peeked')).report, '0 variables');
  });

  const failing = async (names: readonly string[]) => {
    const view = await runPlan(bench, [
      step('a'),
      ...names.map((name) => step(name, { ...compute(name), needs: ['a'], retries: 3 })),
    ]);
    assert.equal(view.state, 'partial', JSON.stringify(view, null, 1));
    const { a, ...others } = await stepStates(bench, view.run);
    assert.equal(a, 'done');
    assert.deepEqual(others, Object.fromEntries(names.map((name) => [name, 'failed'])));
    return view.error ?? '';
  };

  it('fails with the reason, whatever the person’s own does', async () => {
    bench = await openBench({ script: voice, processors: ownProcessors(folder) });
    const error = await failing(['leaves', 'throws', 'unknown']);
    assert.match(error, /leaves: .*It ended without a result/);
    assert.match(error, /throws: .*: no/);
    assert.match(error, /unknown: There is no processor "unknown"/);
  });

  it('fails in a bounded time, when the person’s own does not end', async () => {
    bench = await openBench({ script: voice, processors: ownProcessors(folder, { ms: 300 }) });
    assert.match(await failing(['endless']), /endless: .*It took longer than 300 ms/);
  });
});
