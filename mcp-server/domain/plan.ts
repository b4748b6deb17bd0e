import type { Tier } from './agent.ts';
import type { AgentId, RunId, StepId } from './ids.ts';
import type { StepState } from './transitions.ts';

export type Pattern = 'single' | 'fork-join';

/** A step as a pattern or the model describes it. Keys are local names: `docs`, `synthesis-1`. */
export interface PlanStep {
  readonly key: string;
  readonly title: string;
  /** What its agent is told to do. */
  readonly task: string;
  readonly role: string;
  readonly tier: Tier;
  /** Keys of the steps that must be settled before it starts. */
  readonly needs: readonly string[];
  /** Starts even when some, not all, of its needs failed. */
  readonly toleratesFailure: boolean;
  /** The step whose agent is the parent in the hierarchy; null hangs from the run. */
  readonly parent: string | null;
  /** Its share of the budget, relative to its siblings; > 0. */
  readonly weight: number;
  readonly temperature: number;
}

export interface Plan {
  readonly pattern: Pattern;
  /** Where it came from: the model, or the rules (with the reason why the model's was not used). */
  readonly source: { readonly by: 'model' } | { readonly by: 'rules'; readonly reason: string };
  readonly steps: readonly PlanStep[];
}

export interface Step extends PlanStep {
  readonly id: StepId;
  readonly run: RunId;
  readonly agent: AgentId;
  readonly state: StepState;
}

export interface PlanFault {
  readonly step: string | null;
  readonly message: string;
}
