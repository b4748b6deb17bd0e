import type { Commit } from '../domain/ids.ts';
import { planningOf, type RunOptions } from '../domain/run.ts';

/** Raised whenever the same input would be planned in another way, so that older plans are not taken. */
export const PLANNING_VERSION = 3;

export interface PlanCacheInput {
  readonly task: string;
  readonly commit: Commit;
  readonly options: RunOptions;
  /** Names of the skills that steps may be given; absent: none. */
  readonly skills?: readonly string[];
}

/**
 * What must be equal for two runs to have the same plan, as one line of JSON with its keys in order: the version of the
 * planning, the task, the commit, pattern, domain, wished workers, the team that the task is worth, fan-in, limits of depth and agents, the model (the
 * server, where no model is named), the programs that steps may run, and the skills. Not in it, because no plan depends on them: the budget (but for the team that it pays), concurrency,
 * distribution, retries, timeouts, gate, forecast limit, and whether anybody answers. Hash it before it is stored: the
 * task can be long.
 */
export const planCacheKey = ({ task, commit, options, skills = [] }: PlanCacheInput): string => {
  const { pattern, domain, workers, fanIn } = planningOf(options);
  const { commands } = options.permissions;
  return canonical({
    version: PLANNING_VERSION,
    task: task.replace(/\r\n?/g, '\n').trim(),
    commit,
    pattern,
    domain: domain?.trim().toLowerCase() ?? null,
    workers,
    team: options.team ? [options.team.least, options.team.usual, options.team.most] : null,
    fanIn,
    maxDepth: options.maxDepth,
    maxAgents: options.maxAgents,
    maxAgentsPerLevel: options.maxAgentsPerLevel,
    model: options.model,
    // Without a name it is whatever model the server has.
    server: options.model === null ? options.server : null,
    commands: typeof commands === 'string' ? commands : [...new Set(commands.allowed)].sort(),
    skills: [...new Set(skills)].sort(),
  });
};

const canonical = (values: Readonly<Record<string, unknown>>): string =>
  JSON.stringify(Object.fromEntries(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1))));
