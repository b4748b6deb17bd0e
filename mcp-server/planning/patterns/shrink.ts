import type { PlannedStep } from '../steps.ts';
import { joinItems, joinParts } from './join-parts.ts';
import { isNested, type Nested, type Part, type PatternSpec, partsOf, type Reduction, withParts } from './spec.ts';
import { withItem } from './with-item.ts';

/** How big a plan may be. */
export interface Shape {
  /** Patterns inside patterns: 0 makes one step of every pattern inside another. */
  readonly nesting: number;
  /** Parts of each pattern, and items of a pipeline. */
  readonly parts: number;
}

/** The biggest number of parts, or items, of one of its patterns. */
export const mostParts = (spec: PatternSpec): number =>
  Math.max(
    partsOf(spec).length,
    spec.pattern === 'pipeline' ? spec.items.length : 1,
    ...partsOf(spec).map((part) => (isNested(part) ? mostParts(part.spec) : 1)),
  );

/** How deep patterns lie inside it; 0: none does. */
export const nestingOf = (spec: PatternSpec): number =>
  Math.max(0, ...partsOf(spec).map((part) => (isNested(part) ? 1 + nestingOf(part.spec) : 0)));

const reductionOf = (spec: PatternSpec): Reduction | null => {
  if (spec.pattern === 'map-reduce') return spec.reduce;
  if (spec.pattern === 'scatter-gather') return spec.gather;
  return spec.pattern === 'pipeline' ? (spec.gather ?? null) : null;
};

/** What is left of a reduction where one agent has all results: nothing where it only joins or chooses. */
const reductionInWords = (spec: PatternSpec): string => {
  const reduction = reductionOf(spec);
  if (!reduction || ['merge', 'concat', 'first'].includes(reduction.by)) return reduction?.task ?? '';
  const what =
    reduction.by === 'best-of' || reduction.by === 'vote'
      ? 'Where you found several answers, decide for one of them and say why.'
      : `At the end, give what "${reduction.by}" makes of the results.`;
  return [what, reduction.task].filter(Boolean).join(' ');
};

/** The whole pattern as one step: one agent does its parts, one after another. */
const asOneStep = (spec: PatternSpec): PlannedStep => {
  const [part] = joinParts(partsOf(spec), 1, asStep);
  if (!part) throw new Error('A plan needs at least one step.');
  const { when: _when, onFailure: _onFailure, ...step } = asStep(part);
  const [item] = spec.pattern === 'pipeline' ? joinItems(spec.items, 1) : [];
  const about = item ? withItem(step, item) : step;
  const words = reductionInWords(spec);
  return {
    ...about,
    needs: [],
    ...(words === '' ? {} : { task: `${about.task}\n\n${words}` }),
    ...(spec.pattern === 'saga' ? { saga: spec.name ?? 'saga' } : {}),
  };
};

/** A part as one step. */
export const asStep = (part: Part): PlannedStep => (isNested(part) ? collapsed(part) : part);

const collapsed = ({ spec, title, ...part }: Nested): PlannedStep => {
  const step = asOneStep(spec);
  return { ...step, title, ...part, ...(step.saga === undefined ? {} : { saga: part.key }) };
};

const shrunkPart = (part: Part, shape: Shape): Part => {
  if (!isNested(part)) return part;
  if (shape.nesting === 0 || shape.parts === 1) return collapsed(part);
  return { ...part, spec: shrink(part.spec, { ...shape, nesting: shape.nesting - 1 }) };
};

/** The same work in fewer steps: neighbours are joined until the pattern, and each inside it, has the shape. */
export const shrink = (spec: PatternSpec, shape: Shape): PatternSpec => {
  if (shape.parts === 1) return { pattern: 'fork-join', parts: [asOneStep(spec)] };
  const parts = joinParts(partsOf(spec), shape.parts, asStep).map((part) => shrunkPart(part, shape));
  const smaller = withParts(spec, parts);
  return smaller.pattern === 'pipeline' ? { ...smaller, items: joinItems(smaller.items, shape.parts) } : smaller;
};
