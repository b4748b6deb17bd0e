import type { Agent } from '../domain/agent.ts';
import { UserError } from '../domain/errors.ts';
import type { AgentId, RunId } from '../domain/ids.ts';
import type { Run } from '../domain/run.ts';
import type { Tx } from '../store/port.ts';
import type { Core } from './core.ts';
import { closeIfDone, endAgent, isOver, resumeAgent } from './settle.ts';

/** Deepest first, so that children have ended when their parent does. */
const bottomUp = (agents: readonly Agent[]): readonly Agent[] => [...agents].sort((a, b) => b.depth - a.depth);

const subtree = (agents: readonly Agent[], root: AgentId): readonly Agent[] => {
  const inside = new Set([root]);
  for (const agent of agents) if (agent.parent && inside.has(agent.parent)) inside.add(agent.id);
  return agents.filter((agent) => inside.has(agent.id));
};

/**
 * Ends a run, or one agent with its descendants. `wrap-up`: whoever has begun gets one last turn to report; the rest never
 * starts. `abort`: calls are cut, nothing more is asked. Work that was committed stays on its branch in both cases.
 */
export const cancel = async (
  core: Core,
  runId: RunId,
  agentId: AgentId | undefined,
  mode: 'wrap-up' | 'abort',
): Promise<void> => {
  const { store, clock } = core.parts;
  await store.transaction(async (tx) => {
    const run = await tx.run(runId);
    if (!run) throw new UserError('not-found', `There is no run ${runId}.`);
    if (run.endedAt !== null) return;
    const all = await tx.agents(runId);
    if (agentId && !all.some((agent) => agent.id === agentId))
      throw new UserError('not-found', `There is no agent ${agentId} in run ${runId}.`);
    if (!agentId) {
      await tx.patchRun(runId, { cancelRequested: mode });
      await tx.emit(clock.now(), [{ type: 'run.cancelRequested', run: runId, agent: null, mode }]);
    }
    const current: Run = agentId ? run : { ...run, cancelRequested: mode };
    const affected = bottomUp(agentId ? subtree(all, agentId) : all).filter((agent) => !isOver(agent));
    for (const agent of affected) await (mode === 'abort' ? abortOne : wrapUpOne)(core, tx, current, agent.id);
    await closeIfDone(core.parts, tx, current);
  });
  if (mode === 'abort') abortInFlight(core, runId, agentId);
  core.wake();
  core.tidy();
};

const wrapUpOne = async (core: Core, tx: Tx, run: Run, id: AgentId): Promise<void> => {
  const agent = await tx.agent(id);
  if (!agent || isOver(agent)) return;
  const begun = agent.startedAt !== null && agent.tier !== 'planner';
  const hasWork = agent.headCommit !== agent.baseCommit;
  if (!begun && !(agent.state === 'running')) {
    const open = (await tx.children(id)).some((child) => !isOver(child));
    if (open && hasWork) return;
    return endAgent(core.parts, tx, run, agent, CANCELLED);
  }
  await tx.patchAgent(id, { wrapUp: true });
  if (agent.state !== 'waiting') return;
  const result = { ok: false, output: 'Cancelled by the person before there was an answer.' };
  const { settled, stillWaiting } = await tx.settleCalls(id, 'person', result);
  if (settled > 0 && stillWaiting === 0) await resumeAgent(core.parts, tx, run, agent, true);
};

const CANCELLED = { state: 'cancelled', reason: 'cancelled', report: null, error: null } as const;

/** Whoever has a job under way ends when that is cut; all others end here. */
const abortOne = async (core: Core, tx: Tx, run: Run, id: AgentId): Promise<void> => {
  const agent = await tx.agent(id);
  if (!agent || isOver(agent) || agent.state === 'running') return;
  const open = await tx.openTurn(id);
  if (open) await tx.closeTurn(open.id, { commit: null, endedAt: core.parts.clock.now() });
  await endAgent(core.parts, tx, run, agent, CANCELLED);
};

const abortInFlight = (core: Core, run: RunId, agent: AgentId | undefined): void => {
  core.aborting.add(agent ?? run);
  for (const work of core.inFlight.values())
    if (work.run === run && (!agent || work.agent === agent)) work.abort.abort();
};
