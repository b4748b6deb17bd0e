import { lstat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../domain/clock.ts';
import { UserError } from '../domain/errors.ts';
import type { Commit } from '../domain/ids.ts';
import { checkedOutIn } from './checked-out.ts';
import type { Core } from './core.ts';
import { GitError } from './git-exec.ts';
import { assertCommit } from './objects.ts';
import type { MayMove } from './port.ts';

/** Git's rules for the name of a branch, and no leading dash, so that it is never read as an option. */
export const assertBranch = (branch: string): string => {
  const bad =
    branch === '' ||
    branch === '@' ||
    branch === 'HEAD' ||
    // biome-ignore lint/suspicious/noControlCharactersInRegex: git forbids them
    /[\0-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|[/.]$|^[-/]/.test(branch) ||
    branch.split('/').some((part) => part.startsWith('.') || part.endsWith('.lock'));
  if (bad) throw new UserError('bad-input', `${JSON.stringify(branch)} cannot be the name of a branch.`);
  return branch;
};

/** The commit of a branch; null when there is no such branch. */
export const branchHead = async (core: Core, branch: string): Promise<Commit | null> =>
  ((await core.objects.info(`refs/heads/${assertBranch(branch)}`))?.oid as Commit | undefined) ?? null;

/** Creates or moves a branch, if nobody else moved it meanwhile. Nothing happens when it is there already. */
export const publish = async (core: Core, branch: string, commit: Commit, mayMove?: MayMove): Promise<void> => {
  assertCommit(commit);
  const old = await branchHead(core, branch);
  if (old === commit) return;
  await mayMove?.();
  await updateRef(core, branch, updateLine(`refs/heads/${branch}`, commit, old));
};

/** Deletes a branch that still is at `expected`; one that is gone is fine. Throws UserError when it moved or is checked out. */
export const deleteBranch = async (core: Core, branch: string, expected: Commit): Promise<void> => {
  assertCommit(expected);
  const head = await branchHead(core, branch);
  if (head === null) return;
  if (head !== expected) throw new UserError('wrong-state', `The branch ${branch} has moved; it was not deleted.`);
  const used = await checkedOutIn(core, branch);
  if (used !== null)
    throw new UserError('wrong-state', `The branch ${branch} is checked out in ${used}; it was not deleted.`);
  await updateRef(core, branch, `delete refs/heads/${branch}\0${expected}\0`);
};

/**
 * Moves every branch that is not where it should be, in one transaction; returns how many. A commit that is not in the
 * repository is passed over: whoever needs it will say so, and the others must not suffer.
 */
export const reconcile = async (
  core: Core,
  expected: readonly { readonly branch: string; readonly commit: string }[],
): Promise<number> => {
  const moves: { branch: string; commit: Commit; old: Commit | null }[] = [];
  for (const { branch, commit } of expected) {
    const old = await branchHead(core, branch);
    if (old === commit || !(await core.objects.info(assertCommit(commit)))) continue;
    moves.push({ branch, commit: commit as Commit, old });
  }
  if (moves.length === 0) return 0;
  const input = moves.map(({ branch, commit, old }) => updateLine(`refs/heads/${branch}`, commit, old)).join('');
  try {
    await core.refs.write(input);
  } catch {
    for (const { branch, commit } of moves) await publish(core, branch, commit);
  }
  return moves.length;
};

/** Keeps a commit from being collected, under a name that no list of branches shows. */
export const pin = async (core: Core, name: string, commit: Commit): Promise<void> => {
  const ref = `refs/coppice/discarded/${assertBranch(name)}`;
  await core.refs.write(`update ${ref}\0${assertCommit(commit)}\0\0`);
};

const updateLine = (ref: string, commit: Commit, old: Commit | null): string =>
  `update ${ref}\0${commit}\0${old ?? '0'.repeat(commit.length)}\0`;

/** Branches below the prefix (which ends with a slash), and where they are. */
export const branches = async (core: Core, prefix: string): Promise<ReadonlyMap<string, Commit>> => {
  const args = ['for-each-ref', '--format=%(refname:lstrip=2) %(objectname)', `refs/heads/${prefix}`];
  const { stdout } = await core.git.exec(core.store, args);
  const lines = stdout.toString().split('\n').filter(Boolean);
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), line.slice(line.lastIndexOf(' ') + 1) as Commit]),
  );
};

const updateRef = async (core: Core, branch: string, input: string): Promise<void> => {
  try {
    await core.refs.write(input);
  } catch (error) {
    const lock = join(core.store.commonDir, 'refs', 'heads', `${branch}.lock`);
    const locked = error instanceof GitError && /\.lock'?: File exists/.test(error.stderr);
    if (!locked || !(await clearStaleLock(lock, core.clock))) throw error;
    await core.refs.write(input);
  }
};

/** How long a lock must stay as it is before it counts as left over by a command that was killed, ms. */
const STALE_AFTER = 250;

/**
 * Removes a lock file that no living command holds: only for files which nobody but this engine writes. True when
 * there is none any more.
 */
export const clearStaleLock = async (path: string, clock: Clock): Promise<boolean> => {
  const before = await lstat(path).catch(() => null);
  if (before === null) return true;
  await clock.sleep(STALE_AFTER);
  const after = await lstat(path).catch(() => null);
  if (after && (after.ino !== before.ino || after.mtimeMs !== before.mtimeMs || after.size !== before.size))
    return false;
  await unlink(path).catch(() => undefined);
  return true;
};
