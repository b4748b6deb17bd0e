import type { Plan } from '../domain/plan.ts';
import { buildPlan } from './patterns/build.ts';
import type { PatternOptions } from './patterns/spec.ts';
import type { PlannedStep } from './steps.ts';

/**
 * Workers side by side (each starts when its needs are settled), then the tiers that join their work. Steps are joined
 * until the plan fits the limits. Throws when there are no steps, or when they need each other in a circle.
 */
export const forkJoin = (steps: readonly PlannedStep[], options: PatternOptions): Plan =>
  buildPlan({ pattern: 'fork-join', parts: steps }, options);
