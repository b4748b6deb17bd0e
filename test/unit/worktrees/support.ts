import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { systemClock } from '../../../mcp-server/domain/clock.ts';
import type { AgentId, Commit } from '../../../mcp-server/domain/ids.ts';
import { type OpenOptions, openRepository } from '../../../mcp-server/worktrees/open.ts';
import type { Lease, Repository } from '../../../mcp-server/worktrees/port.ts';
import { fillAsModel } from '../../support/model-folder.ts';

export const AUTHOR = { name: 'Cópp & <Co>', email: 'coppice@example.invalid' };

/** A folder that is gone after the test file; a real path, so that it can be compared. */
export const temporaryFolder = (name = 'coppice'): string => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), `${name}-`)));
  folders.push(folder);
  return folder;
};

const folders: string[] = [];
const open: Repository[] = [];

/** Call it once in each `describe`: closes what was opened, deletes what was made. */
export const cleanUpAfterwards = (): void => {
  after(async () => {
    for (const repository of open.splice(0)) await repository.close();
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  });
};

/** Git as the person runs it, without any of the engine's protections. */
export const git = (folder: string, ...args: string[]): string =>
  execFileSync('git', args, {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      HOME: '/nonexistent',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_AUTHOR_NAME: 'P',
      GIT_AUTHOR_EMAIL: 'p@example.invalid',
      GIT_COMMITTER_NAME: 'P',
      GIT_COMMITTER_EMAIL: 'p@example.invalid',
    },
  }).trimEnd();

export const put = (folder: string, path: string, text: string | Buffer): void => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
};

export const commitAll = (folder: string, message = 'More'): Commit => {
  git(folder, 'add', '-A');
  git(folder, 'commit', '-q', '--allow-empty', '-m', message);
  return git(folder, 'rev-parse', 'HEAD') as Commit;
};

export const FILES: Readonly<Record<string, string>> = {
  'README.md': '# Example\n\nOne\nTwo\nThree\n',
  'src/a.ts': 'export const a = 1;\n',
  'src/deep/b.ts': 'export const b = 2;\n',
  '.gitignore': 'node_modules/\n.env\n*.log\n',
};

export const makeRepository = (files: Readonly<Record<string, string>> = FILES, ...init: string[]): string => {
  const folder = temporaryFolder();
  fillAsModel(folder, JSON.stringify([files, init]), (model) => {
    git(model, 'init', '-q', '-b', 'main', ...init);
    for (const [path, text] of Object.entries(files)) put(model, path, text);
    commitAll(model, 'Start');
  });
  return folder;
};

let seed = 1;
/** Always the same numbers in one run of a file. */
export const random = (): number => {
  seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
  return seed / 2_147_483_648;
};

export const openAt = async (path: string, more: Partial<OpenOptions> = {}): Promise<Repository> => {
  const environment = { PATH: process.env['PATH'], HOME: temporaryFolder('home') };
  const repository = await openRepository({ path, random, clock: systemClock, environment, ...more });
  open.push(repository);
  return repository;
};

export const agentId = (name: string): AgentId => `a-${name}` as AgentId;
export const headOf = (folder: string): Commit => git(folder, 'rev-parse', 'HEAD') as Commit;
export const noIntent = async (): Promise<void> => undefined;

/** A lease at the person's HEAD. */
export const leaseAt = (repository: Repository, name: string, commit?: Commit): Promise<Lease> =>
  repository.lease(agentId(name), `coppice/${name}`, commit ?? headOf(repository.root), noIntent);

/** A program that leaves a mark when it runs: settings that name it must never have an effect. */
export const makeCanary = (): { readonly program: string; readonly mark: string } => {
  const folder = temporaryFolder('canary');
  const mark = join(folder, 'it-ran');
  const program = join(folder, 'program.sh');
  writeFileSync(program, `#!/bin/sh\ntouch '${mark}'\ncat 2>/dev/null\nexit 0\n`);
  chmodSync(program, 0o755);
  return { program, mark };
};
