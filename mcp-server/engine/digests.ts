import type { Agent } from '../domain/agent.ts';
import type { Commit } from '../domain/ids.ts';
import type { Run } from '../domain/run.ts';
import { checkCommands } from '../planning/check-commands.ts';
import { repositoryDigest } from '../planning/digest.ts';
import type { Core } from './core.ts';

/** Commits that are remembered. */
const MOST = 32;

/** What planners are told of the repository, for the commits that they were asked to plan on last. */
export class Digests {
  readonly #core: Core;
  readonly #made = new Map<Commit, Promise<string>>();
  readonly #known = new Map<Commit, string>();

  constructor(core: Core) {
    this.#core = core;
  }

  /** Empty for whoever is no planner. Made once a commit; one that failed is made again. */
  of(run: Run, agent: Agent): Promise<string> {
    if (agent.tier !== 'planner') return Promise.resolve('');
    const commit = agent.baseCommit ?? run.baseCommit;
    return this.#made.get(commit) ?? this.#make(commit);
  }

  /** As `of`, where that need not be waited for. */
  known(run: Run, agent: Agent): string | undefined {
    return agent.tier === 'planner' ? this.#known.get(agent.baseCommit ?? run.baseCommit) : '';
  }

  #make(commit: Commit): Promise<string> {
    const made = digestOf(this.#core, commit);
    this.#made.set(commit, made);
    made.then(
      (digest) => this.#known.set(commit, digest),
      () => this.#made.delete(commit),
    );
    const [oldest] = this.#made.keys();
    if (this.#made.size > MOST && oldest) {
      this.#made.delete(oldest);
      this.#known.delete(oldest);
    }
    return made;
  }
}

const digestOf = async (core: Core, commit: Commit): Promise<string> => {
  const tree = core.parts.repository.treeOf(commit);
  const files = await tree.files();
  return repositoryDigest(files, { commands: await checkCommands(files, (path) => tree.read(path)) });
};
