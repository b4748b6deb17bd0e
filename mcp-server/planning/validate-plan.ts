import type { Plan, PlanFault, PlanStep } from '../domain/plan.ts';
import { counted } from '../domain/text.ts';
import { stepsAsked } from './conditions.ts';
import { inOrder } from './steps.ts';

export interface PlanLimits {
  readonly maxDepth: number;
  readonly maxAgents: number;
  readonly maxAgentsPerLevel: number;
}

/** Levels below the run; Infinity for a parent that is missing or in a circle. */
const depths = (steps: readonly PlanStep[]): ReadonlyMap<string, number> => {
  const byKey = new Map(steps.map((step) => [step.key, step]));
  const known = new Map<string, number>();
  const depthOf = (step: PlanStep): number => {
    const before = known.get(step.key);
    if (before !== undefined) return before;
    known.set(step.key, Number.POSITIVE_INFINITY);
    const parent = step.parent === null ? null : byKey.get(step.parent);
    const depth = parent === undefined ? Number.POSITIVE_INFINITY : parent === null ? 1 : depthOf(parent) + 1;
    known.set(step.key, depth);
    return depth;
  };
  for (const step of steps) depthOf(step);
  return known;
};

const stepFaults = (step: PlanStep, keys: ReadonlySet<string>): readonly string[] => [
  ...(step.key === '' ? ['It has no key.'] : []),
  ...(step.task.trim() === '' ? ['It has no task.'] : []),
  ...(step.weight > 0 && Number.isFinite(step.weight) ? [] : ['Its weight is not above zero.']),
  ...(step.temperature >= 0 && step.temperature <= 2 ? [] : ['Its temperature is not between 0 and 2.']),
  ...(step.needs.includes(step.key) ? ['It needs itself.'] : []),
  ...step.needs.filter((need) => !keys.has(need)).map((need) => `It needs ${need}, which is no step.`),
  ...(step.parent !== null && !keys.has(step.parent) ? [`Its parent ${step.parent} is no step.`] : []),
];

/** A condition is looked at when the step's needs are settled: what it asks about must be settled then as well. */
const conditionFaults = (steps: readonly PlanStep[]): readonly PlanFault[] => {
  const needs = new Map(steps.map((step) => [step.key, step.needs]));
  return steps.flatMap(({ key, when }) => {
    if (!when) return [];
    const before = new Set(needs.get(key));
    for (const at of before) for (const need of needs.get(at) ?? []) before.add(need);
    return stepsAsked(when)
      .filter((asked) => !before.has(asked))
      .map((asked) => ({ step: key, message: `Its condition looks at ${asked}, which does not come before it.` }));
  });
};

const levelFaults = (steps: readonly PlanStep[], limits: PlanLimits): readonly PlanFault[] => {
  const depthOf = depths(steps);
  const levels = Map.groupBy(steps, (step) => depthOf.get(step.key) ?? 1);
  const faults: PlanFault[] = [];
  for (const [depth, members] of levels) {
    const [first] = members;
    if (depth === Number.POSITIVE_INFINITY)
      faults.push({ step: first?.key ?? null, message: 'Its parents never reach the run.' });
    else if (depth > limits.maxDepth)
      faults.push({ step: first?.key ?? null, message: `It is on level ${depth}; ${limits.maxDepth} are allowed.` });
    else if (members.length > limits.maxAgentsPerLevel)
      faults.push({
        step: null,
        message: `Level ${depth} has ${counted(members.length, 'agent')}; ${limits.maxAgentsPerLevel} are allowed.`,
      });
  }
  return faults;
};

/** What is wrong with a plan; empty when it can be carried out. */
export const validatePlan = (plan: Pick<Plan, 'steps'>, limits: PlanLimits): readonly PlanFault[] => {
  const { steps } = plan;
  if (steps.length === 0) return [{ step: null, message: 'The plan has no steps.' }];
  const keys = new Set(steps.map((step) => step.key));
  const faults: PlanFault[] = steps.flatMap((step) =>
    stepFaults(step, keys).map((message) => ({ step: step.key, message })),
  );
  if (keys.size < steps.length) faults.push({ step: null, message: 'Two steps have the same key.' });
  if (steps.length > limits.maxAgents)
    faults.push({
      step: null,
      message: `The plan has ${counted(steps.length, 'agent')}; ${limits.maxAgents} are allowed.`,
    });
  if (!inOrder(steps)) faults.push({ step: null, message: 'Steps need each other in a circle.' });
  return [...faults, ...conditionFaults(steps), ...levelFaults(steps, limits)];
};
