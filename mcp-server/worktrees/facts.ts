import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../domain/errors.ts';
import type { Core } from './core.ts';
import type { RepositoryFacts } from './port.ts';
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

/** The error for a repository whose branch has no commit. */
export const noCommits = (root: string): UserError =>
  new UserError(
    'unsupported-repository',
    `${root} has no commits on its branch yet. Make a first one: git add . && git commit -m "Start"`,
  );
