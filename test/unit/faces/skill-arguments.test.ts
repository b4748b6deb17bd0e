import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { UserError } from '../../../mcp-server/domain/errors.ts';
import { parseArguments } from '../../../mcp-server/faces/cli/arguments.ts';
import { typed } from '../../../mcp-server/faces/cli/skill-run-command.ts';
import { gitSource } from '../../../mcp-server/faces/cli/skill-source-command.ts';

const action = (...argv: string[]): object => {
  const parsed = parseArguments(['skill', ...argv]);
  assert.ok(parsed.command === 'skill');
  return parsed.action;
};
const refusal = (...argv: string[]): string => {
  try {
    parseArguments(['skill', ...argv]);
  } catch (error) {
    assert.ok(error instanceof UserError, String(error));
    return error.message;
  }
  throw new assert.AssertionError({ message: 'It was accepted.' });
};
const NOBODY = { yes: false, expect: null };
const PLAIN = { agree: false, force: false, ...NOBODY };

describe('the command line of skills', () => {
  it('lists when nothing is said, and takes one name elsewhere', () => {
    assert.deepEqual(action(), { kind: 'list' });
    assert.deepEqual(action('search', 'map', 'it', '--hub'), { kind: 'search', query: 'map it', hub: true });
    assert.deepEqual(action('show', 'a', '--file', 'b.md'), { kind: 'show', name: 'a', file: 'b.md' });
    assert.deepEqual(action('check'), { kind: 'check', target: null });
    assert.deepEqual(action('unpin', 'a'), { kind: 'pin', name: 'a', pinned: false });
    assert.deepEqual(action('remove', 'a', '--force'), { kind: 'remove', name: 'a', force: true });
    assert.deepEqual(action('draft', 'show', 'a'), { kind: 'draft-show', name: 'a' });
  });

  it('takes the input of a run as a text, as JSON or as parameters, but once', () => {
    const run = (...argv: string[]): unknown => (action('run', 'a', ...argv) as { given: unknown }).given;
    assert.deepEqual(run(), { kind: 'nothing' });
    assert.deepEqual(run('the', 'last commit'), { kind: 'text', text: 'the last commit' });
    assert.deepEqual(run('--input', '{}'), { kind: 'json', text: '{}' });
    assert.deepEqual(run('--param', 'a=1', '--param=b=c=d'), { kind: 'parameters', values: { a: '1', b: 'c=d' } });
    assert.match(refusal('run', 'a', 'text', '--input', '{}'), /Give the input once/);
    assert.match(refusal('run', 'a', '--param', 'x'), /--param wants KEY=VALUE, such as --param depth=2, not "x"/);
  });

  it('knows the sources of an import', () => {
    assert.deepEqual(action('import', 'git', 'https://h/x.git@v1', '--path', 'p', '--name', 'n'), {
      kind: 'import',
      from: { kind: 'git', source: 'https://h/x.git@v1', path: 'p' },
      name: 'n',
      ...PLAIN,
    });
    assert.deepEqual(action('import', 'clawhub', 'me/it@1.2'), {
      kind: 'import',
      from: { kind: 'clawhub', slug: 'me/it', version: '1.2' },
      name: null,
      ...PLAIN,
    });
    assert.partialDeepStrictEqual(action('import', 'clawhub', '@me/it'), { from: { slug: '@me/it', version: null } });
    assert.deepEqual(action('import', 'langchain', '@a/b#C', '--agree', '--yes', '--expect', 'AB'), {
      kind: 'import',
      from: { kind: 'langchain', spec: '@a/b#C' },
      name: null,
      agree: true,
      force: false,
      yes: true,
      expect: 'ab',
    });
  });

  it('refuses what it does not know, and flags that mean nothing there', () => {
    assert.match(refusal('frob'), /does not know "frob"\. It knows list, search/);
    assert.match(refusal('toString'), /does not know "toString"/);
    assert.match(refusal('pin'), /This is how it is used: coppice skill pin NAME$/);
    assert.match(refusal('pin', 'a', 'b'), /coppice skill pin NAME$/);
    assert.match(refusal('list', '--hub'), /coppice skill list has no --hub/);
    assert.match(refusal('trust', 'a', '--budget', '5'), /skill trust has no --budget/);
    assert.match(refusal('run', 'a', '--hub'), /skill run has no --hub/);
    assert.match(refusal('draft', 'show', 'a', '--yes'), /skill draft show has no --yes/);
    assert.match(refusal('draft', 'eat', 'a'), /draft show\|test\|approve\|discard NAME/);
    assert.match(refusal('import', 'svn', 'x'), /import git URL/);
    assert.match(refusal('import', 'clawhub', 'x', '--path', 'y'), /--path is for an import from git/);
    assert.match(refusal('search'), /search WORDS/);
  });
});

describe('a source of skills in git', () => {
  it('is an address with a branch, tag or commit behind it', () => {
    const cases: [string, string, string | null][] = [
      ['https://h/o/r.git', 'https://h/o/r.git', null],
      ['https://h/o/r.git@v1', 'https://h/o/r.git', 'v1'],
      ['https://me@h/o/r@feature/x', 'https://me@h/o/r', 'feature/x'],
      ['https://me@h/o/r', 'https://me@h/o/r', null],
      ['ssh://git@h:22/o/r.git@main', 'ssh://git@h:22/o/r.git', 'main'],
      ['git@h:o/r.git', 'git@h:o/r.git', null],
      ['git@h:o/r.git@v1', 'git@h:o/r.git', 'v1'],
      ['file:///o/r@v1', 'file:///o/r', 'v1'],
    ];
    for (const [source, url, ref] of cases)
      assert.deepEqual(
        gitSource(source, () => false),
        { url, ref },
        source,
      );
  });

  it('is a path on this machine, from where the person stands', () => {
    const there =
      (...paths: string[]) =>
      (path: string) =>
        paths.includes(path);
    assert.deepEqual(gitSource('../r', there('../r')), { url: resolve('../r'), ref: null });
    assert.deepEqual(gitSource('../r@v1', there('../r')), { url: resolve('../r'), ref: 'v1' });
    assert.deepEqual(gitSource('/a@b/r', there('/a@b/r')), { url: resolve('/a@b/r'), ref: null });
    assert.deepEqual(gitSource('/a@b/r@v1', there('/a@b/r')), { url: resolve('/a@b/r'), ref: 'v1' });
  });
});

describe('a parameter of a skill', () => {
  it('becomes what the schema wants, where it can', () => {
    const cases: [string, unknown[], unknown][] = [
      ['2', [], '2'],
      ['2', ['string'], '2'],
      ['2', ['integer'], 2],
      ['', ['integer'], ''],
      ['x', ['number'], 'x'],
      ['true', ['boolean'], true],
      ['yes', ['boolean'], 'yes'],
      ['null', ['integer', 'null'], null],
      ['["a"]', ['array'], ['a']],
      ['[a', ['array'], '[a'],
    ];
    for (const [value, types, wanted] of cases)
      assert.deepEqual(typed(value, types), wanted, `${value} as ${types.join()}`);
  });
});
