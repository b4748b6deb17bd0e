import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { replaceOnce } from '../../../mcp-server/agent/tools/text-edit.ts';
import { runTool } from '../../../mcp-server/agent/tools/tools.ts';
import { contextFor, type FakeContext, never } from './fixtures.ts';

const run = async (context: FakeContext, name: string, args: object): Promise<string> => {
  const result = await runTool(context, { id: 'c', name, arguments: JSON.stringify(args) }, never());
  return `${result.ok ? 'ok' : 'failed'}: ${result.output}`;
};

describe('The file tools', () => {
  it('read a file, with its length in the first line, and lease no worktree for it', async () => {
    const context = contextFor({ 'src/a.ts': 'one\r\ntwo\n', empty: '' });
    assert.equal(await run(context, 'read_file', { path: './src//a.ts' }), 'ok: src/a.ts (2 lines)\none\ntwo');
    assert.equal(
      await run(context, 'read_file', { path: 'src/a.ts', from_line: 2, to_line: 99 }),
      'ok: src/a.ts (2 lines, here 2 to 2)\ntwo',
    );
    assert.match(await run(context, 'read_file', { path: 'src/a.ts', from_line: 3 }), /^failed: .*has no lines from 3/);
    assert.match(await run(context, 'read_file', { path: 'empty' }), /^ok: empty \(0 lines\)/);
    assert.equal(context.leases, 0);
  });

  it('cut a long file and say how to read on', async () => {
    const lines = Array.from({ length: 900 }, (_, index) => `line ${index + 1}`);
    const output = await run(contextFor({ long: lines.join('\n') }), 'read_file', { path: 'long' });
    assert.ok(output.length < 2300);
    const next = Number(/call read_file with from_line: (\d+)/.exec(output)?.[1]);
    assert.ok(output.includes(`\nline ${next - 1}\n`), 'everything before that line was shown');
    assert.match(output, /line 900$/);
  });

  it('say where to look when a path is wrong', async () => {
    const context = contextFor({ 'src/deep/main.ts': 'x', 'a.bin': '\0' });
    assert.match(
      await run(context, 'read_file', { path: 'main.ts' }),
      /^failed: There is no file main\.ts\. Did you mean src\/deep\/main\.ts/,
    );
    assert.match(await run(context, 'read_file', { path: 'src' }), /^failed: src is a folder/);
    assert.match(await run(context, 'read_file', { path: '/etc/passwd' }), /^failed: .*absolute/);
    assert.match(await run(context, 'read_file', { path: 'src/../../x' }), /^failed: .*outside the repository/);
    assert.match(await run(context, 'read_file', { path: 'a.bin' }), /^failed: a\.bin is not text/);
    assert.match(await run(context, 'list_files', { path: 'src/deep/main.ts' }), /^failed: .*It is a file/);
    assert.match(await run(context, 'list_files', { path: 'nowhere' }), /^failed: There is no folder nowhere/);
  });

  it('list one entry a line', async () => {
    const context = contextFor({ 'src/a.ts': '', 'b.ts': '', 'src/c/d.ts': '' });
    assert.equal(await run(context, 'list_files', { path: '.' }), 'ok: b.ts\nsrc/');
    assert.equal(await run(context, 'list_files', {}), 'ok: b.ts\nsrc/');
    assert.equal(await run(context, 'list_files', { path: 'src/' }), 'ok: a.ts\nc/');
  });

  it('write a file into the leased worktree', async () => {
    const context = contextFor({ 'docs/x.md': '' });
    assert.equal(
      await run(context, 'write_file', { path: 'docs/new.md', content: 'a\nb\n' }),
      'ok: Wrote docs/new.md (2 lines).',
    );
    assert.equal(context.files.entries.get('docs/new.md'), 'a\nb\n');
    assert.equal(context.leases, 1);
    assert.match(await run(context, 'write_file', { path: 'docs', content: '' }), /^failed: docs is a folder/);
    assert.match(await run(context, 'write_file', { path: 'docs/', content: '' }), /^failed: Give the path of a file/);
    assert.match(await run(context, 'write_file', { path: '.git/config', content: '' }), /^failed: .*protected/);
  });

  it('edit exactly one place', async () => {
    const context = contextFor({ 'a.ts': 'let x = 1;\nlet y = 1;\n' });
    assert.equal(
      await run(context, 'edit_file', { path: 'a.ts', old_text: 'y = 1', new_text: 'y = 2' }),
      'ok: Edited a.ts at line 2: 1 line became 1.',
    );
    assert.equal(context.files.entries.get('a.ts'), 'let x = 1;\nlet y = 2;\n');
    assert.match(
      await run(context, 'edit_file', { path: 'a.ts', old_text: 'let ', new_text: '' }),
      /^failed: old_text stands 2 times in a\.ts \(lines 1, 2\)/,
    );
    assert.match(
      await run(context, 'edit_file', { path: 'a.ts', old_text: '  let y = 2;\n', new_text: '' }),
      /^failed: .*Line 2 is like its first line/,
    );
    assert.match(
      await run(context, 'edit_file', { path: 'a.ts', old_text: 'nowhere', new_text: '' }),
      /^failed: old_text does not stand in a\.ts/,
    );
    assert.match(
      await run(context, 'edit_file', { path: 'b.ts', old_text: 'x', new_text: '' }),
      /^failed: There is no file b\.ts/,
    );
    assert.match(
      await run(context, 'edit_file', { path: 'a.ts', old_text: 'x', new_text: 'x' }),
      /^failed: .*the same/,
    );
    assert.match(await run(context, 'edit_file', { path: 'a.ts', old_text: '', new_text: 'x' }), /^failed: old_text/);
  });

  it('keep the line ends of a file', async () => {
    const context = contextFor({ 'w.txt': 'one\r\ntwo\r\nthree\r\n', 'u.txt': 'one\ntwo\n' });
    await run(context, 'edit_file', { path: 'w.txt', old_text: 'one\ntwo', new_text: '1\n2\n2b' });
    assert.equal(context.files.entries.get('w.txt'), '1\r\n2\r\n2b\r\nthree\r\n');
    await run(context, 'edit_file', { path: 'u.txt', old_text: 'one\r\ntwo', new_text: '1\r\n2' });
    assert.equal(context.files.entries.get('u.txt'), '1\n2\n');
  });

  it('change nothing but the place itself, whatever the line ends are', () => {
    const line = fc.string({ unit: fc.constantFrom('a', 'b', ' '), maxLength: 4 });
    const end = fc.constantFrom('\n', '\r\n');
    const text = fc.array(fc.tuple(line, end), { maxLength: 6 }).map((parts) => parts.flat().join(''));
    fc.assert(
      fc.property(text, text, end, (before, after, last) => {
        const original = `${before}MARK${last}${after}`;
        const found = replaceOnce(original, 'MARK\n', 'NEW\n');
        assert.ok(found.kind === 'replaced');
        assert.ok(found.text.startsWith(`${before}NEW`) && found.text.endsWith(after));
        assert.equal(found.line, before.split('\n').length);
        assert.match(found.text.slice(before.length + 3, found.text.length - after.length), /^\r?\n$/);
      }),
    );
  });

  it('show the diff, of everything or of one path', async () => {
    assert.equal(await run(contextFor(), 'git_diff', {}), 'ok: diff of everything');
    assert.equal(await run(contextFor(), 'git_diff', { path: 'a.ts' }), 'ok: Nothing has changed in a.ts.');
  });
});

