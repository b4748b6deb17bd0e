import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Commit } from '../../../mcp-server/domain/ids.ts';
import type { LandOutcome, Repository } from '../../../mcp-server/worktrees/port.ts';
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

const work = async (changed: Readonly<Record<string, string | null>>, files = FILES) => {
  const root = makeRepository(files);
  const base = headOf(root);
  git(root, 'checkout', '-q', '-b', 'coppice/work');
  for (const [path, text] of Object.entries(changed)) {
    if (text === null) git(root, 'rm', '-q', path);
    else put(root, path, text);
  }
  git(root, 'add', '-f', '.');
  git(root, 'commit', '-q', '-m', 'Work');
  const head = headOf(root);
  git(root, 'checkout', '-q', 'main');
  return { root, base, head, repository: await openAt(root) };
};

const land = (repository: Repository, head: Commit, into: string | null = 'main'): Promise<LandOutcome> =>
  repository.land(head, { into, message: 'Land it', author: AUTHOR });

const stateOf = (root: string): string =>
  [
    git(root, 'rev-parse', 'HEAD'),
    git(root, 'status', '--porcelain=v2', '-uall'),
    git(root, 'diff'),
    git(root, 'diff', '--cached'),
  ].join('\n');

describe('landing', () => {
  cleanUpAfterwards();

  it('moves the branch, the index and the files', async () => {
    const { root, head, repository } = await work({ 'README.md': 'landed\n', 'src/a.ts': null, 'new/x.txt': 'x\n' });
    const landed = await land(repository, head);
    assert.deepEqual(landed, { kind: 'landed', branch: 'main', commit: headOf(root) });
    assert.equal(git(root, 'status', '--porcelain'), '');
    assert.equal(readFileSync(join(root, 'README.md'), 'utf8'), 'landed\n');
    assert.equal(existsSync(join(root, 'src/a.ts')), false);
    assert.match(git(root, 'reflog', '-1'), /coppice land/);
    assert.deepEqual(await land(repository, head), landed, 'the second time says the same');
    assert.equal(headOf(root), landed.kind === 'landed' && landed.commit);
  });

  it('makes a merge commit that one revert takes back, though the person has not gone on', async () => {
    const { root, base, head, repository } = await work({
      'README.md': 'landed\n',
      'src/a.ts': null,
      'new.txt': 'n\n',
    });
    assert.equal((await land(repository, head)).kind, 'landed');
    assert.equal(git(root, 'show', '-s', '--format=%P %s', 'HEAD'), `${base} ${head} Land it`);
    assert.equal(git(root, 'rev-parse', 'HEAD^{tree}'), git(root, 'rev-parse', `${head}^{tree}`));
    git(root, 'revert', '--no-edit', '-m', '1', 'HEAD');
    assert.equal(git(root, 'rev-parse', 'HEAD^{tree}'), git(root, 'rev-parse', `${base}^{tree}`));
  });

  it('makes a merge commit when the person went on meanwhile', async () => {
    const { root, head, repository } = await work({ 'README.md': 'landed\n' });
    put(root, 'mine.txt', 'mine\n');
    const mine = commitAll(root);
    const landed = await land(repository, head);
    assert.ok(landed.kind === 'landed');
    assert.equal(git(root, 'show', '-s', '--format=%P %s', 'HEAD'), `${mine} ${head} Land it`);
    assert.equal(git(root, 'status', '--porcelain'), '');
    assert.equal(readFileSync(join(root, 'mine.txt'), 'utf8'), 'mine\n');
  });

  it('keeps what the person has not committed: changed, staged, untracked and ignored', async () => {
    const { root, head, repository } = await work({ 'README.md': 'landed\n' });
    put(root, 'src/a.ts', 'changed\n');
    put(root, 'staged.txt', 'staged\n');
    git(root, 'add', 'staged.txt');
    put(root, 'untracked.txt', 'u\n');
    put(root, '.env', 'SECRET\n');
    const before = git(root, 'status', '--porcelain');
    assert.equal((await land(repository, head)).kind, 'landed');
    assert.equal(git(root, 'status', '--porcelain'), before);
    assert.equal(readFileSync(join(root, 'src/a.ts'), 'utf8'), 'changed\n');
    assert.equal(readFileSync(join(root, '.env'), 'utf8'), 'SECRET\n');
  });

  describe('does nothing, and names the files, when in its way is', () => {
    const dirty = async (
      changed: Readonly<Record<string, string | null>>,
      mess: (root: string) => void,
      files: readonly string[],
    ): Promise<void> => {
      const { root, head, repository } = await work(changed);
      mess(root);
      const before = stateOf(root);
      assert.deepEqual(await land(repository, head), { kind: 'dirty', files });
      assert.equal(stateOf(root), before);
    };

    it('a changed file', () =>
      dirty({ 'README.md': 'l\n', 'src/a.ts': 'l\n' }, (root) => put(root, 'README.md', 'mine\n'), ['README.md']));

    it('a staged file', () =>
      dirty(
        { 'README.md': 'l\n' },
        (root) => {
          put(root, 'README.md', 'mine\n');
          git(root, 'add', '.');
        },
        ['README.md'],
      ));

    it('a deleted file', () =>
      dirty({ 'README.md': 'l\n' }, (root) => git(root, 'rm', '-q', 'README.md'), ['README.md']));

    it('an untracked file', () => dirty({ 'new.txt': 'l\n' }, (root) => put(root, 'new.txt', 'mine\n'), ['new.txt']));

    it('an ignored file, which git would overwrite without a word', () =>
      dirty({ '.env': 'l\n' }, (root) => put(root, '.env', 'mine\n'), ['.env']));

    it('an ignored file where a folder is to be', () =>
      dirty({ 'x.log/inner.txt': 'l\n' }, (root) => put(root, 'x.log', 'mine\n'), ['x.log']));

    it('a file in a folder where a file is to be', () =>
      dirty({ thing: 'l\n' }, (root) => put(root, 'thing/mine.txt', 'mine\n'), ['thing/mine.txt']));

    it('a changed file that the work removes', () =>
      dirty({ 'src/a.ts': null }, (root) => put(root, 'src/a.ts', 'mine\n'), ['src/a.ts']));
  });

  it('does nothing on a conflict, and names the files', async () => {
    const { root, head, repository } = await work({ 'README.md': 'landed\n', 'new.txt': 'n\n' });
    put(root, 'README.md', 'mine\n');
    commitAll(root);
    put(root, 'untracked.txt', 'u\n');
    const before = stateOf(root);
    assert.deepEqual(await land(repository, head), { kind: 'conflict', files: ['README.md'] });
    assert.equal(stateOf(root), before);
    assert.equal(existsSync(join(root, '.git', 'MERGE_HEAD')), false);
  });

  it('does nothing on another branch, or when HEAD is detached and should not be, or the other way round', async () => {
    const { root, base, head, repository } = await work({ 'README.md': 'landed\n' });
    assert.equal((await land(repository, head, null)).kind, 'wrong-branch');
    git(root, 'checkout', '-q', '-b', 'other');
    assert.deepEqual(await land(repository, head), { kind: 'wrong-branch', current: 'other', expected: 'main' });
    git(root, 'checkout', '-q', '--detach');
    assert.deepEqual(await land(repository, head), { kind: 'wrong-branch', current: null, expected: 'main' });
    assert.equal(headOf(root), base);
    assert.equal((await land(repository, head, null)).kind, 'landed');
    assert.equal(git(root, 'rev-parse', 'main'), base);
  });

  it('waits for the person to finish a merge', async () => {
    const { root, base, head, repository } = await work({ 'README.md': 'landed\n' });
    writeFileSync(join(root, '.git', 'MERGE_HEAD'), `${head}\n`);
    await assert.rejects(land(repository, head), { code: 'wrong-state', message: /A merge is under way/ });
    assert.equal(headOf(root), base);
  });

  it('does nothing while another git command holds the index, and says so', async () => {
    const { root, head, repository } = await work({ 'README.md': 'landed\n' });
    writeFileSync(join(root, '.git', 'index.lock'), '');
    const before = stateOf(root);
    await assert.rejects(land(repository, head), { code: 'wrong-state', message: /Nothing was changed/ });
    assert.equal(stateOf(root), before);
    assert.equal(readFileSync(join(root, 'README.md'), 'utf8'), FILES['README.md']);
  });

  it('brings files back that were written before git failed', async () => {
    const changed = { 'README.md': 'landed\n', 'src/a.ts': null, 'new.txt': 'n\n' };
    const { root, base, head } = await work(changed);
    put(root, 'mine.txt', 'mine\n');
    let failing = true;
    const repository = await openAt(root, {
      faults: {
        before: (label) => {
          if (label !== 'merge' || !failing) return;
          failing = false;
          git(root, 'rm', '-q', '--cached', 'src/a.ts');
          for (const [path, text] of Object.entries(changed)) if (text !== null) put(root, path, text);
          throw new Error('disk full');
        },
      },
    });
    const before = stateOf(root);
    await assert.rejects(land(repository, head), { code: 'wrong-state' });
    assert.equal(stateOf(root), before);
    assert.equal(headOf(root), base);
    assert.equal((await land(repository, head)).kind, 'landed');
    assert.equal(readFileSync(join(root, 'mine.txt'), 'utf8'), 'mine\n');
  });

  it('runs no hook and obeys no setting that would make it do something else', async () => {
    const { mark, program } = makeCanary();
    const { root, head, repository } = await work({ 'README.md': 'landed\n' });
    for (const hook of [
      'post-merge',
      'pre-merge-commit',
      'post-checkout',
      'reference-transaction',
      'post-index-change',
    ])
      writeFileSync(join(root, '.git', 'hooks', hook), `#!/bin/sh\nexec ${program}\n`, { mode: 0o755 });
    git(root, 'config', 'merge.ff', 'false');
    git(root, 'config', 'branch.main.mergeOptions', '--squash --no-commit');
    git(root, 'config', 'core.fsmonitor', program);
    assert.equal((await land(repository, head)).kind, 'landed');
    assert.equal(git(root, 'rev-parse', 'HEAD^2'), head);
    assert.equal(existsSync(mark), false);
  });

  it('leaves a changed submodule of the person’s as it is', async () => {
    const { root, head, repository } = await work({ 'README.md': 'landed\n' });
    mkdirSync(join(root, 'nested'));
    git(join(root, 'nested'), 'init', '-q');
    put(root, 'nested/x.txt', 'x');
    assert.equal((await land(repository, head)).kind, 'landed');
    assert.equal(readFileSync(join(root, 'nested/x.txt'), 'utf8'), 'x');
  });
});
