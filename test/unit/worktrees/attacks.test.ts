import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Lease, Repository } from '../../../mcp-server/worktrees/port.ts';
import {
  AUTHOR,
  cleanUpAfterwards,
  commitAll,
  git,
  headOf,
  leaseAt,
  makeCanary,
  makeRepository,
  noIntent,
  openAt,
  put,
  temporaryFolder,
} from './support.ts';

/** What an agent may have written by a command that it ran; `mark` shows that one of its programs was started. */
const attacked = async () => {
  const root = makeRepository();
  const repository = await openAt(root);
  const lease = await leaseAt(repository, 'one');
  const admin = join(root, '.git', 'worktrees', 'a-one');
  return { root, repository, lease, path: lease.path, admin, base: headOf(root), ...makeCanary() };
};

/** Every verb that touches the worktree; how each of them ended. */
const useAll = async (repository: Repository, lease: Lease): Promise<readonly string[]> => {
  const base = headOf(repository.root);
  const tree = repository.treeOfLease(lease);
  const ended: string[] = [];
  const verbs = [
    () => tree.files(),
    () => tree.list(''),
    () => tree.read('README.md'),
    () => repository.snapshot(lease, base, 'x', AUTHOR),
    () => repository.adopt(lease, base, { cut: true, author: AUTHOR, onSaved: async () => undefined }),
    () => repository.reset(lease, base),
    () => repository.remove(lease, { commits: [base], discarded: false }),
    () => repository.sweep([]),
    () => repository.facts(),
  ];
  for (const verb of verbs)
    ended.push(
      await verb().then(
        () => 'fine',
        (error: { code?: string }) => String(error.code),
      ),
    );
  return ended;
};

const REFUSED = [
  'unsupported-repository',
  'fine',
  'fine',
  'unsupported-repository',
  'unsupported-repository',
  'unsupported-repository',
  'fine',
  'fine',
  'fine',
];

/** The settings that make git start the program. */
const evilConfig = (program: string): string =>
  [
    `[core]\n\trepositoryformatversion = 0\n\tfsmonitor = ${program}\n\thooksPath = /nonexistent`,
    `[filter "x"]\n\tclean = ${program}\n\tsmudge = ${program}`,
    `[diff]\n\texternal = ${program}`,
    '',
  ].join('\n');

const evilGitFolder = (folder: string, program: string): void => {
  git(temporaryFolder(), 'init', '-q', folder);
  writeFileSync(join(folder, '.git', 'config'), evilConfig(program));
  put(folder, '.gitattributes', '* filter=x\n');
};

