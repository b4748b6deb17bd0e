import type { Pattern, Plan } from '../../domain/plan.ts';
import type { PlannedStep } from '../steps.ts';
import { buildPlan } from './build.ts';
import { joinParts } from './join-parts.ts';
import { askEach, type Voice } from './scatter-gather.ts';
import { asStep } from './shrink.ts';
import type { PatternOptions, PatternSpec, Reduction } from './spec.ts';

/** How a pattern that ends in one result comes to it, where it is not the usual way. */
export interface Ending {
  /** Of a map-reduce, and of a pipeline's items; usual: `merge`, and tiers. */
  readonly reduce?: Reduction;
  /** Of a scatter-gather; usual: `best-of`. */
  readonly gather?: Reduction;
  /** Who is asked, where there is one step to ask; usual: three. */
  readonly voices?: readonly Voice[];
  readonly quorum?: number;
  readonly withinMs?: number;
}

/**
 * The pattern of steps that somebody has planned: mappers, stages, whoever is asked, or the parts of a saga. `single`
 * makes one step of them. Stages and parts of a saga follow one another even where they do not say that they need it.
 */
export const specOf = (pattern: Pattern, steps: readonly PlannedStep[], ending: Ending = {}): PatternSpec => {
  const { quorum, withinMs } = ending;
  const [only] = steps;
  switch (pattern) {
    case 'single':
      return { pattern: 'fork-join', parts: joinParts(steps, 1, asStep) };
    case 'fork-join':
    case 'workflow':
    case 'saga':
      return { pattern, parts: steps };
    case 'map-reduce':
      return { pattern, mappers: steps, reduce: ending.reduce ?? { by: 'merge' } };
    case 'pipeline':
      return { pattern, items: [], stages: steps, ...(ending.reduce ? { gather: ending.reduce } : {}) };
    case 'scatter-gather':
      return {
        pattern,
        voices: only && steps.length === 1 ? askEach(only, ending.voices ?? [{}, {}, {}]) : steps,
        gather: ending.gather ?? { by: 'best-of' },
        ...(quorum === undefined ? {} : { quorum }),
        ...(withinMs === undefined ? {} : { withinMs }),
      };
  }
};

/** The plan of planned steps by a pattern's name. Throws when there are none, or when they need each other in a circle. */
export const planOf = (
  pattern: Pattern,
  steps: readonly PlannedStep[],
  options: PatternOptions,
  ending: Ending = {},
): Plan => buildPlan(specOf(pattern, steps, ending), options);
