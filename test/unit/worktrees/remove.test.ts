import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Commit } from '../../../mcp-server/domain/ids.ts';
import {
  AUTHOR,
  cleanUpAfterwards,
  git,
  headOf,
  leaseAt,
  makeRepository,
  openAt,
  put,
  temporaryFolder,
} from './support.ts';

const leased = async () => {
  const root = makeRepository();
  const repository = await openAt(root);
  const lease = await leaseAt(repository, 'one');
  const base = headOf(root);
  const commit = async (): Promise<Commit> => {
    put(lease.path, 'work.txt', 'work\n');
    const made = await repository.snapshot(lease, base, 'Work', AUTHOR);
    assert.ok(made);
    await repository.publish(lease.branch, made.commit);
    return made.commit;
  };
  return { root, repository, lease, base, commit };
};

const entries = (root: string): string[] => {
  const folder = join(root, '.git', 'worktrees');
  return existsSync(folder) ? readdirSync(folder) : [];
};

describe('removing a worktree', () => {
  cleanUpAfterwards();

  it('removes one that is clean and whose commits are safe; its branch and the person’s worktrees stay', async () => {
    const { root, repository, lease, base, commit } = await leased();
    const other = join(temporaryFolder(), 'of-the-person');
    git(root, 'worktree', 'add', '-q', '-b', 'theirs', other);
    const head = await commit();
    put(lease.path, 'node_modules/x.js', 'ignored');
    assert.deepEqual(await repository.remove(lease, { commits: [base, head], discarded: false }), { kind: 'removed' });
    assert.equal(existsSync(lease.path), false);
    assert.deepEqual(entries(root), ['of-the-person']);
    assert.equal(await repository.branchHead(lease.branch), head);
    assert.equal(git(other, 'status', '--porcelain'), '');
    await repository.close();
    assert.deepEqual(readdirSync(join(root, '.coppice', 'trash')), []);
  });

  it('does not let the entry of a worktree vanish that is missing only for a while', async () => {
    const { root, repository, lease, base } = await leased();
    const other = join(temporaryFolder(), 'on-a-stick');
    git(root, 'worktree', 'add', '-q', '-b', 'theirs', other);
    writeFileSync(join(root, '.git', 'worktrees', 'on-a-stick', 'gitdir'), '/media/not/mounted/.git\n');
    await repository.remove(lease, { commits: [base], discarded: false });
    await repository.sweep([]);
    assert.deepEqual(entries(root), ['on-a-stick']);
  });

  describe('keeps it, and says why, when', () => {
    const kept = async (
      reason: RegExp,
      mess: (at: Awaited<ReturnType<typeof leased>>) => Promise<readonly Commit[]>,
    ): Promise<void> => {
      const at = await leased();
      const commits = await mess(at);
      const outcome = await at.repository.remove(at.lease, { commits, discarded: false });
      assert.ok(outcome.kind === 'kept');
      assert.match(outcome.reason, reason);
      assert.ok(existsSync(at.lease.path));
      assert.deepEqual(entries(at.root), ['a-one']);
    };

    it('a file was changed', () =>
      kept(/uncommitted changes: README\.md/, async ({ lease, base }) => {
        put(lease.path, 'README.md', 'changed');
        return [base];
      }));

    it('a file is new', () =>
      kept(/uncommitted changes: a\/b\.txt, c1, c2, …/, async ({ lease, base }) => {
        for (const name of ['a/b.txt', 'c1', 'c2', 'c3']) put(lease.path, name, 'new');
        return [base];
      }));

    it('a change was committed but not published', () =>
      kept(/uncommitted changes: work\.txt/, async ({ repository, lease, base }) => {
        put(lease.path, 'work.txt', 'x');
        await repository.snapshot(lease, base, 'x', AUTHOR);
        return [base];
      }));

    it('its commits are nowhere else', () =>
      kept(/not merged/, async ({ base, commit }) => {
        await commit();
        return [base];
      }));

    it('nothing is named as safe', () => kept(/not merged/, async () => []));

    it('a nested repository is in it', () =>
      kept(/uncommitted changes: nested\//, async ({ lease, base }) => {
        mkdirSync(join(lease.path, 'nested'));
        git(join(lease.path, 'nested'), 'init', '-q');
        put(lease.path, 'nested/x', 'x');
        return [base];
      }));

    it('its branch is gone', () =>
      kept(/branch is gone/, async ({ root, base }) => {
        git(root, 'update-ref', '-d', 'refs/heads/coppice/one');
        return [base];
      }));

    it('the check itself fails', () =>
      kept(/could not be checked/, async ({ root, base }) => {
        writeFileSync(join(root, '.git', 'worktrees', 'a-one', 'index'), 'broken');
        return [base];
      }));

    it('a safe commit does not exist', () => kept(/could not be checked/, async () => ['f'.repeat(40) as Commit]));
  });

  it('removes whatever is in it once it was discarded', async () => {
    const { root, repository, lease, commit } = await leased();
    await commit();
    put(lease.path, 'README.md', 'changed');
    assert.deepEqual(await repository.remove(lease, { commits: [], discarded: true }), { kind: 'removed' });
    assert.deepEqual([existsSync(lease.path), entries(root)], [false, []]);
  });

  it('is done when it was done before', async () => {
    const { root, repository, lease, base } = await leased();
    const safe = { commits: [base], discarded: false };
    await repository.remove(lease, safe);
    assert.deepEqual(await repository.remove(lease, safe), { kind: 'removed' });
    await leaseAt(repository, 'one');
    assert.deepEqual(entries(root), ['a-one']);
  });
});

