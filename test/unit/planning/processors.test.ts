import assert from 'node:assert/strict';
import type { Processor, ProcessorInput } from '../../../mcp-server/planning/processors/processor.ts';
import { BUILT_IN_PROCESSORS, runProcessor } from '../../../mcp-server/planning/processors.ts';

const inputs = (...reports: readonly (string | null)[]): readonly ProcessorInput[] =>
  reports.map((report, n) => ({ key: `s${n}`, title: `step ${n}`, report: report ?? 'broke', ok: report !== null }));

const run = (name: string, reports: readonly (string | null)[], options: Record<string, unknown> = {}) =>
  runProcessor(name, inputs(...reports), options);

const good = async (name: string, reports: readonly (string | null)[], options = {}): Promise<string> => {
  const { ok, report } = await run(name, reports, options);
  assert.ok(ok, report);
  return report;
};

const bad = async (name: string, reports: readonly (string | null)[], options = {}): Promise<string> => {
  const { ok, report } = await run(name, reports, options);
  assert.ok(!ok, report);
  return report;
};

describe('Processors', () => {
  it('lay reports together under their titles, and say what is missing', async () => {
    assert.equal(
      await good('concat', ['one ', null, 'two']),
      '## step 0\n\none\n\n## step 2\n\ntwo\n\nMissing, because they failed: step 1.',
    );
    assert.equal(await good('concat', ['one', 'two'], { headings: false }), 'one\n\ntwo');
    assert.match(await bad('concat', [null]), /no result/);
  });

  it('give the first result, or count', async () => {
    assert.equal(await good('first', [null, 'b', 'c']), 'b');
    assert.match(await bad('first', [null, null]), /None/);
    assert.equal(await good('count', ['a', null, 'b']), '2 of 3 are done.');
    assert.equal(
      await good('count', ['Passed', 'not yet', 'has passed'], { says: 'passed' }),
      '2 of 3 say "passed": step 0, step 2.',
    );
    assert.match(await bad('count', ['a'], { says: 7 }), /must be a text/);
  });

  it('vote: answers that mean the same count as one', async () => {
    const report = await good('vote', [
      'Answer: SQLite.',
      'Long thoughts.\n\n**Answer:** "sqlite"',
      'Postgres',
      null,
      'I think\nthis and that',
    ]);
    assert.match(
      report,
      /^Answer: SQLite\.\n\nMore than half of the votes\.\n- SQLite\.: 2 \(step 0, step 1\)\n- Postgres: 1 \(step 2\)/,
    );
    assert.match(report, /No answer could be read from: step 4\.\n\nFailed, and so left out: step 3\.$/);
  });

  it('vote: take the last answer of a report', async () =>
    assert.match(await good('vote', ['Answer: a\nBut no.\nFinal answer: b']), /^Answer: b\n/));

  it('vote: say when it is a tie, or no majority', async () => {
    assert.match(await good('vote', ['b', 'a']), /^Answer: b\n\nIt is a tie; .* given first counts/);
    assert.match(await bad('vote', ['b', 'a'], { tie: 'fail' }), /^A tie: b \| a\./);
    assert.match(await good('vote', ['a', 'a', 'b', 'c']), /Most votes, but not more than half/);
    assert.match(await bad('vote', ['a'], { tie: 'dice' }), /must be one of: first, fail/);
  });

  it('vote: count only the choices that there are, with their weights', async () => {
    const reports = ['I am for yes.', 'No, no.', 'Answer: no', 'yes or no'];
    assert.match(await good('vote', reports, { choices: ['yes', 'no'] }), /^Answer: no\n[\s\S]*read from: step 3\./);
    assert.match(await good('vote', reports, { choices: ['yes', 'no'], weights: { s0: 5 } }), /^Answer: yes\n/);
    assert.match(await bad('vote', ['nothing said'], { choices: ['yes', 'no'] }), /There is no vote/);
    assert.match(await bad('vote', ['a'], { choices: 'yes' }), /must be a list/);
    assert.match(await bad('vote', ['a'], { weights: { s0: -1 } }), /weight of s0/);
  });

  it('average: by weights that are given or reported, and say what they could not read', async () => {
    assert.match(
      await good('weighted-average', ['About 4 of it', 'Answer: 8', 'none', null]),
      /^Answer: 6\n\nOf 2 numbers\.\n- step 0: 4 × 1\n- step 1: 8 × 1\n\nNo number could be read from: step 2\.\n\nFailed, and so left out: step 3\.$/,
    );
    assert.match(await good('weighted-average', ['1', '5'], { weights: [3, 1] }), /^Answer: 2\n/);
    assert.match(await good('weighted-average', ['{"value": 10, "weight": 3}', 'x {"value": 2} y']), /^Answer: 8\n/);
    assert.match(await good('weighted-average', ['0.1', '0.2']), /^Answer: 0\.15\n/);
    assert.match(await bad('weighted-average', ['1'], { weights: [0] }), /no number with a weight above zero/);
    assert.match(await bad('weighted-average', ['1'], { weights: 'much' }), /weights/);
  });

  it('merge JSON: deeply, each thing of a list once, and say where they differ', async () => {
    const report = await good('json-merge', [
      'Here: {"a": {"x": 1, "l": [1]}, "b": 1}',
      '```json\n{"a": {"y": 2, "l": [1, 2]}, "b": 2}\n```',
      'nothing',
    ]);
    const json = /```json\n([\s\S]*?)\n```/.exec(report)?.[1] ?? '';
    assert.deepEqual(JSON.parse(json), { a: { x: 1, l: [1, 2], y: 2 }, b: 2 });
    assert.match(report, /They differ in b; the later one holds\.\n\nNo JSON could be read from: step 2\./);
    assert.match(await bad('json-merge', ['nothing']), /no JSON/);
    assert.match(await good('json-merge', ['[1]', '[1, 2]']), /\[\n {2}1,\n {2}2\n\]/);
  });

  it('merge JSON: do not let a report reach into the program', async () => {
    await good('json-merge', ['{"a": 1}', '{"__proto__": {"owned": true}}']);
    assert.equal(({} as { owned?: boolean }).owned, undefined);
  });

  it('never throw, whatever the reports are', async () => {
    for (const name of BUILT_IN_PROCESSORS)
      for (const reports of [[], [''], [null], ['{', '['], ['\u0000'.repeat(10), 'null'], ['9'.repeat(400)]])
        assert.equal(typeof (await run(name, reports)).ok, 'boolean', name);
  });

  it('may be the own ones of a person, whose faults are results', async () => {
    const own = new Map<string, Processor>([
      ['twice', async ([input]) => ({ ok: true, report: `${input?.report}${input?.report}` })],
      ['breaks', () => assert.fail('no luck')],
      ['odd', (() => 'text') as unknown as Processor],
      ['vote', () => ({ ok: true, report: 'mine' })],
    ]);
    const use = (name: string) => runProcessor(name, inputs('a'), {}, own);
    assert.deepEqual(await use('twice'), { ok: true, report: 'aa' });
    assert.deepEqual(await use('breaks'), { ok: false, report: 'The processor "breaks" failed: no luck' });
    assert.deepEqual(await use('odd'), { ok: false, report: 'The processor "odd" gave no { ok, report }.' });
    assert.deepEqual(await use('vote'), { ok: true, report: 'mine' });
    assert.match((await use('none')).report, /no processor "none"\. There are: concat, .*, twice/);
  });
});
