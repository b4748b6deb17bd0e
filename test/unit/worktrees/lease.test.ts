import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Lease } from '../../../mcp-server/worktrees/port.ts';
import {
  AUTHOR,
  agentId,
  cleanUpAfterwards,
  commitAll,
  FILES,
  git,
  headOf,
  leaseAt,
  makeRepository,
  noIntent,
  openAt,
  put,
} from './support.ts';

const worktrees = (root: string): string[] =>
  git(root, 'worktree', 'list', '--porcelain')
    .split('\n')
    .filter((line) => line.startsWith('worktree '));

describe('a lease', () => {
  cleanUpAfterwards();

  it('is a locked worktree on its branch with the files of the commit', async () => {
    const root = makeRepository();
    const repository = await openAt(root);
    const lease = await leaseAt(repository, 'one');
    assert.deepEqual(lease, {
      agent: 'a-one',
      path: join(root, '.coppice', 'worktrees', 'a-one'),
      admin: 'a-one',
      branch: 'coppice/one',
    });
    assert.equal(readFileSync(join(lease.path, 'README.md'), 'utf8'), FILES['README.md']);
    assert.equal(git(lease.path, 'rev-parse', '--abbrev-ref', 'HEAD'), 'coppice/one');
    assert.equal(git(lease.path, 'status', '--porcelain'), '');
    assert.match(git(root, 'worktree', 'list', '--porcelain'), /locked in use by Coppice agent a-one/);
    assert.equal(git(root, 'status', '--porcelain'), '');
  });

  it('tells its intent before anything is on disk, and is not made when that fails', async () => {
    const root = makeRepository();
    const repository = await openAt(root);
    const told: Lease[] = [];
    const failing = repository.lease(agentId('x'), 'coppice/x', headOf(root), async (lease) => {
      told.push(lease);
      assert.equal(existsSync(lease.path), false);
      throw new Error('no row');
    });
    await assert.rejects(failing, /no row/);
    assert.equal(told.length, 1);
    assert.deepEqual(readdirSync(join(root, '.coppice', 'worktrees')), []);
    assert.equal(await repository.branchHead('coppice/x'), null);
  });

  it('sixteen at once, three times, all succeed and are all removed', async () => {
    const root = makeRepository();
    git(root, 'remote', 'add', 'origin', root);
    git(root, 'fetch', '-q', 'origin');
    const repository = await openAt(root);
    const head = headOf(root);
    for (let round = 0; round < 3; round += 1) {
      const names = Array.from({ length: 16 }, (_, n) => `r${round}-${n}`);
      const leases = await Promise.all(names.map((name) => leaseAt(repository, name)));
      assert.equal(worktrees(root).length, 17);
      for (const lease of leases) assert.ok(existsSync(join(lease.path, 'src/deep/b.ts')));
      const safe = { commits: [head], discarded: false };
      const removals = await Promise.all(leases.map((lease) => repository.remove(lease, safe)));
      assert.ok(removals.every(({ kind }) => kind === 'removed'));
      assert.equal(worktrees(root).length, 1);
    }
  });

  it('does not run a post-checkout hook', async () => {
    const root = makeRepository();
    const mark = join(root, '.git', 'it-ran');
    writeFileSync(join(root, '.git', 'hooks', 'post-checkout'), `#!/bin/sh\ntouch '${mark}'\n`, { mode: 0o755 });
    await leaseAt(await openAt(root), 'one');
    assert.equal(existsSync(mark), false);
  });

  it('has all files also where the person sees only some', async () => {
    const root = makeRepository();
    // The files are copies: git has to see first that they are unchanged.
    git(root, 'status');
    git(root, 'sparse-checkout', 'set', 'src/deep');
    assert.equal(existsSync(join(root, 'src/a.ts')), true);
    git(root, 'sparse-checkout', 'set', '--no-cone', '/src/deep/');
    assert.equal(existsSync(join(root, 'README.md')), false);
    const repository = await openAt(root);
    const lease = await leaseAt(repository, 'one');
    assert.ok(existsSync(join(lease.path, 'README.md')));
    assert.equal(await repository.snapshot(lease, headOf(root), 'nothing', AUTHOR), null);
    assert.equal(existsSync(join(root, 'README.md')), false);
  });

  it('says so when a person has its branch checked out', async () => {
    const root = makeRepository();
    git(root, 'checkout', '-q', '-b', 'coppice/one');
    await assert.rejects(leaseAt(await openAt(root), 'one'), {
      code: 'wrong-state',
      message: /checked out in another/,
    });
  });

  it('refuses an agent name that is a path', async () => {
    const repository = await openAt(makeRepository());
    for (const name of ['../x', 'a/b', '', '.git', '-x'])
      await assert.rejects(
        repository.lease(name as never, 'b', headOf(repository.root), noIntent),
        /Not the name of an agent/,
      );
  });

  describe('after a kill', () => {
    const dies = (at: string, when: 'before' | 'after') => {
      const heard = (label: string): void => {
        if (label === at) throw new Error('killed');
      };
      return when === 'before' ? { before: heard } : { after: heard };
    };
    for (const at of ['update-ref', 'worktree add', 'read-tree'])
      for (const when of ['before', 'after'] as const)
        it(`${when} ${at} succeeds the second time`, async () => {
          const root = makeRepository();
          const dying = await openAt(root, { faults: dies(at, when) });
          await assert.rejects(leaseAt(dying, 'one'), /killed/);
          const repository = await openAt(root);
          const lease = await leaseAt(repository, 'one');
          assert.equal(lease.admin, 'a-one');
          assert.equal(git(lease.path, 'status', '--porcelain'), '');
          assert.equal(worktrees(root).length, 2);
          assert.deepEqual(readdirSync(join(root, '.git', 'worktrees')), ['a-one']);
        });

    it('in the middle of the checkout succeeds the second time', async () => {
      const root = makeRepository();
      const dying = await openAt(root, { faults: dies('read-tree', 'before') });
      await assert.rejects(leaseAt(dying, 'one'), /killed/);
      const path = join(root, '.coppice', 'worktrees', 'a-one');
      put(path, 'README.md', 'half');
      put(root, '.git/worktrees/a-one/index.lock', '');
      const repository = await openAt(root);
      const lease = await leaseAt(repository, 'one');
      assert.equal(git(lease.path, 'status', '--porcelain'), '');
    });

    it('that left only half an entry succeeds the second time', async () => {
      const root = makeRepository();
      mkdirSync(join(root, '.git', 'worktrees', 'a-one'), { recursive: true });
      writeFileSync(join(root, '.git', 'worktrees', 'a-one', 'locked'), 'x');
      put(root, '.coppice/worktrees/a-one/left.txt', 'over');
      const lease = await leaseAt(await openAt(root), 'one');
      assert.equal(existsSync(join(lease.path, 'left.txt')), false);
      assert.equal(worktrees(root).length, 2);
    });

    it('is removed, if it never was whole', async () => {
      const root = makeRepository();
      const dying = await openAt(root, { faults: dies('read-tree', 'before') });
      let intent: Lease | undefined;
      const cut = dying.lease(agentId('one'), 'coppice/one', headOf(root), async (lease) => {
        intent = lease;
      });
      await assert.rejects(cut, /killed/);
      assert.ok(intent);
      const repository = await openAt(root);
      assert.deepEqual(await repository.remove(intent, { commits: [], discarded: false }), { kind: 'removed' });
      assert.equal(worktrees(root).length, 1);
    });
  });

  describe('with a .worktreeinclude', () => {
    it('gets a copy of the ignored files that it names, and of nothing else', async () => {
      const root = makeRepository({
        ...FILES,
        '.worktreeinclude': '.env\n*.log\nnot-ignored.txt\n/node_modules/keep/\n.vscode/\n',
        '.gitignore': `${FILES['.gitignore']}.vscode/\n`,
      });
      put(root, '.env', 'SECRET=1\n');
      put(root, 'src/.env', 'INNER=1\n');
      put(root, 'debug.log', 'l');
      put(root, 'not-ignored.txt', 'n');
      put(root, '.vscode/settings.json', '{}');
      put(root, 'node_modules/keep/x.js', 'x');
      put(root, 'node_modules/other/x.js', 'x');
      put(root, '.coppice/worktrees/a-old/.env', 'not mine');
      const repository = await openAt(root);
      const { path } = await leaseAt(repository, 'one');
      assert.equal(readFileSync(join(path, '.env'), 'utf8'), 'SECRET=1\n');
      assert.equal(readFileSync(join(path, 'src/.env'), 'utf8'), 'INNER=1\n');
      assert.ok(existsSync(join(path, 'debug.log')) && existsSync(join(path, 'node_modules/keep/x.js')));
      for (const absent of ['not-ignored.txt', '.vscode', 'node_modules/other', '.coppice'])
        assert.equal(existsSync(join(path, absent)), false, absent);
    });
  });
});

