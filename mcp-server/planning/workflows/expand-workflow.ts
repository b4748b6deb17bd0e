import type { Condition, EdgePolicy, Plan, PlanStep } from '../../domain/plan.ts';
import { inOrder } from '../steps.ts';
import { stepsOf } from './check-workflow.ts';
import { fillParameters } from './parameters.ts';
import { patternPiece } from './pattern-node.ts';
import { fillIn, type Values } from './placeholders.ts';
import type { Workflow, WorkflowNode } from './workflow.ts';

/** Steps that stand for one node. Those at the entries need nothing inside; whoever needs the node needs the exits. */
export interface Piece {
  readonly steps: readonly PlanStep[];
  readonly entries: readonly string[];
  readonly exits: readonly string[];
}

export interface Scope {
  /** Begins every key. */
  readonly prefix: string;
  readonly values: Values;
  /** Share of the tokens that all of the scope's steps have together. */
  readonly weight: number;
  readonly saga: string | undefined;
  /** Of sub-workflows. */
  readonly depth: number;
  readonly library: ReadonlyMap<string, Workflow>;
  /** Exits of nodes further out, for conditions. */
  readonly outer: Exits;
}

export type Expanded =
  | { readonly ok: true; readonly plan: Plan }
  | { readonly ok: false; readonly problems: readonly string[] };

const MOST_NESTED = 5;
const TEMPERATURE = { worker: 0.7, synthesizer: 0.4, executive: 0.2 } as const;
/** A processor spends no tokens; a step's weight must be above zero. */
const NO_WEIGHT = 1e-9;

class Problem extends Error {}

/** The plan of a checked workflow with these values: loops rolled out, sub-workflows and patterns put in their places. */
export const expandWorkflow = (workflow: Workflow, given: Values, library: ReadonlyMap<string, Workflow>): Expanded => {
  const filled = fillParameters(workflow, given);
  if (!filled.ok) return filled;
  const scope: Scope = {
    prefix: '',
    values: filled.values,
    weight: 100,
    saga: undefined,
    depth: 0,
    library,
    outer: new Map(),
  };
  try {
    const { steps } = nodesPiece(workflow.nodes, scope);
    return { ok: true, plan: { pattern: 'workflow', source: { by: 'workflow', workflow: workflow.name }, steps } };
  } catch (error) {
    if (error instanceof Problem) return { ok: false, problems: [error.message] };
    throw error;
  }
};

type Nodes = Readonly<Record<string, WorkflowNode>>;
type Exits = ReadonlyMap<string, readonly string[]>;

/** Nodes side by side, bound by their needs; `names` has the exits of each, and of those further out. */
const nodesPiece = (nodes: Nodes, scope: Scope): Piece & { readonly names: Exits } => {
  const weights = shares(nodes, scope.weight);
  const names = new Map(scope.outer);
  const pieces = new Map<string, Piece>();
  const order = inOrder(Object.entries(nodes).map(([key, { needs = [] }]) => ({ key, needs })));
  if (!order) throw new Problem('Nodes need each other in a circle.');
  for (const { key } of order) {
    const node = nodes[key];
    if (!node) continue;
    const piece = nodePiece(key, node, { ...scope, weight: weights.get(key) ?? 1, outer: names });
    names.set(key, piece.exits);
    pieces.set(key, bind(piece, node, names));
  }
  const all = Object.keys(nodes).flatMap((name) => pieces.get(name) ?? []);
  const needed = new Set(Object.values(nodes).flatMap((node) => node.needs ?? []));
  const of = (keep: (name: string) => boolean): readonly Piece[] =>
    Object.keys(nodes)
      .filter(keep)
      .flatMap((name) => pieces.get(name) ?? []);
  return {
    steps: all.flatMap(({ steps }) => steps),
    entries: of((name) => !nodes[name]?.needs?.length).flatMap(({ entries }) => entries),
    exits: of((name) => !needed.has(name)).flatMap(({ exits }) => exits),
    names,
  };
};

