import assert from 'node:assert/strict';
import { type Bench, openBench } from '../support/engine.ts';
import { call, finish, type ParsedRequest, type ScriptedAnswer } from '../support/scripted-server.ts';
import { toolResults } from '../support/team.ts';

const FILES = {
  'package.json':
    '{"name":"shop","version":"1.0.0","scripts":{"test":"node --test"},"dependencies":{"left-pad":"^1.0.0"}}\n',
  'src/cart.js': 'export const total = (items) => items.reduce((sum, item) => sum + item.price, 0);\n',
  'test/cart.test.js': 'import "node:test";\n',
  'README.md': '# Shop\n',
};

/** What each script is given. */
const INPUTS: Readonly<Record<string, unknown>> = {
  'repository-map': {},
  'dependency-audit': {},
  'data-analysis': { text: 'city,people\nUlm,126\nBonn,330\n' },
  changelog: { commits: [{ hash: 'a1b2c3d', subject: 'feat: sell tea' }] },
  'release-notes': { commits: [{ hash: 'a1b2c3d', subject: 'fix: count the tea' }], version: '1.1.0' },
};

describe('Every skill that comes with Coppice', () => {
  let bench: Bench;
  /** The first message of the task of each agent that was asked, by skill. */
  const heard: string[] = [];

  /** Does as instructed: looks, reads a file, and reports what it saw. */
  const agent = (request: ParsedRequest): ScriptedAnswer => {
    const results = toolResults(request);
    if (results.length === 0) heard.push(JSON.stringify(request.messages));
    if (results.length === 0) return call('list_files', { path: '' });
    if (results.length === 1) return call('read_file', { path: 'src/cart.js' });
    return finish(`I saw: ${results.join(' ').slice(0, 200)}`);
  };

  before(async () => {
    bench = await openBench({ files: FILES, skills: true, script: agent });
  });
  after(() => bench.close());

  it('runs and gives a structured result', async () => {
    const { skills } = await bench.engine.listSkills();
    const bundled = skills.filter(({ source }) => source === 'bundled');
    assert.equal(bundled.length, 12);
    for (const { name, kind } of bundled) {
      const input = kind === 'script' ? INPUTS[name] : 'Look at src/cart.js.';
      const done = await bench.engine.runSkill({ name, input, waitMs: 20_000 }, new AbortController().signal);
      assert.equal(done.ok, true, `${name}: ${JSON.stringify(done)}`);
      assert.equal(done.kind, kind);
      if (kind === 'script') assert.equal(typeof done.result, 'object', name);
      else assert.match(done.report ?? '', /I saw: .*total/s, name);
    }
  });

  it('tells its agent what to do, when it is one of instructions', () => {
    assert.equal(heard.length, 7);
    for (const text of heard) assert.match(text, /Before you finish/i);
  });
});
