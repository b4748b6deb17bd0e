import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../domain/errors.ts';
import type { Commit } from '../domain/ids.ts';
import type { Core } from './core.ts';
import type { Head, RepositoryFacts } from './port.ts';
import { readStatus } from './status.ts';

/** What the person's repository looks like just now. Throws UserError when its branch has no commit any more. */
export const readFacts = async (core: Core): Promise<RepositoryFacts> => {
  const { person } = core;
  const status = await readStatus(core.git, person, 'folders');
  if (status.head === null) throw noCommits(person.workTree);
  return {
    root: person.workTree,
    commonDir: person.commonDir,
    branch: status.branch,
    head: status.head,
    dirtyFiles: status.entries.length,
    hasSubmodules: (await core.objects.info(`${status.head}:.gitmodules`)) !== null,
    shallow: existsSync(join(person.commonDir, 'shallow')),
    linked: person.gitDir !== person.commonDir,
  };
};

/**
 * Where HEAD is, without a look at every file: git's own files name the branch and its commit. What they do not tell
 * plainly (detached, a branch that stands for another one, no commit yet, refs that are not files) git's status tells.
 * Throws as `readFacts`.
 */
export const headReader = (core: Core): (() => Promise<Head>) => {
  const { gitDir, commonDir } = core.person;
  /** Git has said that it is there, and a commit. */
  let known: Commit | undefined;
  return async () => {
    const branch = /^ref: refs\/heads\/(.+)\n$/.exec(textOf(join(gitDir, 'HEAD')) ?? '')?.[1];
    if (branch === undefined || branch.split('/').includes('..')) return readFacts(core);
    const ref = `refs/heads/${branch}`;
    const line = textOf(join(commonDir, ref)) ?? packedLine(commonDir, ref);
    const head = /^([0-9a-f]{40}|[0-9a-f]{64})\n$/.exec(line)?.[1] as Commit | undefined;
    if (head === undefined) return readFacts(core);
    if (head !== known && (await core.objects.info(head))?.type !== 'commit') return readFacts(core);
    known = head;
    return { branch, head };
  };
};

/** Its commit in the file of packed refs, as a ref's own file would have it. */
const packedLine = (commonDir: string, ref: string): string => {
  const end = ` ${ref}\n`;
  const all = textOf(join(commonDir, 'packed-refs')) ?? '';
  const at = all.indexOf(end);
  return at < 0 ? '' : `${all.slice(all.lastIndexOf('\n', at) + 1, at)}\n`;
};

/** A few bytes: waiting for them elsewhere takes ten times as long as reading them. */
const textOf = (path: string): string | null => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
};

/** The error for a repository whose branch has no commit. */
export const noCommits = (root: string): UserError =>
  new UserError(
    'unsupported-repository',
    `${root} has no commits on its branch yet. Make a first one: git add . && git commit -m "Start"`,
  );
