import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Commit } from '../../../mcp-server/domain/ids.ts';
import {
  AUTHOR,
  cleanUpAfterwards,
  commitAll,
  FILES,
  git,
  headOf,
  makeCanary,
  makeRepository,
  openAt,
  put,
} from './support.ts';

/** Branches off `main`'s first commit, each with its own change. */
const branches = async (changes: Readonly<Record<string, Readonly<Record<string, string>>>>, files = FILES) => {
  const root = makeRepository(files);
  const base = headOf(root);
  const commits: Record<string, Commit> = {};
  for (const [name, changed] of Object.entries(changes)) {
    git(root, 'checkout', '-q', '-b', name, base);
    for (const [path, text] of Object.entries(changed)) put(root, path, text);
    commits[name] = commitAll(root, name);
  }
  git(root, 'checkout', '-q', 'main');
  const of = (name: string): Commit => commits[name] ?? base;
  return { root, base, of, repository: await openAt(root) };
};

describe('merging', () => {
  cleanUpAfterwards();

  it('remembers what came of what, but not beyond the life of the commit that holds it', async () => {
    const { root, base, of, repository } = await branches({
      one: { 'src/a.ts': '1\n' },
      two: { 'src/deep/b.ts': '2\n' },
    });
    const merged = await repository.merge(of('one'), of('two'), 'Join', AUTHOR);
    assert.ok(merged.kind === 'merged');
    for (const held of [base, of('one'), of('two'), merged.commit])
      assert.equal(await repository.isAncestor(held, merged.commit), true);
    for (const other of [base, of('one'), of('two')])
      assert.equal(await repository.isAncestor(merged.commit, other), false);
    // Nothing points at it.
    git(root, 'prune', '--expire=now');
    await assert.rejects(repository.isAncestor(of('one'), merged.commit));
    await assert.rejects(repository.isAncestor(merged.commit, merged.commit));
  });

  it('makes a commit with both parents and both changes; no ref and no file moves', async () => {
    const { root, of, repository } = await branches({ one: { 'src/a.ts': '1\n' }, two: { 'src/deep/b.ts': '2\n' } });
    const before = git(root, 'for-each-ref') + git(root, 'status', '--porcelain');
    const merged = await repository.merge(of('one'), of('two'), 'Join', AUTHOR);
    assert.equal(merged.kind, 'merged');
    assert.ok(merged.kind === 'merged');
    assert.equal(git(root, 'show', '-s', '--format=%P %s', merged.commit), `${of('one')} ${of('two')} Join`);
    assert.equal(await repository.fileAt(merged.commit, 'src/a.ts'), '1\n');
    assert.equal(await repository.fileAt(merged.commit, 'src/deep/b.ts'), '2\n');
    assert.equal(git(root, 'for-each-ref') + git(root, 'status', '--porcelain'), before);
  });

  it('knows when there is nothing to do, and when the branch only has to move', async () => {
    const { base, of, repository } = await branches({ one: { 'src/a.ts': '1\n' } });
    assert.deepEqual(await repository.merge(of('one'), base, 'm', AUTHOR), { kind: 'up-to-date' });
    assert.deepEqual(await repository.merge(base, base, 'm', AUTHOR), { kind: 'up-to-date' });
    assert.deepEqual(await repository.merge(base, of('one'), 'm', AUTHOR), { kind: 'fast-forward', commit: of('one') });
    assert.equal(await repository.isAncestor(base, of('one')), true);
    assert.equal(await repository.isAncestor(of('one'), base), false);
    assert.equal(await repository.isAncestor(base, base), true);
  });

  it('gives the files in conflict, and a commit that has them with markers', async () => {
    const { root, of, repository } = await branches({
      one: { 'README.md': 'mine\n', 'src/ä b.ts': 'mine\n', 'fine.txt': 'f\n' },
      two: { 'README.md': 'theirs\n', 'src/ä b.ts': 'theirs\n' },
    });
    const outcome = await repository.merge(of('one'), of('two'), 'Join', AUTHOR);
    assert.ok(outcome.kind === 'conflict');
    assert.deepEqual(outcome.files, ['README.md', 'src/ä b.ts']);
    assert.match((await repository.fileAt(outcome.marked, 'README.md')) ?? '', /^<{7} .*\nmine\n={7}\ntheirs\n>{7} /);
    assert.equal(git(root, 'show', '-s', '--format=%P', outcome.marked), `${of('one')} ${of('two')}`);
    const asked = ['README.md', 'src/ä b.ts', 'fine.txt', 'no such file'];
    assert.deepEqual(await repository.conflictMarkers(outcome.marked, asked), outcome.files);
    assert.deepEqual(await repository.conflictMarkers(of('one'), asked), []);
  });

  it('gives a file that one side changed and the other removed', async () => {
    const { root, base, of, repository } = await branches({ one: { 'src/a.ts': 'changed\n' } });
    git(root, 'rm', '-q', 'src/a.ts');
    const removed = commitAll(root);
    const outcome = await repository.merge(of('one'), removed, 'm', AUTHOR);
    assert.ok(outcome.kind === 'conflict');
    assert.deepEqual(outcome.files, ['src/a.ts']);
    assert.notEqual(removed, base);
  });

  it('takes a heading of a text for no marker', async () => {
    const { root, repository } = await branches({});
    put(root, 'doc.md', 'Title\n=======\n<<<<<<<\n  <<<<<<< x\n>>>>>>> y\n');
    put(root, 'bin', Buffer.from([0, 60]));
    assert.deepEqual(await repository.conflictMarkers(commitAll(root), ['doc.md', 'bin']), []);
  });

  it('runs no merge driver that an agent’s .gitattributes asks for', async () => {
    const { program, mark } = makeCanary();
    const attributes = { '.gitattributes': '* merge=x\n' };
    const { root, of, repository } = await branches(
      { one: { 'README.md': 'mine\n', ...attributes }, two: { 'README.md': 'theirs\n', ...attributes } },
      { ...FILES, ...attributes },
    );
    git(root, 'config', 'merge.x.driver', `${program} %O %A %B`);
    assert.equal((await repository.merge(of('one'), of('two'), 'm', AUTHOR)).kind, 'conflict');
    assert.equal(existsSync(mark), false);
    put(join(root, '.coppice', 'empty'), '.gitattributes', '* merge=x\n');
    const refused = repository.merge(of('one'), of('two'), 'm', AUTHOR);
    await assert.rejects(refused, { code: 'unsupported-repository', message: /must be empty/ });
    assert.equal(existsSync(mark), false);
  });
});

