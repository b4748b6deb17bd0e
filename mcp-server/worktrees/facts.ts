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
 * Where HEAD is, without a look at every file: git's own files name the branch and its commit. What they do not tell
 * plainly (detached, a branch that stands for another one, no commit yet, refs that are not files) git's status tells.
 * Throws as `readFacts`.
 */
export const readHead = async (core: Core): Promise<Head> => {
  const { gitDir, commonDir } = core.person;
  const branch = /^ref: refs\/heads\/(.+)\n$/.exec((await textOf(join(gitDir, 'HEAD'))) ?? '')?.[1];
  if (branch === undefined || branch.split('/').includes('..')) return readFacts(core);
  const ref = `refs/heads/${branch}`;
  const line = (await textOf(join(commonDir, ref))) ?? (await packedLine(commonDir, ref));
  const head = /^([0-9a-f]{40}|[0-9a-f]{64})\n$/.exec(line)?.[1] as Commit | undefined;
  if (head === undefined || (await core.objects.info(head))?.type !== 'commit') return readFacts(core);
  return { branch, head };
};

/** Its commit in the file of packed refs, as a ref's own file would have it. */
const packedLine = async (commonDir: string, ref: string): Promise<string> => {
  const end = ` ${ref}\n`;
  const all = (await textOf(join(commonDir, 'packed-refs'))) ?? '';
  const at = all.indexOf(end);
  return at < 0 ? '' : `${all.slice(all.lastIndexOf('\n', at) + 1, at)}\n`;
};

const textOf = (path: string): Promise<string | null> => readFile(path, 'utf8').catch(() => null);

/** The error for a repository whose branch has no commit. */
export const noCommits = (root: string): UserError =>
  new UserError(
    'unsupported-repository',
    `${root} has no commits on its branch yet. Make a first one: git add . && git commit -m "Start"`,
  );