describe('reset', () => {
  cleanUpAfterwards();

  const leased = async () => {
    const root = makeRepository();
    const repository = await openAt(root);
    return { root, repository, first: headOf(root), lease: await leaseAt(repository, 'one') };
  };

  it('makes branch, index and files exactly the commit, and keeps what is ignored', async () => {
    const { root, repository, first, lease } = await leased();
    put(root, 'src/a.ts', 'second\n');
    const second = commitAll(root);
    put(lease.path, 'README.md', 'changed');
    put(lease.path, 'new/file.txt', 'new');
    put(lease.path, 'node_modules/x/y.js', 'installed');
    put(lease.path, '.gitignore', 'new/\n');
    mkdirSync(join(lease.path, 'nested'));
    git(join(lease.path, 'nested'), 'init', '-q');
    await repository.reset(lease, second);
    assert.equal(git(lease.path, 'status', '--porcelain'), '');
    assert.equal(git(lease.path, 'rev-parse', 'HEAD'), second);
    assert.equal(readFileSync(join(lease.path, 'src/a.ts'), 'utf8'), 'second\n');
    assert.deepEqual([existsSync(join(lease.path, 'new')), existsSync(join(lease.path, 'nested'))], [false, false]);
    assert.ok(existsSync(join(lease.path, 'node_modules/x/y.js')));
    await repository.reset(lease, first);
    assert.equal(readFileSync(join(lease.path, 'src/a.ts'), 'utf8'), FILES['src/a.ts']);
    assert.equal(await repository.branchHead('coppice/one'), first);
    assert.ok(!existsSync(join(root, '.git/worktrees/a-one/coppice-moving')));
  });

  it('finds a change that leaves size and time of a file as they were', async () => {
    const { repository, first, lease } = await leased();
    const file = join(lease.path, 'src/a.ts');
    const before = statSync(file).mtimeMs;
    writeFileSync(file, 'export const a = 2;\n');
    assert.ok(statSync(file).mtimeMs >= before);
    await repository.reset(lease, first);
    assert.equal(readFileSync(file, 'utf8'), FILES['src/a.ts']);
  });

  it('goes on although a killed command left its lock on the index', async () => {
    const { root, repository, first, lease } = await leased();
    put(root, '.git/worktrees/a-one/index.lock', '');
    put(lease.path, 'README.md', 'changed');
    await repository.reset(lease, first);
    assert.equal(git(lease.path, 'status', '--porcelain'), '');
  });

  it('makes a worktree anew whose folder is gone', async () => {
    const { root, repository, first, lease } = await leased();
    git(root, 'worktree', 'remove', '--force', '--force', lease.path);
    await repository.reset(lease, first);
    assert.equal(git(lease.path, 'status', '--porcelain'), '');
  });
});
