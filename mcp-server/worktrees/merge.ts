import { readdir } from 'node:fs/promises';
import { UserError } from '../domain/errors.ts';
import type { Commit } from '../domain/ids.ts';
import type { CommitTrees } from './commit-tree.ts';
import { type Core, commitTree } from './core.ts';
import { assertCommit } from './objects.ts';
import type { Author, MergeOutcome } from './port.ts';

/** Merges two commits in the object store. No ref moves, no file changes. */
export const merge = async (
  core: Core,
  into: Commit,
  source: Commit,
  message: string,
  author: Author,
): Promise<MergeOutcome> => {
  const first = await earlierOf(core, into, source);
  if (first === source) return { kind: 'up-to-date' };
  if (first === into) return { kind: 'fast-forward', commit: source };
  const { tree, files } = await mergeTrees(core, into, source);
  const commit = await commitTree(core, tree, [into, source], message, author);
  return files.length === 0 ? { kind: 'merged', commit } : { kind: 'conflict', files, marked: commit };
};

/** The tree of two commits' merge, and the files in conflict, which hold markers in it. */
export const mergeTrees = async (
  core: Core,
  into: Commit,
  source: Commit,
): Promise<{ readonly tree: string; readonly files: readonly string[] }> => {
  await assertNoAttributes(core);
  const merged = await core.git.exec(
    core.store,
    ['merge-tree', '--write-tree', '--name-only', '--no-messages', '-z', into, source],
    { accept: [0, 1] },
  );
  const [tree = '', ...files] = merged.stdout.toString('utf8').split('\0').filter(Boolean);
  if (merged.exitCode !== 0 && files.length === 0) throw new Error('A conflict without a file.');
  return { tree: assertTree(tree), files: merged.exitCode === 0 ? [] : files.sort() };
};

/** The one that the other came of; null when neither did. */
const earlierOf = async (core: Core, one: Commit, other: Commit): Promise<Commit | null> => {
  const [isOne, isOther] = [core.lineage.leads(assertCommit(one), assertCommit(other)), core.lineage.leads(other, one)];
  if (isOne) return one;
  if (isOther) return other;
  if (isOne === false && isOther === false) return null;
  const base = (await core.git.text(core.store, ['merge-base', one, other], { accept: [0, 1] })).trim();
  return [one, other].find((commit) => commit === base) ?? null;
};

/** Git reads .gitattributes from the folder it runs in, and they may name a program that merges. */
const assertNoAttributes = async (core: Core): Promise<void> => {
  const names = await readdir(core.store.workTree);
  if (names.length === 0) return;
  const where = core.store.workTree;
  throw new UserError('unsupported-repository', `${where} must be empty, but ${names.join(', ')} is in it. Remove it.`);
};

const assertTree = (tree: string): string => {
  if (!/^[0-9a-f]{40,64}$/.test(tree)) throw new Error(`git merge-tree wrote ${JSON.stringify(tree)}`);
  return tree;
};

/** Is the first commit reachable from the second? A commit is its own ancestor. */
export const isAncestor = async (core: Core, ancestor: Commit, descendant: Commit): Promise<boolean> => {
  const known = core.lineage.leads(assertCommit(ancestor), assertCommit(descendant));
  // What leads to a commit that is there no more is held by nothing.
  if (known === false || (known && (await core.objects.info(descendant))?.type === 'commit')) return known;
  const args = ['merge-base', '--is-ancestor', ancestor, descendant];
  return (await core.git.exec(core.store, args, { accept: [0, 1] })).exitCode === 0;
};

/** Those of the paths whose text in the commit still has both ends of a conflict. */
export const conflictMarkers = async (
  trees: CommitTrees,
  commit: Commit,
  paths: readonly string[],
): Promise<readonly string[]> => {
  const marked: string[] = [];
  for (const path of paths) {
    const text = (await trees.bytesAt(commit, path))?.toString('latin1') ?? '';
    if (/^<{7} /m.test(text) && /^>{7} /m.test(text)) marked.push(path);
  }
  return marked;
};
