import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Commit } from '../../../mcp-server/domain/ids.ts';
import { cleanUpAfterwards, commitAll, git, headOf, makeRepository, openAt, put, temporaryFolder } from './support.ts';

const twoCommits = async () => {
  const root = makeRepository();
  const first = headOf(root);
  put(root, 'second.txt', '2\n');
  return { root, first, second: commitAll(root), repository: await openAt(root) };
};

describe('branches', () => {
  cleanUpAfterwards();

  it('are created, moved and deleted; doing it again changes nothing', async () => {
    const { root, first, second, repository } = await twoCommits();
    assert.equal(await repository.branchHead('coppice/r/a'), null);
    for (const commit of [first, first, second, first]) {
      await repository.publish('coppice/r/a', commit);
      assert.equal(await repository.branchHead('coppice/r/a'), commit);
      assert.equal(git(root, 'rev-parse', 'coppice/r/a'), commit);
    }
    await repository.deleteBranch('coppice/r/a', first);
    await repository.deleteBranch('coppice/r/a', first);
    assert.equal(await repository.branchHead('coppice/r/a'), null);
  });

  it('are seen as others left them, also when they are packed', async () => {
    const { root, first, second, repository } = await twoCommits();
    await repository.publish('x', first);
    git(root, 'pack-refs', '--all');
    assert.equal(await repository.branchHead('x'), first);
    git(root, 'branch', '-f', 'x', second);
    assert.equal(await repository.branchHead('x'), second);
    git(root, 'branch', '-D', 'x');
    assert.equal(await repository.branchHead('x'), null);
  });

  it('are not deleted when they moved, or while they are checked out', async () => {
    const { root, first, second, repository } = await twoCommits();
    await repository.publish('x', second);
    await assert.rejects(repository.deleteBranch('x', first), { code: 'wrong-state', message: /has moved/ });
    git(root, 'checkout', '-q', 'x');
    await assert.rejects(repository.deleteBranch('x', second), { code: 'wrong-state', message: /checked out in/ });
    assert.equal(git(root, 'rev-parse', 'x'), second);
  });

  it('are not deleted while a linked working tree has them, wherever that lies, and whatever else HEAD may be', async () => {
    const { root, first, second, repository } = await twoCommits();
    await repository.publish('x', second);
    const linked = join(temporaryFolder(), 'linked');
    git(root, 'worktree', 'add', '-q', linked, 'x');
    await assert.rejects(repository.deleteBranch('x', second), {
      code: 'wrong-state',
      message: /checked out in .*linked/,
    });
    git(linked, 'checkout', '-q', '--detach', first);
    const head = join(root, '.git', 'HEAD');
    const text = readFileSync(head, 'utf8');
    // As git wrote it long ago: a link to the branch.
    rmSync(head);
    symlinkSync('refs/heads/x', head);
    await assert.rejects(repository.deleteBranch('x', second), { code: 'wrong-state', message: /checked out in/ });
    rmSync(head);
    writeFileSync(head, text);
    git(root, 'symbolic-ref', 'refs/heads/alias', 'refs/heads/x');
    git(linked, 'symbolic-ref', 'HEAD', 'refs/heads/alias');
    await assert.rejects(repository.deleteBranch('x', second), { code: 'wrong-state', message: /checked out in/ });
    git(linked, 'checkout', '-q', '--detach', first);
    git(root, 'symbolic-ref', '--delete', 'refs/heads/alias');
    await repository.deleteBranch('x', second);
    assert.equal(await repository.branchHead('x'), null);
  });

  it('move although a killed command left its lock', async () => {
    const { root, first, repository } = await twoCommits();
    const lock = join(root, '.git', 'refs', 'heads', 'coppice', 'x.lock');
    mkdirSync(join(lock, '..'), { recursive: true });
    writeFileSync(lock, '');
    await repository.publish('coppice/x', first);
    assert.equal(await repository.branchHead('coppice/x'), first);
    assert.equal(existsSync(lock), false);
  });

  it('are brought to where the database says, all at once, without those whose commit is gone', async () => {
    const { root, first, second, repository } = await twoCommits();
    await repository.publish('right', first);
    await repository.publish('behind', first);
    const expected = [
      { branch: 'right', commit: first },
      { branch: 'behind', commit: second },
      { branch: 'missing', commit: first },
      { branch: 'lost', commit: 'f'.repeat(40) },
    ];
    assert.equal(await repository.reconcile(expected), 2);
    assert.equal(await repository.reconcile(expected), 0);
    assert.deepEqual([git(root, 'rev-parse', 'behind'), git(root, 'rev-parse', 'missing')], [second, first]);
    assert.equal(await repository.branchHead('lost'), null);
  });

  it('two hundred of them are brought back in well under a second', async () => {
    const { first, repository } = await twoCommits();
    const expected = Array.from({ length: 200 }, (_, index) => ({ branch: `coppice/r/a-${index}`, commit: first }));
    const start = performance.now();
    assert.equal(await repository.reconcile(expected), 200);
    assert.ok(performance.now() - start < 1_000);
  });

  it('a discarded commit is kept where no list of branches shows it', async () => {
    const { root, second, repository } = await twoCommits();
    await repository.pin('r-1', second);
    await repository.pin('r-1', second);
    assert.equal(git(root, 'rev-parse', 'refs/coppice/discarded/r-1'), second);
    assert.equal(git(root, 'branch', '--format=%(refname:short)'), 'main');
  });

  it('cannot have a name that git forbids, or that it would read as an option', async () => {
    const { first, repository } = await twoCommits();
    const refused = { name: 'UserError', code: 'bad-input' };
    const paths = ['../x', 'a//b', '/a', 'a/', '.a', 'a/.b'];
    const special = [
      '--output=x',
      '-D',
      'a b',
      'a..b',
      'x.lock',
      '',
      'HEAD',
      'a\nb',
      'a~1',
      'a^',
      'a:b',
      'a*',
      '@{1}',
      '@',
    ];
    for (const name of [...paths, ...special]) {
      await assert.rejects(repository.publish(name, first), refused, name);
      await assert.rejects(repository.branchHead(name), refused, name);
      await assert.rejects(repository.deleteBranch(name, first), refused, name);
      await assert.rejects(repository.pin(name, first), refused, name);
    }
  });

  it('take only whole names of commits', async () => {
    const { repository } = await twoCommits();
    for (const commit of ['--all', 'HEAD', 'main', 'abc', ''])
      await assert.rejects(repository.publish('x', commit as Commit), /Not a commit name/);
  });
});
