import type { Pause } from './agent.ts';
import type { AgentId, Commit, RunId, TurnId } from './ids.ts';
import type { AgentState, RunState } from './transitions.ts';
import type { Usage } from './turn.ts';

/** `compacted`: old results were cut; `tools-changed`: a last turn offers other tools; `slot-taken`: others used its slot. */
export type CacheMissReason = 'compacted' | 'tools-changed' | 'slot-taken';

/** Facts, stored in the transaction that made them true. `noun.pastVerb`. */
export type EventBody =
  | { readonly type: 'engine.started'; readonly epoch: number; readonly version: string }
  /** Something that the person should know of the engine's start, in words: a database that was damaged, for example. */
  | { readonly type: 'engine.noticed'; readonly notice: string }
  | { readonly type: 'engine.recovered'; readonly jobs: number; readonly turns: number; readonly ms: number }
  /** An agent wants to use a skill that a person has to trust first; `where`: how, in words. */
  | {
      readonly type: 'skill.wanted';
      readonly skill: string;
      readonly question: string;
      readonly where: string;
      /** Id of the approval that it needs. Older versions did not say it. */
      readonly approval?: string;
    }
  /** A person has given the agent that wanted it their word. */
  | { readonly type: 'skill.answered'; readonly skill: string; readonly approval: string; readonly approved: boolean }
  | { readonly type: 'run.created'; readonly task: string; readonly branch: string; readonly budget: number }
  | {
      readonly type: 'run.planned';
      readonly steps: number;
      readonly pattern: string;
      readonly by: string;
      readonly reason: string;
    }
  /** The plan waits for a person's word. */
  | { readonly type: 'run.held'; readonly steps: number; readonly reason: string }
  | { readonly type: 'run.cancelRequested'; readonly mode: 'wrap-up' | 'abort' }
  /** The whole run is to pause, or goes on. */
  | { readonly type: 'run.paused' }
  | { readonly type: 'run.continued' }
  | { readonly type: 'run.ended'; readonly state: RunState; readonly commit: Commit; readonly error: string | null }
  | { readonly type: 'run.landed'; readonly branch: string; readonly commit: Commit }
  | { readonly type: 'run.discarded' }
  | {
      readonly type: 'agent.created';
      readonly parent: AgentId | null;
      readonly name: string;
      readonly tier: string;
      readonly depth: number;
    }
  /** An agent has added steps below itself. `step`: the key that theirs begin with. */
  | {
      readonly type: 'run.replanned';
      readonly by: 'split' | 'nested-run';
      readonly step: string;
      readonly steps: number;
      readonly pattern: string;
    }
  /** A step has failed and a fresh agent tries at `startsAt`; ms. */
  | {
      readonly type: 'step.retried';
      readonly step: string;
      readonly attempt: number;
      readonly reason: string;
      readonly startsAt: number;
    }
  /** A step did not take place, which is no failure. */
  | { readonly type: 'step.omitted'; readonly step: string; readonly reason: string }
  /** What a step did was taken back, or could not be. */
  | {
      readonly type: 'step.undone';
      readonly step: string;
      readonly state: 'done' | 'failed' | 'impossible';
      readonly result: string;
    }
  /** A run that had ended with failed steps goes on with them. */
  | { readonly type: 'run.retried'; readonly steps: number; readonly budget: number }
  | { readonly type: 'agent.moved'; readonly from: AgentState; readonly to: AgentState; readonly reason: string | null }
  /** It is to take no further turn; `agent.moved` to `paused` tells when that is so. */
  | { readonly type: 'agent.pauseRequested'; readonly pause: Pause }
  /** It may take turns again. */
  | { readonly type: 'agent.continued' }
  | { readonly type: 'agent.acted'; readonly action: string }
  | { readonly type: 'agent.committed'; readonly commit: Commit; readonly files: readonly string[] }
  | { readonly type: 'agent.merged'; readonly source: AgentId; readonly commit: Commit }
  | {
      readonly type: 'agent.conflicted';
      readonly source: AgentId;
      readonly files: readonly string[];
      readonly resolver: AgentId | null;
    }
  | { readonly type: 'agent.asked'; readonly question: string }
  | { readonly type: 'agent.compacted'; readonly before: number; readonly reason: string }
  | { readonly type: 'turn.started'; readonly turn: TurnId; readonly seq: number; readonly reserved: number }
  | {
      readonly type: 'turn.answered';
      readonly turn: TurnId;
      readonly seq: number;
      readonly usage: Usage;
      readonly tools: readonly string[];
    }
  /** The turn's prompt should have begun with what the agent's last turn sent, and the server had lost that. Tokens. */
  | {
      readonly type: 'turn.cacheMissed';
      readonly turn: TurnId;
      readonly expected: number;
      readonly cached: number;
      readonly reason: CacheMissReason;
    }
  /** A prefix that several agents begin with was laid into idle slots; `evaluated` tokens were spent on it. */
  | {
      readonly type: 'prefix.shared';
      readonly server: string;
      readonly tokens: number;
      readonly slots: number;
      readonly evaluated: number;
      readonly ms: number;
    }
  | { readonly type: 'prefix.unsupported'; readonly server: string; readonly reason: string }
  | { readonly type: 'turn.failed'; readonly turn: TurnId; readonly error: string; readonly retryAt: number | null }
  | { readonly type: 'budget.granted'; readonly to: AgentId; readonly tokens: number }
  | { readonly type: 'budget.refused'; readonly wanted: number; readonly available: number }
  | { readonly type: 'budget.overran'; readonly over: number }
  | { readonly type: 'message.sent'; readonly to: AgentId; readonly from: string; readonly kind: string }
  | { readonly type: 'job.parked'; readonly kind: string; readonly error: string }
  | { readonly type: 'worktree.leased'; readonly path: string }
  /** The person's own program has prepared it; ms. */
  | { readonly type: 'worktree.setUp'; readonly ms: number }
  /** That program failed; the agent goes on without. */
  | { readonly type: 'worktree.setUpFailed'; readonly error: string }
  | { readonly type: 'worktree.removed'; readonly path: string }
  /** Files that lay in it uncommitted when it was brought to its agent's commit; the commit that keeps them is on no branch. */
  | { readonly type: 'worktree.saved'; readonly commit: Commit; readonly files: readonly string[] }
  | { readonly type: 'worktree.kept'; readonly path: string; readonly reason: string };

export type EventType = EventBody['type'];

export type NewEvent = EventBody & { readonly run: RunId | null; readonly agent: AgentId | null };

/** `seq` grows by at least one with each event of this repository; faces resume after the last one that they saw. */
export type EngineEvent = NewEvent & { readonly seq: number; readonly at: number };
