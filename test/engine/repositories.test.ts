import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../mcp-server/domain/clock.ts';
import { openRepository } from '../../mcp-server/worktrees/open.ts';
import { type Bench, openBench } from '../support/engine.ts';
import { makeRepository, repositoryAt, type TestRepository } from '../support/repository.ts';

const TASK = 'Map this repository: write docs/map';
const HOOKS = ['pre-commit', 'commit-msg', 'post-commit', 'post-checkout', 'post-merge', 'reference-transaction'];

/** All that belongs to the person and must be the same afterwards. */
const belongings = (repo: TestRepository) => {
  const common = repo.git('rev-parse', '--path-format=absolute', '--git-common-dir');
  return {
    config: readFileSync(join(common, 'config'), 'utf8'),
    hooks: readdirSync(join(common, 'hooks')).map((name) => [name, readFileSync(join(common, 'hooks', name), 'utf8')]),
    worktrees: repo.git('worktree', 'list', '--porcelain').replace(/^HEAD .*$/gm, ''),
    branches: repo.git('for-each-ref', '--format=%(refname)'),
    stash: repo.git('stash', 'list'),
    top: readdirSync(repo.root).sort(),
  };
};

/** Hooks that leave a trace when they run. */
const addHooks = (repo: TestRepository, traces: string): void => {
  const folder = join(repo.git('rev-parse', '--path-format=absolute', '--git-common-dir'), 'hooks');
  mkdirSync(folder, { recursive: true });
  for (const hook of HOOKS) {
    writeFileSync(join(folder, hook), `#!/bin/sh\ntouch '${traces}/${hook}'\n`);
    chmodSync(join(folder, hook), 0o755);
  }
};

