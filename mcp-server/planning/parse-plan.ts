import { z } from 'zod';
import type { PlanFault } from '../domain/plan.ts';
import { oneLine, truncate } from '../domain/text.ts';
import { findJson } from './find-json.ts';
import { distinctKey, inOrder, joinTail, type PlannedStep, slug } from './steps.ts';

/** `faults` of a good plan are what was put right without asking. */
export type ParsedPlan =
  | { readonly ok: true; readonly steps: readonly PlannedStep[]; readonly faults: readonly PlanFault[] }
  | { readonly ok: false; readonly faults: readonly PlanFault[] };

const Name = z.union([z.string(), z.number()]).transform(String);
const RawStep = z.object({
  key: Name.nullish(),
  title: z.string().nullish(),
  task: z.string().nullish(),
  role: z.string().nullish(),
  needs: z.union([z.array(Name), Name.transform((need) => [need])]).nullish(),
});
type RawStep = z.infer<typeof RawStep>;
const RawPlan = z.union([
  z.array(z.unknown()),
  z.object({ steps: z.array(z.unknown()) }).transform(({ steps }) => steps),
]);

const TASK_CHARS = 4000;
const fault = (step: string | null, message: string): PlanFault => ({ step, message });

/** The last thing in the text that looks like a plan: reasoning, if any, comes before it. */
const findSteps = (text: string): readonly unknown[] | null => {
  for (const value of findJson(text).toReversed()) {
    const plan = RawPlan.safeParse(value);
    if (plan.success && plan.data.some((step) => typeof step === 'object' && step !== null)) return plan.data;
  }
  return null;
};

interface Draft {
  readonly step: PlannedStep;
  /** What its author called it. */
  readonly called: string;
}

const readSteps = (raws: readonly unknown[], faults: PlanFault[]): readonly Draft[] => {
  const drafts: Draft[] = [];
  const taken = new Set<string>();
  raws.forEach((raw, index) => {
    const parsed = RawStep.safeParse(raw);
    if (!parsed.success) {
      faults.push(fault(null, `Step ${index + 1} is not a step and was left out.`));
      return;
    }
    const draft = toDraft(parsed.data, index, taken);
    if (draft) drafts.push(draft);
    else faults.push(fault(null, `Step ${index + 1} has no task and was left out.`));
  });
  return drafts;
};

const toDraft = (raw: RawStep, index: number, taken: Set<string>): Draft | null => {
  const title = raw.title?.trim() ?? '';
  const task = raw.task?.trim() || title;
  if (!task) return null;
  const called = raw.key?.trim() ?? '';
  const key = distinctKey(slug(called || title, `step-${index + 1}`), taken);
  taken.add(key);
  return {
    called: called || key,
    step: {
      key,
      title: oneLine(title || task, 60),
      task: truncate(task, TASK_CHARS),
      role: slug(raw.role ?? '', 'worker'),
      needs: raw.needs ?? [],
    },
  };
};

/** Steps that say the same become one. */
const joinDuplicates = (
  drafts: readonly Draft[],
  faults: PlanFault[],
): { readonly kept: readonly Draft[]; readonly keyOf: ReadonlyMap<string, string> } => {
  const byTask = new Map<string, Draft>();
  const keyOf = new Map<string, string>();
  const remember = (name: string, key: string): void => void (keyOf.has(name) || keyOf.set(name, key));
  for (const draft of drafts) {
    const said = draft.step.task.toLowerCase().replace(/\s+/g, ' ');
    const first = byTask.get(said);
    if (first) {
      faults.push(fault(draft.step.key, `Says the same as ${first.step.key}; the two became one.`));
      byTask.set(said, { ...first, step: { ...first.step, needs: [...first.step.needs, ...draft.step.needs] } });
    } else byTask.set(said, draft);
    remember(draft.called, (first ?? draft).step.key);
  }
  for (const { step } of byTask.values()) remember(step.key, step.key);
  return { kept: [...byTask.values()], keyOf };
};

const resolveNeeds = (step: PlannedStep, keyOf: ReadonlyMap<string, string>, faults: PlanFault[]): PlannedStep => {
  const needs = new Set<string>();
  for (const need of step.needs) {
    const key = keyOf.get(need.trim()) ?? keyOf.get(slug(need, ''));
    if (key === undefined) faults.push(fault(step.key, `Needs ${oneLine(need, 40)}, which is no step; left out.`));
    else if (key === step.key) faults.push(fault(step.key, 'Needs itself; left out.'));
    else needs.add(key);
  }
  return { ...step, needs: [...needs] };
};

/**
 * Reads a planner's answer. Small mistakes are put right and told as faults; no plan at all, no step with a task, or steps
 * that need each other in a circle are refused.
 */
export const parsePlan = (text: string, limits: { readonly maxSteps: number }): ParsedPlan => {
  const faults: PlanFault[] = [];
  const raws = findSteps(text);
  if (!raws) return { ok: false, faults: [fault(null, 'The answer holds no JSON object with a list of steps.')] };
  const { kept, keyOf } = joinDuplicates(readSteps(raws, faults), faults);
  const steps = kept.map(({ step }) => resolveNeeds(step, keyOf, faults));
  if (steps.length === 0) return { ok: false, faults: [...faults, fault(null, 'The plan has no step with a task.')] };
  if (!inOrder(steps)) return { ok: false, faults: [...faults, fault(null, 'Steps need each other in a circle.')] };
  if (steps.length > limits.maxSteps)
    faults.push(fault(null, `${steps.length} steps are more than ${limits.maxSteps}; the last ones became one.`));
  return { ok: true, steps: joinTail(steps, Math.max(1, limits.maxSteps)), faults };
};
