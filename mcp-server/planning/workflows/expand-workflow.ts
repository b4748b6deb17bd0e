import type { Condition, EdgePolicy, Plan, PlanStep } from '../../domain/plan.ts';
import { renamedCondition, stepsAsked } from '../conditions.ts';
import { buildPlan } from '../patterns/build.ts';
import { type Nested, type Part, type PatternOptions, partsOf as partsIn } from '../patterns/spec.ts';
import type { PlannedStep } from '../steps.ts';
import { validatePlan } from '../validate-plan.ts';
import { fillParameters } from './parameters.ts';
import { patternOf } from './pattern-node.ts';
import { fillIn, type Values } from './placeholders.ts';
import type { Workflow, WorkflowNode } from './workflow.ts';

/** Where in the workflow a node stands. */
export interface Place {
  /** Keys of the nodes around it, each with a dot at its end. */
  readonly path: string;
  readonly values: Values;
  readonly library: ReadonlyMap<string, Workflow>;
  /** Of sub-workflows. */
  readonly depth: number;
  /** Filled in: tiers that nodes ask for, by key of the step. */
  readonly tiers: Map<string, PlanStep['tier']>;
  /** Steps that the workflow may still have, loops rolled out. */
  readonly room: { left: number };
}

export type Expanded =
  | { readonly ok: true; readonly plan: Plan }
  | { readonly ok: false; readonly problems: readonly string[] };

const MOST_NESTED = 5;
/** More are not rolled out, since joining them to fit a run's limits would take too long. */
const MOST_STEPS = 5000;

/** What the person who wrote the workflow must put right. */
class Problem extends Error {}

/** The plan of a checked workflow with these values: loops rolled out, sub-workflows and patterns put in their places. */
export const expandWorkflow = (
  workflow: Workflow,
  given: Values,
  library: ReadonlyMap<string, Workflow>,
  options: PatternOptions,
): Expanded => {
  const filled = fillParameters(workflow, given);
  if (!filled.ok) return filled;
  const tiers = new Map<string, PlanStep['tier']>();
  try {
    const room = { left: MOST_STEPS };
    const parts = partsOf(workflow.nodes, { path: '', values: filled.values, library, depth: 0, tiers, room });
    const source = { by: 'workflow', workflow: workflow.name } as const;
    const plan = buildPlan({ pattern: 'workflow', parts }, { ...options, source });
    const steps = plan.steps.map((step) => ({ ...step, tier: tiers.get(step.key) ?? step.tier }));
    const faults = validatePlan({ steps }, options).map(({ step, message }) =>
      step ? `${step}: ${message}` : message,
    );
    return faults.length > 0
      ? { ok: false, problems: faults }
      : { ok: true, plan: { ...plan, pattern: 'workflow', steps } };
  } catch (error) {
    if (error instanceof Problem) return { ok: false, problems: [error.message] };
    throw error;
  }
};

type Nodes = Readonly<Record<string, WorkflowNode>>;

/** Those with a budget get it; the others share what is left. */
const shares = (nodes: Nodes): ReadonlyMap<string, number> => {
  const all = Object.entries(nodes);
  const said = all.reduce((sum, [, node]) => sum + (node.budget ?? 0), 0);
  const silent = all.filter(([, node]) => node.budget === undefined).length;
  const rest = Math.max(1, 100 - said) / Math.max(1, silent);
  return new Map(all.map(([name, node]) => [name, node.budget ?? Math.round(rest * 100) / 100]));
};

export const partsOf = (nodes: Nodes, place: Place): readonly Part[] => {
  const weights = shares(nodes);
  return Object.entries(nodes).map(([name, node]) => partOf(name, node, weights.get(name) ?? 1, place));
};

