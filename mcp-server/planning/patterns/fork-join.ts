import { below, type Fragment, type Scope, together, unitsOf } from './fragment.ts';
import type { ForkJoinSpec, GraphSpec } from './spec.ts';
import { levelsOf, tiersFor, withTiers } from './tiers.ts';

/** Parts side by side, then the tiers that join their work. */
export const forkJoinFragment = (spec: ForkJoinSpec, scope: Scope): Fragment => {
  const tiers = tiersFor(spec.parts.length, { fanIn: scope.fanIn, maxDepth: scope.levels });
  return withTiers(unitsOf(spec.parts, below(scope, levelsOf(tiers))), scope);
};

/** Parts by their needs; its results are those of the parts that no other needs. */
export const graphFragment = (spec: GraphSpec, scope: Scope): Fragment =>
  together(
    unitsOf(spec.parts, scope).map((unit) => unit.fragment),
    'last',
  );
