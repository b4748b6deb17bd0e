import type { z } from 'zod';
import type { startOptions } from '../mcp-server/operations/start-options.ts';
import type {
  AccountView,
  AgentView,
  EngineEvent,
  FileChange,
  JobView,
  LandOutcome,
  ReviewView,
  RunView,
  ServerView,
  SetupProblem,
  TranscriptEntry,
} from '../mcp-server/operations/views.ts';
import type { PlanOperations } from './plans/operations.ts';
import type { SkillOperations } from './skills/operations.ts';

export type StartOptions = z.infer<typeof startOptions>;

/** What `queue_status` returns. */
export interface QueueView {
  readonly servers: readonly ServerView[];
  readonly jobs: readonly JobView[];
  readonly counts: Readonly<Record<JobView['priority'], number>>;
}

/** The operations that the editor calls, with their inputs and outputs. */
export interface Operations extends PlanOperations, SkillOperations {
  run_start: { input: { task: string; options: StartOptions; key: string }; output: RunView };
  run_status: { input: { run: string }; output: RunView };
  run_list: { input: { limit: number }; output: { runs: RunView[] } };
  run_cancel: { input: { run: string; agent?: string; mode: 'wrap-up' | 'abort' }; output: RunView };
  agent_pause: { input: { run: string; agent?: string }; output: RunView };
  agent_continue: { input: { run: string; agent?: string }; output: RunView };
  run_resume: { input: { run: string }; output: RunView };
  events: {
    input: { after: number; waitMs: number; limit: number };
    output: { events: EngineEvent[]; last: number };
  };
  agent_list: { input: { run: string; changedSince?: number }; output: { agents: AgentView[]; last: number } };
  agent_transcript: { input: { agent: string }; output: { agent: AgentView; entries: TranscriptEntry[] } };
  agent_message: {
    input: { agent: string; text: string };
    output: { message: string; delivery: 'next-turn' | 'answer' };
  };
  budget_status: { input: { run: string }; output: { accounts: AccountView[]; granted: number; sum: number } };
  queue_status: { input: Record<string, never>; output: QueueView };
  setup_check: { input: { options: StartOptions }; output: { ok: boolean; problems: SetupProblem[] } };
  review_diff: {
    input: { run: string; path?: string };
    output: { review: ReviewView; files: FileChange[]; patch: string };
  };
  review_file: { input: { run: string; path: string; side: 'base' | 'head' }; output: { text: string | null } };
  review_land: { input: { run: string }; output: LandOutcome };
  review_discard: { input: { run: string }; output: { discarded: true; keptWorktrees: string[] } };
}

export type OperationName = keyof Operations;
