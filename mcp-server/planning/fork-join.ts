import type { Plan, PlanStep } from '../domain/plan.ts';
import { distinctKey, joinEvenly, type PlannedStep } from './steps.ts';

export interface ForkJoinOptions {
  /** Workers that report to one synthesizer; at least 2. */
  readonly fanIn: number;
  readonly maxDepth: number;
  /** Bounds all agents of the plan: workers, synthesizers and executive. */
  readonly maxAgents: number;
  readonly maxAgentsPerLevel: number;
  /** Where the steps came from; the model, when it is not said. */
  readonly source?: Plan['source'];
}

/** How many agents join the work of `workers`. */
export interface Tiers {
  readonly synthesizers: number;
  readonly executives: 0 | 1;
}

const TEMPERATURE = { worker: 0.7, synthesizer: 0.4, executive: 0.2 } as const;

/** Fewer workers than the fan-in: nobody; up to twice it: one synthesizer; from there one for each fan-in, and an executive. */
export const tiersFor = (workers: number, options: Pick<ForkJoinOptions, 'fanIn' | 'maxDepth'>): Tiers => {
  const fanIn = Math.max(2, options.fanIn);
  const synthesizers = options.maxDepth < 2 ? 0 : Math.floor(workers / fanIn);
  return { synthesizers, executives: synthesizers > 1 && options.maxDepth > 2 ? 1 : 0 };
};

const mostWorkers = (wished: number, options: ForkJoinOptions): number => {
  for (let workers = wished; workers > 1; workers -= 1) {
    const { synthesizers, executives } = tiersFor(workers, options);
    const level = Math.max(workers, synthesizers);
    if (workers + synthesizers + executives <= options.maxAgents && level <= options.maxAgentsPerLevel) return workers;
  }
  return 1;
};

/** Sets of steps that need each other, directly or over others; biggest first. */
const components = (steps: readonly PlannedStep[]): readonly (readonly PlannedStep[])[] => {
  const leader = new Map(steps.map((step) => [step.key, step.key]));
  const find = (key: string): string => {
    let at = key;
    for (let up = leader.get(at); up !== undefined && up !== at; up = leader.get(at)) at = up;
    leader.set(key, at);
    return at;
  };
  for (const step of steps) for (const need of step.needs) if (leader.has(need)) leader.set(find(need), find(step.key));
  const groups = Map.groupBy(steps, (step) => find(step.key));
  return [...groups.values()].sort((a, b) => b.length - a.length);
};

/** Even groups (sizes differ by one at the most); steps that belong together stay together as far as the sizes allow. */
const distribute = (steps: readonly PlannedStep[], groups: number): readonly (readonly PlannedStep[])[] => {
  const bins = Array.from({ length: groups }, (_, index) => ({
    room: Math.floor(((index + 1) * steps.length) / groups) - Math.floor((index * steps.length) / groups),
    steps: [] as PlannedStep[],
  }));
  const put = (bin: (typeof bins)[number], some: readonly PlannedStep[]): void => {
    bin.steps.push(...some);
    bin.room -= some.length;
  };
  for (const component of components(steps)) {
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
  const place = new Map(steps.map((step, index) => [step, index]));
  return bins.map((bin) => bin.steps.toSorted((a, b) => (place.get(a) ?? 0) - (place.get(b) ?? 0)));
};

/** The first of the bins with the least room that is enough. */
const tightest = <Bin extends { readonly room: number }>(bins: readonly Bin[], needed: number): Bin | undefined => {
  let best: Bin | undefined;
  for (const bin of bins) if (bin.room >= needed && (!best || bin.room < best.room)) best = bin;
  return best;
};

const titles = (steps: readonly Pick<PlanStep, 'title'>[]): string => steps.map((step) => `- ${step.title}`).join('\n');

const JOINING =
  'Their changes are already merged into your copy of the repository, and you get their reports. Check that the parts fit together, put right what does not, and add what is missing between them. Do not do their work again.';

/** `of`: how many synthesizers there are. */
const synthesizer = (key: string, number: number, of: number, group: readonly PlannedStep[]): PlanStep => {
  const what =
    of === 1
      ? 'Join the work of all agents into one whole'
      : `Join part ${number} of ${of}: the work of ${group.length} agents`;
  return {
    key,
    title: of === 1 ? 'join the work' : `join part ${number}`,
    task: `${what}. ${JOINING}\n\nTheir parts:\n${titles(group)}`,
    role: 'synthesizer',
    tier: 'synthesizer',
    needs: group.map((step) => step.key),
    toleratesFailure: true,
    parent: null,
    weight: 1,
    temperature: TEMPERATURE.synthesizer,
  };
};

const executive = (key: string, workers: readonly PlannedStep[], below: readonly PlanStep[]): PlanStep => ({
  key,
  title: 'join everything',
  task: `Bring the whole task to its end. ${below.length} synthesizers have joined the work of ${workers.length} agents. All changes are already merged into your copy of the repository, and you get the synthesizers' reports. Check that the result answers the task as a whole, put right what does not fit, and add what is missing.\n\nThe parts:\n${titles(workers)}`,
  role: 'executive',
  tier: 'executive',
  needs: below.map((step) => step.key),
  toleratesFailure: true,
  parent: null,
  weight: 1,
  temperature: TEMPERATURE.executive,
});

const worker = (step: PlannedStep, parent: string | null): PlanStep => ({
  ...step,
  tier: 'worker',
  toleratesFailure: false,
  parent,
  weight: 1,
  temperature: TEMPERATURE.worker,
});

/**
 * Workers side by side (each starts when its needs are settled), then the tiers that join their work. Steps are joined
 * until the plan fits the limits. Throws when there are no steps, or when they need each other in a circle.
 */
export const forkJoin = (wished: readonly PlannedStep[], options: ForkJoinOptions): Plan => {
  if (wished.length === 0) throw new Error('A plan needs at least one step.');
  const steps = joinEvenly(wished, mostWorkers(wished.length, options));
  const tiers = tiersFor(steps.length, options);
  const taken = new Set(steps.map((step) => step.key));
  const newKey = (wanted: string): string => {
    const key = distinctKey(wanted, taken);
    taken.add(key);
    return key;
  };
  const groups = tiers.synthesizers > 0 ? distribute(steps, tiers.synthesizers) : [];
  const joiners = groups.map((group, index) =>
    synthesizer(newKey(`synthesis-${index + 1}`), index + 1, groups.length, group),
  );
  const top = tiers.executives > 0 ? executive(newKey('executive'), steps, joiners) : null;
  const parentOf = new Map(joiners.flatMap((joiner) => joiner.needs.map((need) => [need, joiner.key])));
  return {
    pattern: steps.length === 1 ? 'single' : 'fork-join',
    source: options.source ?? { by: 'model' },
    steps: [
      ...steps.map((step) => worker(step, parentOf.get(step.key) ?? null)),
      ...joiners.map((joiner) => ({ ...joiner, parent: top?.key ?? null })),
      ...(top ? [top] : []),
    ],
  };
};
