import type { PlannedStep } from '../steps.ts';
import { below, type Fragment, type Scope, unitsOf } from './fragment.ts';
import { reduced, reductionLevels } from './reduce.ts';
import type { Item, MapReduceSpec } from './spec.ts';
import { withItem } from './with-item.ts';

/** A mapper for each slice; the reducer, or a tree of them, makes one result of theirs. */
export const mapReduceFragment = (spec: MapReduceSpec, scope: Scope): Fragment => {
  const levels = reductionLevels(spec.mappers.length, spec.reduce, scope);
  return reduced(unitsOf(spec.mappers, below(scope, levels)), spec.reduce, scope);
};

/** The same work once for each slice. Where its task says `{{item}}`, the slice's text stands there, else at its end. */
export const mappersFor = (
  slices: readonly Item[],
  work: Omit<PlannedStep, 'key' | 'title' | 'needs'> & { readonly title?: string },
): readonly PlannedStep[] =>
  slices.map((slice) => {
    const title = work.title === undefined ? slice.title : `${work.title}: ${slice.title}`;
    return withItem({ ...work, key: slice.key, title, needs: [] }, slice);
  });
