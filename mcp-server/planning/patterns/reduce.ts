import type { Join } from '../../domain/plan.ts';
import {
  computeFields,
  type Fragment,
  type JoinerFields,
  joinedBy,
  newKey,
  type Scope,
  together,
  type Unit,
  withOneExit,
} from './fragment.ts';
import type { Reduction } from './spec.ts';
import { JOINING, levelsOf, tiersFor, titles, withTiers } from './tiers.ts';

/** Reductions that an agent does; the others are processors. */
export const AGENT_REDUCTIONS = ['merge', 'best-of'] as const;

export const isByAgent = (reduction: Reduction): boolean =>
  (AGENT_REDUCTIONS as readonly string[]).includes(reduction.by);

/** Choosing should come out the same each time. */
const JUDGE_TEMPERATURE = 0.2;

const CHOOSING =
  'Several agents have answered the same question, each on its own, and you get their reports. Compare them by what was asked: is it right, is it complete, is it well founded? Look at the repository where they disagree. Choose the best one and give it in your report, whole and in its own words; say in one sentence why it is the best, and what the others have that it lacks. If an answer is missing, say so.';

const judge = (key: string, units: readonly Unit[], reduction: Reduction): JoinerFields => ({
  key,
  title: reduction.title ?? 'choose the best',
  task: [`Choose the best of ${units.length} answers. ${CHOOSING}`, reduction.task, `The answers:\n${titles(units)}`]
    .filter(Boolean)
    .join('\n\n'),
  role: reduction.role ?? 'judge',
  tier: 'synthesizer',
  warmest: JUDGE_TEMPERATURE,
});

const merger = (key: string, units: readonly Unit[], reduction: Reduction, number: number | null): JoinerFields => ({
  key,
  title: reduction.title ?? (number === null ? 'join the results' : `join part ${number}`),
  task: [
    `Join the work of ${units.length} agents into one result. ${JOINING}`,
    reduction.task,
    `Their parts:\n${titles(units)}`,
  ]
    .filter(Boolean)
    .join('\n\n'),
  role: reduction.role ?? 'synthesizer',
  tier: 'synthesizer',
});

/** What the person says of the joiner; a processor runs on no server. */
const wished = ({ server, model, temperature }: Reduction): Partial<JoinerFields> => ({
  ...(server === undefined ? {} : { server }),
  ...(model === undefined ? {} : { model }),
  ...(temperature === undefined ? {} : { temperature }),
});

const fieldsOf = (key: string, units: readonly Unit[], reduction: Reduction, number: number | null): JoinerFields => {
  if (!isByAgent(reduction)) return computeFields(key, reduction);
  const fields = reduction.by === 'merge' ? merger(key, units, reduction, number) : judge(key, units, reduction);
  return { ...fields, ...wished(reduction) };
};

/** Even groups of neighbours, none bigger than `most`. */
const chunks = <T>(all: readonly T[], most: number): readonly (readonly T[])[] => {
  const count = Math.ceil(all.length / most);
  const at = (group: number): number => Math.floor((group * all.length) / count);
  return Array.from({ length: count }, (_, group) => all.slice(at(group), at(group + 1)));
};

/** Results that one step takes in. Votes of votes are not the vote of all, so a processor gets all at once unless it is told. */
const fanInOf = (reduction: Reduction, scope: Scope): number =>
  Math.max(2, reduction.fanIn ?? (reduction.by === 'merge' ? scope.fanIn : Number.POSITIVE_INFINITY));

/** A merge of which nothing else is said is the joining of every other pattern: the table of synthesis tiers holds. */
const byTable = (units: number, { by, ...said }: Reduction, scope: Scope): boolean =>
  by === 'merge' &&
  Object.values(said).every((value) => value === undefined) &&
  tiersFor(units, { fanIn: scope.fanIn, maxDepth: scope.levels }).synthesizers > 0;

/** Levels of agents that reducing `units` results takes up. */
export const reductionLevels = (units: number, reduction: Reduction, scope: Scope): number => {
  if (!isByAgent(reduction)) return 0;
  if (byTable(units, reduction, scope))
    return levelsOf(tiersFor(units, { fanIn: scope.fanIn, maxDepth: scope.levels }));
  let levels = 0;
  for (let left = units; left > 1; left = Math.ceil(left / fanInOf(reduction, scope))) levels += 1;
  return levels;
};

const oneStep = (
  units: readonly Unit[],
  reduction: Reduction,
  scope: Scope,
  number: number | null,
  join?: Join,
): Unit => {
  const key = newKey(scope, number === null ? reduction.by : `${reduction.by}-${number}`);
  const fields = fieldsOf(key, units, reduction, number);
  const fragment = joinedBy(
    together(units.map((unit) => unit.fragment)),
    { ...fields, ...(join ? { join } : {}) },
    scope,
  );
  return { key, title: fields.title, needs: [], fragment };
};

/**
 * The units and what makes one result of theirs: a single step, or a tree of them where there are more results than its
 * fan-in. One result needs no agent to join it. `join` is for the step that takes the units' results in.
 */
export const reduced = (units: readonly Unit[], reduction: Reduction, scope: Scope, join?: Join): Fragment => {
  const [only] = units;
  if (only && units.length === 1 && isByAgent(reduction)) return only.fragment;
  if (!join && byTable(units.length, reduction, scope)) return withTiers(units, scope);
  let level = isByAgent(reduction) ? units : units.map((unit) => withOneExit(unit, scope));
  const fanIn = join ? Number.POSITIVE_INFINITY : fanInOf(reduction, scope);
  let made = 0;
  while (level.length > fanIn) {
    level = chunks(level, fanIn).map((group) => {
      made += 1;
      return oneStep(group, reduction, scope, made);
    });
  }
  const top = oneStep(level, reduction, scope, null, join).fragment;
  return made > 0 && isByAgent(reduction) ? asExecutive(top) : top;
};

/** Whoever joins what joiners have joined. */
const asExecutive = (fragment: Fragment): Fragment => ({
  ...fragment,
  steps: fragment.steps.map((step) => (step.key === fragment.exits[0] ? { ...step, tier: 'executive' } : step)),
});
