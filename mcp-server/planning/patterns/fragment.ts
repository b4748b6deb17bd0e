import type { Condition, EdgePolicy, Pattern, PlanStep } from '../../domain/plan.ts';
import { failuresAsked, renamedCondition, stepsAsked } from '../conditions.ts';
import { distinctKey, inOrder, type PlannedStep } from '../steps.ts';
import { isNested, type Nested, type Part, type PatternSpec, type Reduction } from './spec.ts';

/** A step before its place in the hierarchy decides how free it is. */
export type Draft = Omit<PlanStep, 'temperature'> & {
  readonly temperature?: number;
  /** Its temperature at the most, wherever it comes to stand. */
  readonly warmest?: number;
};

/** A piece of a plan. Steps with no parent hang from whatever it is put under; steps outside it name only its exits. */
export interface Fragment {
  readonly steps: readonly Draft[];
  /** Steps that need nothing inside it. */
  readonly entries: readonly string[];
  /** Steps whose results are its result; never empty. */
  readonly exits: readonly string[];
}

/** Where in the plan a pattern is built. */
export interface Scope {
  readonly pattern: Pattern;
  /** Of its keys; empty at the top. */
  readonly prefix: string;
  /** Levels of agents that are left for it. */
  readonly levels: number;
  readonly fanIn: number;
  /** The saga that all its steps belong to. */
  readonly saga: string | null;
  /** Keys of the whole plan; `newKey` adds to it. */
  readonly taken: Set<string>;
  readonly build: (spec: PatternSpec, scope: Scope) => Fragment;
  /** Keys of what is called so around it, for conditions that look there; absent at the top. */
  readonly outer?: (local: string) => readonly string[];
}

/** A part that has been built, and what its siblings know of it. */
export interface Unit {
  readonly key: string;
  readonly title: string;
  readonly needs: readonly string[];
  readonly fragment: Fragment;
}

/** A processor costs no tokens; a weight must be above zero. */
const COMPUTE_WEIGHT = 0.001;

/** A key that nobody in the plan has. */
export const newKey = (scope: Scope, local: string): string => {
  const key = distinctKey(`${scope.prefix}${local}`, scope.taken);
  scope.taken.add(key);
  return key;
};

/** The scope with fewer levels: for what hangs below `levels` joiners. */
export const below = (scope: Scope, levels: number): Scope => ({
  ...scope,
  levels: Math.max(1, scope.levels - levels),
});

const madeBy = (scope: Scope): Pick<Draft, 'pattern'> => (scope.prefix === '' ? {} : { pattern: scope.pattern });

const draftOf = (step: PlannedStep, key: string, scope: Scope): Draft => ({
  ...step,
  ...madeBy(scope),
  key,
  needs: [],
  tier: 'worker',
  toleratesFailure: step.toleratesFailure ?? false,
  parent: null,
  weight: step.weight ?? (step.work?.kind === 'compute' ? COMPUTE_WEIGHT : 1),
});

const single = (step: Draft): Fragment => ({ steps: [step], entries: [step.key], exits: [step.key] });

/** Side by side; its exits are theirs, without those that another of them needs when `ends` is asked for. */
export const together = (fragments: readonly Fragment[], ends: 'all' | 'last' = 'all'): Fragment => {
  const steps = fragments.flatMap((fragment) => fragment.steps);
  const keys = new Set(steps.map((step) => step.key));
  const exits = fragments.flatMap((fragment) => fragment.exits);
  const needed = new Set(ends === 'last' ? steps.flatMap((step) => step.needs) : []);
  return {
    steps,
    entries: steps.filter((step) => !step.needs.some((need) => keys.has(need))).map((step) => step.key),
    exits: exits.filter((exit) => !needed.has(exit)),
  };
};

const unique = (keys: readonly string[]): readonly string[] => [...new Set(keys)];

/** The fragment, begun only when `needs` are settled. */
export const after = (
  fragment: Fragment,
  needs: readonly string[],
  onFailure: Readonly<Record<string, EdgePolicy>> = {},
): Fragment => {
  if (needs.length === 0) return fragment;
  const entries = new Set(fragment.entries);
  const policies = Object.keys(onFailure).length > 0;
  return {
    ...fragment,
    steps: fragment.steps.map((step) =>
      entries.has(step.key)
        ? {
            ...step,
            needs: unique([...step.needs, ...needs]),
            ...(policies ? { onFailure: { ...step.onFailure, ...onFailure } } : {}),
          }
        : step,
    ),
  };
};

const onlyIf = (step: Draft, when: Condition): Draft => ({
  ...step,
  when: step.when ? { all: [when, step.when] } : when,
});

const weighing = (steps: readonly Draft[], weight: number): readonly Draft[] => {
  const sum = steps.reduce((total, step) => total + step.weight, 0);
  return steps.map((step) => ({ ...step, weight: (step.weight * weight) / sum }));
};

type KeysOf = (local: string) => readonly string[];

