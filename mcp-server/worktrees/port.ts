import type { AgentId, Commit } from '../domain/ids.ts';

/** A folder of text files that an agent reads: a commit, or a leased worktree. Paths are relative, with forward slashes. */
export interface Tree {
  /** Entries of one folder (`''`: the top), folders with a trailing slash, sorted. Null when there is no such folder. */
  list(folder: string): Promise<readonly string[] | null>;
  /** All tracked files (in a worktree: also new ones that are not ignored), sorted. */
  files(): Promise<readonly string[]>;
  /** Null when there is no such file. Throws UserError for a file that is not text, too large, or outside the tree. */
  read(path: string): Promise<string | null>;
}

/** A leased worktree: also writable. */
export interface WritableTree extends Tree {
  /** Creates folders as needed. Throws UserError `permission-denied` for a protected or escaping path. */
  write(path: string, text: string): Promise<void>;
  remove(path: string): Promise<void>;
}

export interface Lease {
  readonly agent: AgentId;
  readonly path: string;
  readonly admin: string;
  readonly branch: string;
}

/** Where a person's working tree stands. */
export interface Head {
  /** Null: detached. */
  readonly branch: string | null;
  readonly head: Commit;
}

export interface RepositoryFacts extends Head {
  /** Top of the person's working tree. */
  readonly root: string;
  readonly commonDir: string;
  readonly dirtyFiles: number;
  readonly hasSubmodules: boolean;
  readonly shallow: boolean;
  /** The person's working tree is itself a linked worktree. */
  readonly linked: boolean;
}

export interface Author {
  readonly name: string;
  readonly email: string;
}

export type MergeOutcome =
  | { readonly kind: 'up-to-date' }
  | { readonly kind: 'fast-forward'; readonly commit: Commit }
  | { readonly kind: 'merged'; readonly commit: Commit }
  /** `marked` is a merge commit whose files hold conflict markers. */
  | { readonly kind: 'conflict'; readonly files: readonly string[]; readonly marked: Commit };

export type RevertOutcome =
  | { readonly kind: 'up-to-date' }
  | { readonly kind: 'reverted'; readonly commit: Commit }
  | { readonly kind: 'conflict'; readonly files: readonly string[] };

export interface FileChange {
  readonly path: string;
  readonly oldPath: string | null;
  readonly status: 'added' | 'modified' | 'deleted' | 'renamed' | 'type-changed';
  /** Null for a binary file. */
  readonly additions: number | null;
  readonly deletions: number | null;
}

export type LandOutcome =
  | { readonly kind: 'landed'; readonly branch: string; readonly commit: Commit }
  | { readonly kind: 'conflict'; readonly files: readonly string[] }
  /** The person's uncommitted changes touch files that would change. */
  | { readonly kind: 'dirty'; readonly files: readonly string[] }
  | { readonly kind: 'wrong-branch'; readonly current: string | null; readonly expected: string };

/** Files that nobody had committed, kept as a commit that no branch holds. */
export interface Saved {
  readonly commit: Commit;
  readonly files: readonly string[];
}

export interface AdoptOptions {
  /** Work in it was cut in the middle, and will be done anew. */
  readonly cut: boolean;
  readonly author: Author;
  /** Told of what is kept, before it is taken out of the worktree. */
  onSaved(saved: Saved): Promise<void>;
}

/** Asked right before a branch moves. When it throws, nothing moves. */
export type MayMove = () => Promise<void>;

/**
 * The repository of one engine. Commits are made as objects first. The caller may `publish` one before it has stored it,
 * but only while nobody else may move that branch; the database says what holds. After a crash between the two
 * `reconcile` brings the refs to what the database knows, forward or back.
 */
