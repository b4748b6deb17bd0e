import type { Commit } from '../domain/ids.ts';
import type { Run } from '../domain/run.ts';
import type { Core } from './core.ts';

/** The commit of somebody else that the branch of the run holds and `commit` does not contain; null when there is none. */
export const foreignCommit = async (core: Core, run: Run, commit: Commit): Promise<Commit | null> => {
  const { repository } = core.parts;
  const at = await repository.branchHead(run.branch);
  if (at === null || at === run.headCommit) return null;
  return (await repository.isAncestor(at, commit).catch(() => false)) ? null : at;
};

/** A commit that somebody else made on the branch of the run stays reachable when the branch moves on to `commit`. */
export const keepForeignCommit = async (core: Core, run: Run, commit: Commit): Promise<void> => {
  const at = await foreignCommit(core, run, commit);
  if (at === null) return;
  await core.parts.repository.pin(`${run.id}-${at.slice(0, 12)}`, at);
  core.parts.log(`${run.branch} held ${at}, which is not the run's; it is kept below refs/coppice/discarded.`);
};
