import type { Agent, EndReason } from '../domain/agent.ts';
import type { AgentId, Makes } from '../domain/ids.ts';
import type { Pattern, Step } from '../domain/plan.ts';
import type { Run } from '../domain/run.ts';
import { AGENT_STATES, isFinal } from '../domain/transitions.ts';
import type { Tx } from '../store/port.ts';
import { closeInbox } from './inbox.ts';
import { withSources } from './sources.ts';

/** How an agent ends. */
export interface Ending {
  readonly state: 'completed' | 'failed' | 'cancelled';
  readonly reason: EndReason;
  readonly report: string | null;
  readonly error: string | null;
}

/** Whether the agent works no more. */
export const isOver = (agent: Pick<Agent, 'state'>): boolean => isFinal(AGENT_STATES, agent.state);

/** The end of the agent alone: state, tokens, observation. What follows from it for others is `settle.ts`'s. */
export const retire = async (
  makes: Makes,
  tx: Tx,
  run: Run,
  agent: Agent,
  ending: Ending,
  step?: Step,
): Promise<void> => {
  const now = makes.clock.now();
  await tx.cancelJobs(agent.id);
  const from = await tx.moveAgent(agent.id, ending.state, {
    action: '',
    report: await withSources(tx, agent, ending),
    error: ending.error,
    endReason: ending.reason,
    endedAt: now,
    pause: null,
    pausedAt: null,
  });
  await tx.emit(now, [
    { type: 'agent.moved', run: run.id, agent: agent.id, from, to: ending.state, reason: ending.reason },
  ]);
  await reclaim(makes, tx, agent, ending, now, step?.pattern);
  await closeInbox(makes, tx, run, agent);
};

const reclaim = async (
  makes: Makes,
  tx: Tx,
  agent: Agent,
  ending: Ending,
  now: number,
  pattern: Pattern | undefined,
): Promise<void> => {
  const account = await tx.account(agent.id);
  if (account) await tx.reclaim(agent.id, (await heir(tx, agent)) ?? agent.run, now);
  const facts = await tx.planFacts(agent.run);
  await tx.observe({
    run: agent.run,
    agent: agent.id,
    role: agent.role,
    tier: agent.tier,
    pattern: pattern ?? facts?.pattern ?? '',
    complexity: facts?.complexity ?? '',
    tokens: account?.used ?? 0,
    wallMs: agent.startedAt === null ? 0 : makes.clock.now() - agent.startedAt,
    turns: 0,
    ok: ending.state === 'completed',
    at: now,
  });
};

/** Who gets what an agent leaves behind, work and tokens: the nearest ancestor that still works; null: the run itself. */
export const heir = async (tx: Tx, agent: Agent): Promise<AgentId | null> => {
  for (let id = agent.parent; id !== null; ) {
    const ancestor = await tx.agent(id);
    if (!ancestor) return null;
    if (!isOver(ancestor)) return ancestor.id;
    id = ancestor.parent;
  }
  return null;
};
