import type { Agent } from '../domain/agent.ts';
import type { Makes } from '../domain/ids.ts';
import type { SubPlan } from '../domain/plan.ts';
import type { Run } from '../domain/run.ts';
import type { Tx } from '../store/port.ts';
import { notify } from './missing.ts';
import { resumeAgent } from './resume-agent.ts';
import { isOver } from './retire.ts';
import { subPlanResult } from './sub-plan-results.ts';
import { reportOf } from './try-again.ts';

/** A parent that delegated gets the report as its tool's result; when it waits for nobody else, its next turn is queued. */
export const answerParent = async (makes: Makes, tx: Tx, run: Run, agent: Agent, ok: boolean): Promise<void> => {
  if (!agent.parent) return;
  const parent = await tx.agent(agent.parent);
  if (!parent || isOver(parent)) return;
  const output = reportOf(agent, ok);
  const { settled, stillWaiting } = await tx.settleCalls(parent.id, agent.id, { ok, output });
  if (settled > 0 && stillWaiting === 0 && parent.state === 'waiting') await resumeAgent(makes, tx, run, parent);
};

/** Once the last step of a sub-plan has settled: its caller gets the reports, or is told where they are when it does not wait. */
export const answerCaller = async (makes: Makes, tx: Tx, run: Run, subPlan: SubPlan): Promise<void> => {
  const result = await subPlanResult(tx, run.id, subPlan);
  const caller = result && (await tx.agent(subPlan.caller));
  if (!caller || isOver(caller)) return;
  const { settled, stillWaiting } = await tx.settleCalls(caller.id, subPlan.id, result);
  if (settled === 0)
    return notify(makes, tx, run, caller.id, `${subPlan.id} has ended. orchestrate_status gives its reports.`);
  if (stillWaiting === 0 && caller.state === 'waiting') await resumeAgent(makes, tx, run, caller);
};