describe('sweeping', () => {
  cleanUpAfterwards();

  it('empties the trash and finishes what a kill interrupted, but leaves what is leased', async () => {
    const { root, repository, lease } = await leased();
    put(root, '.coppice/trash/a-x-1/deep/file.txt', 'x');
    put(root, '.git/coppice-dropped-1/HEAD', 'x');
    await repository.sweep([lease]);
    await repository.close();
    assert.deepEqual(readdirSync(join(root, '.coppice', 'trash')), []);
    assert.equal(existsSync(join(root, '.git', 'coppice-dropped-1')), false);
    assert.equal(git(lease.path, 'status', '--porcelain'), '');
  });

  it('removes unknown worktrees that hold nothing, and keeps those that do', async () => {
    const { root, repository, lease, base } = await leased();
    const dirty = await leaseAt(repository, 'dirty');
    put(dirty.path, 'new.txt', 'x');
    const branchless = await leaseAt(repository, 'branchless');
    put(branchless.path, 'new.txt', 'x');
    const made = await repository.snapshot(branchless, base, 'x', AUTHOR);
    assert.ok(made);
    git(branchless.path, 'checkout', '-q', '-f', '--detach', made.commit);
    const gone = await leaseAt(repository, 'gone');
    await repository.remove({ ...gone, admin: 'a-nothing' }, { commits: [base], discarded: true });
    mkdirSync(join(root, '.coppice', 'worktrees', 'a-empty'));
    put(root, '.coppice/worktrees/a-files/only.txt', 'x');
    await repository.sweep([]);
    assert.deepEqual(readdirSync(join(root, '.coppice', 'worktrees')).sort(), ['a-branchless', 'a-dirty', 'a-files']);
    assert.deepEqual(entries(root).sort(), ['a-branchless', 'a-dirty']);
    assert.equal(existsSync(lease.path), false);
  });

  it('follows no link out of the trash or out of the folder of worktrees', async () => {
    const { root, repository } = await leased();
    const victim = temporaryFolder('victim');
    put(victim, 'precious.txt', 'x');
    mkdirSync(join(root, '.coppice/trash/a-1'));
    symlinkSync(victim, join(root, '.coppice/trash/a-1/link'));
    symlinkSync(victim, join(root, '.coppice/trash/link'));
    symlinkSync(victim, join(root, '.coppice/worktrees/a-link'));
    await repository.sweep([]);
    await repository.close();
    assert.deepEqual(readdirSync(join(root, '.coppice/trash')), []);
    assert.deepEqual(readdirSync(victim), ['precious.txt']);
  });
});
