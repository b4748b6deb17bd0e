import type { Forecast, Remaining } from '../domain/forecast.ts';
import type { AgentId, RunId } from '../domain/ids.ts';
import type { Complexity, Pattern, PlanStep } from '../domain/plan.ts';
import type { Run } from '../domain/run.ts';
import type { StepState, UndoState } from '../domain/transitions.ts';
import type { WorkflowParameter, WorkflowValue } from '../planning/workflows/workflow.ts';
import type { TextFault } from '../planning/workflows/yaml-text.ts';
import type { RunView, StartOptions } from './facade.ts';

export interface StepView
  extends Pick<PlanStep, 'key' | 'title' | 'task' | 'role' | 'tier' | 'needs' | 'parent' | 'temperature'> {
  /** 1 hangs from the run. */
  readonly level: number;
  /** Before the plan has been accepted: `pending`. */
  readonly state: StepState;
  readonly agent: AgentId | null;
  readonly attempt: number;
  /** What it would be granted, or was. */
  readonly tokens: number;
  /** The pattern that it is a part of. */
  readonly pattern: Pattern;
  /** What decides whether it starts, in words; null: its needs alone. */
  readonly when: string | null;
  readonly server: string | null;
  readonly model: string | null;
  readonly skills: readonly string[];
  /** How it is undone when its saga fails, in words; null: it is in no saga. */
  readonly undo: string | null;
  /** Of a step that is done: why only in part, in words, `out of tokens`. Null or absent: all of it is. */
  readonly incomplete?: string | null;
  /** What came of undoing it, when that was begun. */
  readonly undone: { readonly state: Exclude<UndoState, 'recorded'>; readonly result: string } | null;
}

export interface PlanView {
  readonly run: RunId;
  readonly task: string;
  readonly state: Run['state'];
  readonly pattern: Pattern;
  /** Why this pattern, in words; may be empty. */
  readonly because: string;
  /** Who made it, in words: `the model`, `rules (no model answered)`, `the workflow tdd`. */
  readonly by: string;
  readonly complexity: Complexity | null;
  /** When it was made, if it was taken out of the cache; ms. */
  readonly cachedAt: number | null;
  readonly steps: readonly StepView[];
  /** Names of the steps that cannot be undone although their saga may fail. */
  readonly cannotUndo: readonly string[];
  readonly forecast: Forecast;
  /** The plan as a person edits it. */
  readonly yaml: string;
}

export interface ForecastView {
  readonly run: RunId;
  readonly forecast: Forecast;
  /** Null when the run does not go on. */
  readonly remaining: Remaining | null;
  /** In one paragraph for a person. */
  readonly summary: string;
}

export interface PatternHistory {
  readonly pattern: string;
  readonly runs: number;
  /** Of those that ended whole, 0 to 1. */
  readonly successRate: number;
  /** Medians. */
  readonly tokens: number;
  readonly wallMs: number;
}

export interface RecommendationView {
  readonly pattern: Pattern;
  readonly because: string;
  readonly alternatives: readonly { readonly pattern: Pattern; readonly because: string }[];
  readonly history: readonly PatternHistory[];
}

export interface WorkflowView {
  readonly name: string;
  readonly description: string;
  /** Comes with Coppice, or is one of this repository. */
  readonly source: 'bundled' | 'repository';
  /** Absolute. */
  readonly path: string;
  readonly parameters: Readonly<Record<string, WorkflowParameter>>;
  readonly nodes: number;
  readonly faults: readonly TextFault[];
}

export type ShrinkHow = 'fewer-agents' | 'cheaper-tiers' | 'tighter-steps';

/** What a face may ask about plans, workflows and forecasts. */
export interface PlanningFacade {
  /** Throws UserError `wrong-state` while the plan is being made. */
  showPlan(run: RunId): Promise<PlanView>;
  /** Changes a plan that waits for a person's word: to the text, or to less. `changes` says what was done. */
  changePlan(
    input: { readonly run: RunId } & ({ readonly yaml: string } | { readonly shrink: ShrinkHow }),
  ): Promise<{ readonly plan: PlanView; readonly changes: readonly string[] }>;
  /** The plan's agents begin. */
  approvePlan(run: RunId): Promise<RunView>;
  /** Resolves when the plan has been made, the run has ended, or `waitMs` is over. */
  waitPlanned(run: RunId, waitMs: number, signal: AbortSignal): Promise<RunView>;
  forecast(run: RunId): Promise<ForecastView>;
  recommendPattern(input: { readonly task: string } | { readonly run: RunId }): Promise<RecommendationView>;
  listWorkflows(): Promise<readonly WorkflowView[]>;
  showWorkflow(name: string): Promise<{ readonly workflow: WorkflowView; readonly text: string }>;
  checkWorkflow(text: string): Promise<{ readonly ok: boolean; readonly faults: readonly TextFault[] }>;
  runWorkflow(input: {
    readonly name: string;
    readonly parameters: Readonly<Record<string, WorkflowValue>>;
    readonly options: StartOptions;
    readonly key?: string | undefined;
  }): Promise<RunView>;
  /** Writes the plan of a run as a workflow of this repository. Throws UserError when there is one of this name. */
  saveWorkflow(input: { readonly run: RunId; readonly name: string }): Promise<{ readonly path: string }>;
  /** The steps of a run that failed or are incomplete, and what needs them, are tried again; `budget` is granted on top. */
  retryFailedSteps(input: { readonly run: RunId; readonly budget?: number | undefined }): Promise<RunView>;
}
