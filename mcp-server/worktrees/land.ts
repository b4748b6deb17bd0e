import { existsSync } from 'node:fs';
import { lstat, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { UserError } from '../domain/errors.ts';
import type { Commit } from '../domain/ids.ts';
import { absent } from './containment.ts';
import { type Core, commitTree, treeOfCommit } from './core.ts';
import { noCommits } from './facts.ts';
import { merge } from './merge.ts';
import type { Author, LandOutcome } from './port.ts';
import { readStatus } from './status.ts';

interface LandOptions {
  readonly into: string | null;
  readonly message: string;
  readonly author: Author;
}

/**
 * Merges into the person's branch, index and files; all of it or nothing. Always as one merge commit with the given
 * message, so that the history names what landed and one `git revert -m 1` takes it back. What the person has not
 * committed stays, and where it is in the way nothing happens.
 */
export const land = (core: Core, head: Commit, options: LandOptions): Promise<LandOutcome> =>
  core.perAgent.run('land', () => landNow(core, head, options));

const landNow = async (core: Core, head: Commit, { into, message, author }: LandOptions): Promise<LandOutcome> => {
  const { person, git } = core;
  const status = await readStatus(git, person, 'files');
  const mine = status.head;
  if (mine === null) throw noCommits(person.workTree);
  if (status.branch !== into) {
    return { kind: 'wrong-branch', current: status.branch, expected: into ?? 'a detached HEAD' };
  }
  assertNothingUnfinished(person.gitDir);
  const merged = await merge(core, mine, head, message, author);
  const branch = into ?? 'HEAD';
  if (merged.kind === 'up-to-date') return { kind: 'landed', branch, commit: mine };
  if (merged.kind === 'conflict') return { kind: 'conflict', files: merged.files };
  const commit =
    merged.kind === 'merged'
      ? merged.commit
      : await commitTree(core, await treeOfCommit(core, head), [mine, head], message, author);
  const changed = await readChanged(core, mine, commit);
  const uncommitted = status.entries.map(({ path }) => path);
  const files = [...overlap(uncommitted, changed), ...(await inTheWay(person.workTree, changed))];
  if (files.length > 0) return { kind: 'dirty', files: [...new Set(files)].sort() };
  await apply(core, mine, commit, changed);
  return { kind: 'landed', branch, commit };
};

const assertNothingUnfinished = (gitDir: string): void => {
  const names = ['MERGE_HEAD', 'CHERRY_PICK_HEAD', 'REVERT_HEAD', 'rebase-merge', 'rebase-apply'];
  const found = names.find((name) => existsSync(join(gitDir, name)));
  if (!found) return;
  const what = found.split(/[-_]/)[0]?.toLowerCase();
  throw new UserError(
    'wrong-state',
    `A ${what} is under way in your working tree. Finish or abort it, then land again.`,
  );
};

interface Changed {
  readonly path: string;
  readonly status: 'A' | 'D' | 'M';
}

const readChanged = async (core: Core, from: Commit, to: Commit): Promise<readonly Changed[]> => {
  const args = ['diff-tree', '-r', '-z', '--name-status', '--no-renames', '--no-ext-diff', from, to];
  const fields = (await core.git.text(core.store, args)).split('\0');
  const changed: Changed[] = [];
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const letter = fields[at];
    changed.push({ path: fields[at + 1] ?? '', status: letter === 'A' || letter === 'D' ? letter : 'M' });
  }
  return changed;
};

/** Uncommitted paths that would change, or that are a folder of one that would, or the other way round. */
const overlap = (uncommitted: readonly string[], changed: readonly Changed[]): readonly string[] => {
  const files = new Set(changed.map(({ path }) => path));
  const folders = new Set(changed.flatMap(({ path }) => foldersOf(path)));
  return uncommitted.filter((path) => {
    const name = path.replace(/\/$/, '');
    return files.has(name) || folders.has(name) || foldersOf(name).some((folder) => files.has(folder));
  });
};

const foldersOf = (path: string): readonly string[] => {
  const folder = dirname(path);
  return folder === '.' ? [] : [folder, ...foldersOf(folder)];
};

/** Ignored files, which git would overwrite without a word, where a new file is to go. */
const inTheWay = async (root: string, changed: readonly Changed[]): Promise<readonly string[]> => {
  const leaving = new Set(changed.filter(({ status }) => status === 'D').map(({ path }) => path));
  const leavingFolded = new Set([...leaving].map((path) => path.toLowerCase()));
  const found = new Set<string>();
  for (const { path, status } of changed) {
    if (status !== 'A') continue;
    for (const folder of foldersOf(path)) {
      const there = await lstat(join(root, folder)).catch(absent);
      if (there && !there.isDirectory() && !leaving.has(folder)) found.add(folder);
    }
    const there = await lstat(join(root, path)).catch(absent);
    // On a file system without case the old name of a file finds the new one; a folder may only hold what leaves.
    if (there && !there.isDirectory() && !leavingFolded.has(path.toLowerCase())) found.add(path);
  }
  return [...found];
};

const MERGE = [
  'merge',
  '--ff-only',
  '--no-autostash',
  '--no-verify-signatures',
  '--commit',
  '--no-squash',
  '--no-stat',
  '--quiet',
];

/** Moves branch, index and files from one commit to its descendant, with git's own checks once more. */
const apply = async (core: Core, from: Commit, to: Commit, changed: readonly Changed[]): Promise<void> => {
  const { git, person } = core;
  try {
    await git.exec(person, [...MERGE, to], { variables: { GIT_REFLOG_ACTION: 'coppice land' } });
  } catch (error) {
    const status = await readStatus(git, person, 'folders');
    if (status.head === to) return;
    if (status.head === from) await undo(core, from, changed);
    const advice = 'Nothing was changed. If another git command runs in it, wait for its end and land again.';
    throw new UserError('wrong-state', `git could not update your working tree. ${advice}`, { cause: error });
  }
};

/** Brings the files that were to change back; they had no changes of the person's, which was checked before. */
const undo = async (core: Core, from: Commit, changed: readonly Changed[]): Promise<void> => {
  const { git, person } = core;
  const touched = new Set((await readStatus(git, person, 'files')).entries.map(({ path }) => path));
  const back = changed.filter(({ path }) => touched.has(path));
  const old = back.filter(({ status }) => status !== 'A').map(({ path }) => `${path}\0`);
  for (const { path } of back.filter(({ status }) => status === 'A'))
    await rm(join(person.workTree, path), { force: true });
  if (old.length === 0) return;
  await git.exec(person, ['checkout', '--quiet', '--pathspec-from-file=-', '--pathspec-file-nul', from], {
    input: old.join(''),
  });
};
