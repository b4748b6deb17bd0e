import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Repository } from '../../../mcp-server/worktrees/port.ts';
import {
  AUTHOR,
  cleanUpAfterwards,
  commitAll,
  git,
  headOf,
  leaseAt,
  makeRepository,
  openAt,
  put,
  temporaryFolder,
} from './support.ts';

/** A whole round of an agent: lease, write, commit, land, remove. */
const goRound = async (repository: Repository, into: string | null): Promise<void> => {
  const base = headOf(repository.root);
  const lease = await leaseAt(repository, 'round');
  await repository.treeOfLease(lease).write('added/by agent.txt', 'hello\n');
  const made = await repository.snapshot(lease, base, 'Add', AUTHOR);
  assert.deepEqual(made?.files, ['added/by agent.txt']);
  await repository.publish(lease.branch, made.commit);
  const landed = await repository.land(made.commit, { into, message: 'Land', author: AUTHOR });
  assert.equal(landed.kind, 'landed');
  assert.equal(readFileSync(join(repository.root, 'added/by agent.txt'), 'utf8'), 'hello\n');
  assert.deepEqual(await repository.remove(lease, { commits: [made.commit], discarded: false }), { kind: 'removed' });
  git(repository.root, 'fsck', '--strict', '--no-dangling');
};

