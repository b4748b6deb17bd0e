import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, linkSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { WritableTree } from '../../../mcp-server/worktrees/port.ts';
import { cleanUpAfterwards, FILES, leaseAt, makeRepository, openAt, put, temporaryFolder } from './support.ts';

const leased = async (): Promise<{ root: string; path: string; tree: WritableTree }> => {
  const root = makeRepository();
  const repository = await openAt(root);
  const lease = await leaseAt(repository, 'one');
  return { root, path: lease.path, tree: repository.treeOfLease(lease) };
};

const denied = { name: 'UserError', code: 'permission-denied' };

describe('the files of a lease', () => {
  cleanUpAfterwards();

  it('are listed and read as they are on disk, new ones too, ignored and deleted ones not', async () => {
    const { path, tree } = await leased();
    put(path, 'new.txt', 'n');
    put(path, 'src/ä [x]*.txt', 'n');
    put(path, 'node_modules/x.js', 'ignored');
    put(path, 'debug.log', 'ignored');
    await tree.remove('src/a.ts');
    assert.deepEqual(await tree.files(), ['.gitignore', 'README.md', 'new.txt', 'src/deep/b.ts', 'src/ä [x]*.txt']);
    assert.deepEqual(await tree.list('src'), ['deep/', 'ä [x]*.txt']);
    assert.equal(await tree.list('src/nothing'), null);
    assert.equal(await tree.list('README.md'), null);
    assert.equal(await tree.read('src/a.ts'), null);
    assert.equal(await tree.read('src'), null);
    assert.equal(await tree.read('README.md/x'), null);
    assert.equal(await tree.read('./src//deep/b.ts'), FILES['src/deep/b.ts']);
  });

  it('do not show what belongs to git', async () => {
    const { path, tree } = await leased();
    assert.ok(existsSync(join(path, '.git')));
    assert.deepEqual(await tree.list(''), ['.gitignore', 'README.md', 'src/']);
    await assert.rejects(tree.read('.git'), denied);
    await assert.rejects(tree.list('src/.git/hooks'), denied);
  });

  it('are written whole, with their folders, and keep their mode', async () => {
    const { path, tree } = await leased();
    chmodSync(join(path, 'src/a.ts'), 0o755);
    await tree.write('src/a.ts', 'new\n');
    assert.equal(statSync(join(path, 'src/a.ts')).mode & 0o777, 0o755);
    await tree.write('deep/er/new.txt', 'ä🌳');
    assert.equal(readFileSync(join(path, 'deep/er/new.txt'), 'utf8'), 'ä🌳');
    assert.deepEqual(readdirSync(join(path, 'deep/er')), ['new.txt']);
    await assert.rejects(tree.write('src', 'x'), { code: 'bad-input', message: /is a folder/ });
    await assert.rejects(tree.write('src/a.ts/x', 'x'), { code: 'bad-input', message: /is a file, not a folder/ });
    await assert.rejects(tree.write('', 'x'), { code: 'bad-input' });
    await assert.rejects(tree.remove('src'), { code: 'bad-input' });
    await assert.rejects(tree.remove('nope'), { code: 'not-found' });
  });

  it('are refused when they are not text, too large, or not files', async () => {
    const { path, tree } = await leased();
    put(path, 'bin', Buffer.from([0, 1]));
    put(path, 'large', 'x'.repeat(2_000_001));
    execFileSync('mkfifo', [join(path, 'pipe')]);
    await assert.rejects(tree.read('bin'), { code: 'bad-input', message: /not a text file/ });
    await assert.rejects(tree.read('large'), { code: 'bad-input', message: /too large/ });
    await assert.rejects(tree.read('pipe'), { code: 'bad-input', message: /not a regular file/ });
    await assert.rejects(tree.write('pipe', 'x'), denied);
  });

  it('cannot be reached by a path that leads outside', async () => {
    const { tree } = await leased();
    for (const path of ['../out.txt', 'src/../../out.txt', '/tmp/out.txt', '..', 'a\0b', 'C:/x', 'c:x']) {
      await assert.rejects(tree.read(path), denied, path);
      await assert.rejects(tree.list(path), denied, path);
      await assert.rejects(tree.write(path, 'x'), denied, path);
      await assert.rejects(tree.remove(path), denied, path);
    }
  });

  it('cannot be written where git, editors or other agents take settings from', async () => {
    const { path, tree } = await leased();
    const git = [
      '.git',
      '.GIT',
      '.Git/hooks/x',
      'src/.git/config',
      '.git.',
      '.git ',
      '.g\u200cit',
      '.git::$INDEX_ALLOCATION',
      'GIT~1',
      'git~2/x',
      '．ｇｉｔ/x',
    ];
    const settings = [
      '.vscode/settings.json',
      'src/.VSCODE/tasks.json',
      '.idea/x',
      '.mcp.json',
      '.MCP.json',
      '.claude/settings.json',
      '.zed/settings.json',
      '.kiro/settings/mcp.json',
      'opencode.json',
      '.cursor/mcp.json',
      '.codex/config.toml',
      '.coppice/state.db',
      '.devcontainer/x',
      'a.code-workspace',
      'src/B.Code-Workspace',
      '.ＶＳＣＯＤＥ/x',
    ];
    for (const name of [...git, ...settings]) {
      await assert.rejects(tree.write(name, 'x'), denied, name);
      await assert.rejects(tree.remove(name), denied, name);
    }
    assert.equal(readFileSync(join(path, '.git'), 'utf8').startsWith('gitdir: '), true);
    for (const name of [
      '.gitignore',
      '.github/workflows/ci.yml',
      'git',
      'src/vscode.ts',
      'AGENTS.md',
      '.gitattributes',
    ])
      await tree.write(name, 'fine');
  });

  describe('with links', () => {
    it('that lead outside cannot be read, listed, written or removed through', async () => {
      const { path, tree } = await leased();
      const victim = temporaryFolder('victim');
      put(victim, 'secret.txt', 'secret');
      symlinkSync(join(victim, 'secret.txt'), join(path, 'file-link'));
      symlinkSync(victim, join(path, 'folder-link'));
      symlinkSync('../../..', join(path, 'up'));
      symlinkSync('folder-link', join(path, 'twice'));
      for (const name of ['file-link', 'folder-link/secret.txt', 'up/README.md', 'twice/secret.txt'])
        await assert.rejects(tree.read(name), denied, name);
      for (const name of ['folder-link', 'up', 'twice']) await assert.rejects(tree.list(name), denied, name);
      for (const name of ['file-link', 'folder-link/secret.txt', 'folder-link/new.txt', 'twice/a/b', 'up/x'])
        await assert.rejects(tree.write(name, 'changed'), denied, name);
      await assert.rejects(tree.remove('folder-link/secret.txt'), denied);
      assert.equal(readFileSync(join(victim, 'secret.txt'), 'utf8'), 'secret');
      assert.deepEqual(readdirSync(victim), ['secret.txt']);
      await tree.remove('file-link');
      assert.ok(existsSync(join(victim, 'secret.txt')));
    });

    it('that lead to git or to settings are no way around', async () => {
      const { root, path, tree } = await leased();
      mkdirSync(join(path, '.vscode'));
      symlinkSync('.vscode', join(path, 'innocent'));
      symlinkSync(join(root, '.git'), join(path, 'g'));
      symlinkSync('.git', join(path, 'gitfile'));
      await assert.rejects(tree.write('innocent/settings.json', '{}'), denied);
      await assert.rejects(tree.write('g/hooks/pre-commit', 'x'), denied);
      await assert.rejects(tree.read('gitfile'), denied);
      assert.deepEqual(readdirSync(join(path, '.vscode')), []);
    });

    it('that stay inside are read through, but a file is not written through one', async () => {
      const { path, tree } = await leased();
      symlinkSync('README.md', join(path, 'link.md'));
      symlinkSync('src', join(path, 'code'));
      assert.equal(await tree.read('link.md'), FILES['README.md']);
      assert.equal(await tree.read('code/a.ts'), FILES['src/a.ts']);
      await tree.write('code/c.ts', 'c');
      assert.equal(await tree.read('src/c.ts'), 'c');
      await assert.rejects(tree.write('link.md', 'x'), denied);
      assert.equal(await tree.read('README.md'), FILES['README.md']);
    });

    it('that lead nowhere, or in a circle, are refused', async () => {
      const { path, tree } = await leased();
      symlinkSync('/nonexistent/x', join(path, 'nowhere'));
      symlinkSync('round', join(path, 'round'));
      for (const name of ['nowhere', 'round', 'nowhere/x']) await assert.rejects(tree.read(name), denied, name);
      for (const name of ['nowhere', 'round/x']) await assert.rejects(tree.write(name, 'x'), denied, name);
    });

    it('of the hard kind keep their other end as it was', async () => {
      const { path, tree } = await leased();
      const victim = temporaryFolder('victim');
      put(victim, 'secret.txt', 'secret');
      linkSync(join(victim, 'secret.txt'), join(path, 'hard.txt'));
      await tree.write('hard.txt', 'changed');
      assert.equal(readFileSync(join(victim, 'secret.txt'), 'utf8'), 'secret');
    });
  });

  it('cannot be listed any more once the folder has another git folder', async () => {
    const { path, tree } = await leased();
    put(path, '.git', `gitdir: ${temporaryFolder()}\n`);
    await assert.rejects(tree.files(), { code: 'unsupported-repository', message: /\.git file was changed/ });
  });
});
