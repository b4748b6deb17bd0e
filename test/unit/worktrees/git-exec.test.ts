import assert from 'node:assert/strict';
import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { filtersOff, inheritedEnvironment, type Place } from '../../../mcp-server/worktrees/git-environment.ts';
import { createGit } from '../../../mcp-server/worktrees/git-exec.ts';
import { cleanUpAfterwards, git, makeCanary, makeRepository, temporaryFolder } from './support.ts';

const placeAt = (root: string): Place => ({
  gitDir: join(root, '.git'),
  commonDir: join(root, '.git'),
  workTree: root,
  trust: 'agent',
});

const environment = { PATH: process.env['PATH'], HOME: '/nonexistent' };

describe('gitExec', () => {
  cleanUpAfterwards();

  it('takes from the environment neither secrets nor anything that starts a program', () => {
    const all = { PATH: '/bin', HOME: '/h', SSH_AUTH_SOCK: 's', GIT_EXTERNAL_DIFF: 'd', EDITOR: 'e', API_KEY: 'k' };
    assert.deepEqual(inheritedEnvironment(all), { PATH: '/bin', HOME: '/h' });
  });

  it('does not run what the configuration names for hooks, file watching, signing and comparing', async () => {
    const { program, mark } = makeCanary();
    const root = makeRepository();
    for (const key of [
      'core.fsmonitor',
      'diff.external',
      'gpg.program',
      'core.sshCommand',
      'core.editor',
      'core.pager',
    ])
      git(root, 'config', key, program);
    git(root, 'config', 'commit.gpgSign', 'true');
    writeFileSync(join(root, '.git', 'hooks', 'reference-transaction'), `#!/bin/sh\n${program}\n`);
    chmodSync(join(root, '.git', 'hooks', 'reference-transaction'), 0o755);
    writeFileSync(join(root, 'README.md'), 'changed\n');
    const exec = createGit(environment);
    await exec.exec(placeAt(root), ['status', '--porcelain']);
    await exec.exec(placeAt(root), ['update-ref', 'refs/heads/x', 'HEAD']);
    await exec.exec(placeAt(root), ['diff-index', '-p', '--no-ext-diff', 'HEAD']);
    const who = { GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'b', GIT_COMMITTER_NAME: 'a', GIT_COMMITTER_EMAIL: 'b' };
    await exec.exec(placeAt(root), ['commit-tree', '-m', 'x', 'HEAD^{tree}'], { variables: who });
    assert.equal(existsSync(mark), false);
    // The same settings do run it where nothing overrules them, so this test can fail.
    git(root, 'status', '--porcelain');
    assert.equal(existsSync(mark), true);
  });

  it('takes the configuration from where the place says, whatever the git folder says', async () => {
    const { program, mark } = makeCanary();
    const root = makeRepository();
    const other = makeRepository();
    git(other, 'config', 'filter.x.clean', program);
    const path = join(temporaryFolder(), 'tree');
    git(root, 'worktree', 'add', '-q', '-b', 'side', path);
    writeFileSync(join(root, '.git', 'worktrees', 'tree', 'commondir'), `${join(other, '.git')}\n`);
    writeFileSync(join(path, '.gitattributes'), '* filter=x\n');
    writeFileSync(join(path, 'README.md'), 'changed\n');
    const place = { ...placeAt(root), gitDir: join(root, '.git', 'worktrees', 'tree'), workTree: path };
    await createGit(environment).exec(place, ['update-index', '--add', 'README.md']);
    assert.equal(existsSync(mark), false);
    // Git looks into no file that its index, written a second later, says is unchanged.
    writeFileSync(join(path, 'README.md'), 'changed again\n');
    git(path, 'add', 'README.md');
    assert.equal(existsSync(mark), true, 'the attack works on a git without protection');
  });

  it('gives bytes as they are, the exit status, and what git wrote when it failed', async () => {
    const root = makeRepository();
    const exec = createGit(environment);
    const bytes = Buffer.from([0, 255, 10, 13, 128]);
    const { stdout } = await exec.exec(placeAt(root), ['hash-object', '-w', '--stdin'], { input: bytes });
    const back = await exec.exec(placeAt(root), ['cat-file', 'blob', stdout.toString().trim()]);
    assert.deepEqual(back.stdout, bytes);
    const missing = await exec.exec(placeAt(root), ['rev-parse', '-q', '--verify', 'nope'], { accept: [0, 1] });
    assert.equal(missing.exitCode, 1);
    await assert.rejects(exec.exec(placeAt(root), ['rev-parse', '--verify', 'nope']), {
      name: 'GitError',
      exitCode: 128,
      message: /git rev-parse failed \(128\): fatal: Needed a single revision/,
    });
    await assert.rejects(exec.exec({ ...placeAt(root), workTree: '/nonexistent/x' }, ['status']), {
      code: 'not-found',
    });
  });

  it('stops a command that writes more than is wanted', async () => {
    const root = makeRepository({ 'big.txt': 'x'.repeat(5_000_000) });
    const { stdout, cut } = await createGit(environment).exec(placeAt(root), ['cat-file', '-p', 'HEAD:big.txt'], {
      maxBytes: 1_000,
    });
    assert.equal(cut, true);
    assert.equal(stdout.length, 1_000);
  });

  it('tells a test of each command, before and after', async () => {
    const heard: string[] = [];
    const exec = createGit(environment, { before: (l) => heard.push(`> ${l}`), after: (l) => heard.push(`< ${l}`) });
    await exec.exec(placeAt(makeRepository()), ['worktree', 'list']);
    assert.deepEqual(heard, ['> worktree list', '< worktree list']);
  });

  it('does not wait for a command that says nothing', async () => {
    const place = placeAt(makeRepository());
    const exec = createGit(environment);
    const times: number[] = [];
    for (let time = 0; time < 7; time += 1) {
      const start = performance.now();
      await exec.exec(place, ['update-ref', 'refs/heads/x', 'HEAD']);
      times.push(performance.now() - start);
    }
    assert.ok(Math.min(...times) < 40, `fastest ${Math.min(...times)} ms`);
  });

  it('switches content filters off, but not git-lfs as it installs itself', () => {
    const config = [
      'filter.lfs.clean\ngit-lfs clean -- %f',
      'filter.lfs.process\ngit-lfs filter-process',
      'filter.lfs.required\ntrue',
      'filter.a.b=c.clean\n./scripts/clean.sh',
      'filter.a.b=c.required\ntrue',
      'filter.x.smudge\nrun me\nnow',
    ];
    assert.deepEqual(filtersOff(`${config.join('\0')}\0`), [
      ['filter.a.b=c.clean', ''],
      ['filter.a.b=c.required', 'false'],
      ['filter.x.smudge', ''],
    ]);
    assert.deepEqual(filtersOff('filter.lfs.clean\n./evil\0'), [['filter.lfs.clean', '']]);
  });

  it('searches upwards only when it is asked to find the repository', async () => {
    const outside = temporaryFolder();
    await assert.rejects(createGit(environment).discover(outside, ['rev-parse', '--show-toplevel']), {
      name: 'GitError',
    });
  });
});