describe('an agent that attacks the engine’s git', () => {
  cleanUpAfterwards();

  it('with a .git file that leads to a git folder of its own', async () => {
    const { repository, lease, path, program, mark } = await attacked();
    const own = join(path, 'own');
    mkdirSync(own);
    evilGitFolder(own, program);
    writeFileSync(join(path, '.git'), `gitdir: ${join(own, '.git')}\n`);
    put(path, '.gitattributes', '* filter=x\n');
    put(path, 'README.md', 'changed\n');
    assert.deepEqual(await useAll(repository, lease), REFUSED);
    assert.ok(existsSync(path));
    assert.equal(existsSync(mark), false);
    git(path, 'status');
    assert.equal(existsSync(mark), true, 'the attack works on a git without protection');
  });

  it('with a .git folder, or a link, in the place of the .git file', async () => {
    const { repository, lease, path, program, mark } = await attacked();
    const good = readFileSync(join(path, '.git'), 'utf8');
    rmSync(join(path, '.git'));
    evilGitFolder(path, program);
    assert.deepEqual(await useAll(repository, lease), REFUSED);
    rmSync(join(path, '.git'), { recursive: true });
    put(path, 'copy', good);
    symlinkSync('copy', join(path, '.git'));
    assert.deepEqual(await useAll(repository, lease), REFUSED);
    assert.equal(existsSync(mark), false);
  });

  it('with a commondir, or a configuration, in its entry of the git folder', async () => {
    const { root, repository, lease, admin, path, program, mark } = await attacked();
    git(root, 'config', 'extensions.worktreeConfig', 'true');
    writeFileSync(join(admin, 'config.worktree'), evilConfig(program));
    put(path, 'README.md', 'changed\n');
    assert.deepEqual(await useAll(repository, lease), REFUSED);
    assert.equal(existsSync(mark), false);
    git(path, 'status');
    assert.equal(existsSync(mark), true, 'the attack works on a git without protection');
    rmSync(mark);
    rmSync(join(admin, 'config.worktree'));
    const own = temporaryFolder();
    evilGitFolder(own, program);
    writeFileSync(join(admin, 'commondir'), `${join(own, '.git')}\n`);
    assert.deepEqual(await useAll(repository, lease), REFUSED);
    assert.equal(existsSync(mark), false);
  });

  it('with a gitdir that makes git believe that somebody’s folder is the worktree', async () => {
    const { repository, lease, admin, path, base } = await attacked();
    const victim = temporaryFolder('victim');
    put(victim, 'precious.txt', 'x');
    cpSync(join(path, '.git'), join(victim, '.git'));
    writeFileSync(join(admin, 'gitdir'), `${join(victim, '.git')}\n`);
    assert.deepEqual(await useAll(repository, lease), REFUSED);
    assert.deepEqual(await repository.remove(lease, { commits: [base], discarded: true }), { kind: 'removed' });
    await repository.sweep([]);
    await repository.close();
    assert.ok(existsSync(join(victim, 'precious.txt')) && existsSync(join(victim, '.git')));
    assert.equal(existsSync(path), false);
  });

  it('with a link in the place of its folder', async () => {
    const { repository, lease, path, base } = await attacked();
    const victim = temporaryFolder('victim');
    put(victim, 'precious.txt', 'x');
    renameSync(path, `${path}-moved`);
    cpSync(join(`${path}-moved`, '.git'), join(victim, '.git'));
    symlinkSync(victim, path);
    await useAll(repository, lease);
    const tree = repository.treeOfLease(lease);
    await assert.rejects(tree.write('stolen.txt', 'x'), { code: 'permission-denied' });
    await assert.rejects(tree.read('precious.txt'), { code: 'permission-denied' });
    await assert.rejects(tree.list(''), { code: 'permission-denied' });
    assert.equal((await repository.remove(lease, { commits: [base], discarded: true })).kind, 'kept');
    await repository.close();
    assert.ok(existsSync(join(victim, 'precious.txt')));
    assert.equal(existsSync(join(victim, 'stolen.txt')), false);
  });

  it('with a nested repository whose settings start programs', async () => {
    const { root, repository, lease, path, base, program, mark } = await attacked();
    const nested = join(path, 'nested');
    mkdirSync(nested);
    git(nested, 'init', '-q');
    put(nested, 'file.txt', 'x');
    commitAll(nested);
    evilGitFolder(nested, program);
    put(nested, 'file.txt', 'changed');
    put(path, 'fine.txt', 'x');
    const made = await repository.snapshot(lease, base, 'x', AUTHOR);
    assert.deepEqual(made?.files, ['fine.txt']);
    await repository.treeOfLease(lease).files();
    await repository.remove(lease, { commits: [made.commit], discarded: false });
    await repository.reset(lease, base);
    assert.equal(existsSync(mark), false);
    assert.equal(git(root, 'ls-tree', '-r', made.commit).includes('160000'), false);
  });

  it('with a repository in the place of a submodule, and a .gitmodules that wants it looked into', async () => {
    const library = makeRepository({ 'lib.txt': 'l\n' });
    const root = makeRepository();
    git(root, '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', library, 'lib');
    commitAll(root);
    const { program, mark } = makeCanary();
    const repository = await openAt(root);
    const lease = await leaseAt(repository, 'one');
    const inner = join(lease.path, 'lib');
    git(temporaryFolder(), 'clone', '-q', library, inner);
    writeFileSync(join(inner, '.git', 'config'), evilConfig(program));
    put(inner, '.gitattributes', '* filter=x\n');
    put(inner, 'lib.txt', 'changed\n');
    put(lease.path, '.gitmodules', `${git(root, 'show', 'HEAD:.gitmodules')}\n\tignore = none\n`);
    const made = await repository.snapshot(lease, headOf(root), 'x', AUTHOR);
    assert.deepEqual(made?.files, ['.gitmodules']);
    assert.equal(git(root, 'ls-tree', made.commit, 'lib'), git(root, 'ls-tree', 'HEAD', 'lib'));
    assert.equal(existsSync(mark), false);
    git(inner, 'status');
    assert.equal(existsSync(mark), true, 'the attack works on a git without protection');
    rmSync(mark);
    await useAll(repository, lease);
    assert.equal(existsSync(mark), false);
  });

  it('with a folder that looks like a bare repository', async () => {
    const { repository, lease, path, base, program, mark } = await attacked();
    const fake = join(path, 'assets');
    git(temporaryFolder(), 'init', '-q', '--bare', fake);
    writeFileSync(join(fake, 'config'), `${evilConfig(program)}[core]\n\tbare = false\n\tworktree = ${fake}\n`);
    commitlessStatus(fake);
    assert.equal(existsSync(mark), true, 'the attack works on a git without protection');
    rmSync(mark);
    await assert.rejects(openAt(fake), { name: 'UserError', message: /is a bare repository/ });
    assert.ok(await repository.snapshot(lease, base, 'x', AUTHOR));
    await useAll(repository, lease);
    assert.equal(existsSync(mark), false);
  });

  it('with a row that names another folder than its own', async () => {
    const { repository, lease, base } = await attacked();
    const victim = temporaryFolder('victim');
    put(victim, 'precious.txt', 'x');
    for (const admin of ['../../..', 'a/b', ''])
      await assert.rejects(repository.reset({ ...lease, admin }, base), /Not the name of an agent/);
    const forged = { ...lease, path: victim };
    await repository.treeOfLease(forged).write('new.txt', 'x');
    await repository.remove(forged, { commits: [base], discarded: true });
    await repository.close();
    assert.equal(existsSync(join(victim, 'new.txt')), false);
    assert.ok(existsSync(join(victim, 'precious.txt')));
  });

  it('with names that git would take for options', async () => {
    const { root, repository, path, lease, base } = await attacked();
    for (const branch of ['--output=stolen', '-b', '--upload-pack=x'])
      await assert.rejects(repository.lease('a-two' as never, branch, base, noIntent), { code: 'bad-input' });
    put(path, '--output=stolen', 'x');
    put(path, '--upload-pack=touch x', 'x');
    const made = await repository.snapshot(lease, base, '--amend', AUTHOR);
    assert.deepEqual(made?.files, ['--output=stolen', '--upload-pack=touch x']);
    assert.equal(git(root, 'show', '-s', '--format=%B', made.commit), '--amend');
    assert.equal(existsSync(join(root, 'stolen')), false);
  });
});

/** The person’s git in this folder; it fails for want of a commit, after it did what the settings say. */
const commitlessStatus = (folder: string): void => {
  try {
    git(folder, 'status');
  } catch {
    // Only its side effect counts.
  }
};