export interface Repository {
  readonly root: string;
  facts(): Promise<RepositoryFacts>;
  /** As in `facts`, but in the same time however many files there are. */
  head(): Promise<Head>;
  /** Creates the branch, or moves it: a ref only; no checkout. Idempotent. */
  publish(branch: string, commit: Commit, mayMove?: MayMove): Promise<void>;
  /** Publishes every branch that is not where it should be, in one go; returns how many were moved. */
  reconcile(expected: readonly { readonly branch: string; readonly commit: string }[]): Promise<number>;
  /** Keeps a commit reachable as refs/coppice/discarded/<name>, where no branch list shows it. */
  pin(name: string, commit: Commit): Promise<void>;
  /** Branches whose name begins so, with their commits. */
  branches(prefix: string): Promise<ReadonlyMap<string, Commit>>;
  branchHead(branch: string): Promise<Commit | null>;
  deleteBranch(branch: string, expected: Commit): Promise<void>;
  /** Reads files as they are in the commit. */
  treeOf(commit: Commit): Tree;
  /** A worktree on the branch at the commit. `onIntent` runs before anything is created on disk: store the row in it. */
  lease(agent: AgentId, branch: string, commit: Commit, onIntent: (lease: Lease) => Promise<void>): Promise<Lease>;
  treeOfLease(lease: Lease): WritableTree;
  /** A commit of all changes of the worktree on top of `parent`, as an object only. Null when nothing changed. */
  snapshot(
    lease: Lease,
    parent: Commit,
    message: string,
    author: Author,
  ): Promise<{ readonly commit: Commit; readonly files: readonly string[] } | null>;
  /**
   * Brings files and branch of the lease from one commit to another. What was changed by hand in other files stays; false,
   * and nothing has moved, when it is in the way.
   */
  advance(lease: Lease, step: { readonly from: Commit; readonly to: Commit }, mayMove?: MayMove): Promise<boolean>;
  /** A commit of what was changed by hand, on top of `parent`, as an object only; the worktree stays as it is. */
  edits(
    lease: Lease,
    parent: Commit,
    message: string,
    author: Author,
  ): Promise<{ readonly commit: Commit; readonly files: readonly string[] } | null>;
  /**
   * Takes over a worktree that an earlier engine, or cut work, left: its branch is at the commit then. What was changed by
   * hand stays if the files were at the commit too and nothing was `cut`; else they are brought to it, and what nobody had
   * committed is kept and told.
   */
  adopt(lease: Lease, commit: Commit, options: AdoptOptions, mayMove?: MayMove): Promise<void>;
  /** Makes the worktree anew at the commit; its old folder, without its link to git, stays at the path that is returned. */
  setAside(lease: Lease, commit: Commit, mayMove?: MayMove): Promise<string>;
  /** Moves the lease's branch and files to the commit, dropping whatever else is in the worktree. */
  reset(lease: Lease, commit: Commit, mayMove?: MayMove): Promise<void>;
  /** Merges in the object store alone: no ref moves, no file changes. */
  merge(into: Commit, source: Commit, message: string, author: Author): Promise<MergeOutcome>;
  /** Takes what happened from one commit to another out of `onto`, as an object only; what came after it stays. */
  revert(
    onto: Commit,
    change: { readonly from: Commit; readonly to: Commit },
    message: string,
    author: Author,
  ): Promise<RevertOutcome>;
  isAncestor(ancestor: Commit, descendant: Commit): Promise<boolean>;
  /** Files of the commit, among `paths`, that still hold conflict markers. */
  conflictMarkers(commit: Commit, paths: readonly string[]): Promise<readonly string[]>;
  changes(base: Commit, head: Commit): Promise<readonly FileChange[]>;
  /** Unified diff; `path` limits it. Bounded to `maxBytes`, with a last line that says what was cut. */
  patch(base: Commit, head: Commit, options: { readonly path?: string; readonly maxBytes: number }): Promise<string>;
  fileAt(commit: Commit, path: string): Promise<string | null>;
  /** Bytes of all files of the commit together. */
  checkoutBytes(commit: Commit): Promise<number>;
  /**
   * Merges into the person's branch, which must be checked out; never touches their uncommitted changes. Always makes a
   * merge commit with the message, unless all of it is there already.
   */
  land(
    head: Commit,
    options: { readonly into: string | null; readonly message: string; readonly author: Author },
  ): Promise<LandOutcome>;
  /**
   * Removes the worktree's folder if nothing in it would be lost: it is clean and its head is reachable from one of
   * `safe` (or the caller says that it was discarded). Otherwise keeps it and says why. An error counts as "keep".
   */
  remove(
    lease: Lease,
    safe: { readonly commits: readonly Commit[]; readonly discarded: boolean },
  ): Promise<{ readonly kind: 'removed' } | { readonly kind: 'kept'; readonly reason: string }>;
  /** Empties the trash, and removes folders and admin entries that no row of the database knows (they hold nothing). */
  sweep(known: readonly Lease[]): Promise<void>;
  /** The folder for the engine's state, created and listed in info/exclude. */
  readonly stateDir: string;
  /** What commands run in: a working folder for this agent. */
  close(): Promise<void>;
}
