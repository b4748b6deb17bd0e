import type { AgentId, RunId, StepId } from './ids.ts';
import type { Undo } from './plan.ts';
import type { UndoState } from './transitions.ts';

/** How what one agent did for its step is taken back; written down before it begins. */
export interface UndoRecord {
  readonly run: RunId;
  readonly step: StepId;
  /** Whose work it takes back. One record for each. */
  readonly agent: AgentId;
  /** The highest of a run is undone first. */
  readonly position: number;
  readonly undo: Undo;
  readonly state: UndoState;
  /** The agent that takes it back, for a command or a task. */
  readonly worker: AgentId | null;
  /** What came of it, in words. */
  readonly result: string | null;
  readonly recordedAt: number;
  readonly endedAt: number | null;
}
