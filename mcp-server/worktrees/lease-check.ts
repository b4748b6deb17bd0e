import { lstat, readdir, readFile, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { UserError } from '../domain/errors.ts';
import type { Core } from './core.ts';
import type { Place } from './git-environment.ts';
import type { Lease } from './port.ts';

/** The name of an agent is a name of a folder, here and in the common git directory. */
export const assertAgentName = (name: string): string => {
  if (!/^[a-z0-9][a-z0-9-]{0,63}$/i.test(name)) throw new Error(`Not the name of an agent: ${JSON.stringify(name)}`);
  return name;
};

/** The folder of a lease, computed and not taken from the row: whatever is in the row, it lies below the state folder. */
export const leasePath = (core: Core, lease: Lease): string =>
  join(core.stateDir, 'worktrees', assertAgentName(lease.agent));

/** A worktree's entry in the common git folder. Throws when the name is a path. */
export const adminPath = (core: Core, admin: string): string =>
  join(core.person.commonDir, 'worktrees', assertAgentName(admin));

/**
 * Where git works for this lease. Throws UserError `unsupported-repository` when something that decides how git behaves
 * there is not as the engine left it: git is then not started, and the folder is kept.
 */
export const checkedPlace = async (core: Core, lease: Lease): Promise<Place> => {
  const fault = await findTampering(core, lease);
  if (fault) {
    throw new UserError(
      'unsupported-repository',
      `The worktree of agent ${lease.agent} is not used any more, since ${fault}. Its files are kept in ${leasePath(core, lease)}.`,
    );
  }
  return placeOf(core, lease);
};

/** The place of a lease without any check, for its first checkout. */
export const placeOf = (core: Core, lease: Lease): Place => ({
  gitDir: adminPath(core, lease.admin),
  commonDir: core.person.commonDir,
  workTree: leasePath(core, lease),
  trust: 'agent',
});

/** What is wrong with a worktree's link to git, in words; null when nothing is. */
export const findTampering = async (core: Core, lease: Lease): Promise<string | null> => {
  const path = leasePath(core, lease);
  const admin = adminPath(core, lease.admin);
  if ((await realpath(path).catch(() => null)) !== path) return 'its folder is missing or is a link';
  if ((await realpath(admin).catch(() => null)) !== admin) return 'its entry in the git folder is missing or is a link';
  if (!(await isFileWith(join(path, '.git'), `gitdir: ${asGitWrites(admin)}`))) return 'its .git file was changed';
  if (!(await isFileWith(join(admin, 'gitdir'), asGitWrites(join(path, '.git'))))) return 'its gitdir file was changed';
  if (!(await isFileWith(join(admin, 'commondir'), '../..'))) return 'its commondir file was changed';
  const names = await readdir(admin);
  if (names.includes('config.worktree')) return 'it got a configuration of its own';
  return null;
};

/** A path with forward slashes, also on Windows. */
export const asGitWrites = (path: string): string => (sep === '\\' ? path.replaceAll('\\', '/') : path);

const isFileWith = async (path: string, text: string): Promise<boolean> => {
  try {
    return (await lstat(path)).isFile() && (await readFile(path, 'utf8')).trimEnd() === text;
  } catch {
    return false;
  }
};