describe('reviewing', () => {
  cleanUpAfterwards();

  it('lists what changed, with counts, renames and binary files', async () => {
    const long = Array.from({ length: 30 }, (_, n) => `line ${n}\n`).join('');
    const root = makeRepository({ ...FILES, 'old name.txt': long, 'tab\there.txt': long });
    const base = headOf(root);
    git(root, 'mv', 'old name.txt', 'näw.txt');
    git(root, 'mv', 'tab\there.txt', 'tab\tthere.txt');
    git(root, 'rm', '-q', 'src/a.ts');
    put(root, 'README.md', '# Example\n\nOne\nTwo and a half\nThree\nFour\n');
    put(root, 'image.bin', Buffer.from([0, 1, 2]));
    const repository = await openAt(root);
    const found = await repository.changes(base, commitAll(root));
    assert.deepEqual(found, [
      { path: 'README.md', oldPath: null, status: 'modified', additions: 2, deletions: 1 },
      { path: 'image.bin', oldPath: null, status: 'added', additions: null, deletions: null },
      { path: 'näw.txt', oldPath: 'old name.txt', status: 'renamed', additions: 0, deletions: 0 },
      { path: 'src/a.ts', oldPath: null, status: 'deleted', additions: 0, deletions: 1 },
      { path: 'tab\tthere.txt', oldPath: 'tab\there.txt', status: 'renamed', additions: 0, deletions: 0 },
    ]);
    assert.deepEqual(await repository.changes(base, base), []);
  });

  it('gives a diff that git can apply, of all or of one file', async () => {
    const { root, base, of, repository } = await branches({ one: { 'README.md': 'x\n', 'src/ä *.ts': 'y\n' } });
    const all = await repository.patch(base, of('one'), { maxBytes: 100_000 });
    put(root, 'patch.diff', all);
    git(root, 'apply', '--check', 'patch.diff');
    const one = await repository.patch(base, of('one'), { path: 'src/ä *.ts', maxBytes: 100_000 });
    assert.match(one, /^diff --git .*\n[^]*\+y\n$/);
    assert.doesNotMatch(one, /README/);
    assert.ok(all.includes(one) && all.includes('README.md'));
    assert.equal(await repository.patch(base, of('one'), { path: 'nothing', maxBytes: 100 }), '');
  });

  it('cuts a long diff at the end of a line and says so', async () => {
    const { base, of, repository } = await branches({ one: { 'big.txt': 'äöü 1234567\n'.repeat(500_000) } });
    const cut = await repository.patch(base, of('one'), { maxBytes: 1_001 });
    const lines = cut.trimEnd().split('\n');
    assert.equal(lines.at(-1), '[the diff is longer than 1001 bytes; the rest was cut]');
    assert.equal(lines.at(-2), '+äöü 1234567');
    assert.ok(Buffer.byteLength(cut) < 1_100);
  });

  it('runs no program of the settings, and writes no file that a path asks for', async () => {
    const { program, mark } = makeCanary();
    const { root, base, of, repository } = await branches({
      one: { 'README.md': 'x\n', '.gitattributes': '* diff=x\n' },
    });
    git(root, 'config', 'diff.external', program);
    put(root, '.git/info/attributes', '* diff=x\n');
    git(root, 'config', 'diff.x.textconv', program);
    git(root, 'config', 'diff.x.command', program);
    for (const path of ['--output=stolen', '-O', '--', ':(top)*'])
      assert.equal(await repository.patch(base, of('one'), { path, maxBytes: 10_000 }), '', path);
    assert.match(await repository.patch(base, of('one'), { maxBytes: 10_000 }), /\+x\n/);
    await repository.changes(base, of('one'));
    await assert.rejects(repository.changes('--output=stolen' as Commit, base), /Not a commit name/);
    assert.equal(existsSync(mark), false);
    for (const folder of [root, join(root, '.coppice', 'empty'), process.cwd()])
      assert.equal(existsSync(join(folder, 'stolen')), false);
  });
});
