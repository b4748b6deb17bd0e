import { counted } from '../../domain/text.ts';
import { type Fragment, joinedBy, newKey, type Scope, together, type Unit } from './fragment.ts';

/** How many agents join the work of `workers`. */
export interface Tiers {
  readonly synthesizers: number;
  readonly executives: 0 | 1;
}

/** Fewer workers than the fan-in: nobody; up to twice it: one synthesizer; from there one for each fan-in, and an executive. */
export const tiersFor = (workers: number, options: { readonly fanIn: number; readonly maxDepth: number }): Tiers => {
  const fanIn = Math.max(2, options.fanIn);
  const synthesizers = options.maxDepth < 2 ? 0 : Math.floor(workers / fanIn);
  return { synthesizers, executives: synthesizers > 1 && options.maxDepth > 2 ? 1 : 0 };
};

/** Levels that the tiers take up. */
export const levelsOf = (tiers: Tiers): number => (tiers.synthesizers > 0 ? 1 : 0) + tiers.executives;

/** Sets of units that need each other, directly or over others; biggest first. */
const components = (units: readonly Unit[]): readonly (readonly Unit[])[] => {
  const leader = new Map(units.map((unit) => [unit.key, unit.key]));
  const find = (key: string): string => {
    let at = key;
    for (let up = leader.get(at); up !== undefined && up !== at; up = leader.get(at)) at = up;
    leader.set(key, at);
    return at;
  };
  for (const unit of units) for (const need of unit.needs) if (leader.has(need)) leader.set(find(need), find(unit.key));
  const groups = Map.groupBy(units, (unit) => find(unit.key));
  return [...groups.values()].sort((a, b) => b.length - a.length);
};

/** Even groups (sizes differ by one at the most); units that belong together stay together as far as the sizes allow. */
const distribute = (units: readonly Unit[], groups: number): readonly (readonly Unit[])[] => {
  const bins = Array.from({ length: groups }, (_, index) => ({
    room: Math.floor(((index + 1) * units.length) / groups) - Math.floor((index * units.length) / groups),
    units: [] as Unit[],
  }));
  const put = (bin: (typeof bins)[number], some: readonly Unit[]): void => {
    bin.units.push(...some);
    bin.room -= some.length;
  };
  for (const component of components(units)) {
    const fits = tightest(bins, component.length);
    if (fits) {
      put(fits, component);
      continue;
    }
    let rest = component;
    for (const bin of bins.toSorted((a, b) => b.room - a.room)) {
      const some = rest.slice(0, bin.room);
      put(bin, some);
      rest = rest.slice(some.length);
    }
  }
  const place = new Map(units.map((unit, index) => [unit, index]));
  return bins.map((bin) => bin.units.toSorted((a, b) => (place.get(a) ?? 0) - (place.get(b) ?? 0)));
};

/** The first of the bins with the least room that is enough. */
const tightest = <Bin extends { readonly room: number }>(bins: readonly Bin[], needed: number): Bin | undefined => {
  let best: Bin | undefined;
  for (const bin of bins) if (bin.room >= needed && (!best || bin.room < best.room)) best = bin;
  return best;
};

/** A line for each, as joiners are told what they join. */
export const titles = (units: readonly Pick<Unit, 'title'>[]): string =>
  units.map((unit) => `- ${unit.title}`).join('\n');

/** What every joiner is told. */
export const JOINING =
  'Their changes are already merged into your copy of the repository, and you get their reports. Check that the parts fit together, put right what does not, and add what is missing between them. Do not do their work again. If a part failed or its report is missing, say in your report what is missing because of it.';

const SOURCES =
  'In your report, name for each thing that you say whose report it comes from, and say what is missing where a part failed.';

/** `of`: how many synthesizers there are. */
const synthesis = (group: readonly Unit[], number: number, of: number, scope: Scope): Unit => {
  const what =
    of === 1
      ? 'Join the work of all agents into one whole'
      : `Join part ${number} of ${of}: the work of ${counted(group.length, 'agent')}`;
  const title = of === 1 ? 'join the work' : `join part ${number}`;
  const key = newKey(scope, `synthesis-${number}`);
  const fragment = joinedBy(
    together(group.map((unit) => unit.fragment)),
    {
      key,
      title,
      task: `${what}. ${JOINING}\n\nTheir parts:\n${titles(group)}`,
      role: 'synthesizer',
      tier: 'synthesizer',
    },
    scope,
  );
  return { key, title, needs: [], fragment };
};

/** The tiers that join the units' work, by the table; the units side by side where they are too few. */
export const withTiers = (units: readonly Unit[], scope: Scope): Fragment => {
  const tiers = tiersFor(units.length, { fanIn: scope.fanIn, maxDepth: scope.levels });
  if (tiers.synthesizers === 0) return together(units.map((unit) => unit.fragment));
  const groups = distribute(units, tiers.synthesizers);
  const joined = groups.map((group, index) => synthesis(group, index + 1, groups.length, scope));
  const whole = together(joined.map((unit) => unit.fragment));
  if (tiers.executives === 0) return whole;
  return joinedBy(
    whole,
    {
      key: newKey(scope, 'executive'),
      title: 'join everything',
      task: `Bring the whole task to its end. ${joined.length} synthesizers have joined the work of ${units.length} agents. All changes are already merged into your copy of the repository, and you get the synthesizers' reports. Check that the result answers the task as a whole, put right what does not fit, and add what is missing. ${SOURCES}\n\nThe parts:\n${titles(units)}`,
      role: 'executive',
      tier: 'executive',
    },
    scope,
  );
};