/** Those with a budget get it; the others share what is left. */
const shares = (nodes: Nodes, weight: number): ReadonlyMap<string, number> => {
  const all = Object.entries(nodes);
  const said = all.reduce((sum, [, node]) => sum + (node.budget ?? 0), 0);
  const silent = all.filter(([, node]) => node.budget === undefined).length;
  const rest = Math.max(1, 100 - said) / Math.max(1, silent);
  return new Map(all.map(([name, node]) => [name, (weight * (node.budget ?? rest)) / 100]));
};

/** Ties a node's steps to those of the nodes that it needs, and to its conditions. */
const bind = (piece: Piece, node: WorkflowNode, exits: Exits): Piece => {
  const needs = (node.needs ?? []).flatMap((need) => exits.get(need) ?? []);
  const parent = node.parent === undefined ? undefined : (exits.get(node.parent)?.[0] ?? null);
  const when = node.when && resolve(node.when, exits);
  const policies = edgePolicies(node, exits);
  const steps = piece.steps.map((step): PlanStep => {
    const first = piece.entries.includes(step.key);
    const whole = when && step.when ? { all: [when, step.when] } : (when ?? step.when);
    return {
      ...step,
      ...(whole ? { when: whole } : {}),
      ...(parent !== undefined && step.parent === null ? { parent } : {}),
      ...(first ? { needs: [...needs, ...step.needs], ...policies } : {}),
    };
  });
  return { ...piece, steps };
};

const edgePolicies = (node: WorkflowNode, exits: Exits): Pick<PlanStep, 'onFailure'> | Record<string, never> => {
  const { onFailure } = node;
  if (onFailure === undefined) return {};
  const of = (need: string): EdgePolicy | undefined => (typeof onFailure === 'string' ? onFailure : onFailure[need]);
  const pairs = (node.needs ?? []).flatMap((need) => {
    const policy = of(need);
    return policy ? (exits.get(need) ?? []).map((key) => [key, policy] as const) : [];
  });
  return pairs.length > 0 ? { onFailure: Object.fromEntries(pairs) } : {};
};

/** Names of nodes become keys of steps: of its last exit, where a node is several. */
const resolve = (condition: Condition, exits: Exits): Condition => {
  if ('step' in condition) return { ...condition, step: exits.get(condition.step)?.at(-1) ?? condition.step };
  if ('not' in condition) return { not: resolve(condition.not, exits) };
  if ('all' in condition) return { all: condition.all.map((one) => resolve(one, exits)) };
  return { any: condition.any.map((one) => resolve(one, exits)) };
};

const nodePiece = (name: string, node: WorkflowNode, scope: Scope): Piece => {
  if (node.pattern === 'saga') return sagaPiece(name, node, scope);
  if (node.pattern) return patternPiece(name, node, scope, stepOf);
  if (node.repeat && node.nodes) return loopPiece(name, node, scope);
  if (node.workflow) return subPiece(name, node, scope);
  const step = stepOf(name, node, scope);
  return { steps: [step], entries: [step.key], exits: [step.key] };
};

/** One step of a node; patterns call it for each of theirs, with more values. */
export const stepOf = (name: string, node: WorkflowNode, scope: Scope): PlanStep => {
  const tier = node.tier ?? 'worker';
  const saga = node.saga ? `${scope.prefix}${node.saga}` : scope.saga;
  const fields = {
    work: node.processor
      ? ({ kind: 'compute', processor: node.processor, options: node.options ?? {} } as const)
      : undefined,
    join: node.quorum !== undefined || node.within !== undefined ? joinOf(node) : undefined,
    retries: node.retries,
    timeoutMs: node.timeout === undefined ? undefined : Math.round(node.timeout * 1000),
    saga,
    undo: node.undo,
    skills: node.skills,
    capabilities: node.capabilities,
    permissions:
      node.commands === undefined
        ? undefined
        : { commands: node.commands === 'off' ? ('off' as const) : { allowed: node.commands } },
    server: node.server,
    model: node.model,
    urgency: node.urgency,
    files: node.files,
  };
  return {
    key: `${scope.prefix}${name}`,
    title: fillIn(node.title ?? name, scope.values),
    task: fillIn(node.prompt ?? `Runs ${node.processor ?? 'nothing'}.`, scope.values),
    role: node.role ?? tier,
    tier,
    needs: [],
    toleratesFailure: false,
    parent: null,
    weight: node.processor ? NO_WEIGHT : Math.max(Math.round(scope.weight * 100) / 100, 0.01),
    temperature: node.temperature ?? TEMPERATURE[tier],
    ...(Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<PlanStep>),
  };
};