/** A part's own words about its siblings, in keys of the plan. What a condition asks about is needed as well. */
const wishes = (
  part: Part,
  keysOf: KeysOf,
): { readonly needs: readonly string[]; readonly onFailure: Record<string, EdgePolicy>; readonly when?: Condition } => {
  const asked = part.when ? stepsAsked(part.when).filter((key) => key !== part.key) : [];
  const added = asked.filter((key) => !part.needs.includes(key));
  const local: Record<string, EdgePolicy> = {
    ...Object.fromEntries([...added, ...(part.when ? failuresAsked(part.when) : [])].map((key) => [key, 'continue'])),
    ...part.onFailure,
  };
  return {
    needs: unique([...part.needs, ...added].flatMap(keysOf)),
    onFailure: Object.fromEntries(
      Object.entries(local).flatMap(([key, policy]) => keysOf(key).map((each) => [each, policy])),
    ),
    ...(part.when ? { when: renamedCondition(part.when, keysOf) } : {}),
  };
};

const placed = (part: Part, bare: Fragment, keysOf: KeysOf): Fragment => {
  const { needs, onFailure, when } = wishes(part, keysOf);
  const weighed =
    isNested(part) && part.weight !== undefined ? { ...bare, steps: weighing(bare.steps, part.weight) } : bare;
  const begun = after(weighed, needs, onFailure);
  return when ? { ...begun, steps: begun.steps.map((step) => onlyIf(step, when)) } : begun;
};

const nestedFragment = (part: Nested, scope: Scope): Fragment =>
  scope.build(part.spec, { ...scope, pattern: part.spec.pattern, prefix: `${newKey(scope, part.key)}.` });

const bareStep = ({ onFailure: _onFailure, when: _when, ...step }: PlannedStep): PlannedStep => step;

/** Builds the parts and ties them by their needs. Throws when there are none, or when they need each other in a circle. */
export const unitsOf = (parts: readonly Part[], scope: Scope): readonly Unit[] => {
  if (parts.length === 0) throw new Error('A plan needs at least one step.');
  const order = inOrder(parts);
  if (!order) throw new Error('The steps need each other in a circle.');
  const keys = parts.map((part) => (isNested(part) ? null : newKey(scope, part.key)));
  const exits = new Map<string, readonly string[]>();
  parts.forEach(({ key }, index) => {
    const own = keys[index];
    if (own) exits.set(key, [own]);
  });
  const keysOf = (local: string): readonly string[] => exits.get(local) ?? scope.outer?.(local) ?? [local];
  const built = new Map<Part, Fragment>();
  for (const part of order) {
    if (!isNested(part)) continue;
    const fragment = nestedFragment(part, { ...scope, outer: keysOf });
    built.set(part, fragment);
    exits.set(part.key, fragment.exits);
  }
  const bare = parts.map(
    (part, index) => built.get(part) ?? single(draftOf(bareStep(part as PlannedStep), keys[index] ?? part.key, scope)),
  );
  return parts.map((part, index) => ({
    key: part.key,
    title: part.title,
    needs: part.needs,
    fragment: placed(part, bare[index] ?? { steps: [], entries: [], exits: [] }, keysOf),
  }));
};

/** What a step is that joins others; the rest follows from them. */
export type JoinerFields = Pick<Draft, 'key' | 'title' | 'task' | 'role' | 'tier'> &
  Partial<Pick<Draft, 'work' | 'join' | 'server' | 'model' | 'temperature' | 'weight' | 'warmest'>>;

/** The fragment and a step that takes in its results. Where that is an agent, the fragment's agents hang below it. */
export const joinedBy = (fragment: Fragment, fields: JoinerFields, scope: Scope): Fragment => {
  const isAgent = fields.work?.kind !== 'compute';
  const joiner: Draft = {
    weight: isAgent ? 1 : COMPUTE_WEIGHT,
    ...fields,
    ...madeBy(scope),
    needs: fragment.exits,
    toleratesFailure: true,
    parent: null,
  };
  const steps = isAgent
    ? fragment.steps.map((step) => (step.parent === null ? { ...step, parent: joiner.key } : step))
    : fragment.steps;
  return { steps: [...steps, joiner], entries: fragment.entries, exits: [joiner.key] };
};

/** The unit with one exit: several results are laid one after another. */
export const withOneExit = (unit: Unit, scope: Scope): Unit => {
  if (unit.fragment.exits.length === 1) return unit;
  const fields = computeFields(newKey(scope, `${unit.key}.together`), {
    by: 'concat',
    title: `${unit.title}: together`,
  });
  return { ...unit, fragment: joinedBy(unit.fragment, fields, scope) };
};

/** A step that is a processor. */
export const computeFields = (key: string, { by, options, title, task }: Reduction): JoinerFields => ({
  key,
  title: title ?? by,
  task: task ?? `Work out ${by} of the results.`,
  role: 'processor',
  tier: 'worker',
  work: { kind: 'compute', processor: by, options: options ?? {} },
});
