import type { Plan, PlanStep } from '../domain/plan.ts';
import { counted, inTime } from '../domain/text.ts';
import { isByAgent } from './estimate.ts';

const listed = (texts: readonly string[]): string =>
  texts.length < 2 ? texts.join('') : `${texts.slice(0, -1).join(', ')} and ${texts.at(-1)}`;

/** Who does the work, and who joins it. */
const team = ({ steps }: Plan): string => {
  const agents = steps.filter(isByAgent);
  if (agents.length === 1 && steps.length === 1) return 'one agent does all of it.';
  const workers = agents.filter(({ tier }) => tier === 'worker');
  const parts = Math.round(workers.reduce((sum, step) => sum + (step.parts ?? 1), 0));
  const share = parts > workers.length ? `, which do ${parts} parts among them` : '';
  const joiners = (['synthesizer', 'executive'] as const)
    .map((tier) => [tier, agents.filter((step) => step.tier === tier).length] as const)
    .filter(([, number]) => number > 0)
    .map(([tier, number]) => counted(number, tier));
  const processors = steps.length - agents.length;
  if (processors > 0) joiners.push(counted(processors, 'processor'));
  const alone = joiners.length === 0 && endsOf(steps) > 1;
  const joined = alone ? 'nobody joins their work' : joiners.length > 0 ? `joined by ${listed(joiners)}` : '';
  return `${[`${counted(workers.length, 'worker')}${share}`, joined].filter(Boolean).join('; ')}.`;
};

/** Steps that nobody needs. */
const endsOf = (steps: readonly PlanStep[]): number => {
  const needed = new Set(steps.flatMap(({ needs }) => needs));
  return steps.filter(({ key }) => !needed.has(key)).length;
};

const some = (steps: readonly PlanStep[], of: readonly PlanStep[]): string =>
  steps.length === of.length ? 'Every step' : `${counted(steps.length, 'step')} of ${of.length}`;

/** How patient the plan is with its steps. */
const patience = (steps: readonly PlanStep[]): readonly string[] => {
  const timed = steps.filter(({ timeoutMs }) => timeoutMs !== undefined);
  const once = steps.filter(({ retries }) => retries === 0);
  const times = timed.map(({ timeoutMs = 0 }) => timeoutMs);
  const bounds = [...new Set([Math.min(...times), Math.max(...times)])].map(inTime).join(' to ');
  return [
    ...(timed.length > 0 ? [`${some(timed, steps)} has ${bounds} before it must wrap up.`] : []),
    ...(once.length > 0 ? [`${some(once, steps)} is tried only once.`] : []),
  ];
};

/** Why a plan that a person has made smaller is as it is: only what is true of it now. `budget`: tokens of its agents. */
export const whySmaller = (plan: Plan, budget: number | null): string =>
  [
    `You made the plan smaller: ${team(plan)}`,
    ...patience(plan.steps.filter(isByAgent)),
    ...(budget === null ? [] : [`Its agents get ${budget.toLocaleString('en-US')} tokens.`]),
  ].join(' ');
