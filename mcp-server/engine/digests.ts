import type { Agent } from '../domain/agent.ts';
import type { Commit } from '../domain/ids.ts';
import { createRecent } from '../domain/recent.ts';
import type { Run } from '../domain/run.ts';
import { checkCommands } from '../planning/check-commands.ts';
import { repositoryDigest } from '../planning/digest.ts';
import type { Core } from './core.ts';

const REMEMBERED_COMMITS = 32;

/** What planners are told of the repository; for anybody else it is empty. */
export class Digests {
  readonly #core: Core;
  readonly #recent = createRecent<string>(REMEMBERED_COMMITS);

  constructor(core: Core) {
    this.#core = core;
  }

  of(run: Run, agent: Agent): Promise<string> {
    if (agent.tier !== 'planner') return Promise.resolve('');
    const commit = startOf(run, agent);
    return this.#recent.get(commit, () => digestOf(this.#core, commit));
  }

  /** As `of`, where that need not be waited for. */
  known(run: Run, agent: Agent): string | undefined {
    return agent.tier === 'planner' ? this.#recent.known(startOf(run, agent)) : '';
  }
}

const startOf = (run: Run, agent: Agent): Commit => agent.baseCommit ?? run.baseCommit;

const digestOf = async (core: Core, commit: Commit): Promise<string> => {
  const tree = core.parts.repository.treeOf(commit);
  const files = await tree.files();
  return repositoryDigest(files, { commands: await checkCommands(files, (path) => tree.read(path)) });
};
