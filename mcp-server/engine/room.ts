import type { Agent } from '../domain/agent.ts';
import type { PlanStep } from '../domain/plan.ts';
import { type Run, reachOf } from '../domain/run.ts';
import type { Turn } from '../domain/turn.ts';
import type { Tx } from '../store/port.ts';

/** Fewer tokens do not buy an agent its first turn. */
export const LEAST_SHARE = 1000;

/** Agents that are to be made below another one, on the first level below it, the second, and so on. */
export const levelsOf = (steps: readonly Pick<PlanStep, 'key' | 'parent'>[]): readonly number[] => {
  const parents = new Map(steps.map(({ key, parent }) => [key, parent]));
  const counts: number[] = [];
  for (const { key } of steps) {
    let level = 0;
    for (let at = parents.get(key) ?? null; at !== null && parents.has(at); at = parents.get(at) ?? null) level += 1;
    counts[level] = (counts[level] ?? 0) + 1;
  }
  return counts;
};

/** Why so many agents cannot be made below this one, in the run's limits; null: they can. */
export const noRoom = async (tx: Tx, run: Run, agent: Agent, levels: readonly number[]): Promise<string | null> => {
  const { maxAgents, maxAgentsPerLevel } = run.options;
  const reach = reachOf(run.options);
  if (agent.depth + levels.length > reach)
    return agent.depth >= reach
      ? `You are at the last of ${reach} levels: do it yourself.`
      : `It would reach level ${agent.depth + levels.length}, and the run has ${reach}.`;
  const wanted = levels.reduce((sum, count) => sum + count, 0);
  const there = await tx.countAgents(run.id);
  if (there + wanted > maxAgents)
    return `It needs ${wanted} more agents, and the run has ${there} of its ${maxAgents} already: make fewer steps, or do it yourself.`;
  for (const [index, count] of levels.entries()) {
    const depth = agent.depth + index + 1;
    const before = await tx.countAgents(run.id, depth);
    if (before + count > maxAgentsPerLevel)
      return `It needs ${count} more agents on level ${depth}, which has ${before} of its ${maxAgentsPerLevel} already: make fewer steps, or do it yourself.`;
  }
  return null;
};

/** Whether the run, or the agent, is being ended: then nothing new begins. */
export const isEnding = (run: Run, agent: Agent): boolean => run.cancelRequested !== 'no' || agent.wrapUp;

/** What a last turn of the agent itself will cost, about; never more than half of what there is. Tokens. */
export const ownReport = ({ usage }: Turn, available: number): number =>
  Math.min((usage?.prompt ?? 0) + (usage?.completion ?? 0) + REPORT_TOKENS, Math.floor(available / 2));
const REPORT_TOKENS = 1000;
