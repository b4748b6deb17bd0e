import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fillAsModel } from './model-folder.ts';

/** A real git repository in a temp folder. */
export interface TestRepository {
  readonly root: string;
  git(...args: readonly string[]): string;
  write(path: string, text: string): void;
  /** Commits everything. */
  commit(message: string): string;
  remove(): void;
}

const IDENTITY = {
  GIT_AUTHOR_NAME: 'Person',
  GIT_AUTHOR_EMAIL: 'person@localhost',
  GIT_COMMITTER_NAME: 'Person',
  GIT_COMMITTER_EMAIL: 'person@localhost',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
};

/** A repository that is there already. */
export const repositoryAt = (root: string): TestRepository => {
  const git = (...args: readonly string[]): string =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8', env: { ...process.env, ...IDENTITY } }).trim();
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const commit = (message: string): string => {
    git('add', '-A');
    git('commit', '-q', '-m', message);
    return git('rev-parse', 'HEAD');
  };
  return { root, git, write, commit, remove: () => rmSync(root, { recursive: true, force: true, maxRetries: 5 }) };
};

/** Files given as `path: text`, committed on branch `main`; in `root`, or in a new temp folder. */
export const makeRepository = (
  files: Readonly<Record<string, string>> = SMALL,
  root = realpathSync(mkdtempSync(join(tmpdir(), 'coppice-repo-'))),
): TestRepository => {
  fillAsModel(root, JSON.stringify(files), (folder) => {
    const model = repositoryAt(folder);
    // Without the samples of hooks, which nobody here reads.
    model.git('init', '-q', '-b', 'main', '--template=');
    for (const [path, text] of Object.entries(files)) model.write(path, text);
    model.commit('Start');
  });
  return repositoryAt(root);
};

const SMALL = {
  'README.md': '# Small\n\nA small repository.\n',
  'src/add.ts': '/** Adds. */\nexport const add = (a: number, b: number): number => a + b;\n',
  'src/sub.ts': 'export const sub = (a: number, b: number): number => a - b;\n',
  'docs/guide.md': '# Guide\n\nRead the source.\n',
  'test/add.test.ts': "import { add } from '../src/add.ts';\nconsole.log(add(1, 2));\n",
};
