import type { Plan } from '../domain/plan.ts';
import { planningOf, type Run } from '../domain/run.ts';
import { notPlaced } from '../planning/distribute-steps.ts';
import type { Core } from './core.ts';
import { distribute } from './make-plan.ts';

/** The plan with its steps shared out anew among the run's servers: as the plan says, else as the run does. */
export const shareOut = (core: Core, run: Run, plan: Plan): Promise<Plan> => {
  const planning = planningOf(run.options);
  const distribution = plan.distribution ?? planning.distribution;
  const wished = { ...run, options: { ...run.options, planning: { ...planning, distribution } } };
  return distribute(core, wished, notPlaced(plan));
};

/** Null unless a person wants another distribution in a run that has one server only. */
export const idleDistribution = (run: Run, before: Plan, plan: Plan): string | null => {
  if (plan.distribution === undefined || plan.distribution === before.distribution) return null;
  if (planningOf(run.options).servers.length > 0) return null;
  return `The distribution ${plan.distribution} changes nothing: the run has one server only. planning.servers names more.`;
};
