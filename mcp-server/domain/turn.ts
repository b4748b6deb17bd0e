import type { AgentId, Commit, JobId, StepId, TurnId } from './ids.ts';
import type { InboxOf } from './message.ts';
import type { TurnState } from './transitions.ts';

/** Real usage as the server counted it. `cached` is the part of `prompt` that came from the KV cache. */
export interface Usage {
  readonly prompt: number;
  readonly completion: number;
  readonly cached: number;
}

export interface Timings {
  /** Waiting for a slot, ms. */
  readonly queueMs: number;
  readonly promptMs: number;
  readonly completionMs: number;
  readonly firstTokenMs: number;
}

export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON text as the model wrote it; may be malformed. */
  readonly arguments: string;
}

export interface Answer {
  readonly content: string;
  readonly reasoning: string;
  readonly toolCalls: readonly ToolCall[];
  readonly finish: 'stop' | 'tool_calls' | 'length';
}

/** `normal`, or the last one, for which a reserve is kept. `plan` asks under the plan's JSON schema. */
export type TurnKind = 'normal' | 'plan' | 'wrap-up';

export interface Turn {
  readonly id: TurnId;
  readonly agent: AgentId;
  readonly job: JobId;
  /** 1, 2, 3 … within its agent, without gaps. */
  readonly seq: number;
  readonly kind: TurnKind;
  readonly state: TurnState;
  /** Tokens held for the call. */
  readonly reserved: number;
  readonly answer: Answer | null;
  readonly usage: Usage | null;
  readonly timings: Timings | null;
  /** The commit of this turn's file changes; null when there were none. */
  readonly commit: Commit | null;
  readonly startedAt: number;
  readonly endedAt: number | null;
}

/** One tool call of a turn and its result. */
export interface Call {
  readonly turn: TurnId;
  readonly ordinal: number;
  readonly callId: string;
  readonly tool: string;
  readonly arguments: string;
  readonly state: 'done' | 'waiting';
  readonly ok: boolean;
  readonly output: string;
  /** The child, the sub-plan (by its id), the inbox or the person whose answer fills it in; null when done at once. */
  readonly waitsFor: AgentId | StepId | InboxOf | 'person' | null;
}
