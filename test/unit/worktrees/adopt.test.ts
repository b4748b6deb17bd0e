import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Saved } from '../../../mcp-server/worktrees/port.ts';
import {
  AUTHOR,
  cleanUpAfterwards,
  commitAll,
  FILES,
  git,
  headOf,
  leaseAt,
  makeRepository,
  openAt,
  put,
} from './support.ts';

describe('a worktree that is taken over', () => {
  cleanUpAfterwards();

  const leased = async () => {
    const root = makeRepository();
    const repository = await openAt(root);
    const lease = await leaseAt(repository, 'one');
    const adopt = async (commit: ReturnType<typeof headOf>, cut = false): Promise<Saved | null> => {
      const told: Saved[] = [];
      const onSaved = async (one: Saved) => void told.push(one);
      await repository.adopt(lease, commit, { cut, author: AUTHOR, onSaved });
      return told[0] ?? null;
    };
    const text = (path: string): string => readFileSync(join(lease.path, path), 'utf8');
    return { root, repository, first: headOf(root), lease, path: lease.path, adopt, text };
  };

  it('keeps what was changed by hand in it when it is at the commit', async () => {
    const { first, path, adopt, text } = await leased();
    put(path, 'README.md', 'by hand');
    put(path, 'new/file.txt', 'by hand');
    rmSync(join(path, 'src/a.ts'));
    assert.equal(await adopt(first), null);
    assert.deepEqual([text('README.md'), text('new/file.txt')], ['by hand', 'by hand']);
    assert.equal(existsSync(join(path, 'src/a.ts')), false);
  });

  it('is brought to the commit when it is not there, and what nobody had committed is kept where no branch is', async () => {
    const { root, repository, first, path, adopt, text } = await leased();
    put(root, 'src/a.ts', 'second\n');
    const second = commitAll(root);
    put(path, 'README.md', 'by hand');
    put(path, 'new/file.txt', 'by hand');
    put(path, 'debug.log', 'ignored');
    const saved = await adopt(second);
    assert.deepEqual(saved?.files, ['README.md', 'new/file.txt', 'src/a.ts']);
    assert.equal(git(path, 'status', '--porcelain'), '');
    assert.deepEqual([text('src/a.ts'), text('README.md')], ['second\n', FILES['README.md']]);
    assert.equal(await repository.branchHead('coppice/one'), second);
    assert.equal(git(root, 'diff', '--name-status', first, saved.commit), 'M\tREADME.md\nA\tnew/file.txt');
    assert.equal(git(root, 'show', `${saved.commit}:new/file.txt`), 'by hand');
    assert.match(git(root, 'for-each-ref', 'refs/coppice/discarded'), new RegExp(saved.commit));
    assert.ok(existsSync(join(path, 'debug.log')));
  });

  it('loses nothing of what cut work had left in it', async () => {
    const { root, repository, lease, first, path, adopt } = await leased();
    put(path, 'README.md', 'staged');
    await repository.snapshot(lease, first, 'so far', AUTHOR);
    put(path, 'new.txt', 'new');
    const saved = await adopt(first, true);
    assert.deepEqual(saved?.files, ['README.md', 'new.txt']);
    assert.equal(git(root, 'show', `${saved.commit}:README.md`), 'staged');
    assert.equal(git(path, 'status', '--porcelain'), '');
  });

  it('is brought to the commit when it was on its way to another one, whatever of that is in its files', async () => {
    const { root, first, path, adopt, text } = await leased();
    put(root, 'src/a.ts', 'second\n');
    const second = commitAll(root);
    git(path, 'read-tree', '--reset', '-u', second);
    put(path, 'new.txt', 'new');
    assert.deepEqual((await adopt(first))?.files, ['new.txt', 'src/a.ts']);
    assert.equal(git(path, 'status', '--porcelain'), '');

    // Killed in the middle: git had cut a file short, and has written no index.
    put(root, '.git/worktrees/a-one/coppice-moving', '');
    put(path, 'src/a.ts', 'sec');
    assert.deepEqual((await adopt(first))?.files, ['src/a.ts']);
    assert.equal(text('src/a.ts'), FILES['src/a.ts']);
    put(path, 'src/a.ts', 'by hand');
    assert.equal(await adopt(first), null, 'it is not on its way any more');
    assert.equal(text('src/a.ts'), 'by hand');
  });

  it('is brought to the commit, and its HEAD to its branch, when somebody looked at an older commit in it', async () => {
    const { repository, lease, first, path, adopt, text } = await leased();
    put(path, 'README.md', 'second');
    const made = await repository.snapshot(lease, first, 'More', AUTHOR);
    assert.ok(made);
    await repository.publish('coppice/one', made.commit);
    git(path, 'checkout', '-q', '--detach', 'HEAD~1');
    put(path, 'new.txt', 'by hand');
    assert.deepEqual((await adopt(made.commit))?.files, ['new.txt']);
    assert.equal(text('README.md'), 'second');
    assert.equal(git(path, 'symbolic-ref', 'HEAD'), 'refs/heads/coppice/one');
    assert.equal(git(path, 'status', '--porcelain'), '');
  });

  it('loses nothing when the engine is killed while it keeps what was changed', async () => {
    const { root, path, adopt } = await leased();
    put(root, 'src/a.ts', 'second\n');
    const second = commitAll(root);
    put(path, 'new.txt', 'by hand');
    mkdirSync(join(root, '.git/refs/coppice'), { recursive: true });
    writeFileSync(join(root, '.git/refs/coppice/discarded'), 'in the way');
    await assert.rejects(adopt(second));
    rmSync(join(root, '.git/refs/coppice/discarded'));
    const saved = await adopt(second);
    assert.ok(saved);
    assert.ok(saved.files.includes('new.txt'));
    assert.equal(git(root, 'show', `${saved.commit}:new.txt`), 'by hand');
  });

  it('keeps a commit that somebody made in it on no branch, with what lay on top of it', async () => {
    const { root, first, path, adopt } = await leased();
    git(path, 'checkout', '-q', '--detach');
    put(path, 'mine.txt', 'mine');
    const mine = commitAll(path);
    assert.deepEqual((await adopt(first))?.commit, mine);
    assert.equal(git(path, 'symbolic-ref', 'HEAD'), 'refs/heads/coppice/one');
    git(path, 'checkout', '-q', '--detach', mine);
    put(path, 'more.txt', 'more');
    const saved = await adopt(first);
    assert.deepEqual(saved?.files, ['mine.txt', 'more.txt']);
    assert.equal(git(root, 'rev-parse', `${saved.commit}^`), mine);
  });

  it('is not taken for cut by what a kill has left of something else', async () => {
    const { root, path, first, adopt, text } = await leased();
    const admin = join(root, '.git/worktrees/a-one');
    put(admin, 'coppice-moving', '');
    assert.equal(await adopt(first), null);
    put(path, 'README.md', 'by hand');
    assert.equal(await adopt(first), null);
    assert.equal(text('README.md'), 'by hand');
    put(admin, 'coppice-index', 'torn');
    put(admin, 'coppice-index.lock', '');
    assert.deepEqual((await adopt(first, true))?.files, ['README.md']);
  });

  it('is left alone when nothing in it differs, and made anew when its folder is gone', async () => {
    const { root, lease, first, path, adopt } = await leased();
    assert.equal(await adopt(first, true), null);
    git(root, 'worktree', 'remove', '--force', '--force', lease.path);
    assert.equal(await adopt(first), null);
    assert.equal(git(path, 'status', '--porcelain'), '');
  });
});
