import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../mcp-server/domain/clock.ts';
import { UserError } from '../../../mcp-server/domain/errors.ts';
import { createFetchCommit, type FetchedCommit } from '../../../mcp-server/worktrees/fetch-skills.ts';
import { makeRepository, type TestRepository } from '../../support/repository.ts';

const LIMITS = { fileBytes: 10_000, totalBytes: 20_000 };

describe('fetching a commit of somebody else’s repository', () => {
  let temp = '';
  let source: TestRepository;
  beforeEach(() => {
    temp = realpathSync(mkdtempSync(join(tmpdir(), 'coppice-fetch-')));
    source = makeRepository({ 'skills/one/SKILL.md': 'one\n', 'skills/two/SKILL.md': 'two\n', 'README.md': 'hello\n' });
  });
  afterEach(() => {
    source.remove();
    rmSync(temp, { recursive: true, force: true });
  });

  const fetcher = (more: { storedBytes?: number; timeoutMs?: number } = {}) =>
    createFetchCommit({
      tempDir: join(temp, 'work'),
      baseDir: temp,
      environment: { PATH: process.env['PATH'], HOME: temp },
      clock: systemClock,
      limits: { storedBytes: more.storedBytes ?? 50_000_000, timeoutMs: more.timeoutMs ?? 20_000 },
    });
  const never = new AbortController().signal;
  const textOf = async (fetched: FetchedCommit, path: string): Promise<string> => {
    const entry = fetched.entries.find((one) => one.path === path);
    assert.ok(entry, `${path} is not there`);
    const [bytes] = await fetched.read([entry], LIMITS);
    return Buffer.from(bytes ?? []).toString('utf8');
  };
  const refused = (url: string, code: string, ref: string | null = null) =>
    assert.rejects(
      fetcher()({ url, ref }, async () => assert.fail('It was fetched.'), never),
      (error) => error instanceof UserError && error.code === code,
      url,
    );

  it('reads files of the default branch, and leaves nothing behind', async () => {
    const commit = source.git('rev-parse', 'HEAD');
    await fetcher()(
      { url: source.root, ref: null },
      async (fetched) => {
        assert.equal(fetched.commit, commit);
        assert.deepEqual(
          fetched.entries.map(({ path }) => path),
          ['README.md', 'skills/one/SKILL.md', 'skills/two/SKILL.md'],
        );
        assert.equal(await textOf(fetched, 'skills/two/SKILL.md'), 'two\n');
      },
      never,
    );
    assert.deepEqual(readdirSync(join(temp, 'work')), []);
  });

  it('reads a branch, a tag, an annotated tag and a whole commit', async () => {
    const first = source.git('rev-parse', 'HEAD');
    source.git('tag', 'v1');
    source.write('README.md', 'second\n');
    const second = source.commit('Second');
    source.git('tag', '-a', 'v2', '-m', 'two');
    source.git('branch', 'feature/x', first);
    const at = (ref: string) =>
      fetcher()(
        { url: source.root, ref },
        async (fetched) => [fetched.commit, await textOf(fetched, 'README.md')],
        never,
      );
    assert.deepEqual(await at('v1'), [first, 'hello\n']);
    assert.deepEqual(await at('v2'), [second, 'second\n']);
    assert.deepEqual(await at('feature/x'), [first, 'hello\n']);
    assert.deepEqual(await at(first), [first, 'hello\n']);
  });

  it('fetches file contents only when they are asked for, where the server can filter', async () => {
    source.git('config', 'uploadpack.allowFilter', 'true');
    source.git('config', 'uploadpack.allowAnySHA1InWant', 'true');
    await fetcher()(
      { url: source.root, ref: null },
      async (fetched) => {
        const [folder = ''] = readdirSync(join(temp, 'work'));
        const objects = (): string =>
          execFileSync('git', ['cat-file', '--batch-all-objects', '--batch-check=%(objecttype)'], {
            cwd: join(temp, 'work', folder),
            encoding: 'utf8',
          });
        assert.doesNotMatch(objects(), /blob/);
        assert.equal(await textOf(fetched, 'skills/one/SKILL.md'), 'one\n');
        assert.equal(objects().split('blob').length - 1, 1);
      },
      never,
    );
  });

  it('takes a folder inside a repository, a relative path and a file URL', async () => {
    const inside = (url: string) => fetcher()({ url, ref: null }, async (fetched) => fetched.inside, never);
    assert.equal(await inside(join(source.root, 'skills', 'one')), 'skills/one');
    assert.equal(await inside(`file://${source.root}/skills`), 'skills');
    symlinkSync(source.root, join(temp, 'linked'));
    assert.equal(await inside('./linked'), '');
  });

  it('shows links and submodules as links, and never follows them', async () => {
    symlinkSync('/etc/passwd', join(source.root, 'skills', 'one', 'passwd'));
    source.git('update-index', '--add', '--cacheinfo', `160000,${source.git('rev-parse', 'HEAD')},skills/one/sub`);
    source.git('add', 'skills/one/passwd');
    source.git('commit', '-q', '-m', 'Links');
    await fetcher()(
      { url: source.root, ref: null },
      async (fetched) => {
        const links = fetched.entries.filter(({ kind }) => kind === 'link').map(({ path }) => path);
        assert.deepEqual(links, ['skills/one/passwd', 'skills/one/sub']);
      },
      never,
    );
  });

  it('starts nothing that the repository brings: hooks, filters, fsmonitor, a remote’s programs', async () => {
    const mark = join(temp, 'mark');
    const program = join(temp, 'program.sh');
    writeFileSync(program, `#!/bin/sh\ntouch ${mark}\nexec cat\n`);
    chmodSync(program, 0o755);
    source.write('.gitattributes', '* filter=evil diff=evil\n');
    source.write('.gitmodules', '[submodule "x"]\n\tpath = x\n\turl = ext::sh -c touch% mark\n');
    source.commit('Attributes');
    const hooks = join(source.root, '.git', 'hooks');
    mkdirSync(hooks, { recursive: true });
    for (const hook of ['post-checkout', 'pre-receive', 'reference-transaction', 'post-upload-pack']) {
      writeFileSync(join(hooks, hook), `#!/bin/sh\ntouch ${mark}\n`);
      chmodSync(join(hooks, hook), 0o755);
    }
    for (const [key, value] of [
      ['core.fsmonitor', program],
      ['filter.evil.smudge', program],
      ['filter.evil.clean', program],
      ['diff.external', program],
      ['uploadpack.packObjectsHook', program],
      ['core.sshCommand', program],
      ['core.alternateRefsCommand', program],
    ] as const) {
      source.git('config', key, value);
    }
    await fetcher()({ url: source.root, ref: null }, (fetched) => textOf(fetched, '.gitattributes'), never);
    assert.equal(existsSync(mark), false);
  });

  it('lets a source that lacks objects fetch nothing on its own', async () => {
    const mark = join(temp, 'mark');
    const program = join(temp, 'upload.sh');
    writeFileSync(program, `#!/bin/sh\ntouch ${mark}\n`);
    chmodSync(program, 0o755);
    const blob = source.git('rev-parse', 'HEAD:README.md');
    rmSync(join(source.root, '.git', 'objects', blob.slice(0, 2), blob.slice(2)));
    source.git('config', 'remote.origin.url', '/nowhere');
    source.git('config', 'remote.origin.promisor', 'true');
    source.git('config', 'remote.origin.uploadpack', program);
    source.git('config', 'core.repositoryFormatVersion', '1');
    source.git('config', 'extensions.partialClone', 'origin');
    await refused(source.root, 'not-found');
    assert.equal(existsSync(mark), false);
  });

  it('refuses every other way of transport, options in disguise, and passwords', async () => {
    for (const url of [
      `ext::sh -c touch% ${join(temp, 'mark')}`,
      'fd::7',
      '--upload-pack=touch mark',
      '-oProxyCommand=touch',
      'ssh://-oProxyCommand=touch/x',
      'https://-x/y',
      'git@-oProxyCommand=touch:x',
      'git@host:-x',
      'host::path',
      'http://example.com/x.git',
      'git://example.com/x.git',
      'ftp://example.com/x.git',
      'transport-helper::https://example.com',
      'https://name:secret@example.com/x.git',
      'https://example.com/x\n--upload-pack=y',
      '',
      'just-a-name',
    ]) {
      await refused(url, 'bad-input');
    }
    for (const ref of ['--upload-pack=x', '-x', 'a..b', 'a:b', '', '@{-1}', 'a b', '+refs/heads/x:refs/heads/y']) {
      await refused(source.root, 'bad-input', ref);
    }
    assert.deepEqual(existsSync(join(temp, 'mark')), false);
  });

  it('starts no other transport, even where the person’s own settings would', async () => {
    const mark = join(temp, 'mark');
    const settings = `[protocol]\n\tallow = always\n[url "ext::sh -c touch% ${mark}% #"]\n\tinsteadOf = https://example.invalid/\n`;
    writeFileSync(join(temp, '.gitconfig'), settings);
    await refused('https://example.invalid/x.git', 'not-found');
    assert.equal(existsSync(mark), false);
  });

  it('says what is missing: the folder, the repository, the branch, the commit', async () => {
    await refused(join(temp, 'nowhere'), 'not-found');
    await refused(temp, 'not-a-repository');
    await refused(source.root, 'not-found', 'no-such-branch');
    await refused(source.root, 'not-found', 'a'.repeat(40));
  });

  it('reads no file beyond the limits', async () => {
    source.write('big.bin', 'x'.repeat(LIMITS.fileBytes + 1));
    source.commit('Big');
    await fetcher()(
      { url: source.root, ref: null },
      async (fetched) => {
        await assert.rejects(textOf(fetched, 'big.bin'), { code: 'bad-input' });
      },
      never,
    );
  });

  it('stops when too much arrives, when it takes too long, and when it is no longer wanted', async () => {
    const blocked = async (stop: AbortSignal, more: { storedBytes?: number; timeoutMs?: number }) =>
      fetcher(more)(
        { url: source.root, ref: null },
        async (fetched) => {
          for (let tries = 0; tries < 100; tries += 1) {
            await systemClock.sleep(50);
            await textOf(fetched, 'README.md');
          }
          return 'read';
        },
        stop,
      );
    await assert.rejects(blocked(never, { storedBytes: 100 }), { code: 'bad-input' });
    await assert.rejects(blocked(never, { timeoutMs: 1 }), { code: 'not-found' });
    await assert.rejects(blocked(AbortSignal.abort(new Error('stop')), {}), /stop/);
    assert.deepEqual(readdirSync(join(temp, 'work')), []);
  });
});
