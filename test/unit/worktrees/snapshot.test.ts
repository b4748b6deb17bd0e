import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import {
  AUTHOR,
  cleanUpAfterwards,
  commitAll,
  git,
  headOf,
  leaseAt,
  makeCanary,
  makeRepository,
  openAt,
  put,
} from './support.ts';

const leased = async () => {
  const root = makeRepository();
  const repository = await openAt(root);
  const lease = await leaseAt(repository, 'one');
  const base = headOf(root);
  const snap = (parent = base, message = 'Work') => repository.snapshot(lease, parent, message, AUTHOR);
  return { root, repository, lease, path: lease.path, base, snap };
};

describe('a snapshot', () => {
  cleanUpAfterwards();

  it('is a commit of everything that changed, by its author, at the clock’s time; no branch moves', async () => {
    const root = makeRepository();
    const clock = { now: () => 1_700_000_000_000, sleep: async () => undefined, alarm: () => () => undefined };
    const repository = await openAt(root, { clock });
    const lease = await leaseAt(repository, 'one');
    const base = headOf(root);
    put(lease.path, 'README.md', 'changed\n');
    put(lease.path, 'new folder/ö.txt', 'new\n');
    put(lease.path, 'debug.log', 'ignored');
    rmSync(join(lease.path, 'src/a.ts'));
    chmodSync(join(lease.path, 'src/deep/b.ts'), 0o755);
    const made = await repository.snapshot(lease, base, 'Übung\n\nAgent: a-1', AUTHOR);
    assert.deepEqual(made?.files, ['README.md', 'new folder/ö.txt', 'src/a.ts', 'src/deep/b.ts']);
    const changed = git(root, '-c', 'core.quotePath=false', 'diff', '--name-status', base, made.commit);
    assert.equal(changed, 'M\tREADME.md\nA\tnew folder/ö.txt\nD\tsrc/a.ts\nM\tsrc/deep/b.ts');
    const shown = git(root, 'show', '-s', '--format=%P|%an|%ae|%at|%cn|%ce|%ct|%B', made.commit);
    const who = 'Cópp & Co|coppice@example.invalid|1700000000';
    assert.equal(shown.replace(/ +/g, ' '), `${base}|${who}|${who}|Übung\n\nAgent: a-1`);
    assert.equal(await repository.branchHead('coppice/one'), base);
  });

  it('leaves out what cannot be read, and takes the rest', async function () {
    // Root can read all.
    if (process.getuid?.() === 0) return this.skip();
    const { path, snap } = await leased();
    put(path, 'secret.key', 'mine');
    chmodSync(join(path, 'secret.key'), 0);
    put(path, 'fine.txt', 'x');
    assert.deepEqual((await snap())?.files, ['fine.txt']);
    assert.ok(existsSync(join(path, 'secret.key')));
  });

  it('is null when nothing changed, also after a change was taken back', async () => {
    const { path, base, snap, root } = await leased();
    assert.equal(await snap(), null);
    put(path, 'README.md', 'changed');
    const made = await snap();
    assert.ok(made);
    put(path, 'README.md', git(root, 'show', `${base}:README.md`).concat('\n'));
    assert.equal(await snap(), null);
    put(path, 'debug.log', 'ignored');
    assert.equal(await snap(), null);
  });

  it('can be made again on the same parent when the first one was not published', async () => {
    const { root, path, base, snap } = await leased();
    put(path, 'one.txt', '1');
    await snap();
    put(path, 'two.txt', '2');
    rmSync(join(path, 'one.txt'));
    const second = await snap();
    assert.deepEqual(second?.files, ['two.txt']);
    assert.equal(git(root, 'diff', '--name-only', base, second.commit), 'two.txt');
  });

  it('goes on top of the one before, published or not', async () => {
    const { root, repository, lease, path, base, snap } = await leased();
    put(path, 'one.txt', '1');
    const first = await snap();
    assert.ok(first);
    assert.equal(await snap(first.commit), null);
    await repository.publish(lease.branch, first.commit);
    assert.equal(await snap(first.commit), null);
    put(path, 'two.txt', '2');
    const second = await snap(first.commit);
    assert.deepEqual(second?.files, ['two.txt']);
    assert.equal(
      git(root, 'log', '--format=%H', second.commit).split('\n').join(),
      [second.commit, first.commit, base].join(),
    );
  });

  it('knows a folder that became a file, a file that became a folder, and a folder that became a link', async () => {
    const { root, path, base, snap } = await leased();
    rmSync(join(path, 'src'), { recursive: true });
    put(path, 'src', 'now a file');
    rmSync(join(path, 'README.md'));
    put(path, 'README.md/inner.txt', 'now a folder');
    const made = await snap();
    assert.ok(made);
    const names = git(root, 'ls-tree', '-r', '--name-only', made.commit).split('\n');
    assert.deepEqual(names, ['.gitignore', 'README.md/inner.txt', 'src']);
    rmSync(join(path, 'src'));
    renameSync(join(path, 'README.md'), join(path, 'moved'));
    symlinkSync('moved', join(path, 'README.md'));
    const next = await snap(made.commit);
    assert.ok(next);
    assert.match(git(root, 'ls-tree', next.commit, 'README.md'), /^120000 blob/);
    assert.equal(
      git(root, 'ls-tree', '-r', '--name-only', next.commit).split('\n').join(),
      '.gitignore,README.md,moved/inner.txt',
    );
    assert.notEqual(next.commit, base);
  });

  it('takes names as they are, whatever they look like', async () => {
    const { path, root, snap } = await leased();
    const names = ['--output=x', '-n', '*.txt', ':(top)a', '[a]', 'a\nb', 'tab\there', '"quoted"', ' lead'];
    for (const name of names) put(path, name, 'x');
    const made = await snap();
    assert.deepEqual(made?.files, [...names].sort());
    assert.equal(
      git(root, 'ls-tree', '-z', '--name-only', made.commit)
        .split('\0')
        .filter((n) => names.includes(n)).length,
      names.length,
    );
    assert.equal(existsSync(join(root, 'x')), false);
  });

  it('leaves out nested repositories, protected files and links that lead outside', async () => {
    const { root, path, base, snap } = await leased();
    const nested = join(path, 'nested');
    mkdirSync(nested);
    git(nested, 'init', '-q');
    put(nested, 'file.txt', 'x');
    commitAll(nested);
    put(path, '.vscode/tasks.json', '{}');
    put(path, 'x.code-workspace', '{}');
    symlinkSync('/etc/passwd', join(path, 'absolute'));
    symlinkSync('../../../README.md', join(path, 'upwards'));
    symlinkSync('.git', join(path, 'to-git'));
    assert.equal(await snap(), null);
    symlinkSync('src/a.ts', join(path, 'inside'));
    put(path, 'fine.txt', 'x');
    const made = await snap();
    assert.deepEqual(made?.files, ['fine.txt', 'inside']);
    assert.equal(git(root, 'diff', '--name-only', base, made.commit), 'fine.txt\ninside');
    assert.ok(existsSync(join(nested, '.git')) && existsSync(join(path, 'upwards')));
  });

  it('does not turn a folder of files into a submodule', async () => {
    const { root, path, base, snap } = await leased();
    git(join(path, 'src'), 'init', '-q');
    git(join(path, 'src'), 'commit', '-q', '--allow-empty', '-m', 'x');
    put(path, 'other.txt', 'x');
    const made = await snap();
    assert.ok(made);
    assert.doesNotMatch(git(root, 'ls-tree', '-r', made.commit), /^160000/m);
    assert.match(git(root, 'diff', '--name-only', base, made.commit), /other\.txt/);
  });

  it('goes on although a killed command left its lock on the index', async () => {
    const { root, path, snap } = await leased();
    put(root, '.git/worktrees/a-one/index.lock', '');
    put(path, 'one.txt', '1');
    assert.deepEqual((await snap())?.files, ['one.txt']);
  });

  it('stores files as they are, without the content filters of the person’s settings', async () => {
    const { program, mark } = makeCanary();
    const root = makeRepository();
    git(root, 'config', 'filter.x.clean', program);
    git(root, 'config', 'filter.x.smudge', program);
    git(root, 'config', 'filter.x.required', 'true');
    const repository = await openAt(root);
    const lease = await leaseAt(repository, 'one');
    put(lease.path, '.gitattributes', '* filter=x\n');
    put(lease.path, 'README.md', 'changed\n');
    const made = await repository.snapshot(lease, headOf(root), 'x', AUTHOR);
    assert.ok(made);
    await repository.reset(lease, headOf(root));
    await repository.reset(lease, made.commit);
    assert.equal(existsSync(mark), false);
    assert.equal(git(root, 'show', `${made.commit}:README.md`), 'changed');
  });
});
