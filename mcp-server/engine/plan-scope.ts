import type { Agent } from '../domain/agent.ts';
import { type PlanningOptions, planningOf, type Run, type RunOptions, reachOf } from '../domain/run.ts';
import type { Reader } from '../store/port.ts';
import { LEAST_SHARE } from './room.ts';

/**
 * What a planner plans, as if it were a run of its own: the run itself; or, below an agent, that agent's sub-task, on the
 * files that it has now, within the levels and agents that the run has left, what the planner's tokens buy (half of them are
 * left for the plan itself), and what the agent may do.
 */
export const planScope = async (reader: Reader, run: Run, planner: Agent): Promise<Run> => {
  const caller = planner.parent ? await reader.agent(planner.parent) : undefined;
  if (!caller) return run;
  // Whoever asks for a team has seen the work: what the words of its task are worth does not count.
  const { team: _team, ...options } = run.options;
  const tokens = (await reader.account(planner.id))?.available ?? 0;
  const agents = await reader.agents(run.id);
  const onLevel = (depth: number): number => agents.filter((agent) => agent.depth === depth).length;
  const levels = Math.max(1, reachOf(run.options) - caller.depth);
  const crowded = Math.max(...Array.from({ length: levels }, (_, index) => onLevel(caller.depth + 1 + index)));
  const planning: PlanningOptions = { ...planningOf(options), ...NOBODY_ASKED };
  const scope: RunOptions = {
    ...options,
    maxDepth: levels,
    // One more than there is room for: that is the planner, who is there already.
    maxAgents: 1 + Math.max(1, Math.min(options.maxAgents - agents.length, Math.floor(tokens / 2 / LEAST_SHARE))),
    maxAgentsPerLevel: Math.max(1, options.maxAgentsPerLevel - crowded),
    permissions: caller.permissions ?? options.permissions,
    planning,
  };
  return { ...run, task: planner.task, baseCommit: planner.baseCommit ?? run.baseCommit, options: scope };
};

/** What the person wished for is about the run as a whole. */
const NOBODY_ASKED = { pattern: null, domain: null, workers: null, gate: 'go', maxForecastTokens: null } as const;
