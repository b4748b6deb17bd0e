import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../mcp-server/domain/clock.ts';
import type { AgentId, Commit } from '../../mcp-server/domain/ids.ts';
import { openRepository } from '../../mcp-server/worktrees/open.ts';
import type { Lease } from '../../mcp-server/worktrees/port.ts';

export interface WorktreeResult {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
  /** The same with git alone, in the same run. */
  readonly reference: number;
}

const FILES = 1_000;
const FILE_BYTES = 7_000;
/** Files in which the commit that a worktree is reset to differs. */
const CHANGED = 10;
const ROUNDS = 5;
const PARALLEL = 8;
const AUTHOR = { name: 'Bench', email: 'bench@example.invalid' };

/** A lease against a plain `git worktree add`, and a read and a commit against the git commands for them. */
export const benchWorktree = async (): Promise<WorktreeResult[]> => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'coppice-bench-')));
  try {
    return await measure(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const measure = async (folder: string): Promise<WorktreeResult[]> => {
  const { root, git } = makeRepository(folder);
  const head = git(root, 'rev-parse', 'HEAD').trim() as Commit;
  for (let index = 0; index < CHANGED; index += 1)
    writeFileSync(join(root, `folder-${index}`, `file-${index}.txt`), 'other\n');
  git(root, 'commit', '-q', '-a', '-m', 'Other');
  const other = git(root, 'rev-parse', 'HEAD').trim() as Commit;
  const environment = { PATH: process.env['PATH'], HOME: folder };
  const repository = await openRepository({ path: root, random: Math.random, clock: systemClock, environment });
  const tree = repository.treeOf(head);
  const path = (await tree.files())[0] ?? '';
  const lease = (name: string) =>
    repository.lease(`a-${name}` as AgentId, `bench/${name}`, head, async () => undefined);
  const plainAt = (name: string) => join(folder, `plain-${name}`);
  const add = (name: string) => git(root, 'worktree', 'add', '-q', '-b', `plain/${name}`, plainAt(name));
  const rounds = Array.from({ length: ROUNDS }, (_, round) => `${round}`);
  const times = createTimes();
  const leases: Lease[] = [];
  for (const round of rounds) {
    await times.add('add', () => add(round));
    const leased = await times.add('lease', () => lease(round));
    leases.push(leased);
    await times.add('read', () => tree.read(path));
    await times.add('show', () => git(root, 'cat-file', 'blob', `${head}:${path}`));
    for (const at of [plainAt(round), leased.path]) writeFileSync(join(at, path), `changed ${round}`);
    await times.add('commit', () => git(plainAt(round), 'commit', '-q', '-a', '-m', 'Bench'));
    await times.add('snapshot', async () => {
      const made = await repository.snapshot(leased, head, 'Bench', AUTHOR);
      if (made) await repository.publish(leased.branch, made.commit);
    });
  }
  // What a pool of warm worktrees would pay instead of a lease, at the least.
  for (const leased of leases)
    for (const commit of [other, head]) await times.add('reset', () => repository.reset(leased, commit));
  const many = Array.from({ length: PARALLEL }, (_, index) => `many-${index}`);
  await times.add('adds', () => many.map(add));
  await times.add('leases', () => Promise.all(many.map(lease)));
  // Last, since a disk is slow for a while where many files were just deleted.
  for (const [index, leased] of leases.entries()) {
    await times.add('remove', () => repository.remove(leased, { commits: [], discarded: true }));
    while (readdirSync(join(repository.stateDir, 'trash')).length > 0) await systemClock.sleep(5);
    await times.add('remove-plain', () => git(root, 'worktree', 'remove', '--force', plainAt(`${index}`)));
  }
  await repository.close();
  const row = (name: string, value: string, reference: string): WorktreeResult => ({
    name,
    unit: 'ms',
    value: times.median(value),
    reference: times.median(reference),
  });
  return [
    row(`worktree lease, ${FILES} files`, 'lease', 'add'),
    row(`${PARALLEL} leases at once`, 'leases', 'adds'),
    row('worktree reset, ten files differ, against a new one', 'reset', 'lease'),
    row('worktree removed', 'remove', 'remove-plain'),
    row('turn committed', 'snapshot', 'commit'),
    row('file read from a commit', 'read', 'show'),
  ];
};

const makeRepository = (folder: string) => {
  const root = join(folder, 'repository');
  const env = { PATH: process.env['PATH'], HOME: folder, GIT_CONFIG_NOSYSTEM: '1' };
  const who = ['-c', `user.name=${AUTHOR.name}`, '-c', `user.email=${AUTHOR.email}`];
  const git = (cwd: string, ...args: string[]): string =>
    execFileSync('git', [...who, ...args], { cwd, env, encoding: 'utf8' });
  for (let index = 0; index < FILES; index += 1) {
    const inner = join(root, `folder-${index % 20}`);
    mkdirSync(inner, { recursive: true });
    writeFileSync(join(inner, `file-${index}.txt`), `line ${index}\n`.repeat(FILE_BYTES / 10));
  }
  git(root, 'init', '-q', '-b', 'main');
  git(root, 'add', '-A');
  git(root, 'commit', '-q', '-m', 'Start');
  return { root, git };
};

const createTimes = () => {
  const times = new Map<string, number[]>();
  return {
    add: async <T>(name: string, work: () => T | Promise<T>): Promise<T> => {
      const start = performance.now();
      const result = await work();
      times.set(name, [...(times.get(name) ?? []), performance.now() - start]);
      return result;
    },
    median: (name: string): number => {
      const sorted = [...(times.get(name) ?? [])].sort((a, b) => a - b);
      return Math.round((sorted[Math.floor(sorted.length / 2)] ?? 0) * 100) / 100;
    },
  };
};
