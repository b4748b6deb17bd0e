import { oneLine } from '../../domain/text.ts';
import { renamedCondition } from '../conditions.ts';
import { inOrder } from '../steps.ts';
import { after, below, type Fragment, type Scope, together, type Unit, unitsOf } from './fragment.ts';
import { reduced, reductionLevels } from './reduce.ts';
import { type Item, isNested, mapSteps, type Part, type PipelineSpec } from './spec.ts';
import { levelsOf, tiersFor, withTiers } from './tiers.ts';
import { withItem } from './with-item.ts';

const titled = (part: Part, item: Item): Part => ({ ...part, title: oneLine(`${item.title}: ${part.title}`, 60) });

/** The stages one after another, in the words of one item. */
const chainOf = (stages: readonly Part[], item: Item | null): readonly Part[] => {
  const keyOf = (stage: string): string => (item ? `${item.key}.${stage}` : stage);
  const known = new Set(stages.map((stage) => stage.key));
  const rename = (stage: string): readonly string[] => [known.has(stage) ? keyOf(stage) : stage];
  return stages.map((stage, index) => {
    const before = stages[index - 1];
    const { when, onFailure } = stage;
    const chained: Part = {
      ...stage,
      key: keyOf(stage.key),
      needs: [...new Set([...(before ? [before.key] : []), ...stage.needs].flatMap(rename))],
      ...(when ? { when: renamedCondition(when, rename) } : {}),
      ...(onFailure
        ? {
            onFailure: Object.fromEntries(
              Object.entries(onFailure).flatMap(([key, policy]) => rename(key).map((each) => [each, policy])),
            ),
          }
        : {}),
    };
    if (!item) return chained;
    const about = mapSteps(chained, (step) => withItem(step, item));
    return isNested(about) || !stage.title.includes('{{') ? titled(about, item) : about;
  });
};

/** An item that begins when an earlier one is through, whether that went well or not. */
const behind = (unit: Unit, earlier: Unit): Unit => {
  const exits = earlier.fragment.exits;
  const goesOn = Object.fromEntries(exits.map((key) => [key, 'continue' as const]));
  return { ...unit, fragment: after(unit.fragment, exits, goesOn) };
};

/** Every item through all stages; at most `inFlight` items are under way at once. */
export const pipelineFragment = (spec: PipelineSpec, scope: Scope): Fragment => {
  const stages = inOrder(spec.stages);
  if (!stages) throw new Error('The stages need each other in a circle.');
  const items: readonly (Item | null)[] = spec.items.length > 0 ? spec.items : [null];
  const inside = below(scope, levelsAbove(spec, items.length, scope));
  const units = items.map((item): Unit => {
    const chain = unitsOf(chainOf(stages, item), inside);
    const fragment = together(
      chain.map((unit) => unit.fragment),
      'last',
    );
    return { key: item?.key ?? 'item', title: item?.title ?? 'the stages', needs: [], fragment };
  });
  const ahead = Math.max(1, Math.floor(spec.inFlight ?? units.length));
  const flowing = units.map((unit, index) => {
    const earlier = units[index - ahead];
    return earlier ? behind(unit, earlier) : unit;
  });
  if (spec.gather) return reduced(flowing, spec.gather, scope);
  return spec.gather === null ? together(flowing.map((unit) => unit.fragment)) : withTiers(flowing, scope);
};

const levelsAbove = (spec: PipelineSpec, items: number, scope: Scope): number => {
  if (spec.gather) return reductionLevels(items, spec.gather, scope);
  return spec.gather === null ? 0 : levelsOf(tiersFor(items, { fanIn: scope.fanIn, maxDepth: scope.levels }));
};