const partOf = (name: string, node: WorkflowNode, weight: number, place: Place): Part => {
  const inner = { ...place, path: `${place.path}${name}.` };
  if (node.pattern === 'saga') {
    const parts = partsOf(node.nodes ?? {}, inner);
    return nested(name, node, weight, place, { pattern: 'saga', name, parts });
  }
  if (node.pattern) {
    const spec = patternOf(name, node, place.values, plainStep(name, node, weight, place));
    if (!spec)
      throw new Problem(`${place.path}${name}: there are no items to work on. Check "over" and its parameter.`);
    take(place, spec.pattern === 'pipeline' ? spec.items.length * spec.stages.length : partsIn(spec).length);
    return nested(name, node, weight, place, spec);
  }
  if (node.repeat) return nested(name, node, weight, place, { pattern: 'workflow', parts: rounds(node, inner) });
  if (node.workflow) {
    const parts = subParts(name, node.workflow, node, inner);
    return nested(name, node, weight, place, { pattern: 'workflow', parts });
  }
  take(place, 1);
  if (node.tier) place.tiers.set(`${place.path}${name}`, node.tier);
  return { ...plainStep(name, node, weight, place), ...tiesOf(node) };
};

const take = ({ room }: Place, steps: number): void => {
  room.left -= steps;
  if (room.left < 0)
    throw new Problem(`It has more than ${MOST_STEPS} steps with its loops rolled out: let them go round less often.`);
};

const nested = (key: string, node: WorkflowNode, weight: number, place: Place, spec: Nested['spec']): Nested => ({
  key,
  title: fillIn(node.title ?? key, place.values),
  weight,
  spec,
  ...tiesOf(node),
});

const tiesOf = ({ needs = [], when, onFailure }: WorkflowNode): Pick<Nested, 'needs' | 'when' | 'onFailure'> => {
  const policies: Readonly<Record<string, EdgePolicy>> | undefined =
    typeof onFailure === 'string' ? Object.fromEntries(needs.map((need) => [need, onFailure])) : onFailure;
  return { needs, ...(when ? { when } : {}), ...(policies ? { onFailure: policies } : {}) };
};

const plainStep = (key: string, node: WorkflowNode, weight: number, place: Place): PlannedStep => {
  const fields = {
    work: node.processor
      ? ({ kind: 'compute', processor: node.processor, options: node.options ?? {} } as const)
      : undefined,
    join: node.pattern === undefined ? joinOf(node) : undefined,
    weight: node.processor ? undefined : weight,
    temperature: node.temperature,
    retries: node.retries,
    timeoutMs: node.timeout === undefined ? undefined : Math.round(node.timeout * 1000),
    saga: node.saga && `${place.path}${node.saga}`,
    undo: node.undo,
    skills: node.skills,
    capabilities: node.capabilities,
    permissions: permissionsOf(node),
    server: node.server,
    model: node.model,
    urgency: node.urgency,
    files: node.files?.map((file) => fillIn(file, place.values)),
  };
  return {
    key,
    title: fillIn(node.title ?? key, place.values),
    task: fillIn(node.prompt ?? `Work out ${node.processor ?? 'nothing'} of the results.`, place.values),
    role: node.role ?? node.tier ?? 'worker',
    needs: [],
    ...(Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<PlannedStep>),
  };
};

const permissionsOf = ({ commands }: WorkflowNode): PlanStep['permissions'] | undefined => {
  if (commands === undefined) return undefined;
  return { commands: commands === 'off' ? 'off' : { allowed: commands } };
};

const joinOf = ({ quorum, within }: WorkflowNode): PlanStep['join'] | undefined =>
  quorum === undefined && within === undefined
    ? undefined
    : { quorum: quorum ?? null, withinMs: within === undefined ? null : Math.round(within * 1000) };

/**
 * A loop, rolled out: each round begins when the one before is settled, and is omitted once the condition held. A
 * processor lays the rounds' results one after another, for whoever comes after the loop.
 */
