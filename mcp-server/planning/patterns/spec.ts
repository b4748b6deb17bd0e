import type { Complexity, Condition, EdgePolicy, PlanSource } from '../../domain/plan.ts';
import type { PlannedStep } from '../steps.ts';
import type { PlanLimits } from '../validate-plan.ts';

/** A whole pattern in the place of a step. Its result is what the steps at its end report. */
export interface Nested {
  /** A local name; keys of its steps begin with it and a dot. */
  readonly key: string;
  readonly title: string;
  readonly needs: readonly string[];
  readonly spec: PatternSpec;
  /** Holds for each of its steps: they are all carried out or all omitted. */
  readonly when?: Condition;
  readonly onFailure?: Readonly<Record<string, EdgePolicy>>;
  /** Of all its steps together, relative to its siblings; absent: the sum of theirs. */
  readonly weight?: number;
}

/** What a pattern is made of. Its `needs` name siblings. */
export type Part = PlannedStep | Nested;

export const isNested = (part: Part): part is Nested => 'spec' in part;

/**
 * How several results become one. `merge` and `best-of` are agents; any other name is a processor, built in or the
 * person's own.
 */
export interface Reduction {
  readonly by: string;
  /** Of the processor. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** What the agent is told besides. */
  readonly task?: string;
  readonly title?: string;
  readonly role?: string;
  readonly server?: string;
  readonly model?: string;
  readonly temperature?: number;
  /** Results that one step takes in: more make a tree. Absent: the plan's for `merge`; processors take them all at once. */
  readonly fanIn?: number;
}

/** Parts side by side (each starts when its needs are settled), then the tiers that join their work. */
export interface ForkJoinSpec {
  readonly pattern: 'fork-join';
  readonly parts: readonly Part[];
}

/** Parts by their needs alone; nobody joins their work. */
export interface GraphSpec {
  readonly pattern: 'workflow';
  readonly parts: readonly Part[];
}

/** The same work on each slice (`mappersFor` makes such parts), then one result out of all. */
export interface MapReduceSpec {
  readonly pattern: 'map-reduce';
  readonly mappers: readonly Part[];
  readonly reduce: Reduction;
  /** Mappers at the most: slices are joined to reach it. */
  readonly most?: number;
}

/** What goes through a pipeline. `text` stands in the place of `{{item}}` in the stages' tasks, else at their end. */
export interface Item {
  readonly key: string;
  readonly title: string;
  readonly text: string;
  /** How many items it was joined from; absent: 1. */
  readonly parts?: number;
}

/**
 * Every item goes through all stages, one after another, while other items are in other stages. Without items the stages
 * run once.
 */
export interface PipelineSpec {
  readonly pattern: 'pipeline';
  readonly items: readonly Item[];
  /** A step by an agent, a processor (`work`; it gets `item` among its options), or a pattern, for each item. */
  readonly stages: readonly Part[];
  /** Items under way at once; absent: all. */
  readonly inFlight?: number;
  /** Absent: tiers over the items, as in a fork-join. Null: nobody joins them. */
  readonly gather?: Reduction | null;
}

/** The same question to several (`askEach` makes such parts), then one answer out of theirs. */
export interface ScatterGatherSpec {
  readonly pattern: 'scatter-gather';
  readonly voices: readonly Part[];
  /** So many answers are enough; absent or null: all. */
  readonly quorum?: number | null;
  /** From the first start on; then it goes on with what there is. */
  readonly withinMs?: number | null;
  readonly gather: Reduction;
}

/**
 * One part after another. They stand or fall together: when one fails, those that are done are undone, last first. A saga
 * inside a saga is a part of the outer one.
 */
export interface SagaSpec {
  readonly pattern: 'saga';
  /** Of the group; made distinct. */
  readonly name?: string;
  readonly parts: readonly Part[];
}

export type PatternSpec = ForkJoinSpec | GraphSpec | MapReduceSpec | PipelineSpec | ScatterGatherSpec | SagaSpec;

export interface PatternOptions extends PlanLimits {
  /** Results that one synthesizer joins; at least 2. */
  readonly fanIn: number;
  /** Where the parts came from; the model, when it is not said. */
  readonly source?: PlanSource;
  /** Why this pattern. */
  readonly because?: string;
  readonly complexity?: Complexity;
}

/** The parts of a pattern, whatever it calls them. */
export const partsOf = (spec: PatternSpec): readonly Part[] => {
  switch (spec.pattern) {
    case 'map-reduce':
      return spec.mappers;
    case 'pipeline':
      return spec.stages;
    case 'scatter-gather':
      return spec.voices;
    case 'fork-join':
    case 'workflow':
    case 'saga':
      return spec.parts;
  }
};

/** The same pattern of other parts. */
export const withParts = (spec: PatternSpec, parts: readonly Part[]): PatternSpec => {
  switch (spec.pattern) {
    case 'map-reduce':
      return { ...spec, mappers: parts };
    case 'pipeline':
      return { ...spec, stages: parts };
    case 'scatter-gather':
      return { ...spec, voices: parts };
    case 'fork-join':
    case 'workflow':
    case 'saga':
      return { ...spec, parts };
  }
};

/** The part with every step in it, however deep, changed. */
export const mapSteps = (part: Part, change: (step: PlannedStep) => PlannedStep): Part =>
  isNested(part)
    ? {
        ...part,
        spec: withParts(
          part.spec,
          partsOf(part.spec).map((inner) => mapSteps(inner, change)),
        ),
      }
    : change(part);