describe('opening a repository', () => {
  cleanUpAfterwards();

  it('finds it from a folder or a file inside, and says what it is', async () => {
    const root = makeRepository();
    const repository = await openAt(join(root, 'src', 'deep', 'b.ts'));
    assert.equal(repository.root, root);
    assert.deepEqual(await repository.facts(), {
      root,
      commonDir: join(root, '.git'),
      branch: 'main',
      head: headOf(root),
      dirtyFiles: 0,
      hasSubmodules: false,
      shallow: false,
      linked: false,
    });
  });

  it('tells where HEAD is as git does: on any branch, moved, packed, detached, in a linked worktree', async () => {
    const root = makeRepository();
    const linked = join(temporaryFolder(), 'linked');
    git(root, 'worktree', 'add', '-q', '-b', 'aside', linked);
    for (const place of [root, linked]) {
      const repository = await openAt(place);
      const assertAsGit = async (): Promise<void> => {
        const { branch, head } = await repository.head();
        assert.equal(branch ?? '', git(place, 'branch', '--show-current').trim());
        assert.equal(head, headOf(place));
      };
      await assertAsGit();
      put(place, 'more.txt', 'more\n');
      commitAll(place, 'More');
      await assertAsGit();
      git(place, 'switch', '-q', '-c', `feature/ümlaut-${place === root}`);
      await assertAsGit();
      git(place, 'pack-refs', '--all');
      await assertAsGit();
      put(place, 'still more.txt', 'more\n');
      commitAll(place, 'Still more');
      await assertAsGit();
      git(place, 'switch', '-q', '--detach', 'HEAD~1');
      await assertAsGit();
      git(place, 'switch', '-q', '--orphan', `empty-${place === root}`);
      await assert.rejects(repository.head(), /has no commits on its branch yet/);
    }
  });

  it('tells where HEAD is as git does where one branch stands for another, or a name could mean two things', async () => {
    const root = makeRepository();
    const repository = await openAt(root);
    const assertAsFacts = async (): Promise<void> => {
      const { branch, head } = await repository.facts();
      assert.deepEqual(await repository.head().then((said) => [said.branch, said.head]), [branch, head]);
    };
    git(root, 'symbolic-ref', 'refs/heads/alias', 'refs/heads/main');
    git(root, 'symbolic-ref', 'HEAD', 'refs/heads/alias');
    await assertAsFacts();
    git(root, 'branch', 'refs/heads/dev', 'main');
    for (const unborn of ['dev', `topic-g${headOf(root).slice(0, 10)}`]) {
      git(root, 'symbolic-ref', 'HEAD', `refs/heads/${unborn}`);
      await assert.rejects(repository.head(), /has no commits on its branch yet/);
    }
    writeFileSync(join(root, '.git/HEAD'), 'ref: refs/heads/main~0\n');
    await assert.rejects(repository.head());
    writeFileSync(join(root, '.git/HEAD'), 'ref: refs/heads/main\n');
    await assertAsFacts();
  });

  it('refuses state that came with a clone, but not what people share', async () => {
    const root = makeRepository();
    for (const path of ['config.json', 'skills.lock.json', 'skills/mine/SKILL.md', 'workflows/mine.yaml'])
      put(root, `.coppice/${path}`, '{}');
    commitAll(root, 'Share settings');
    assert.equal((await openAt(root)).root, root);
    for (const path of ['state.db', 'engine.json', 'skills.lock.json.new', 'drafts/x/SKILL.md', 'tmp/x']) {
      const other = makeRepository();
      put(other, `.coppice/${path}`, 'x');
      git(other, 'add', '--force', '.coppice');
      git(other, 'commit', '-qm', 'Bring state');
      await assert.rejects(openAt(other), { code: 'unsupported-repository', message: /git rm -r --cached/ }, path);
    }
    const folded = makeRepository();
    put(folded, '.Coppice/state.db', 'x');
    commitAll(folded, 'Bring state by another name');
    await assert.rejects(openAt(folded), { code: 'unsupported-repository' });
  });

  it('makes a private state folder that git does not see, and lists it once', async () => {
    const root = makeRepository();
    writeFileSync(join(root, '.git', 'info', 'exclude'), '*.bak');
    for (let time = 0; time < 2; time += 1) {
      const repository = await openAt(root);
      assert.equal(repository.stateDir, join(root, '.coppice'));
      assert.equal(statSync(repository.stateDir).mode & 0o777, 0o700);
    }
    assert.equal(readFileSync(join(root, '.git', 'info', 'exclude'), 'utf8'), '*.bak\n/.coppice/\n');
    assert.equal(git(root, 'status', '--porcelain'), '');
  });

  it('works with changes that are not committed, counts them and leaves them', async () => {
    const root = makeRepository();
    put(root, 'README.md', 'mine\n');
    put(root, 'new.txt', 'mine\n');
    const repository = await openAt(root);
    assert.equal((await repository.facts()).dirtyFiles, 2);
    await goRound(repository, 'main');
    assert.equal(git(root, 'status', '--porcelain'), ' M README.md\n?? new.txt');
  });

  it('works in a path with spaces and umlauts', async () => {
    const root = join(temporaryFolder(), "Übung 1's „Ordner“ $HOME");
    git(temporaryFolder(), 'clone', '-q', makeRepository({ 'Größe/ä b.txt': 'x\n' }), root);
    const repository = await openAt(root);
    assert.deepEqual(await repository.treeOf(headOf(root)).files(), ['Größe/ä b.txt']);
    await goRound(repository, 'main');
  });

  it('works with a detached HEAD, which then moves itself', async () => {
    const root = makeRepository();
    git(root, 'checkout', '-q', '--detach');
    const repository = await openAt(root);
    assert.equal((await repository.facts()).branch, null);
    const before = git(root, 'rev-parse', 'main');
    await goRound(repository, null);
    assert.equal(git(root, 'rev-parse', 'main'), before);
    assert.notEqual(headOf(root), before);
  });

  it('works in a shallow clone', async () => {
    const source = makeRepository();
    put(source, 'second.txt', '2\n');
    commitAll(source);
    const root = temporaryFolder();
    git(root, 'clone', '-q', '--depth', '1', `file://${source}`, '.');
    const repository = await openAt(root);
    assert.equal((await repository.facts()).shallow, true);
    await goRound(repository, 'main');
  });

  it('works in a linked worktree: state below it, the exclusion in the common folder', async () => {
    const main = makeRepository();
    const root = join(temporaryFolder(), 'linked');
    git(main, 'worktree', 'add', '-q', '-b', 'side', root);
    const repository = await openAt(root);
    assert.equal(repository.stateDir, join(root, '.coppice'));
    const facts = await repository.facts();
    assert.deepEqual([facts.linked, facts.branch, facts.commonDir], [true, 'side', join(main, '.git')]);
    await goRound(repository, 'side');
    assert.equal(git(main, 'status', '--porcelain'), '');
    assert.match(readFileSync(join(main, '.git', 'info', 'exclude'), 'utf8'), /^\/\.coppice\/$/m);
    assert.equal(git(main, 'worktree', 'list').split('\n').length, 2);
  });

  it('works in a worktree of a bare repository', async () => {
    const bare = join(temporaryFolder(), 'bare.git');
    git(temporaryFolder(), 'clone', '-q', '--bare', makeRepository(), bare);
    const root = join(temporaryFolder(), 'tree');
    git(bare, 'worktree', 'add', '-q', root, 'main');
    await goRound(await openAt(root), 'main');
  });

  it('leaves submodules alone and keeps their place in the tree', async () => {
    const library = makeRepository({ 'lib.txt': 'l\n' });
    const root = makeRepository();
    git(root, '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', library, 'libs/one');
    commitAll(root);
    const repository = await openAt(root);
    assert.equal((await repository.facts()).hasSubmodules, true);
    const tree = repository.treeOf(headOf(root));
    assert.deepEqual(await tree.list('libs'), ['one/']);
    assert.deepEqual(await tree.list('libs/one'), []);
    assert.ok(!(await tree.files()).includes('libs/one'));
    const gitlink = git(root, 'ls-tree', 'HEAD', 'libs/one');
    await goRound(repository, 'main');
    assert.equal(git(root, 'ls-tree', 'HEAD', 'libs/one'), gitlink);
    assert.equal(readFileSync(join(root, 'libs/one/lib.txt'), 'utf8'), 'l\n');
    assert.equal(git(root, 'status', '--porcelain'), '');
  });

  it('works in a repository with sha256 names', async () => {
    const repository = await openAt(makeRepository({ 'a.txt': 'a\n' }, '--object-format=sha256'));
    assert.equal((await repository.facts()).head.length, 64);
    await goRound(repository, 'main');
  });

  it('works in a submodule', async () => {
    const root = makeRepository();
    const library = makeRepository({ 'lib.txt': 'l\n' });
    git(root, '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', library, 'lib');
    commitAll(root);
    await goRound(await openAt(join(root, 'lib')), 'main');
  });

  describe('refuses, and says what to do, when it is given', () => {
    const refused = async (path: string, code: string, message: RegExp, PATH?: string): Promise<void> => {
      const environment = { PATH: PATH ?? process.env['PATH'], HOME: '/nonexistent' };
      await assert.rejects(openAt(path, { environment }), { name: 'UserError', code, message });
    };

    it('a folder that is not a repository', () => refused(temporaryFolder(), 'not-a-repository', /git init/));

    it('a folder that does not exist', () =>
      refused(join(temporaryFolder(), 'no', 'where'), 'not-a-repository', /does not exist/));

    it('a repository without commits', async () => {
      const root = temporaryFolder();
      git(root, 'init', '-q');
      await refused(root, 'unsupported-repository', /no commits.*git commit/);
    });

    it('a bare repository, or a .git folder', async () => {
      const bare = temporaryFolder();
      git(bare, 'init', '-q', '--bare');
      await refused(bare, 'unsupported-repository', /bare.*git worktree add/);
      await refused(join(makeRepository(), '.git', 'refs'), 'unsupported-repository', /inside a \.git folder/);
    });

    it('a git that is too old, or none', async () => {
      const bin = temporaryFolder('bin');
      await refused(makeRepository(), 'unsupported-repository', /git was not found/, bin);
      writeFileSync(join(bin, 'git'), '#!/bin/sh\necho git version 2.37.9\n');
      chmodSync(join(bin, 'git'), 0o755);
      await refused(makeRepository(), 'unsupported-repository', /2\.38 or newer; this is git version 2\.37\.9/, bin);
    });

    it('a state folder that is a link, or one that is in use otherwise', async () => {
      const victim = temporaryFolder();
      const root = makeRepository();
      symlinkSync(victim, join(root, '.coppice'));
      await refused(root, 'unsupported-repository', /Make it a plain folder/);
      const other = makeRepository();
      mkdirSync(join(other, '.coppice', 'empty', 'something'), { recursive: true });
      await refused(other, 'unsupported-repository', /must be empty/);
    });
  });
});