const joinOf = (node: WorkflowNode): NonNullable<PlanStep['join']> => ({
  quorum: node.quorum ?? null,
  withinMs: node.within === undefined ? null : Math.round(node.within * 1000),
});

/** Its nodes in one saga: when one fails, those that are done are undone. */
const sagaPiece = (name: string, node: WorkflowNode, scope: Scope): Piece =>
  nodesPiece(node.nodes ?? {}, { ...scope, prefix: `${scope.prefix}${name}-`, saga: `${scope.prefix}${name}` });

/**
 * A loop is rolled out: each round begins when the one before is settled, and is omitted once the condition held. The
 * exits are those of every round, so that whoever comes after it gets all reports.
 */
const loopPiece = (name: string, node: WorkflowNode, scope: Scope): Piece => {
  const { atMost, until } = node.repeat ?? { atMost: 1 };
  const rounds: Piece[] = [];
  let going: Condition | undefined;
  for (let round = 1; round <= atMost; round += 1) {
    const inner: Scope = {
      ...scope,
      prefix: `${scope.prefix}${name}-${round}-`,
      values: { ...scope.values, round },
      weight: scope.weight / atMost,
    };
    const piece = nodesPiece(node.nodes ?? {}, inner);
    const before = rounds.at(-1);
    rounds.push(after(piece, before?.exits ?? [], going));
    if (until) going = notYet(resolve(until, piece.names));
  }
  return {
    steps: rounds.flatMap(({ steps }) => steps),
    entries: rounds[0]?.entries ?? [],
    exits: rounds.flatMap(({ exits }) => exits),
  };
};

const after = (piece: Piece, needs: readonly string[], when: Condition | undefined): Piece => ({
  ...piece,
  steps: piece.steps.map((step) => ({
    ...step,
    ...(piece.entries.includes(step.key) ? { needs: [...needs, ...step.needs] } : {}),
    ...(when ? { when: step.when ? { all: [when, step.when] } : when } : {}),
  })),
});

/** The round before took place, and its condition did not hold. */
const notYet = (until: Condition): Condition => {
  const [looked] = stepsOf(until);
  return {
    all: [...(looked === undefined ? [] : [{ not: { step: looked, is: 'omitted' as const } }]), { not: until }],
  };
};

const subPiece = (name: string, node: WorkflowNode, scope: Scope): Piece => {
  const workflow = scope.library.get(node.workflow ?? '');
  if (!workflow) throw new Problem(`The node ${name} names the workflow "${node.workflow}", which there is not.`);
  if (scope.depth >= MOST_NESTED)
    throw new Problem(
      `Workflows are nested more than ${MOST_NESTED} deep at ${scope.prefix}${name}; does one use itself?`,
    );
  const given = Object.entries(node.with ?? {}).map(
    ([key, value]) => [key, typeof value === 'string' ? fillIn(value, scope.values) : value] as const,
  );
  const filled = fillParameters(workflow, Object.fromEntries(given));
  if (!filled.ok) throw new Problem(`${name} (${workflow.name}): ${filled.problems.join(' ')}`);
  const prefix = `${scope.prefix}${name}-`;
  const inner = { ...scope, prefix, values: filled.values, depth: scope.depth + 1, outer: new Map() };
  return nodesPiece(workflow.nodes, inner);
};
