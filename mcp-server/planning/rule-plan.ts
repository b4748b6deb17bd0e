import { oneLine } from '../domain/text.ts';
import { distinctKey, joinTail, type PlannedStep, slug } from './steps.ts';
import { taskParts } from './task-parts.ts';

/**
 * The plan that rules can make when no model can: a step for each item, named component, top-level folder (for a survey)
 * or asking sentence of the task, else one step. Never empty, never a circle, at most `maxSteps`.
 */
export const rulePlan = (input: {
  readonly task: string;
  readonly files: readonly string[];
  readonly maxSteps: number;
}): readonly PlannedStep[] => {
  const { by, context, parts } = taskParts(input.task, input.files);
  const taken = new Set<string>();
  const steps: PlannedStep[] = [];
  for (const { title, text, follows } of parts) {
    const key = distinctKey(slug(oneLine(title, 40), `step-${steps.length + 1}`), taken);
    taken.add(key);
    steps.push({
      key,
      title: oneLine(title, 60),
      task: by === 'whole' ? text : `${context}\n\nYour part: ${text}`.trim(),
      role: 'worker',
      needs: follows ? steps.map((step) => step.key) : [],
    });
  }
  return joinTail(steps, Math.max(1, input.maxSteps));
};