const rounds = (node: WorkflowNode, place: Place): readonly Part[] => {
  const { atMost, until } = node.repeat ?? { atMost: 1 };
  const nodes = node.nodes ?? {};
  const parts: Part[] = [];
  const ends: string[] = [];
  let before: readonly string[] = [];
  for (let round = 1; round <= atMost; round += 1) {
    const rename = (name: string): readonly string[] => [Object.hasOwn(nodes, name) ? `${round}-${name}` : name];
    const going = until && round > 1 ? notYet(renamedCondition(until, (name) => [`${round - 1}-${name}`])) : undefined;
    const inner = renamedNodes(nodes, rename);
    for (const part of partsOf(inner, { ...place, values: { ...place.values, round } })) {
      const first = part.needs.length === 0;
      parts.push({ ...part, needs: first ? before : part.needs, ...(going ? { when: both(going, part.when) } : {}) });
    }
    const needed = new Set(Object.values(inner).flatMap(({ needs = [] }) => needs));
    before = Object.keys(inner).filter((name) => !needed.has(name));
    ends.push(...before);
  }
  return [...parts, { ...COLLECTED, needs: ends }];
};

const COLLECTED: PlannedStep = {
  key: 'result',
  title: 'all rounds',
  task: 'Lays the results of the rounds one after another.',
  role: 'concat',
  needs: [],
  work: { kind: 'compute', processor: 'concat', options: {} },
};

const both = (one: Condition, other: Condition | undefined): Condition => (other ? { all: [one, other] } : one);

type Rename = (name: string) => readonly string[];

const renamedNodes = (nodes: Nodes, rename: Rename): Nodes =>
  Object.fromEntries(
    Object.entries(nodes).map(([name, node]) => [
      rename(name)[0],
      {
        ...node,
        ...(node.needs ? { needs: node.needs.flatMap(rename) } : {}),
        ...(node.when ? { when: renamedCondition(node.when, rename) } : {}),
        ...(node.nodes ? { nodes: lookingAt(node.nodes, rename) } : {}),
        ...(typeof node.onFailure === 'object'
          ? {
              onFailure: Object.fromEntries(
                Object.entries(node.onFailure).map(([need, how]) => [rename(need)[0], how]),
              ),
            }
          : {}),
      },
    ]),
  );

/** Nodes further in, whose conditions look at what has another name now. What they call so themselves is theirs. */
const lookingAt = (nodes: Nodes, rename: Rename): Nodes => {
  const outer: Rename = (name) => (Object.hasOwn(nodes, name) ? [name] : rename(name));
  return Object.fromEntries(
    Object.entries(nodes).map(([name, node]) => [
      name,
      {
        ...node,
        ...(node.when ? { when: renamedCondition(node.when, outer) } : {}),
        ...(node.nodes ? { nodes: lookingAt(node.nodes, outer) } : {}),
      },
    ]),
  );
};

/** The round before took place, and its condition did not hold. */
const notYet = (until: Condition): Condition => ({
  all: [
    ...stepsAsked(until)
      .slice(0, 1)
      .map((step) => ({ not: { step, is: 'omitted' as const } })),
    { not: until },
  ],
});

const subParts = (name: string, called: string, node: WorkflowNode, place: Place): readonly Part[] => {
  const workflow = place.library.get(called);
  if (!workflow) throw new Problem(`${place.path}${name} names the workflow "${called}", which there is not.`);
  if (place.depth >= MOST_NESTED)
    throw new Problem(`Workflows are nested more than ${MOST_NESTED} deep at ${place.path}; does one use itself?`);
  const given = Object.entries(node.with ?? {}).map(
    ([key, value]) => [key, typeof value === 'string' ? fillIn(value, place.values) : value] as const,
  );
  const filled = fillParameters(workflow, Object.fromEntries(given));
  if (!filled.ok) throw new Problem(`${name} (${workflow.name}): ${filled.problems.join(' ')}`);
  return partsOf(workflow.nodes, { ...place, values: filled.values, depth: place.depth + 1 });
};
