import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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

describe('a worktree that is brought on', () => {
  cleanUpAfterwards();

  /** On the first commit; the second changes src/a.ts and has new.txt. */
  const leased = async () => {
    const root = makeRepository();
    const repository = await openAt(root);
    const first = headOf(root);
    const lease = await leaseAt(repository, 'one');
    put(root, 'src/a.ts', 'second\n');
    put(root, 'new.txt', 'second\n');
    const second = commitAll(root);
    const advance = (mayMove?: () => Promise<void>) => repository.advance(lease, { from: first, to: second }, mayMove);
    const text = (path: string): string => readFileSync(join(lease.path, path), 'utf8');
    const at = () => repository.branchHead('coppice/one');
    return { root, repository, first, second, lease, path: lease.path, advance, text, at };
  };

  it('keeps what was changed by hand in other files, new ones and ignored ones', async () => {
    const { second, path, advance, text, at } = await leased();
    put(path, 'README.md', 'by hand');
    put(path, 'mine.txt', 'by hand');
    put(path, 'debug.log', 'ignored');
    assert.equal(await advance(), true);
    assert.deepEqual(['README.md', 'mine.txt', 'debug.log', 'src/a.ts'].map(text), [
      'by hand',
      'by hand',
      'ignored',
      'second\n',
    ]);
    assert.equal(await at(), second);
    assert.equal(git(path, 'status', '--porcelain'), ' M README.md\n?? mine.txt');
  });

  for (const [what, file] of [
    ['a changed file', 'src/a.ts'],
    ['a new file', 'new.txt'],
  ] as const)
    it(`changes nothing when ${what} is in the way`, async () => {
      const { first, path, advance, text, at } = await leased();
      put(path, file, 'by hand');
      assert.equal(await advance(), false);
      assert.equal(text(file), 'by hand');
      assert.equal(await at(), first);
      assert.equal(existsSync(join(path, 'new.txt')), file === 'new.txt');
    });

  it('changes nothing when a file that it would change was deleted by hand', async () => {
    const { first, root, repository, lease, path, advance, at } = await leased();
    rmSync(join(path, 'src/a.ts'));
    assert.equal(await advance(), false);
    assert.equal(existsSync(join(path, 'src/a.ts')), false);
    assert.equal(await at(), first);
    const made = await repository.edits(lease, first, 'Mine', AUTHOR);
    assert.equal(git(root, 'diff', '--name-status', first, made?.commit ?? ''), 'D\tsrc/a.ts');
  });

  it('waits while somebody else holds its index', async () => {
    const { root, advance, text } = await leased();
    const lock = join(root, '.git/worktrees/a-one/index.lock');
    let touched = 0;
    // Whoever writes on is no command that was killed.
    const hold = (): void => writeFileSync(lock, String((touched += 1)));
    hold();
    const holder = setInterval(hold, 20);
    setTimeout(() => {
      clearInterval(holder);
      rmSync(lock);
    }, 700);
    assert.equal(await advance(), true);
    assert.ok(touched > 5, String(touched));
    assert.equal(text('src/a.ts'), 'second\n');
  });

  it('is set aside, and made anew, when nothing else helps', async () => {
    const { root, repository, second, lease, path, advance, text, at } = await leased();
    mkdirSync(join(path, 'new.txt'));
    git(join(path, 'new.txt'), 'init', '-q');
    put(path, 'new.txt/work.txt', 'mine');
    assert.equal(await advance(), false);
    const kept = await repository.setAside(lease, second);
    assert.ok(kept.startsWith(join(root, '.coppice/kept/a-one-')));
    assert.equal(readFileSync(join(kept, 'new.txt/work.txt'), 'utf8'), 'mine');
    assert.equal(existsSync(join(kept, '.git')), false);
    assert.equal(text('new.txt'), 'second\n');
    assert.equal(git(path, 'status', '--porcelain'), '');
    assert.equal(await at(), second);
  });

  it('takes no notice of a file that was written again as it was', async () => {
    const { path, advance, text } = await leased();
    put(path, 'src/a.ts', FILES['src/a.ts'] ?? '');
    utimesSync(join(path, 'src/a.ts'), 1, 1);
    assert.equal(await advance(), true);
    assert.equal(text('src/a.ts'), 'second\n');
  });

  it('moves nothing when it may not', async () => {
    const { first, advance, text, at } = await leased();
    const mayMove = () => Promise.reject(new Error('not any more'));
    await assert.rejects(advance(mayMove), /not any more/);
    assert.equal(text('src/a.ts'), FILES['src/a.ts']);
    assert.equal(await at(), first);
  });

  it('is made anew when its folder is gone', async () => {
    const { second, path, advance, at } = await leased();
    rmSync(path, { recursive: true });
    assert.equal(await advance(), true);
    assert.equal(git(path, 'status', '--porcelain'), '');
    assert.equal(await at(), second);
  });

  it('gives what was changed by hand as a commit, and stays as it is', async () => {
    const { root, repository, first, lease, path, text } = await leased();
    put(path, 'README.md', 'by hand');
    put(path, '.vscode/settings.json', '{}');
    const made = await repository.edits(lease, first, 'Mine', AUTHOR);
    assert.deepEqual(made?.files, ['README.md']);
    assert.equal(git(root, 'diff', '--name-status', first, made.commit), 'M\tREADME.md');
    assert.equal(text('README.md'), 'by hand');
    assert.equal(git(path, 'status', '--porcelain'), ' M README.md\n?? .vscode/');
    rmSync(join(path, '.vscode'), { recursive: true });
    git(path, 'checkout', '-q', '--', '.');
    assert.equal(await repository.edits(lease, first, 'Mine', AUTHOR), null);
  });
});
