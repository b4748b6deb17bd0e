import type { Distribution, Plan, PlanStep } from '../domain/plan.ts';

/** An inference server as steps are shared out. */
export interface ServerLoad {
  readonly server: string;
  /** Null: whatever it has loaded. */
  readonly model: string | null;
  readonly capabilities: readonly string[];
  /** Calls that it serves at once; at least 1. */
  readonly slots: number;
  /** Calls that it serves or has queued just now. */
  readonly busy: number;
  /** Of one slot, as measured; absent: as fast as the others. */
  readonly tokensPerSecond?: number;
}

export interface DistributionOptions {
  /** Tokens that a step will take, or anything in proportion to them; absent: its weight. */
  readonly expected?: (step: PlanStep) => number;
}

export interface Distributed {
  /** Every step of an agent has a server, and a model where the server names one. */
  readonly plan: Plan;
  /** What went otherwise than asked, in sentences. */
  readonly notes: readonly string[];
  readonly balance: Balance;
}

/** How evenly work lies on the servers; load is work for each slot, at the server's speed. */
export interface Balance {
  /** The biggest load over the mean one: 1 is even. */
  readonly ratio: number;
  readonly loads: readonly { readonly server: string; readonly steps: number; readonly load: number }[];
}

interface Bin {
  readonly option: ServerLoad;
  readonly index: number;
  readonly slots: number;
  readonly speed: number;
  work: number;
  steps: number;
}

const isAgent = (step: PlanStep): boolean => step.work?.kind !== 'compute';

/** Time until it is through with what it has and this, in work for each slot at its speed. */
const loadWith = (bin: Bin, work: number): number => (bin.work + work) / (bin.slots * bin.speed);

const least = (bins: readonly Bin[], of: (bin: Bin) => number): Bin => {
  let [best] = bins;
  if (!best) throw new Error('There is no server.');
  for (const bin of bins) if (of(bin) < of(best)) best = bin;
  return best;
};

/** A server's speed as part of the mean of those that were measured. */
const binsOf = (servers: readonly ServerLoad[], workOfCall: number): readonly Bin[] => {
  const speeds = servers.flatMap(({ tokensPerSecond }) =>
    tokensPerSecond && tokensPerSecond > 0 ? [tokensPerSecond] : [],
  );
  const mean = speeds.reduce((sum, speed) => sum + speed, 0) / Math.max(1, speeds.length);
  return servers.map((option, index) => ({
    option,
    index,
    slots: Math.max(1, Math.floor(option.slots)),
    speed: option.tokensPerSecond && option.tokensPerSecond > 0 ? option.tokensPerSecond / mean : 1,
    work: Math.max(0, option.busy) * workOfCall,
    steps: 0,
  }));
};

type Choose = (step: PlanStep, work: number) => Bin;

const word = (text: string): string => text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '-');

/** Of every agent; they tell nobody what a server should be good at. */
const COMMON: ReadonlySet<string> = new Set(['worker', 'synthesizer', 'executive', 'judge', 'processor']);

const wishesOf = (step: PlanStep): readonly string[] =>
  [...new Set([...(step.capabilities ?? []), ...(step.skills ?? []), step.role].map(word))].filter(
    (wish) => wish !== '' && !COMMON.has(wish),
  );

/** The server that has most of what a step asks for; among equals, and where none has any, the least loaded. */
const byCapability = (bins: readonly Bin[], notes: string[]): Choose => {
  const has = new Map(bins.map((bin) => [bin, new Set(bin.option.capabilities.map(word))]));
  return (step, work) => {
    const wishes = wishesOf(step);
    const scoreOf = (bin: Bin): number => wishes.filter((wish) => has.get(bin)?.has(wish)).length;
    const most = Math.max(...bins.map(scoreOf));
    const asked = [...(step.capabilities ?? []), ...(step.skills ?? [])];
    if (most === 0 && asked.length > 0)
      notes.push(`No server is good at ${asked.join(', ')}; ${step.key} went to the least loaded.`);
    return least(
      bins.filter((bin) => scoreOf(bin) === most),
      (bin) => loadWith(bin, work),
    );
  };
};

const inTurn = (bins: readonly Bin[]): Choose => {
  let next = 0;
  return () => {
    const bin = bins[next % bins.length];
    if (!bin) throw new Error('There is no server.');
    next += 1;
    return bin;
  };
};

const byLoad =
  (bins: readonly Bin[]): Choose =>
  (_step, work) =>
    least(bins, (bin) => loadWith(bin, work));

/** Urgent steps go where they are through first: a free slot before a queue, a fast server before a slow one, an idle one before a busy one. */
const byUrgency = (bins: readonly Bin[]): Choose => {
  const calm = byLoad(bins);
  const free = (bin: Bin): number => Math.max(0, bin.slots - bin.option.busy - bin.steps);
  const through = (bin: Bin, work: number): number => (free(bin) > 0 ? 0 : loadWith(bin, 0)) + work / bin.speed;
  return (step, work) => {
    if ((step.urgency ?? 0) <= 0) return calm(step, work);
    const soonest = through(
      least(bins, (bin) => through(bin, work)),
      work,
    );
    return least(
      bins.filter((bin) => through(bin, work) === soonest),
      (bin) => -free(bin) / bin.slots,
    );
  };
};

