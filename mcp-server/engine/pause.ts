import type { Agent, Pause } from '../domain/agent.ts';
import { UserError } from '../domain/errors.ts';
import type { AgentId, Makes, RunId } from '../domain/ids.ts';
import type { Run } from '../domain/run.ts';
import { AGENT_STATES, hasEnded, isFinal } from '../domain/transitions.ts';
import type { Reader, Tx } from '../store/port.ts';
import type { Core } from './core.ts';
import type { Engine, RunView } from './facade.ts';
import { pauseIfAsked } from './pausing.ts';
import { computeJob, turnJob } from './spawn.ts';
import { waitingFor } from './waiting-for.ts';

/** Whom it concerns: a whole run, or one agent; `below`: with all that hang from it. */
interface Paused {
  readonly run: RunId;
  readonly agent?: AgentId | undefined;
  readonly below: boolean;
}

/**
 * No agent concerned begins another turn; a turn under way ends normally. Messages, reports and merges still arrive.
 * Holds across restarts, until they are continued, cancelled or aborted. Throws UserError when they have ended.
 */
const pause = async (core: Core, wanted: Paused): Promise<void> => {
  const { store, clock } = core.parts;
  await store.transaction(async (tx) => {
    const { run, agents } = await concerned(tx, wanted);
    if (run.cancelRequested !== 'no')
      throw new UserError('wrong-state', `Run ${run.id} is being cancelled: it ends, and does not pause.`);
    const now = clock.now();
    if (!wanted.agent && (run.pausedAt ?? null) === null) {
      await tx.patchRun(run.id, { pausedAt: now });
      await tx.emit(now, [{ type: 'run.paused', run: run.id, agent: null }]);
    }
    for (const agent of agents)
      await pauseOne(core.parts, tx, agent, wanted.below || !wanted.agent ? 'below' : 'alone');
  });
  core.wake();
};

/** Whoever wraps up is let to; a wider pause is not narrowed. */
const pauseOne = async (makes: Makes, tx: Tx, agent: Agent, kind: Pause): Promise<void> => {
  if (agent.wrapUp || agent.pause === kind || agent.pause === 'below') return;
  await tx.patchAgent(agent.id, { pause: kind });
  await tx.emit(makes.clock.now(), [{ type: 'agent.pauseRequested', run: agent.run, agent: agent.id, pause: kind }]);
  await pauseIfAsked(makes, tx, agent.id);
};

/** Paused agents go on where they were: with a turn, or waiting when something that they wait for is still to come. */
const carryOn = async (core: Core, wanted: Paused): Promise<void> => {
  const { store, clock } = core.parts;
  await store.transaction(async (tx) => {
    const { run, agents } = await concerned(tx, wanted);
    if (!wanted.agent) await continueRun(tx, run, clock.now());
    for (const agent of agents) await continueAgent(core.parts, tx, run, agent.id);
  });
  core.wake();
};

/** The run itself pauses no more; its agents are continued one by one. */
export const continueRun = async (tx: Tx, run: Run, now: number): Promise<void> => {
  const since = run.pausedAt ?? null;
  if (since === null) return;
  await tx.patchRun(run.id, { pausedAt: null });
  await tx.postponeJoins(run.id, now - since);
  await tx.emit(now, [{ type: 'run.continued', run: run.id, agent: null }]);
};

/** Takes the pause from an agent; its time goes on where it stopped. Does nothing for any other. */
export const continueAgent = async (makes: Makes, tx: Tx, run: Run, id: AgentId): Promise<void> => {
  const agent = await tx.agent(id);
  if (!agent || (agent.pause ?? null) === null) return;
  const now = makes.clock.now();
  await tx.emit(now, [{ type: 'agent.continued', run: run.id, agent: id }]);
  if (agent.state !== 'paused') return tx.patchAgent(id, { pause: null });
  const calls = await tx.waitingCalls(id);
  const to = calls.length > 0 ? 'waiting' : 'ready';
  const { deadline = null, pausedAt } = agent;
  await tx.moveAgent(id, to, {
    pause: null,
    pausedAt: null,
    deadline: deadline === null ? null : deadline + Math.max(0, now - (pausedAt ?? now)),
    action: await waitingFor(tx, agent, calls),
  });
  if (to === 'ready') {
    const step = agent.step ? await tx.step(agent.step) : undefined;
    const computes = step?.agent === id && step.work?.kind === 'compute';
    await tx.enqueue([computes ? computeJob(makes, run, agent) : turnJob(makes, run, agent)], now);
  }
  await tx.emit(now, [{ type: 'agent.moved', run: run.id, agent: id, from: 'paused', to, reason: null }]);
};

/** Those that have not ended. Throws UserError when there is none, or the run has ended. */
const concerned = async (
  tx: Tx,
  { run: id, agent: root, below }: Paused,
): Promise<{ readonly run: Run; readonly agents: readonly Agent[] }> => {
  const run = await tx.run(id);
  if (!run) throw new UserError('not-found', `There is no run ${id}.`);
  if (hasEnded(run.state)) throw new UserError('wrong-state', `Run ${id} has ended (${run.state}).`);
  const all = await tx.agents(id);
  const asked = root ? all.find((agent) => agent.id === root) : undefined;
  if (root && !asked) throw new UserError('not-found', `There is no agent ${root} in run ${id}.`);
  const inside = new Set<AgentId>(root ? [root] : []);
  if (root && below) for (const agent of all) if (agent.parent && inside.has(agent.parent)) inside.add(agent.id);
  const agents = all.filter((agent) => (!root || inside.has(agent.id)) && !isFinal(AGENT_STATES, agent.state));
  if (asked && agents.length === 0) throw new UserError('wrong-state', `${asked.name} has ended (${asked.state}).`);
  return { run, agents };
};

/** How many agents are paused, when nothing else of the run can go on without a person; 0 otherwise. */
export const pausedWhole = async (reader: Reader, run: Run): Promise<number> => {
  const { paused = 0, ready = 0, running = 0 } = await reader.agentCounts(run.id);
  if (paused === 0 || ready + running > 0) return 0;
  if ((await reader.jobs({ run: run.id, states: ['queued', 'running'] })).length > 0) return 0;
  for (const agent of await reader.agents(run.id, { states: ['waiting'] }))
    if ((await reader.calls(agent.id)).some((call) => call.state === 'waiting' && call.waitsFor === 'person')) return 0;
  return paused;
};

/** The façade's part; `view` shows the run afterwards. */
export const pauseFacade = (
  core: Core,
  view: (run: RunId) => Promise<RunView>,
): Pick<Engine, 'pauseAgents' | 'continueAgents'> => ({
  pauseAgents: async (input) => {
    await pause(core, input);
    return view(input.run);
  },
  continueAgents: async (input) => {
    await carryOn(core, input);
    return view(input.run);
  },
});
