import type { Commit } from '../domain/ids.ts';
import type { Core } from './core.ts';
import { assertCommit } from './objects.ts';

/** Bytes of the files of a commit, as one checkout of it would hold them. */
export const checkoutBytes = async (core: Core, commit: Commit): Promise<number> => {
  const listing = await core.git.text(core.store, ['ls-tree', '-r', '-l', '-z', '--full-tree', assertCommit(commit)]);
  let sum = 0;
  for (const entry of listing.split('\0')) sum += Number(/^\S+ blob \S+ +(\d+)\t/.exec(entry)?.[1] ?? 0);
  return sum;
};
