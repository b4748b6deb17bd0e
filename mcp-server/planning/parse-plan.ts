import { z } from 'zod';
import { type Pattern, type PlanFault, WISHED_PATTERNS } from '../domain/plan.ts';
import { oneLine, truncate } from '../domain/text.ts';
import { findJson } from './find-json.ts';
import { readWishes, type WishLimits } from './step-wishes.ts';
import { distinctKey, inOrder, joinedWishes, joinTail, type PlannedStep, slug } from './steps.ts';

/** `faults` of a good plan are what was put right without asking. */
export type ParsedPlan =
  | {
      readonly ok: true;
      readonly steps: readonly PlannedStep[];
      /** What the planner proposed; null when it proposed none. */
      readonly pattern: Pattern | null;
      readonly faults: readonly PlanFault[];
    }
  | { readonly ok: false; readonly faults: readonly PlanFault[] };

/** What a planner may give to steps: what it was offered by `planSchema`. */
export interface ParseLimits extends WishLimits {
  readonly maxSteps: number;
}

const Name = z.union([z.string(), z.number()]).transform(String);
/** A list, or one thing of it; anything else counts as not said. */
const Names = z.union([z.array(Name), Name.transform((name) => [name])]).nullish();
const Wish = Names.catch(null);
const RawStep = z.object({
  key: Name.nullish(),
  title: z.string().nullish(),
  task: z.string().nullish(),
  role: z.string().nullish(),
  needs: Names,
  files: Wish,
  capabilities: Wish,
  skills: Wish,
  commands: Wish,
});
type RawStep = z.infer<typeof RawStep>;
const RawPlan = z.union([
  z.array(z.unknown()).transform((steps) => ({ steps, pattern: null })),
  z.object({ steps: z.array(z.unknown()), pattern: z.enum(WISHED_PATTERNS).nullish().catch(null) }),
]);
type RawPlan = z.infer<typeof RawPlan>;

const TASK_CHARS = 4000;
const fault = (step: string | null, message: string): PlanFault => ({ step, message });

/** The last thing in the text that looks like a plan: reasoning, if any, comes before it. */
const findPlan = (text: string): RawPlan | null => {
  for (const value of findJson(text).toReversed()) {
    const plan = RawPlan.safeParse(value);
    if (plan.success && plan.data.steps.some((step) => typeof step === 'object' && step !== null)) return plan.data;
  }
  return null;
};

interface Draft {
  readonly step: PlannedStep;
  /** What its author called it. */
  readonly called: string;
}

const readSteps = (raws: readonly unknown[], limits: ParseLimits, faults: PlanFault[]): readonly Draft[] => {
  const drafts: Draft[] = [];
  const taken = new Set<string>();
  raws.forEach((raw, index) => {
    const parsed = RawStep.safeParse(raw);
    if (!parsed.success) {
      faults.push(fault(null, `Step ${index + 1} is not a step and was left out.`));
      return;
    }
    const draft = toDraft(parsed.data, index, taken);
    if (draft) drafts.push(withWishes(draft, parsed.data, limits, faults));
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

const withWishes = (draft: Draft, raw: RawStep, limits: ParseLimits, faults: PlanFault[]): Draft => {
  const { files = null, capabilities = null, skills = null, commands = null } = raw;
  const wishes = readWishes(draft.step.key, { files, capabilities, skills, commands }, limits, faults);
  return { ...draft, step: { ...draft.step, ...wishes } };
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
      byTask.set(said, { ...first, step: both(first.step, draft.step) });
    } else byTask.set(said, draft);
    remember(draft.called, (first ?? draft).step.key);
  }
  for (const { step } of byTask.values()) remember(step.key, step.key);
  return { kept: [...byTask.values()], keyOf };
};

/** Of two that say the same, the first, with what the second needs and wants besides. */
const both = (first: PlannedStep, second: PlannedStep): PlannedStep => {
  const { key, title, task, role } = first;
  return { key, title, task, role, needs: [...first.needs, ...second.needs], ...joinedWishes([first, second]) };
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
export const parsePlan = (text: string, limits: ParseLimits): ParsedPlan => {
  const faults: PlanFault[] = [];
  const raw = findPlan(text);
  if (!raw) return { ok: false, faults: [fault(null, 'The answer holds no JSON object with a list of steps.')] };
  const { kept, keyOf } = joinDuplicates(readSteps(raw.steps, limits, faults), faults);
  const steps = kept.map(({ step }) => resolveNeeds(step, keyOf, faults));
  if (steps.length === 0) return { ok: false, faults: [...faults, fault(null, 'The plan has no step with a task.')] };
  if (!inOrder(steps)) return { ok: false, faults: [...faults, fault(null, 'Steps need each other in a circle.')] };
  if (steps.length > limits.maxSteps)
    faults.push(fault(null, `${steps.length} steps are more than ${limits.maxSteps}; the last ones became one.`));
  return { ok: true, steps: joinTail(steps, Math.max(1, limits.maxSteps)), pattern: raw.pattern ?? null, faults };
};
