import type { Complexity } from '../domain/plan.ts';
import { oneLine } from '../domain/text.ts';
import { distinctKey, joinTail, type PlannedStep, slug } from './steps.ts';
import { phasesFor, specialistFor } from './strategies/choose.ts';
import type { Phase, Strategy } from './strategies/strategy.ts';
import { type TaskParts, taskParts, wholeTask } from './task-parts.ts';

export interface RulePlanInput {
  readonly task: string;
  readonly files: readonly string[];
  readonly maxSteps: number;
  /** Of `chooseStrategy`; absent: every step is a plain worker's, and a task that is one piece stays one step. */
  readonly strategy?: Strategy;
  /** How much the task is; phases of the strategy are taken from moderate on. Absent: atomic. */
  readonly level?: Complexity['level'];
  /** Agents that are wished for: phases that can be looked at from several sides are divided as far. One: the task stays whole. */
  readonly workers?: number | null;
  /** Agents that the task is worth where none are wished for: phases are divided as far. Absent: undivided. */
  readonly least?: number;
}

const partSteps = ({ by, context, parts }: TaskParts, strategy: Strategy | undefined): readonly PlannedStep[] => {
  const taken = new Set<string>();
  const steps: PlannedStep[] = [];
  for (const { title, text, follows } of parts) {
    const key = distinctKey(slug(oneLine(title, 40), `step-${steps.length + 1}`), taken);
    taken.add(key);
    const named = strategy ? specialistFor(strategy, by === 'components' ? context : text) : { role: 'worker' };
    steps.push({
      key,
      title: oneLine(title, 60),
      task: by === 'whole' ? text : `${context}\n\nYour part: ${text}`.trim(),
      ...named,
      needs: follows ? steps.map((step) => step.key) : [],
    });
  }
  return steps;
};

/** How many agents each phase gets: one, and those with several sides what is left of the wish, evenly. */
const shares = (phases: readonly Phase[], wished: number): readonly number[] => {
  const counts = phases.map(() => 1);
  const countOf = (index: number): number => counts[index] ?? 1;
  for (let total = phases.length; total < wished; total += 1) {
    const open = phases.flatMap((phase, index) => (countOf(index) < phase.angles.length ? [index] : []));
    const [first, ...others] = open;
    if (first === undefined) break;
    const least = others.reduce((best, index) => (countOf(index) < countOf(best) ? index : best), first);
    counts[least] = countOf(least) + 1;
  }
  return counts;
};

const phaseSteps = (task: string, phases: readonly Phase[], wished: number): readonly PlannedStep[] => {
  const counts = shares(phases, wished);
  const keysOf = new Map(
    phases.map(({ key }, index) => {
      const count = counts[index] ?? 1;
      return [key, count === 1 ? [key] : Array.from({ length: count }, (_, n) => `${key}-${n + 1}`)];
    }),
  );
  return phases.flatMap((phase) => {
    const keys = keysOf.get(phase.key) ?? [];
    return keys.map((key, n): PlannedStep => {
      const angle = keys.length > 1 ? phase.angles[n] : undefined;
      return {
        key,
        title: angle ? oneLine(`${phase.title}: ${angle}`, 60) : phase.title,
        task: `${task}\n\nYour part: ${phase.task}${angle ? ` Look only at this side: ${angle}.` : ''}`,
        role: phase.role,
        needs: phase.needs.flatMap((need) => keysOf.get(need) ?? []),
        capabilities: phase.capabilities,
      };
    });
  });
};

/**
 * The plan that rules can make when no model can: a step for each item, named component, top-level folder (for a survey),
 * clause or asking sentence of the task; for a larger task that is one piece, the phases that are typical of its domain;
 * else one step. Never empty, never a circle, at most `maxSteps`.
 */
export const rulePlan = (input: RulePlanInput): readonly PlannedStep[] => {
  const { strategy, level = 'atomic', workers = null, least = 1 } = input;
  const found = workers === 1 ? wholeTask(input.task) : taskParts(input.task, input.files);
  const phases = strategy && found.by === 'whole' && workers !== 1 ? phasesFor(strategy, level) : [];
  const steps =
    phases.length > 1 ? phaseSteps(input.task.trim(), phases, workers ?? least) : partSteps(found, strategy);
  return joinTail(steps, Math.max(1, input.maxSteps));
};
