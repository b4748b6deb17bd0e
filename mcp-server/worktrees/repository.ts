import { createRecent } from '../domain/recent.ts';
import { adopt } from './adopt.ts';
import { advance, edits, setAside } from './advance.ts';
import { checkoutBytes } from './checkout-size.ts';
import { createCommitTrees } from './commit-tree.ts';
import type { Core } from './core.ts';
import { headReader, readFacts } from './facts.ts';
import { land } from './land.ts';
import { createLease } from './lease.ts';
import { conflictMarkers, isAncestor, merge } from './merge.ts';
import type { FileChange, Repository } from './port.ts';
import { branches, branchHead, deleteBranch, pin, publish, reconcile } from './refs.ts';
import { removeLease, sweep } from './remove.ts';
import { revert } from './revert.ts';
import { changes, patch } from './review.ts';
import { reset, snapshot } from './snapshot.ts';
import { treeOfLease } from './worktree-tree.ts';

/** Comparisons of two commits that are remembered: faces ask anew for each run that they show. */
const REMEMBERED_CHANGES = 64;
/** With more files than that, one is not. */
const REMEMBERED_FILES = 500;

/** Joins the parts to the port. */
export const createRepository = (core: Core): Repository => {
  const trees = createCommitTrees(core);
  const compared = createRecent<readonly FileChange[]>(REMEMBERED_CHANGES);
  return {
    root: core.person.workTree,
    stateDir: core.stateDir,
    facts: () => readFacts(core),
    head: headReader(core),
    publish: (branch, commit, mayMove) => publish(core, branch, commit, mayMove),
    reconcile: (expected) => reconcile(core, expected),
    pin: (name, commit) => pin(core, name, commit),
    branches: (prefix) => branches(core, prefix),
    branchHead: (branch) => branchHead(core, branch),
    deleteBranch: (branch, expected) => deleteBranch(core, branch, expected),
    treeOf: trees.treeOf,
    lease: (agent, branch, commit, onIntent) => createLease(core, agent, branch, commit, onIntent),
    treeOfLease: (lease) => treeOfLease(core, lease),
    snapshot: (lease, parent, message, author) => snapshot(core, lease, parent, message, author),
    advance: (lease, step, mayMove) => advance(core, lease, step, mayMove),
    edits: (lease, parent, message, author) => edits(core, lease, parent, message, author),
    setAside: (lease, commit, mayMove) => setAside(core, lease, commit, mayMove),
    adopt: (lease, commit, options, mayMove) => adopt(core, lease, commit, options, mayMove),
    reset: (lease, commit, mayMove) => reset(core, lease, commit, mayMove),
    merge: (into, source, message, author) => merge(core, into, source, message, author),
    revert: (onto, change, message, author) => revert(core, onto, change, message, author),
    isAncestor: (ancestor, descendant) => isAncestor(core, ancestor, descendant),
    conflictMarkers: (commit, paths) => conflictMarkers(trees, commit, paths),
    changes: async (base, head) => {
      const key = `${base} ${head}`;
      const found = await compared.get(key, () => changes(core, base, head));
      if (found.length > REMEMBERED_FILES) compared.forget(key);
      return found;
    },
    patch: (base, head, options) => patch(core, base, head, options),
    fileAt: trees.fileAt,
    checkoutBytes: (commit) => checkoutBytes(core, commit),
    land: (head, options) => land(core, head, options),
    remove: (lease, safe) => removeLease(core, lease, safe),
    sweep: (known) => sweep(core, known),
    close: async () => {
      await Promise.all(core.background);
      await core.refs.close();
      core.objects.close();
    },
  };
};
