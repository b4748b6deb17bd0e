import type { Clock } from '../domain/clock.ts';
import type { Commit, Random } from '../domain/ids.ts';
import type { Place } from './git-environment.ts';
import type { Git } from './git-exec.ts';
import type { Lineage } from './lineage.ts';
import type { ObjectReader } from './objects.ts';
import type { Author } from './port.ts';
import type { createQueues, Queue } from './queue.ts';
import type { RefWriter } from './ref-writer.ts';

/** What all parts of one open repository share. */
export interface Core {
  readonly git: Git;
  readonly objects: ObjectReader;
  readonly refs: RefWriter;
  readonly lineage: Lineage;
  readonly random: Random;
  readonly clock: Clock;
  /** The person's working tree. */
  readonly person: Place;
  /** The object store and the branches, seen from an empty folder: no file there can say how to merge or to compare. */
  readonly store: Place;
  readonly stateDir: string;
  /** Everything that adds, removes or lists worktrees, one at a time. */
  readonly metadata: Queue;
  /** What writes into one worktree, one at a time; the key is the agent. */
  readonly perAgent: ReturnType<typeof createQueues>;
  /** Work that nobody waits for but `close`: emptying the trash. */
  readonly background: Set<Promise<void>>;
}

/** A commit object with these parents. No ref moves. The time is the clock's. */
export const commitTree = async (
  core: Core,
  tree: string,
  parents: readonly Commit[],
  message: string,
  author: Author,
): Promise<Commit> => {
  const date = `@${Math.floor(core.clock.now() / 1000)} +0000`;
  const output = await core.git.text(
    core.store,
    ['commit-tree', '--no-gpg-sign', ...parents.flatMap((parent) => ['-p', parent]), '-F', '-', tree],
    {
      input: message.endsWith('\n') ? message : `${message}\n`,
      variables: {
        GIT_AUTHOR_NAME: plainName(author.name),
        GIT_AUTHOR_EMAIL: plainName(author.email),
        GIT_AUTHOR_DATE: date,
        GIT_COMMITTER_NAME: plainName(author.name),
        GIT_COMMITTER_EMAIL: plainName(author.email),
        GIT_COMMITTER_DATE: date,
      },
    },
  );
  const commit = output.trim() as Commit;
  core.lineage.add(commit, parents);
  return commit;
};

/** Git drops these characters itself, and refuses a name that is then empty. */
const plainName = (name: string): string => name.replace(/[\n\0<>]/g, ' ').trim() || 'Coppice';

/** The tree of a commit. Throws when there is no such commit. */
export const treeOfCommit = async (core: Core, commit: Commit): Promise<string> => {
  const tree = await core.objects.info(`${commit}^{tree}`);
  if (tree?.type !== 'tree') throw new Error(`The commit ${commit} is not in the repository.`);
  return tree.oid;
};
