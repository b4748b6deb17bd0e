import assert from 'node:assert/strict';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { spawn } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { createObjectReader } from '../../../mcp-server/worktrees/objects.ts';
import { cleanUpAfterwards, commitAll, FILES, git, headOf, makeRepository, openAt, put } from './support.ts';

const withOddFiles = async () => {
  const root = makeRepository({
    ...FILES,
    'empty.txt': '',
    'bom.txt': '\uFEFFwith a mark\r\n',
    'src/ü ö.md': 'Umlaute: äöü 🌳\n',
    'src.txt': 'sorts between',
  });
  put(root, 'image.bin', Buffer.from([1, 0, 2]));
  put(root, 'latin1.txt', Buffer.from([0x66, 0xfc, 0x72]));
  put(root, 'large.txt', 'x'.repeat(2_000_001));
  symlinkSync('README.md', join(root, 'link.md'));
  const commit = commitAll(root);
  const repository = await openAt(root);
  return { root, commit, repository, tree: repository.treeOf(commit) };
};

describe('the tree of a commit', () => {
  cleanUpAfterwards();

  it('lists folders as a person would, and says when there is none', async () => {
    const { tree } = await withOddFiles();
    assert.deepEqual(await tree.list('src'), ['a.ts', 'deep/', 'ü ö.md']);
    assert.deepEqual(await tree.list('./src//deep/'), ['b.ts']);
    const top = (await tree.list('')) ?? [];
    assert.ok(top.includes('src/') && top.includes('src.txt') && top.includes('.gitignore'));
    assert.deepEqual(top, [...top].sort());
    assert.equal(await tree.list('src/a.ts'), null);
    assert.equal(await tree.list('nowhere'), null);
  });

  it('lists all files, sorted', async () => {
    const { tree, root } = await withOddFiles();
    const files = git(root, '-c', 'core.quotePath=false', 'ls-files').split('\n').sort();
    assert.deepEqual(await tree.files(), files);
  });

  it('reads text exactly, and null where there is no file', async () => {
    const { tree } = await withOddFiles();
    assert.equal(await tree.read('README.md'), FILES['README.md']);
    assert.equal(await tree.read('empty.txt'), '');
    assert.equal(await tree.read('bom.txt'), '\uFEFFwith a mark\r\n');
    assert.equal(await tree.read('./src/ü ö.md'), 'Umlaute: äöü 🌳\n');
    assert.equal(await tree.read('src'), null);
    assert.equal(await tree.read('nope.txt'), null);
  });

  it('refuses what is not text, is too large, is a link, or is outside', async () => {
    const { tree } = await withOddFiles();
    await assert.rejects(tree.read('image.bin'), { code: 'bad-input', message: /image\.bin is not a text file/ });
    await assert.rejects(tree.read('latin1.txt'), { code: 'bad-input', message: /not a text file in UTF-8/ });
    await assert.rejects(tree.read('large.txt'), { code: 'bad-input', message: /too large/ });
    await assert.rejects(tree.read('link.md'), { code: 'bad-input', message: /symbolic link to README\.md/ });
    for (const path of ['../x', '/etc/passwd', 'src/../../x', 'a\0b'])
      await assert.rejects(tree.read(path), { code: 'permission-denied' });
  });

  it('stays as it is when the branch moves on, and a new commit is seen at once', async () => {
    const { root, commit, repository } = await withOddFiles();
    put(root, 'README.md', 'new\n');
    const next = commitAll(root);
    git(root, 'repack', '-a', '-d', '-q');
    assert.equal(await repository.treeOf(next).read('README.md'), 'new\n');
    assert.equal(await repository.fileAt(commit, 'README.md'), FILES['README.md']);
    assert.equal(await repository.fileAt(commit, 'link.md'), 'README.md');
    assert.equal(await repository.fileAt(commit, 'gone'), null);
  });

  it('starts no process for a read, and takes far below a millisecond', async () => {
    const started: string[] = [];
    const root = makeRepository();
    const repository = await openAt(root, { faults: { before: (label) => started.push(label) } });
    const tree = repository.treeOf(headOf(root));
    await tree.read('README.md');
    started.length = 0;
    const start = performance.now();
    for (let time = 0; time < 500; time += 1) await tree.read('README.md');
    const each = (performance.now() - start) / 500;
    await Promise.all([tree.list('src'), tree.files(), repository.treeOf(headOf(root)).read('src/a.ts')]);
    assert.deepEqual(started, []);
    assert.ok(each < 1, `${each} ms`);
  });

  it('answers many readers at the same time with their own file', async () => {
    const files = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`f${n}.txt`, `${n}`.repeat(n * 50)]));
    const root = makeRepository(files);
    const tree = (await openAt(root)).treeOf(headOf(root));
    const texts = await Promise.all(Object.keys(files).map((path) => tree.read(path)));
    assert.deepEqual(texts, Object.values(files));
  });

  it('throws for a commit that does not exist', async () => {
    const { repository } = await withOddFiles();
    await assert.rejects(repository.treeOf('0123'.repeat(10) as never).files(), /not in the repository/);
  });
});

describe('the object reader', () => {
  cleanUpAfterwards();

  it('starts again after its process died, and ends it when it is closed', async () => {
    const root = makeRepository();
    const children: ChildProcessWithoutNullStreams[] = [];
    const reader = createObjectReader(() => {
      const child = spawn('git', ['cat-file', '--batch-command'], { cwd: root });
      children.push(child);
      return child;
    });
    assert.equal((await reader.info('HEAD'))?.type, 'commit');
    const gone = new Promise((resolve) => children[0]?.on('close', resolve));
    children[0]?.kill('SIGKILL');
    const during = reader.info('HEAD^{tree}');
    assert.equal((await during)?.type, 'tree');
    await gone;
    assert.equal((await reader.info('HEAD:README.md'))?.type, 'blob');
    assert.equal(await reader.info('nothing\nHEAD'), null);
    assert.equal(await reader.info('nothing'), null);
    const last = children.at(-1);
    const ended = new Promise((resolve) => last?.on('close', resolve));
    reader.close();
    await ended;
    await assert.rejects(reader.info('HEAD'), /closed/);
    assert.equal(children.length, 2);
  });
});