const chooserOf = (strategy: Distribution, bins: readonly Bin[], notes: string[]): Choose => {
  switch (strategy) {
    case 'round-robin':
      return inTurn(bins);
    case 'least-loaded':
      return byLoad(bins);
    case 'capability':
      return byCapability(bins, notes);
    case 'priority':
      return byUrgency(bins);
  }
};

/** Round robin keeps the plan's order; else urgent steps come first, and of these the big ones, so that the small ones even it out. */
const servingOrder = (
  steps: readonly PlanStep[],
  strategy: Distribution,
  workOf: (step: PlanStep) => number,
): readonly PlanStep[] => {
  if (strategy === 'round-robin') return steps;
  const urgency = (step: PlanStep): number => (strategy === 'priority' ? (step.urgency ?? 0) : 0);
  return steps.toSorted((a, b) => urgency(b) - urgency(a) || workOf(b) - workOf(a));
};

const balanceOf = (bins: readonly Bin[]): Balance => {
  const loads = bins.map((bin) => ({ server: bin.option.server, steps: bin.steps, load: loadWith(bin, 0) }));
  const mean = loads.reduce((sum, { load }) => sum + load, 0) / Math.max(1, loads.length);
  return { ratio: mean > 0 ? Math.max(...loads.map(({ load }) => load)) / mean : 1, loads };
};

const counted = (step: PlanStep, workOf: (step: PlanStep) => number): number => {
  const work = workOf(step);
  return Number.isFinite(work) && work > 0 ? work : 0;
};

/** The bin of a step that names its server (and its model, where two bins share a server). */
const named = (bins: readonly Bin[], step: PlanStep): Bin | undefined => {
  const same = bins.filter((bin) => bin.option.server === step.server);
  return same.find((bin) => bin.option.model === (step.model ?? null)) ?? same[0];
};

/** The least loaded of those that serve the step's model; none: the step stays as it is, which is noted. */
const withModel = (bins: readonly Bin[], step: PlanStep, work: number, notes: string[]): Bin | undefined => {
  const serving = bins.filter((bin) => bin.option.model === step.model);
  if (serving.length > 0) return least(serving, (bin) => loadWith(bin, work));
  notes.push(`No server is listed with the model ${step.model}; ${step.key} was given none.`);
  return undefined;
};

const put = (bin: Bin, work: number): void => {
  bin.work += work;
  bin.steps += 1;
};

/**
 * Gives every step of an agent its server. A step that names its server keeps it, and counts; one that names only its
 * model goes where that is served. Processors need none. Without servers the plan stays as it is.
 */
export const distributeSteps = (
  plan: Plan,
  servers: readonly ServerLoad[],
  strategy: Distribution,
  options: DistributionOptions = {},
): Distributed => {
  const agents = plan.steps.filter(isAgent);
  const workOf = (step: PlanStep): number => counted(step, options.expected ?? ((one) => one.weight));
  const bins = binsOf(servers, agents.reduce((sum, step) => sum + workOf(step), 0) / Math.max(1, agents.length));
  const notes: string[] = [];
  if (bins.length === 0) return { plan, notes, balance: balanceOf(bins) };
  for (const step of agents) {
    const bin = step.server === undefined ? undefined : named(bins, step);
    if (bin) put(bin, workOf(step));
  }
  const choose = chooserOf(strategy, bins, notes);
  const chosen = new Map<string, ServerLoad>();
  const open = agents.filter((step) => step.server === undefined);
  for (const step of servingOrder(open, strategy, workOf)) {
    const bin = step.model === undefined ? choose(step, workOf(step)) : withModel(bins, step, workOf(step), notes);
    if (!bin) continue;
    put(bin, workOf(step));
    chosen.set(step.key, bin.option);
  }
  const steps = plan.steps.map((step) => {
    const option = chosen.get(step.key);
    if (!option) return step;
    return { ...step, server: option.server, ...(option.model === null ? {} : { model: option.model }) };
  });
  const placed = Object.fromEntries(
    plan.steps.flatMap(({ key, model }) => (chosen.has(key) ? [[key, model ?? null]] : [])),
  );
  return { plan: { ...plan, steps, distribution: strategy, placed }, notes, balance: balanceOf(bins) };
};

/** The plan before its steps were shared out: each names the server and the model that it named itself, if any. */
export const notPlaced = ({ placed, ...plan }: Plan): Plan =>
  placed === undefined
    ? plan
    : {
        ...plan,
        steps: plan.steps.map((step) => {
          if (!Object.hasOwn(placed, step.key)) return step;
          const { server: _server, model: _model, ...rest } = step;
          const own = placed[step.key] ?? null;
          return own === null ? rest : { ...rest, model: own };
        }),
      };

/** How evenly a plan's steps lie on the servers that they name. */
export const measureBalance = (
  plan: Pick<Plan, 'steps'>,
  servers: readonly ServerLoad[],
  options: DistributionOptions = {},
): Balance => {
  const bins = binsOf(servers, 0);
  for (const step of plan.steps.filter(isAgent)) {
    const bin = named(bins, step);
    if (bin) put(bin, counted(step, options.expected ?? ((one) => one.weight)));
  }
  return balanceOf(bins);
};