describe('search_files', () => {
  const files = {
    'src/a.ts': 'const a = 1;\n  export const b = 2;\n',
    'src/b.py': 'Const = 3\n',
    'x.bin': '\0',
    'r.md': 'a.b(c',
  };

  it('answers with path, line and text, and skips what is not text', async () => {
    assert.equal(
      await run(contextFor(files), 'search_files', { pattern: 'const \\w' }),
      'ok: src/a.ts:1: const a = 1;\nsrc/a.ts:2: export const b = 2;',
    );
    assert.match(
      await run(contextFor(files), 'search_files', { pattern: '(?i)const =' }),
      /^ok: src\/b\.py:1: Const = 3$/,
    );
    assert.match(
      await run(contextFor(files), 'search_files', { pattern: 'zzz' }),
      /^ok: No line matches zzz in 4 files\.$/,
    );
  });

  it('keeps to a folder or a file, and to a number of results', async () => {
    assert.match(await run(contextFor(files), 'search_files', { pattern: '=', path: 'src/b.py' }), /^ok: src\/b\.py:1/);
    assert.match(
      await run(contextFor(files), 'search_files', { pattern: '=', max_results: 1 }),
      /^ok: src\/a\.ts:1: const a = 1;\n\(There may be more/,
    );
    assert.match(
      await run(contextFor(files), 'search_files', { pattern: '=', path: 'sr' }),
      /^failed: There are no files in sr/,
    );
  });

  it('takes a pattern that is no regular expression as plain text', async () => {
    assert.match(
      await run(contextFor(files), 'search_files', { pattern: 'a.b(c' }),
      /^ok: r\.md:1: a\.b\(c\n\(The pattern is no valid/,
    );
  });

  it('gives up on a pattern that would take for ever', async () => {
    const evil = { 'a.txt': 'fine\n', 'b.txt': `${'a'.repeat(60)}b\n` };
    const start = performance.now();
    const output = await run(contextFor(evil), 'search_files', { pattern: '^(a+)+$' });
    assert.ok(performance.now() - start < 3000);
    assert.match(output, /^failed: No line matches .* in 1 file\.\n\(Stopped after 1 file: the pattern is too slow/);
  });
});
