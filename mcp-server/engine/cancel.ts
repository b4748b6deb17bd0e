import type { Agent } from '../domain/agent.ts';
import { UserError } from '../domain/errors.ts';
import type { AgentId, RunId } from '../domain/ids.ts';
import type { Run } from '../domain/run.ts';
import type { Tx } from '../store/port.ts';
import type { Core } from './core.ts';
import { ruleReport, stoppedEnding } from './ending.ts';
import { withdrawMessages } from './inbox.ts';
import { continueAgent, continueRun } from './pause.ts';
import { resumeAgent } from './resume-agent.ts';
import { isOver } from './retire.ts';
import { closeIfDone, endAgent } from './settle.ts';

/** Deepest first, so that children have ended when their parent does. */
const bottomUp = (agents: readonly Agent[]): readonly Agent[] => [...agents].sort((a, b) => b.depth - a.depth);

const subtree = (agents: readonly Agent[], root: AgentId): readonly Agent[] => {
  const inside = new Set([root]);
  for (const agent of agents) if (agent.parent && inside.has(agent.parent)) inside.add(agent.id);
  return agents.filter((agent) => inside.has(agent.id));
};

/**
 * Ends a run, or one agent with its descendants. `wrap-up`: whoever has begun gets one last turn to report, and the work
 * committed so far is brought home; the rest never starts. `abort`: calls are cut, nothing more is asked, and unfinished
 * work stays on its branch. `canAsk` is false while the server is away: then nobody is asked for a last report.
 */
export const cancel = async (
  core: Core,
  runId: RunId,
  agentId: AgentId | undefined,
  wanted: 'wrap-up' | 'abort',
  canAsk = true,
): Promise<void> => {
  const { store, clock } = core.parts;
  const cut = await store.transaction(async (tx): Promise<ReadonlySet<AgentId | RunId>> => {
    const run = await tx.run(runId);
    if (!run) throw new UserError('not-found', `There is no run ${runId}.`);
    const all = await tx.agents(runId);
    if (agentId && !all.some((agent) => agent.id === agentId))
      throw new UserError('not-found', `There is no agent ${agentId} in run ${runId}.`);
    if (run.endedAt !== null) return new Set();
    // An abort is not taken back.
    const mode = run.cancelRequested === 'abort' ? 'abort' : wanted;
    if (!agentId && run.cancelRequested !== mode) {
      await tx.patchRun(runId, { cancelRequested: mode });
      await tx.emit(clock.now(), [{ type: 'run.cancelRequested', run: runId, agent: null, mode }]);
    }
    if (!agentId) await continueRun(tx, run, clock.now());
    const current: Run = agentId ? run : { ...run, cancelRequested: mode };
    const affected = bottomUp(agentId ? subtree(all, agentId) : all).filter((agent) => !isOver(agent));
    for (const { id } of affected)
      await (mode === 'abort' ? abortOne(core, tx, current, id) : wrapUpOne(core, tx, current, id, canAsk));
    if (!agentId) await retryOrDropParked(core, tx, runId, mode);
    await closeIfDone(core.parts, tx, current);
    const ids = affected.filter((agent) => mode === 'abort' || agent.tier === 'planner').map((agent) => agent.id);
    return new Set<AgentId | RunId>(mode === 'abort' && !agentId ? [...ids, runId] : ids);
  });
  cutCalls(core, cut);
  core.wake();
  core.tidy();
};

/** Takes up the aborts that an engine did not live to finish. */
export const finishAborts = async (core: Core): Promise<void> => {
  for (const run of await core.parts.store.activeRuns())
    if (run.cancelRequested === 'abort') await cancel(core, run.id, undefined, 'abort');
};

const wrapUpOne = async (core: Core, tx: Tx, run: Run, id: AgentId, canAsk: boolean): Promise<void> => {
  await continueAgent(core.parts, tx, run, id);
  const agent = await tx.agent(id);
  if (!agent || isOver(agent)) return;
  await tx.patchAgent(id, { wrapUp: true });
  if (agent.state === 'running') return;
  if (agent.startedAt === null || agent.tier === 'planner') {
    // What its children leave goes through it: it ends after them.
    const open = (await tx.children(id)).some((child) => !isOver(child));
    return open ? undefined : endAgent(core.parts, tx, run, agent, CANCELLED);
  }
  if (agent.state === 'ready' && (!canAsk || (await isParked(tx, agent)))) return endUnasked(core, tx, run, agent);
  if (agent.state === 'ready') return tx.hastenJobs(id, core.parts.clock.now());
  if (agent.state !== 'waiting') return;
  const result = { ok: false, output: 'Cancelled by the person before there was an answer.' };
  const withdrawn = await withdrawMessages(tx, id);
  const { settled, stillWaiting } = await tx.settleCalls(id, 'person', result);
  if (settled + withdrawn === 0 || stillWaiting > 0) return;
  await (canAsk ? resumeAgent(core.parts, tx, run, agent, true) : endUnasked(core, tx, run, agent));
};

const CANCELLED = { state: 'cancelled', reason: 'cancelled', report: null, error: null } as const;

const isParked = async (tx: Tx, agent: Agent): Promise<boolean> =>
  (await tx.jobs({ run: agent.run, states: ['parked'] })).some((job) => job.agent === agent.id && job.kind === 'turn');

/** The model cannot be asked for a last report, so the rules write it. */
const endUnasked = async (core: Core, tx: Tx, run: Run, agent: Agent): Promise<void> => {
  await closeOpenTurn(core, tx, agent);
  await endAgent(core.parts, tx, run, agent, await unaskedEnding(tx, agent));
};

/** An answer whose tools never ran. */
const closeOpenTurn = async (core: Core, tx: Tx, agent: Agent): Promise<void> => {
  const open = await tx.openTurn(agent.id);
  if (open) await tx.closeTurn(open.id, { commit: null, endedAt: core.parts.clock.now() });
};

/** The end of an agent that was asked to stop and whose model does not answer. */
export const unaskedEnding = async (tx: Tx, agent: Agent) => {
  const begun = (await tx.turns(agent.id)).length > 0;
  const why = agent.wrapUpWhy ?? 'cancel';
  return stoppedEnding(agent, begun ? ruleReport(agent, await tx.calls(agent.id), why) : null);
};

/** Merges and closings that had failed too often would keep the run open for ever. */
const retryOrDropParked = async (core: Core, tx: Tx, run: RunId, mode: 'wrap-up' | 'abort'): Promise<void> => {
  for (const job of await tx.jobs({ run, states: ['parked'] })) {
    if (job.kind === 'turn') continue;
    if (job.kind === 'merge' && mode === 'abort') await tx.finishJob(job.id, 'cancelled', job.error ?? undefined);
    else await tx.unpark(job.id, core.parts.clock.now());
  }
};

/** Whoever has a job under way ends when that is cut; all others end here. */
const abortOne = async (core: Core, tx: Tx, run: Run, id: AgentId): Promise<void> => {
  const agent = await tx.agent(id);
  if (!agent || isOver(agent)) return;
  if (agent.state === 'running') return tx.patchAgent(id, { wrapUp: true });
  await closeOpenTurn(core, tx, agent);
  await endAgent(core.parts, tx, run, agent, CANCELLED);
};

/** Cuts the work under way of these agents and runs, which then ends instead of going on later. */
export const cutCalls = (core: Core, cut: ReadonlySet<AgentId | RunId>): void => {
  for (const id of cut) core.aborting.add(id);
  for (const { run, agent, abort } of core.inFlight) if (cut.has(run) || (agent && cut.has(agent))) abort.abort();
};
