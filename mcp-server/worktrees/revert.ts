import type { Commit } from '../domain/ids.ts';
import { type Core, commitTree, treeOfCommit } from './core.ts';
import { mergeTrees } from './merge.ts';
import type { Author, RevertOutcome } from './port.ts';

/** What happened from one commit to another is taken out of a third one. No ref moves, no file changes. */
export const revert = async (
  core: Core,
  onto: Commit,
  { from, to }: { readonly from: Commit; readonly to: Commit },
  message: string,
  author: Author,
): Promise<RevertOutcome> => {
  const [mine, before, after] = await Promise.all([onto, from, to].map((commit) => treeOfCommit(core, commit)));
  if (!mine || !before || !after) throw new Error('Three commits have three trees.');
  if (before === after || mine === before) return { kind: 'up-to-date' };
  if (mine === after) return { kind: 'reverted', commit: await commitTree(core, before, [onto], message, author) };
  // Older git takes the base from the commits' history alone, so they get one that says just this.
  const base = await commitTree(core, after, [], 'after', author);
  const [ours, theirs] = await Promise.all(
    [mine, before].map((tree) => commitTree(core, tree, [base], 'side', author)),
  );
  if (!ours || !theirs) throw new Error('Two trees have two commits.');
  const { tree, files } = await mergeTrees(core, ours, theirs);
  if (files.length > 0) return { kind: 'conflict', files };
  if (tree === mine) return { kind: 'up-to-date' };
  return { kind: 'reverted', commit: await commitTree(core, tree, [onto], message, author) };
};
