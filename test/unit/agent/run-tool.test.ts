import assert from 'node:assert/strict';
import type { ToolContext, ToolResult } from '../../../mcp-server/agent/tool.ts';
import { describeCall, offeredTools, runTool, tools, toSpec } from '../../../mcp-server/agent/tools/tools.ts';
import { FencedError } from '../../../mcp-server/domain/errors.ts';
import { agentRow, contextFor, never, runRow } from './fixtures.ts';

const run = (context: ToolContext, name: string, args: object | string): Promise<ToolResult> =>
  runTool(context, { id: 'c', name, arguments: typeof args === 'string' ? args : JSON.stringify(args) }, never());

describe('Tools', () => {
  it('are sorted by name and described by small schemas', () => {
    const names = tools.map((tool) => tool.name);
    assert.deepEqual(names, names.toSorted());
    assert.equal(new Set(names).size, 18);
    for (const tool of tools) {
      const spec = toSpec(tool);
      assert.equal(spec, toSpec(tool));
      assert.equal(spec.parameters['type'], 'object');
      assert.doesNotMatch(JSON.stringify(spec), /\$schema|9007199254740991|"pattern":"\^|multipleOf/);
      assert.ok(spec.description.length < 200, spec.name);
    }
  });

  it('offer no commands unless the settings allow some, and no delegation on the last level or to a planner', () => {
    const names = (agent: Parameters<typeof agentRow>[0], options = {}): readonly string[] =>
      offeredTools({ agent: agentRow(agent), run: runRow(options) }).map((tool) => tool.name);
    assert.ok(!names({}).includes('run_command'));
    assert.ok(names({}, { permissions: { commands: 'any' } }).includes('run_command'));
    assert.ok(names({ depth: 2 }, { maxDepth: 3 }).includes('delegate'));
    assert.ok(!names({ depth: 3 }, { maxDepth: 3 }).includes('delegate'));
    for (const name of ['split_step', 'orchestrate', 'orchestrate_status', 'orchestrate_cancel']) {
      assert.ok(names({ depth: 2 }, { maxDepth: 3 }).includes(name), name);
      assert.ok(!names({ depth: 3 }, { maxDepth: 3 }).includes(name), name);
      for (const role of ['resolver', 'undo']) assert.ok(!names({ role }).includes(name), name);
    }
    assert.deepEqual(names({ tier: 'planner', role: 'planner' }), []);
  });

  it('refuse what is not offered, even when it is called all the same', async () => {
    const context = contextFor({}, { agent: agentRow({ depth: 3 }) });
    const refused = await run(context, 'delegate', { task: 'go on' });
    assert.equal(refused.ok, false);
    assert.equal(refused.effect, undefined);
    assert.match(refused.output, /You may not use delegate\. Your tools: ask_person, edit_file/);
    const unknown = await run(context, 'bash', {});
    assert.match(unknown.output, /There is no tool bash\. Your tools: .*read_file/);
  });

  it('say what is wrong with arguments, and how to call the tool', async () => {
    const context = contextFor();
    const broken = await run(context, 'read_file', '{"path": "a');
    assert.equal(broken.ok, false);
    assert.match(
      broken.output,
      /not valid JSON\. Call it again like this: read_file \{"path": string, "from_line"\?: integer/,
    );
    assert.match((await run(context, 'read_file', '[1]')).output, /not a JSON object/);
    assert.match((await run(context, 'read_file', {})).output, /^path: is missing\./);
    const wrong = await run(context, 'read_file', { path: 'a', from_line: 'first' });
    assert.match(wrong.output, /^from_line: expected number/);
  });

  it('repair what is surely meant: numbers as text, null for absent, unknown keys, JSON in a string', async () => {
    const context = contextFor({ 'a.ts': 'one\ntwo\nthree\n' });
    const args = { path: 'a.ts', from_line: '2', to_line: null, limit: 5, __proto__: { x: 1 } };
    const read = await run(context, 'read_file', args);
    assert.equal(read.output, 'a.ts (3 lines, here 2 to 3)\ntwo\nthree');
    assert.equal(
      (await run(context, 'read_file', JSON.stringify(JSON.stringify({ path: 'a.ts', from_line: 3.7 })))).ok,
      true,
    );
    const finished = await run(context, 'finish', { report: 'x', outcome: ' Nothing' });
    assert.deepEqual(finished.effect, { kind: 'finish', report: 'x', outcome: 'nothing' });
  });

  it('never take a failure for a success: an unknown outcome is refused', async () => {
    const finished = await run(contextFor(), 'finish', { report: 'x', outcome: 'failed' });
    assert.equal(finished.ok, false);
    assert.equal(finished.effect, undefined);
  });

  it('turn every failure into a result, but not the loss of the repository nor an abort', async () => {
    const failing = (error: unknown): ToolContext => contextFor({}, { tree: () => Promise.reject(error) });
    const failed = await run(failing(new Error('disk full')), 'list_files', {});
    assert.deepEqual(failed, { ok: false, output: 'list_files failed: disk full' });
    await assert.rejects(run(failing(new FencedError('newer engine')), 'list_files', {}), FencedError);
    const stop = new AbortController();
    stop.abort(new Error('stopped'));
    const call = { id: 'c', name: 'list_files', arguments: '{}' };
    await assert.rejects(runTool(contextFor(), call, stop.signal), /stopped/);
  });

  it('hand wishes for the hierarchy on as effects', async () => {
    const context = contextFor();
    assert.deepEqual((await run(context, 'delegate', { task: ' Do it ', tokens: '500' })).effect, {
      kind: 'delegate',
      task: 'Do it',
      role: 'worker',
      tokens: 500,
    });
    assert.deepEqual((await run(context, 'send_message', { to: 'parent', body: 'hi' })).effect, {
      kind: 'send',
      to: 'parent',
      body: 'hi',
    });
    assert.deepEqual((await run(context, 'ask_person', { question: 'Why?' })).effect, {
      kind: 'ask',
      question: 'Why?',
    });
    assert.equal((await run(context, 'finish', { report: '  ' })).ok, false);
    assert.equal((await run(context, 'delegate', { task: 'x', tokens: 0 })).ok, false);
  });

  it('describe a call for people, whatever the arguments are', () => {
    const call = (name: string, args: string): string => describeCall({ id: 'c', name, arguments: args });
    assert.equal(call('read_file', '{"path":"src/a.ts"}'), 'read_file src/a.ts');
    assert.equal(call('run_command', '{"argv":["npm","test"]}'), 'run npm test');
    assert.equal(call('read_file', '{'), 'read_file');
    assert.equal(call('nonsense\n', '{}'), 'nonsense');
  });
});
