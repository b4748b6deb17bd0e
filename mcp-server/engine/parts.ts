import type { Clock } from '../domain/clock.ts';
import type { Random } from '../domain/ids.ts';
import type { RunOptions } from '../domain/run.ts';
import type { Endpoint } from '../inference/port.ts';
import type { Processor } from '../planning/processors.ts';
import type { Store } from '../store/port.ts';
import type { Repository } from '../worktrees/port.ts';
import type { SkillParts } from './skill-parts.ts';

/** A program that prepares a worktree, and how long it may take, ms. */
export interface WorktreeSetup {
  readonly argv: readonly [string, ...string[]];
  readonly timeoutMs: number;
}

/** All that an engine is made of; the composition root hands it over ready to use. The engine closes store and repository. */
export interface EngineParts {
  readonly store: Store;
  readonly repository: Repository;
  /** The endpoint for a `server` of the run options: a URL, or `rehearsal`, which starts the built-in server at need. */
  endpoint(server: string, model: string | null): Promise<Endpoint>;
  /** The person's own processor of that name, held to its time; undefined: there is none, or it is not trusted. */
  processors?(name: string): Promise<Processor | undefined>;
  /** Defaults of runs, and the most that a run may be permitted. */
  readonly settings: RunOptions;
  readonly clock: Clock;
  readonly random: Random;
  readonly version: string;
  /** Allow-listed environment for commands of agents. */
  readonly commandEnvironment: Readonly<Record<string, string>>;
  /** The person's own program that is run once in each new worktree; absent: none. */
  readonly worktreeSetup?: WorktreeSetup | undefined;
  /** Folder of the workflows that come with Coppice; absent: none do. */
  readonly bundledWorkflows?: string | undefined;
  /** Absent: there are no skills. The engine does not close the registry. */
  readonly skills?: SkillParts | undefined;
  /** One line for the log file. */
  log(line: string): void;
}