describe('A whole run, from the plan to the landing', () => {
  let bench: Bench | undefined;
  let place = '';
  beforeEach(() => {
    place = realpathSync(mkdtempSync(join(tmpdir(), 'coppice-place-')));
  });
  afterEach(async () => {
    await bench?.close();
    bench = undefined;
    rmSync(place, { recursive: true, force: true, maxRetries: 5 });
  });

  const folder = (name: string): string => {
    mkdirSync(join(place, name));
    return join(place, name);
  };

  /** Maps the repository by the rules, lands that, and looks whether anything else has changed. */
  const wholeRun = async (repo: TestRepository): Promise<void> => {
    const status = repo.git('status', '--porcelain');
    const traces = folder('traces');
    addHooks(repo, traces);
    const before = belongings(repo);
    bench = await openBench({ repo });
    const view = await bench.run(TASK, { maxAgents: 6 });
    assert.equal(view.state, 'completed', JSON.stringify(view, null, 1));
    assert.equal(
      repo.git('status', '--porcelain'),
      status,
      'the run itself changes nothing in the folder of the person',
    );
    const landed = await bench.engine.land(view.run);
    assert.equal(landed.kind, 'landed', JSON.stringify(landed));
    assert.equal(repo.git('rev-parse', 'HEAD'), landed.kind === 'landed' && landed.commit);
    assert.ok(existsSync(join(repo.root, 'docs/map')), 'the result is there');
    await bench.waitUntil(
      'the branches of the run are gone',
      async () => !repo.git('for-each-ref').includes('coppice/'),
    );
    assert.deepEqual(await bench.invariants(view.run), []);
    await bench.close();
    bench = undefined;
    assert.equal(repo.git('status', '--porcelain'), status);
    assert.doesNotMatch(repo.git('fsck', '--strict', '--no-dangling'), /error|missing|broken/);
    const top = [...new Set([...before.top, '.coppice', 'docs'])].sort();
    assert.deepEqual(belongings(repo), { ...before, top });
    assert.deepEqual(readdirSync(traces), [], 'no hook has run');
    assert.deepEqual(readdirSync(join(repo.root, '.coppice/worktrees')), []);
  };

  it('works with changes that are not committed: they are neither touched nor seen', async () => {
    const repo = makeRepository(undefined, folder('dirty'));
    repo.write('src/add.ts', 'my own unfinished work\n');
    repo.write('src/secret.ts', 'not yet tracked\n');
    repo.write('staged.txt', 'staged\n');
    repo.git('add', 'staged.txt');
    await wholeRun(repo);
    assert.equal(readFileSync(join(repo.root, 'src/add.ts'), 'utf8'), 'my own unfinished work\n');
    assert.equal(repo.git('diff', '--cached', '--name-only'), 'staged.txt');
    assert.doesNotMatch(readFileSync(join(repo.root, 'docs/map/src.md'), 'utf8'), /secret|unfinished/);
  });

  it('works in a shallow clone', async () => {
    const origin = makeRepository(undefined, folder('origin'));
    origin.write('later.txt', 'later\n');
    origin.commit('Later');
    repositoryAt(place).git('clone', '-q', '--depth', '1', `file://${origin.root}`, 'shallow');
    const repo = repositoryAt(join(place, 'shallow'));
    await wholeRun(repo);
    assert.equal(repo.git('rev-parse', '--is-shallow-repository'), 'true');
  });

  it('works beside a submodule, and leaves it where it is', async () => {
    const library = makeRepository({ 'lib.ts': 'export {};\n' }, folder('library'));
    const repo = makeRepository(undefined, folder('with-submodule'));
    repo.git('-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', library.root, 'vendor/library');
    repo.commit('Add the library');
    const link = repo.git('ls-tree', 'HEAD', 'vendor/library');
    await wholeRun(repo);
    assert.equal(repo.git('ls-tree', 'HEAD', 'vendor/library'), link);
    assert.ok(existsSync(join(repo.root, 'vendor/library/lib.ts')));
  });

  it('works on a detached HEAD, and lands on HEAD itself', async () => {
    const repo = makeRepository(undefined, folder('detached'));
    const start = repo.git('rev-parse', 'HEAD');
    repo.git('checkout', '-q', '--detach');
    await wholeRun(repo);
    assert.equal(repo.git('rev-parse', '--abbrev-ref', 'HEAD'), 'HEAD');
    assert.equal(repo.git('rev-parse', 'main'), start);
    assert.notEqual(repo.git('rev-parse', 'HEAD'), start);
  });

  it('works in a path with spaces and umlauts', async () => {
    await wholeRun(makeRepository(undefined, folder('Grüße aus Köln & more')));
  });

  it('works in a folder that is itself a worktree, and leaves the main one alone', async () => {
    const main = makeRepository(undefined, folder('main'));
    main.git('worktree', 'add', '-q', '-b', 'feature', join(place, 'feature'));
    const head = main.git('rev-parse', 'HEAD');
    await wholeRun(repositoryAt(join(place, 'feature')));
    assert.equal(main.git('rev-parse', 'HEAD'), head);
    assert.equal(main.git('status', '--porcelain'), '');
    assert.equal(existsSync(join(main.root, '.coppice')), false);
  });

  describe('is refused, with a way out, and nothing is left behind', () => {
    const refused = async (root: string, message: RegExp): Promise<void> => {
      const before = readdirSync(root).sort();
      const open = openRepository({ path: root, random: () => 0.5, clock: systemClock, environment: process.env });
      await assert.rejects(open, { name: 'UserError', code: 'unsupported-repository', message });
      assert.deepEqual(readdirSync(root).sort(), before);
    };

    it('in a repository without commits', async () => {
      const root = folder('empty');
      repositoryAt(root).git('init', '-q');
      await refused(root, /has no commits on its branch yet\. Make a first one: git add/);
    });

    it('in a bare repository', async () => {
      const root = folder('bare.git');
      repositoryAt(root).git('init', '-q', '--bare');
      await refused(root, /is a bare repository.*Use a clone of it, or a worktree/);
    });
  });
});
