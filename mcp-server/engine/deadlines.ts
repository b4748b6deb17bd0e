import type { Agent } from '../domain/agent.ts';
import type { AgentId, RunId } from '../domain/ids.ts';
import { hasEnded } from '../domain/transitions.ts';
import type { Tx } from '../store/port.ts';
import { cutCalls } from './cancel.ts';
import type { Core } from './core.ts';
import { stoppedEnding } from './ending.ts';
import { isOver } from './retire.ts';
import { askToStop, considerStep, endAgent } from './settle.ts';

/** From the word that its time is over until an agent is cut, ms. */
export const GRACE_MS = 60_000;

/**
 * Looks which times are over: joins start with what there is, agents wrap up, and are cut when they do not. All of it
 * is in rows, so it holds across restarts. Cheap when nothing is due.
 */
export const meetDeadlines = async (core: Core): Promise<void> => {
  const { store, clock } = core.parts;
  const due = await store.overdue(clock.now());
  if (due.steps.length === 0 && due.agents.length === 0) return;
  for (const { id, run } of due.steps) await store.transaction((tx) => startOverdue(core, tx, id, run));
  const cut: AgentId[] = [];
  for (const { id } of due.agents) if (await store.transaction((tx) => endOverdue(core, tx, id))) cut.push(id);
  cutCalls(core, new Set(cut));
  core.wake();
};

const startOverdue = async (core: Core, tx: Tx, id: Parameters<Tx['step']>[0], runId: RunId): Promise<void> => {
  const step = await tx.step(id);
  const run = await tx.run(runId);
  if (!step || !run || hasEnded(run.state) || step.state !== 'pending') return;
  await considerStep(core.parts, tx, run, step, true);
};

/** Returns whether its call must be cut. */
const endOverdue = async (core: Core, tx: Tx, id: AgentId): Promise<boolean> => {
  const now = core.parts.clock.now();
  const agent = await tx.agent(id);
  const run = agent && (await tx.run(agent.run));
  if (!run || isOver(agent) || (agent.deadline ?? now + 1) > now) return false;
  if (hasEnded(run.state)) {
    await tx.patchAgent(id, { deadline: null });
    return false;
  }
  if (!agent.wrapUp) {
    const grace = Math.min(GRACE_MS, Math.max(1000, agent.timeoutMs ?? GRACE_MS));
    for (const one of await subtree(tx, agent))
      await askToStop(core.parts, tx, run, one, 'timeout', undefined, now + grace);
    return false;
  }
  await tx.patchAgent(id, { deadline: null });
  if (agent.state === 'running') return true;
  const open = await tx.openTurn(id);
  if (open) await tx.closeTurn(open.id, { commit: null, endedAt: now });
  await endAgent(core.parts, tx, run, { ...agent, deadline: null }, stoppedEnding(agent, null));
  return false;
};

/** Deepest first; only those that work. */
const subtree = async (tx: Tx, root: Agent): Promise<readonly AgentId[]> => {
  const inside = new Set([root.id]);
  for (const agent of await tx.agents(root.run)) if (agent.parent && inside.has(agent.parent)) inside.add(agent.id);
  return [...inside].reverse();
};
