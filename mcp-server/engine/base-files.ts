import type { Commit } from '../domain/ids.ts';
import type { Core } from './core.ts';

/** Files of the run's base; the repository caches them. */
export const baseFiles = (core: Core, commit: Commit): Promise<readonly string[]> =>
  core.parts.repository.treeOf(commit).files();
