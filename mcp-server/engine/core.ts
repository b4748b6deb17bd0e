import type { AgentLimits } from '../agent/prepare.ts';
import type { AgentId, RunId } from '../domain/ids.ts';
import type { Claim } from '../domain/job.ts';
import type { Leases } from './leases.ts';
import type { EngineParts } from './parts.ts';
import type { SkillWaits } from './skill-waits.ts';

/** The work of one claim in this process: what to abort when its agent or run is stopped at once. */
export interface InFlight {
  readonly claim: Claim;
  readonly run: RunId;
  readonly agent: AgentId | null;
  readonly abort: AbortController;
  /** Never rejects. */
  readonly done: Promise<void>;
}

/** What the engine's modules share. All lasting state is in the store; the rest can be made again from it. */
export interface Core {
  readonly parts: EngineParts;
  readonly limits: AgentLimits;
  readonly leases: Leases;
  /** A job that was taken back from work which goes on, and claimed again, is in it twice. */
  readonly inFlight: Set<InFlight>;
  /** Agents and runs that a person aborted; their work under way ends as cancelled instead of going on later. */
  readonly aborting: Set<AgentId | RunId>;
  readonly skillWaits: SkillWaits;
  /** There may be a job to claim. */
  wake(): void;
  /** Looks whether worktrees of ended agents can go. */
  tidy(): void;
}

/** Who makes the commits of agents. */
export const COMMITTER = { name: 'Coppice', email: 'coppice@localhost' } as const;
