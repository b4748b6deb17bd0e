import type { Tier } from './agent.ts';
import type { AgentId, RunId, StepId } from './ids.ts';
import type { Permissions } from './run.ts';
import type { StepState } from './transitions.ts';

/** Patterns that a person or a planner may ask for. */
export const WISHED_PATTERNS = ['fork-join', 'map-reduce', 'pipeline', 'scatter-gather', 'saga'] as const;
/** And what a plan is without one: a single step, or steps by their needs alone. */
export const PATTERNS = ['single', ...WISHED_PATTERNS, 'workflow'] as const;
export type Pattern = (typeof PATTERNS)[number];

/** How much a task is, by rule; `because` says it to a person. */
export interface Complexity {
  readonly level: 'atomic' | 'simple' | 'moderate' | 'complex' | 'enterprise';
  readonly because: string;
}

/**
 * What happens to a step when one that it needs has failed: it fails too; it goes on with what there is; or it fails and
 * what was done so far is undone.
 */
export type EdgePolicy = 'fail' | 'continue' | 'compensate';

/** Who carries a step out: an agent with a model, or a processor, a plain function over the reports of its needs. */
export type StepWork =
  | { readonly kind: 'agent' }
  | {
      readonly kind: 'compute';
      /** Built in, or of the person's own: `.coppice/processors/<name>.mjs`. */
      readonly processor: string;
      readonly options: Readonly<Record<string, unknown>>;
    };

/** Of an earlier step's result. `says` finds words in its report, whatever their case; `above` and `below` compare the first number in it. */
export type Condition =
  | { readonly step: string; readonly is: 'done' | 'failed' | 'omitted' }
  | { readonly step: string; readonly says: string }
  | { readonly step: string; readonly above: number }
  | { readonly step: string; readonly below: number }
  | { readonly not: Condition }
  | { readonly all: readonly Condition[] }
  | { readonly any: readonly Condition[] };

/** When a step need not wait for all that it needs. The needs that are left then are cancelled with a wrap-up. */
export interface Join {
  /** So many needs that are done are enough; null: all must be settled. */
  readonly quorum: number | null;
  /** From the start of the first need on, ms; then it starts with what there is, if that is anything. Null: it waits. */
  readonly withinMs: number | null;
}

/** How a step is undone when its saga fails. `revert` takes its commits back; `none` says why it cannot be undone. */
export type Undo =
  | { readonly kind: 'revert' }
  | { readonly kind: 'command'; readonly argv: readonly string[] }
  | { readonly kind: 'agent'; readonly task: string }
  | { readonly kind: 'none'; readonly reason: string };

export const DISTRIBUTIONS = ['round-robin', 'least-loaded', 'capability', 'priority'] as const;
/** How steps are shared out among inference servers. */
export type Distribution = (typeof DISTRIBUTIONS)[number];

/** Steps that an agent has added below itself while the run went on. */
export interface SubPlan {
  /** `split`: the agent proposed them. `nested-run`: a planner of its own made them. */
  readonly by: 'split' | 'nested-run';
  /** The first of its steps, or that planner. */
  readonly id: StepId | AgentId;
  /** The agent that gets their work and reports. */
  readonly caller: AgentId;
}

/** A step as an agent proposes it for a split of its own. `key` and `needs` are the agent's own names. */
export interface ProposedStep {
  readonly key: string | null;
  readonly title: string | null;
  readonly task: string;
  readonly role: string | null;
  readonly needs: readonly string[];
}

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
  /** Absent: by an agent. */
  readonly work?: StepWork;
  /** By key of a need. Not named: `continue` where it tolerates failure, else `fail`. */
  readonly onFailure?: Readonly<Record<string, EdgePolicy>>;
  /** Looked at when its needs are settled; where it does not hold, the step is omitted, which is no failure. */
  readonly when?: Condition;
  readonly join?: Join;
  /** Fresh agents that may try again after a failure, each after a longer pause. Absent: the run's setting. */
  readonly retries?: number;
  /** Of wall time from its first turn on; then it wraps up. Absent: the setting of its tier. */
  readonly timeoutMs?: number;
  /** Steps of one name stand or fall together: when one fails, those that are done are undone, last first. */
  readonly saga?: string;
  /** Absent: `revert`. */
  readonly undo?: Undo;
  /** Names of skills that its agent is told of. */
  readonly skills?: readonly string[];
  /** What its agent should be good at: `tests`, `sql`, `german`; for the distribution by capability. */
  readonly capabilities?: readonly string[];
  /** Narrower than the run's. */
  readonly permissions?: Permissions;
  /** Absent: the run's. */
  readonly server?: string;
  readonly model?: string;
  /** Higher goes first among the run's steps; absent: 0. */
  readonly urgency?: number;
  /** Paths that it says it will change, folders with a slash at their end. */
  readonly files?: readonly string[];
  /** The pattern that made it, where patterns nest. */
  readonly pattern?: Pattern;
  /** The size of its work in steps as they were planned: 3 when three were joined, 0.5 for a half of one. Absent: 1. */
  readonly parts?: number;
  /** Absent: it was planned from the beginning. */
  readonly subPlan?: SubPlan;
}

/** Where a plan came from. */
export type PlanSource =
  | { readonly by: 'model' }
  /** With the reason why the model's was not used. */
  | { readonly by: 'rules'; readonly reason: string }
  | { readonly by: 'workflow'; readonly workflow: string }
  /** A person wrote or changed it. */
  | { readonly by: 'person' };

export interface Plan {
  readonly pattern: Pattern;
  readonly source: PlanSource;
  readonly steps: readonly PlanStep[];
  readonly complexity?: Complexity;
  /** Why this pattern, for a person. */
  readonly because?: string;
  /** When it was taken out of the cache: when it was made, ms. */
  readonly cachedAt?: number;
  readonly distribution?: Distribution;
  /** By key, the steps whose server was chosen by the distribution, each with the model that it names itself. */
  readonly placed?: Readonly<Record<string, string | null>>;
  /** Tokens that its agents share out among them; absent: all that the run has. */
  readonly budget?: number;
}

/** What a step may say and need not. */
export type OptionalStepKey = {
  [K in keyof PlanStep]-?: undefined extends PlanStep[K] ? K : never;
}[keyof PlanStep];

export interface Step extends PlanStep {
  readonly id: StepId;
  readonly run: RunId;
  /** The newest of its attempts. */
  readonly agent: AgentId;
  /** 1 for the first agent that tries. */
  readonly attempt: number;
  readonly state: StepState;
}

/** A need of a step, as far as it says whether the step may start. */
export interface NeedState {
  readonly key: string;
  readonly state: StepState;
}

export interface PlanFault {
  readonly step: string | null;
  readonly message: string;
}
