import type { Claim } from '../domain/job.ts';
import { underClaim } from '../store/claimed-store.ts';
import type { Repository } from '../worktrees/port.ts';
import type { Core } from './core.ts';

/**
 * The engine as the work of one claim sees it. Once the claim is lost, or another engine has taken over, none of its
 * transactions takes place and no branch moves any more.
 */
export const coreOf = (core: Core, claim: Claim): Core => {
  const store = underClaim(core.parts.store, claim);
  const assertHeld = (): Promise<void> => store.transaction(async () => undefined);
  const { repository } = core.parts;
  const guarded: Repository = {
    ...repository,
    publish: (branch, commit) => repository.publish(branch, commit, assertHeld),
    advance: (lease, step) => repository.advance(lease, step, assertHeld),
    setAside: (lease, commit) => repository.setAside(lease, commit, assertHeld),
    adopt: (lease, commit, options) => repository.adopt(lease, commit, options, assertHeld),
    reset: (lease, commit) => repository.reset(lease, commit, assertHeld),
  };
  return { ...core, parts: { ...core.parts, store, repository: guarded } };
};
