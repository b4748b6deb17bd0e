import type { Pattern, Plan, PlanFault, PlanStep, ProposedStep } from '../domain/plan.ts';
import { oneLine } from '../domain/text.ts';
import { checkSteps } from './check-steps.ts';
import { renamedCondition } from './conditions.ts';
import { planOf } from './patterns/plan-of.ts';
import { distinctKey, type PlannedStep, slug } from './steps.ts';
import { validatePlan } from './validate-plan.ts';

export type ProposedPlan =
  | { readonly ok: true; readonly plan: Plan }
  /** `reason`: whole sentences, for the agent that proposed it. */
  | { readonly ok: false; readonly reason: string };

const refused = (reason: string): ProposedPlan => ({ ok: false, reason });

const inWords = (faults: readonly PlanFault[]): string =>
  faults.map(({ step, message }) => (step === null ? message : `${step}: ${message}`)).join(' ');

/** Its own names become keys. What is needed and is no step stays, and so is found below. */
const planned = (proposed: readonly ProposedStep[]): readonly PlannedStep[] => {
  const taken = new Set<string>();
  const keys = new Map<string, string>();
  const drafts = proposed.map((step, index) => {
    const key = distinctKey(slug(step.key ?? step.title ?? '', `step-${index + 1}`), taken);
    taken.add(key);
    for (const name of [step.key, key]) if (name !== null && !keys.has(name)) keys.set(name, key);
    return { ...step, key };
  });
  return drafts.map(({ key, title, task, role, needs }) => ({
    key,
    title: title ?? oneLine(task, 60),
    task,
    role: slug(role ?? '', 'worker'),
    needs: [...new Set(needs.map((need) => keys.get(need) ?? keys.get(slug(need, '')) ?? need))],
  }));
};

const unknownNeeds = (steps: readonly PlannedStep[]): readonly PlanFault[] => {
  const keys = new Set(steps.map(({ key }) => key));
  return steps.flatMap(({ key, needs }) =>
    needs
      .filter((need) => !keys.has(need))
      .map((need) => ({ step: key, message: `It needs ${need}, which is no step.` })),
  );
};

const sameTasks = (steps: readonly PlannedStep[]): readonly PlanFault[] => {
  const first = new Map<string, string>();
  return steps.flatMap(({ key, task }) => {
    const said = task.toLowerCase().replace(/\s+/g, ' ').trim();
    const before = first.get(said);
    if (before === undefined) first.set(said, key);
    return before === undefined ? [] : [{ step: key, message: `It asks for the same as ${before}.` }];
  });
};

/**
 * The plan of steps that an agent proposes in the place of its own. Steps that ask for the same become one; without a
 * pattern nobody joins their work but the agent itself. `levels`: those that are left below it.
 */
export const proposedPlan = (
  proposed: readonly ProposedStep[],
  pattern: Pattern | null,
  bounds: { readonly task: string; readonly levels: number; readonly fanIn: number },
): ProposedPlan => {
  const steps = planned(proposed);
  const doubtful = [...unknownNeeds(steps), ...sameTasks(steps)];
  if (doubtful.length > 0) return refused(inWords(doubtful));
  const checked = checkSteps(steps, { task: bounds.task, files: [] });
  if (checked.faults.length > 0) return refused(inWords(checked.faults));
  if (checked.steps.length < 2) return refused('That is one step only: do it yourself, or delegate it.');
  const limits = {
    maxDepth: bounds.levels,
    maxAgents: Number.POSITIVE_INFINITY,
    maxAgentsPerLevel: Number.POSITIVE_INFINITY,
  };
  const plan = planOf(pattern ?? 'workflow', checked.steps, { ...limits, fanIn: bounds.fanIn });
  const faults = validatePlan(plan, limits);
  return faults.length > 0 ? refused(inWords(faults)) : { ok: true, plan };
};

/** A joiner below an agent brings nothing to its end; and what fails there is the agent's to put right, not undone by itself. */
const lowered = ({ saga: _saga, undo: _undo, ...step }: PlanStep): PlanStep =>
  step.tier === 'executive'
    ? { ...step, tier: 'synthesizer', role: step.role === 'executive' ? 'synthesizer' : step.role }
    : step;

/**
 * Steps of a plan of their own as a part of a bigger one: their keys begin with `base` and a dot, and those at the top hang
 * from `parent`. `taken` are the bigger plan's keys.
 */
export const below = (
  steps: readonly PlanStep[],
  base: string,
  parent: string | null,
  taken: ReadonlySet<string>,
): readonly PlanStep[] => {
  const all = new Set(taken);
  const names = new Map<string, string>();
  for (const { key } of steps) {
    const name = distinctKey(`${base}.${key}`, all);
    all.add(name);
    names.set(key, name);
  }
  const nameOf = (key: string): string => names.get(key) ?? key;
  return steps.map((step) => ({
    ...lowered(step),
    key: nameOf(step.key),
    parent: step.parent === null ? parent : nameOf(step.parent),
    needs: step.needs.map(nameOf),
    ...(step.onFailure
      ? { onFailure: Object.fromEntries(Object.entries(step.onFailure).map(([key, policy]) => [nameOf(key), policy])) }
      : {}),
    ...(step.when ? { when: renamedCondition(step.when, (key) => [nameOf(key)]) } : {}),
  }));
};

/** The plan without what its agents added while the run went on. */
export const asPlanned = <P extends Pick<Plan, 'steps'>>(plan: P): P =>
  plan.steps.some(({ subPlan }) => subPlan) ? { ...plan, steps: plan.steps.filter(({ subPlan }) => !subPlan) } : plan;
