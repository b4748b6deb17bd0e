import { stringify } from 'yaml';
import { z } from 'zod';
import { DISTRIBUTIONS, PATTERNS, type Plan, type PlanStep } from '../../domain/plan.ts';
import { notPlaced } from '../distribute-steps.ts';
import { BUILT_IN_PROCESSORS, processorOf } from '../processors.ts';
import { type PlanLimits, validatePlan } from '../validate-plan.ts';
import { condition, edgePolicy } from './workflow.ts';
import { type Path, readYaml, schemaFaults, type TextFault } from './yaml-text.ts';

const Text = z.string().trim().min(1, 'must not be empty');

const Undo = z.union([
  z.strictObject({ kind: z.literal('revert') }),
  z.strictObject({ kind: z.literal('command'), argv: z.array(Text).min(1) }),
  z.strictObject({ kind: z.literal('agent'), task: Text }),
  z.strictObject({ kind: z.literal('none'), reason: Text }),
]);

/** A step as it stands in the file: what has its usual value is left out. */
const StepFields = z.strictObject({
  title: Text.optional(),
  task: Text,
  role: Text.default('worker'),
  tier: z.enum(['worker', 'synthesizer', 'executive']).default('worker'),
  needs: z.array(Text).default([]),
  parent: Text.nullable().default(null),
  weight: z.number().positive().default(1),
  temperature: z.number().min(0).max(2).default(0.7),
  toleratesFailure: z.boolean().default(false),
  work: z
    .union([
      z.strictObject({ kind: z.literal('agent') }),
      z.strictObject({
        kind: z.literal('compute'),
        processor: Text,
        options: z.record(z.string(), z.unknown()).default({}),
      }),
    ])
    .optional(),
  onFailure: z.record(z.string(), edgePolicy).optional(),
  when: condition.optional(),
  join: z
    .strictObject({
      quorum: z.int().min(1).nullable().default(null),
      withinMs: z.int().min(1).nullable().default(null),
    })
    .optional(),
  retries: z.int().min(0).max(10).optional(),
  timeoutMs: z.int().min(1000).optional(),
  saga: Text.optional(),
  undo: Undo.optional(),
  skills: z.array(Text).optional(),
  capabilities: z.array(Text).optional(),
  permissions: z
    .strictObject({
      commands: z.union([z.enum(['off', 'any']), z.strictObject({ allowed: z.array(Text) })]),
    })
    .optional(),
  server: Text.optional(),
  model: Text.optional(),
  urgency: z.int().optional(),
  files: z.array(Text).optional(),
  parts: z.number().positive().optional(),
  pattern: z.enum(PATTERNS).optional(),
});

const PlanFile = z.strictObject({
  pattern: z.enum(PATTERNS).default('fork-join'),
  distribution: z.enum(DISTRIBUTIONS).optional(),
  steps: z.record(
    z.string().regex(/^[a-z0-9][a-z0-9.-]*$/, 'keys are lower-case letters, digits, dots and hyphens'),
    StepFields,
  ),
});

const USUAL: Readonly<Record<string, unknown>> = {
  role: 'worker',
  tier: 'worker',
  parent: null,
  weight: 1,
  temperature: 0.7,
  toleratesFailure: false,
};

const HEAD = `# The plan of a run that has not begun. Change it and save: it is checked then.
# needs: steps that come before. parent: the step whose agent joins the work. weight: the share of the tokens.
`;
const ON_SERVERS = `# distribution: how the steps are shared out among the servers (${DISTRIBUTIONS.join(', ')}), save those that name a server.
`;

/** The plan as a person edits it. A server that the distribution chose is left out: it is chosen anew. */
export const planToYaml = (plan: Plan): string => {
  const steps = Object.fromEntries(notPlaced(plan).steps.map((step) => [step.key, shown(step)]));
  const { pattern, distribution } = plan;
  return (
    HEAD +
    (distribution ? ON_SERVERS : '') +
    stringify(
      { pattern, ...(distribution ? { distribution } : {}), steps },
      { lineWidth: 0, aliasDuplicateObjects: false },
    )
  );
};

const shown = ({ key: _key, ...step }: PlanStep): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(step).filter(
      ([name, value]) => value !== undefined && value !== USUAL[name] && !(name === 'needs' && step.needs.length === 0),
    ),
  );

export type ReadPlan =
  | { readonly ok: true; readonly plan: Plan }
  | { readonly ok: false; readonly faults: readonly TextFault[] };

/** Names of the processors that a plan asks for, each once. */
export const processorsIn = (steps: readonly Pick<PlanStep, 'work'>[]): readonly string[] => [
  ...new Set(steps.flatMap(({ work }) => (work?.kind === 'compute' ? [work.processor] : []))),
];

/** The same of a plan's text; none where it cannot be read. */
export const processorsInYaml = (text: string): readonly string[] => {
  const parsed = PlanFile.safeParse(readYaml(text).value);
  return parsed.success ? processorsIn(Object.values(parsed.data.steps) as Pick<PlanStep, 'work'>[]) : [];
};

/** In the words of a fault: what there is in its place. */
export const noProcessor = (name: string, own: ReadonlySet<string>): string =>
  `there is no processor "${name}". There are: ${[...BUILT_IN_PROCESSORS, ...own].join(', ')}; ` +
  `your own would be .coppice/processors/${name}.mjs, in a folder that you trust.`;

/** What a step says of names that are not there: processors, and needs that it does not have. */
const nameFaults = ({ key, work, needs, onFailure }: PlanStep, own: ReadonlySet<string>): readonly PlaceFault[] => [
  ...(work?.kind === 'compute' && !processorOf(work.processor) && !own.has(work.processor)
    ? [{ path: ['steps', key, 'work', 'processor'], message: `${key}: ${noProcessor(work.processor, own)}` }]
    : []),
  ...Object.keys(onFailure ?? {})
    .filter((need) => !needs.includes(need))
    .map((need) => ({ path: ['steps', key, 'onFailure', need], message: `${key}: it does not need "${need}".` })),
];

interface PlaceFault {
  readonly path: Path;
  readonly message: string;
}

/**
 * Reads what `planToYaml` wrote and a person changed; its source is the person. `own`: the processors of the person's own
 * that there are.
 */
export const planFromYaml = (text: string, limits: PlanLimits, own: ReadonlySet<string> = new Set()): ReadPlan => {
  const yaml = readYaml(text);
  if (yaml.faults.some(({ severity }) => severity === 'error')) return { ok: false, faults: yaml.faults };
  const parsed = PlanFile.safeParse(yaml.value);
  if (!parsed.success) return { ok: false, faults: schemaFaults(yaml, parsed.error.issues) };
  const { pattern, distribution, steps } = parsed.data;
  const plan: Plan = {
    pattern,
    source: { by: 'person' },
    steps: Object.entries(steps).map(
      ([key, fields]) => ({ ...given(fields), key, title: fields.title ?? key }) as PlanStep,
    ),
    ...(distribution ? { distribution } : {}),
  };
  const faults = [
    ...validatePlan(plan, limits).map(({ step, message }) => ({
      path: step === null ? ['steps'] : ['steps', step],
      message: step === null ? message : `${step}: ${message}`,
    })),
    ...plan.steps.flatMap((step) => nameFaults(step, own)),
  ].map(({ path, message }): TextFault => ({ ...yaml.at(path), severity: 'error', message }));
  return faults.length > 0 ? { ok: false, faults } : { ok: true, plan };
};

const given = <T extends object>(fields: T): Partial<T> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
