import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
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
 * Where HEAD is, without a look at every file: git's own file names the branch, and the process that reads objects knows its
 * commit. What cannot be told so (detached, no commit, refs that are not files) git's status tells. Throws as `readFacts`.
 */
export const readHead = async (core: Core): Promise<Head> => {
  const text = await readFile(join(core.person.gitDir, 'HEAD'), 'utf8').catch(() => '');
  const branch = /^ref: refs\/heads\/(.+)\n$/.exec(text)?.[1];
  const object = branch === undefined ? null : await core.objects.info(`refs/heads/${branch}`);
  if (branch !== undefined && object?.type === 'commit') return { branch, head: object.oid as Commit };
  return readFacts(core);
};

/** The error for a repository whose branch has no commit. */
export const noCommits = (root: string): UserError =>
  new UserError(
    'unsupported-repository',
    `${root} has no commits on its branch yet. Make a first one: git add . && git commit -m "Start"`,
  );
