import type { Agent } from '../domain/agent.ts';
import type { Step, SubPlan } from '../domain/plan.ts';
import { truncate } from '../domain/text.ts';
import { isSettled } from '../domain/transitions.ts';
import type { Reader } from '../store/port.ts';
import { reportOf } from './try-again.ts';

/** Characters of all reports of a sub-plan together, and of one at the least. */
const MOST_CHARS = 12_000;
const LEAST_CHARS = 400;

/** The steps of a sub-plan, in the plan's order. */
export const stepsOf = async (
  reader: Reader,
  run: Step['run'],
  { id }: Pick<SubPlan, 'id'>,
): Promise<readonly Step[]> => (await reader.steps(run)).filter(({ subPlan }) => subPlan?.id === id);

/** What a sub-plan came to, for its caller; null while a step of it has not settled. */
export const subPlanResult = async (
  reader: Reader,
  run: Step['run'],
  subPlan: SubPlan,
): Promise<{ readonly ok: boolean; readonly output: string } | null> => {
  const steps = await stepsOf(reader, run, subPlan);
  if (steps.some(({ state }) => !isSettled(state))) return null;
  const failed = steps.filter(({ state }) => state === 'failed' || state === 'skipped').length;
  const ended =
    steps.length === 1
      ? `The only step has ended${failed > 0 ? ', without success' : ''}.`
      : `All ${steps.length} steps have ended${failed > 0 ? `, ${failed} of them without success` : ''}.`;
  const head = `${ended} What they changed is in your copy. Go on with your task.`;
  return { ok: failed === 0, output: [head, ...(await reportsOf(reader, steps, subPlan.caller))].join('\n\n') };
};

/** Of those that hang from the caller: whoever lies deeper reports to one of them. */
export const reportsOf = async (
  reader: Reader,
  steps: readonly Step[],
  caller: Agent['id'],
): Promise<readonly string[]> => {
  const found: { readonly step: Step; readonly agent: Agent }[] = [];
  for (const step of steps) {
    const agent = isSettled(step.state) ? await reader.agent(step.agent) : undefined;
    if (agent?.parent === caller) found.push({ step, agent });
  }
  const most = Math.max(LEAST_CHARS, Math.floor(MOST_CHARS / Math.max(1, found.length)));
  return found.map(
    ({ step, agent }) => `## ${step.title} (${step.state})\n${truncate(reportOf(agent, step.state === 'done'), most)}`,
  );
};
