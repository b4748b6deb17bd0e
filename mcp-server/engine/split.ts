import type { Effect } from '../agent/tool.ts';
import type { Agent } from '../domain/agent.ts';
import type { Makes, StepId } from '../domain/ids.ts';
import { planningOf, type Run, reachOf } from '../domain/run.ts';
import type { Turn } from '../domain/turn.ts';
import { KEPT_BACK } from '../planning/share-budget.ts';
import { proposedPlan } from '../planning/sub-plan.ts';
import type { Tx } from '../store/port.ts';
import { isEnding, LEAST_SHARE, levelsOf, noRoom, ownReport } from './room.ts';
import { addSubPlan } from './sub-plan.ts';

export type Started =
  /** A call may wait for the id. */
  { readonly ok: true; readonly id: Agent['id'] | StepId } | { readonly ok: false; readonly reason: string };

const no = (reason: string): Started => ({ ok: false, reason });

/** An agent's step becomes several, where the proposal is sound and within levels, agents and what the agent can pay. */
export const splitStep = async (
  makes: Makes,
  tx: Tx,
  run: Run,
  agent: Agent,
  turn: Turn,
  { steps, pattern }: Extract<Effect, { kind: 'split' }>,
): Promise<Started> => {
  if (isEnding(run, agent)) return no('The run is being ended: no new agents.');
  const reach = reachOf(run.options);
  const levels = reach - agent.depth;
  if (levels < 1) return no(`You are at the last of ${reach} levels: do it yourself.`);
  const { fanIn } = planningOf(run.options);
  const proposed = proposedPlan(steps, pattern, { task: agent.task, levels, fanIn });
  if (!proposed.ok) return no(`The steps cannot be carried out: ${proposed.reason}`);
  const { plan } = proposed;
  const crowded = await noRoom(tx, run, agent, levelsOf(plan.steps));
  if (crowded !== null) return no(crowded);
  const available = (await tx.account(agent.id))?.available ?? 0;
  const tokens = available - ownReport(turn, available);
  const payable = Math.max(1, Math.floor((tokens * (1 - KEPT_BACK)) / LEAST_SHARE));
  const paid = plan.steps.filter(({ work }) => work?.kind !== 'compute').length;
  if (paid > payable)
    return no(
      `You have ${available} tokens left, of which ${available - tokens} are kept for your own report: that is too little for ${paid} agents, which need ${LEAST_SHARE} each. Make fewer steps, or do it yourself.`,
    );
  return { ok: true, id: await addSubPlan(makes, tx, run, agent, plan, { by: 'split', id: null, tokens }) };
};
