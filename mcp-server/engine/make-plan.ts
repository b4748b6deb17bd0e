import { createHash } from 'node:crypto';
import type { Commit } from '../domain/ids.ts';
import type { Complexity, Pattern, Plan, PlanSource } from '../domain/plan.ts';
import { planningOf, type Run, type RunOptions, type Team } from '../domain/run.ts';
import { type CheckedSteps, checkSteps } from '../planning/check-steps.ts';
import { complexity } from '../planning/complexity.ts';
import { distributeSteps, type ServerLoad } from '../planning/distribute-steps.ts';
import { fitSteps } from '../planning/fit-steps.ts';
import { planOf } from '../planning/patterns/plan-of.ts';
import type { PatternOptions } from '../planning/patterns/spec.ts';
import { planCacheKey } from '../planning/plan-cache-key.ts';
import { type PatternStats, patternStats, recommend } from '../planning/recommend.ts';
import type { PlannedStep } from '../planning/steps.ts';
import { teamFor } from '../planning/team.ts';
import { baseFiles } from './base-files.ts';
import { mostSteps, skillNames } from './conversation.ts';
import type { Core } from './core.ts';

/** Runs that recommendations learn from, at the most. */
const MOST_RUNS = 500;
/** What an observation of a whole run has in the places of role and tier. */
export const WHOLE_RUN = 'run';

/** How patterns did in this repository. */
export type Stats = readonly PatternStats[];

export const statsOf = async (core: Core): Promise<Stats> =>
  patternStats(await core.parts.store.observations({ role: WHOLE_RUN, tier: WHOLE_RUN, limit: MOST_RUNS }));

/** What bounds the plan of a run. */
export const patternOptions = (run: Run): PatternOptions => ({
  maxDepth: run.options.maxDepth,
  maxAgents: mostSteps(run),
  maxAgentsPerLevel: run.options.maxAgentsPerLevel,
  fanIn: planningOf(run.options).fanIn,
});

/** How much a run's task is. */
export const complexityOf = async (core: Core, run: Pick<Run, 'task' | 'baseCommit'>): Promise<Complexity> => {
  const { level, because } = complexity(run.task, await baseFiles(core, run.baseCommit));
  return { level, because };
};

/** Patterns whose workers are joined by the table of the tiers; stages, voices and parts of a saga are as many as they are. */
const SIZED: ReadonlySet<Pattern> = new Set(['fork-join', 'map-reduce']);

/** The team that a task is worth; null where the person has said how many workers, or a pattern that goes by its own parts. */
export const teamOf = async (
  core: Core,
  { task, baseCommit, options }: { readonly task: string; readonly baseCommit: Commit; readonly options: RunOptions },
): Promise<Team | null> => {
  const { workers, pattern, fanIn } = planningOf(options);
  if (workers !== null || (pattern !== null && !SIZED.has(pattern))) return null;
  const size = complexity(task, await baseFiles(core, baseCommit));
  // One agent is no pattern, and the person wants this one.
  const level = pattern !== null && size.level === 'atomic' ? 'simple' : size.level;
  return teamFor({ ...size, level }, { ...options, fanIn });
};

/** What is known of a plan besides its steps. */
export interface PlanHints {
  /** The pattern that the planner proposed. */
  readonly hint?: Pattern | null;
  /** Read when they are not given. */
  readonly stats?: Promise<Stats> | undefined;
  /** What `checkSteps` says of these steps, where it has been asked. */
  readonly checked?: CheckedSteps | null;
}

/**
 * The plan of steps that somebody has thought of: as many as were wished for, in the pattern that the person named or that
 * fits their shape, with the tiers that join their work, and each on its server.
 */
export const makePlan = async (
  core: Core,
  run: Run,
  steps: readonly PlannedStep[],
  source: PlanSource,
  hints: PlanHints = {},
): Promise<Plan> => {
  const wished = planningOf(run.options);
  const files = await baseFiles(core, run.baseCommit);
  const checked = hints.checked ?? checkSteps(steps, { task: run.task, files });
  const sound = checked.faults.length > 0 ? steps : checked.steps;
  const { team } = run.options;
  const worth = team && {
    // What a model has not divided, it has a reason for.
    least: source.by === 'rules' ? team.least : 1,
    most: team.most,
    because: `the task seems ${team.level}, and no more are worth it within the limits of the run`,
  };
  const fitted = fitSteps(sound, { workers: wished.workers, maxSteps: mostSteps(run), files, worth });
  const chosen = await choosePattern(core, run, fitted.steps, hints);
  const notes = [chosen.because, ...fitted.notes];
  const plan = planOf(chosen.pattern, fitted.steps, {
    ...patternOptions(run),
    source,
    because: notes.filter(Boolean).join(' '),
    complexity: withTeam(await complexityOf(core, run), run, fitted.steps.length),
  });
  return distribute(core, run, plan);
};

/** What the task is worth, and what came of it. */
const withTeam = (found: Complexity, { options }: Run, steps: number): Complexity => {
  const { team } = options;
  if (!team) return found;
  const isOther = steps < team.least || steps > (team.usual ?? steps);
  const planned = isOther ? `; it falls into ${steps}` : '';
  return { ...found, because: `${found.because}; ${team.because}${planned}` };
};

const choosePattern = async (
  core: Core,
  run: Run,
  steps: readonly PlannedStep[],
  { hint = null, stats }: PlanHints,
): Promise<{ readonly pattern: Pattern; readonly because: string }> => {
  const { pattern, fanIn } = planningOf(run.options);
  if (pattern !== null) return { pattern, because: `${pattern}: as you wished.` };
  const advice = recommend({ steps, task: run.task }, await (stats ?? statsOf(core)));
  if (advice.pattern === 'map-reduce' && steps.length < fanIn)
    return { pattern: 'fork-join', because: `${steps.length} steps side by side, too few for somebody to join them.` };
  if (hint === null || hint === advice.pattern || steps.length < 2) return advice;
  const other = advice.alternatives.find((one) => one.pattern === hint);
  return other ? { ...other, because: `The planner proposed it. ${other.because}` } : advice;
};

/** Where there are several servers, each step is given one. */
export const distribute = async (core: Core, run: Run, plan: Plan): Promise<Plan> => {
  const { servers, distribution } = planningOf(run.options);
  if (servers.length === 0) return plan;
  const own = { server: run.options.server, model: run.options.model, capabilities: [] };
  const loads = await Promise.all([own, ...servers].map((one) => loadOf(core, one)));
  const { plan: placed, notes } = distributeSteps(plan, loads.flat(), distribution);
  const because = [plan.because, ...notes].filter(Boolean).join(' ');
  return { ...placed, distribution, ...(because ? { because } : {}) };
};

/** A server that cannot be asked just now gets nothing. */
const loadOf = async (
  core: Core,
  option: Pick<ServerLoad, 'server' | 'model' | 'capabilities'>,
): Promise<readonly ServerLoad[]> => {
  try {
    const endpoint = await core.parts.endpoint(option.server, option.model);
    await endpoint.facts();
    const { busy, total } = endpoint.slots();
    return [{ ...option, slots: Math.max(1, total), busy }];
  } catch {
    return [];
  }
};

/** Under which a run's plan is kept. */
export const cacheKeyOf = (run: Pick<Run, 'task' | 'baseCommit' | 'options'>): string =>
  createHash('sha256')
    .update(planCacheKey({ task: run.task, commit: run.baseCommit, options: run.options, skills: skillNames(run) }))
    .digest('hex');
