import type { Complexity } from '../domain/plan.ts';

const WISHED: Readonly<Record<Complexity['level'], number>> = {
  atomic: 0,
  simple: 1,
  moderate: 2,
  complex: 3,
  enterprise: 4,
};

export interface LevelBounds {
  readonly maxDepth: number;
  readonly maxAgentsPerLevel: number;
  /** Steps that are known to be needed; very many ask for more than four levels. Absent: not known. */
  readonly steps?: number;
  /** Reports that one agent joins; absent: 5. */
  readonly fanIn?: number;
}

/**
 * Levels of agents that a task is worth: 0 is one agent without a hierarchy, enterprise is 4, or more where its steps
 * could not be joined in four. Never more than `maxDepth`, nor more than `maxAgentsPerLevel` can fill, when each level
 * has at least twice the agents of the one above.
 */
export const levelsFor = (complexity: Complexity['level'] | Complexity, bounds: LevelBounds): number => {
  const level = typeof complexity === 'string' ? complexity : complexity.level;
  const fanIn = Math.max(2, bounds.fanIn ?? 5);
  const joined = bounds.steps && bounds.steps > 1 ? 1 + Math.ceil(Math.log(bounds.steps) / Math.log(fanIn)) : 0;
  const wished = level === 'enterprise' ? Math.max(WISHED.enterprise, joined) : WISHED[level];
  const filled = 1 + Math.floor(Math.log2(Math.max(1, bounds.maxAgentsPerLevel)));
  return Math.max(0, Math.min(wished, bounds.maxDepth, filled));
};

const NAMES = ['executive', 'synthesizer', 'worker', 'specialist', 'sub-specialist'] as const;

/**
 * What agents of a level are called, 1 being the uppermost: executive, synthesizer, worker, specialist, sub-specialist,
 * `level 6` and so on; or the person's names, as far as there are any.
 */
export const levelName = (depth: number, custom: readonly string[] = []): string =>
  custom[depth - 1]?.trim() || NAMES[depth - 1] || (depth < 1 ? 'run' : `level ${depth}`);
