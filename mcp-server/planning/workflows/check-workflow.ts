import { stepsAsked } from '../conditions.ts';
import { inOrder } from '../steps.ts';
import { placeholdersOf } from './placeholders.ts';
import type { Workflow, WorkflowNode } from './workflow.ts';
import type { Path, TextFault, YamlText } from './yaml-text.ts';

type Nodes = Readonly<Record<string, WorkflowNode>>;

interface Check {
  readonly yaml: YamlText;
  readonly parameters: ReadonlySet<string>;
  /** Names of the workflows that there are; null: not known. */
  readonly workflows: ReadonlySet<string> | null;
  readonly faults: TextFault[];
}

/** What the schema cannot say: kinds of nodes, names that must exist, circles, budgets, placeholders. */
export const checkWorkflow = (
  yaml: YamlText,
  workflow: Workflow,
  workflows: ReadonlySet<string> | null,
): readonly TextFault[] => {
  const parameters = new Set(Object.keys(workflow.parameters ?? {}));
  const check: Check = { yaml, parameters, workflows, faults: [] };
  for (const [name, parameter] of Object.entries(workflow.parameters ?? {})) {
    const { choices, default: preset } = parameter;
    if (choices && preset !== undefined && !choices.includes(preset as string))
      fault(check, ['parameters', name, 'default'], `The default is not among the choices: ${choices.join(', ')}.`);
  }
  checkNodes(check, workflow.nodes, ['nodes'], []);
  return check.faults;
};

const fault = (check: Check, path: Path, message: string, severity: TextFault['severity'] = 'error'): void =>
  void check.faults.push({ ...check.yaml.at(path), severity, message });

const checkNodes = (check: Check, nodes: Nodes, path: Path, above: readonly string[]): void => {
  const names = Object.keys(nodes);
  if (names.length === 0) fault(check, path, 'There must be at least one node.');
  for (const [name, node] of Object.entries(nodes)) checkNode(check, nodes, name, node, [...path, name], above);
  const steps = names.map((key) => ({ key, needs: nodes[key]?.needs ?? [] }));
  if (!inOrder(steps)) fault(check, path, 'Nodes need each other in a circle.');
  const budget = names.reduce((sum, name) => sum + (nodes[name]?.budget ?? 0), 0);
  if (budget > 100) fault(check, path, `The budgets sum up to ${budget} percent; they must not be above 100.`);
};

const checkNode = (
  check: Check,
  siblings: Nodes,
  name: string,
  node: WorkflowNode,
  path: Path,
  above: readonly string[],
): void => {
  if (/^\d+$/.test(name))
    fault(check, path, `"${name}": a number keeps no place among names. Call it, say, step-${name}.`);
  for (const message of kindFaults(node)) fault(check, path, `${name}: ${message}`);
  checkNames(check, siblings, name, node, path);
  for (const step of node.when ? stepsAsked(node.when) : [])
    if (!isBefore(siblings, name, step) && !above.includes(step))
      fault(check, [...path, 'when'], `${name}: its condition looks at "${step}", which does not come before it.`);
  if (node.workflow && check.workflows && !check.workflows.has(node.workflow))
    fault(check, [...path, 'workflow'], `There is no workflow "${node.workflow}".`);
  checkPlaceholders(check, node, path);
  if (!node.nodes) return;
  for (const step of node.repeat?.until ? stepsAsked(node.repeat.until) : [])
    if (!Object.hasOwn(node.nodes, step))
      fault(check, [...path, 'repeat', 'until'], `The loop looks at "${step}", which is not one of its nodes.`);
  const before = Object.keys(siblings).filter((other) => isBefore(siblings, name, other));
  checkNodes(check, node.nodes, [...path, 'nodes'], [...above, ...before]);
};

const checkNames = (check: Check, siblings: Nodes, name: string, node: WorkflowNode, path: Path): void => {
  const known = (other: string): boolean => Object.hasOwn(siblings, other);
  const others = Object.keys(siblings).filter((other) => other !== name);
  const hint = others.length > 0 ? ` Nodes here: ${others.join(', ')}.` : '';
  (node.needs ?? []).forEach((need, index) => {
    if (need === name) fault(check, [...path, 'needs', index], `${name}: it needs itself.`);
    else if (!known(need))
      fault(check, [...path, 'needs', index], `${name}: it needs "${need}", which is no node.${hint}`);
  });
  if (typeof node.onFailure === 'object')
    for (const need of Object.keys(node.onFailure))
      if (!(node.needs ?? []).includes(need))
        fault(check, [...path, 'onFailure', need], `${name}: it does not need "${need}".`);
};

/** What one node is must be clear. */
const kindFaults = (node: WorkflowNode): readonly string[] => {
  if (node.pattern) return patternFaults(node);
  const kinds = [
    node.prompt !== undefined && 'prompt',
    node.processor !== undefined && 'processor',
    node.workflow !== undefined && 'workflow',
    node.nodes !== undefined && 'nodes',
  ].filter((kind) => kind !== false);
  if (kinds.length === 0) return ['it needs one of: prompt, processor, workflow, nodes (with repeat), pattern.'];
  if (kinds.length > 1) return [`it has ${kinds.join(' and ')}; only one of them can be.`];
  if (node.nodes && !node.repeat) return ['nodes inside of a node need repeat, or pattern: saga.'];
  if (node.repeat && !node.nodes) return ['repeat needs nodes: what it carries out again.'];
  return [];
};

const patternFaults = (node: WorkflowNode): readonly string[] => {
  const missing = (key: keyof WorkflowNode, why: string): readonly string[] =>
    node[key] === undefined ? [`a ${node.pattern} needs ${key}: ${why}.`] : [];
  if (node.pattern === 'saga') return missing('nodes', 'the steps, each with its undo');
  if (node.pattern === 'scatter-gather')
    return [
      ...missing('prompt', 'the question'),
      ...(node.quorum !== undefined && node.quorum > (node.agents ?? 3)
        ? [`its quorum of ${node.quorum} is more than the ${node.agents ?? 3} agents that are asked.`]
        : []),
    ];
  if (node.pattern === 'pipeline')
    return [
      ...missing('over', 'the items'),
      ...missing('stages', 'what is done with each item, in order'),
      ...(node.stages ?? [])
        .filter((stage) => (stage.prompt === undefined) === (stage.processor === undefined))
        .map((stage) => `stage ${stage.name} needs a prompt or a processor, and only one of them.`),
    ];
  return [...missing('over', 'the items'), ...missing('prompt', 'what is done with each')];
};

const isBefore = (nodes: Nodes, name: string, other: string, seen = new Set<string>()): boolean => {
  if (seen.has(name)) return false;
  seen.add(name);
  const needs = nodes[name]?.needs ?? [];
  return needs.includes(other) || needs.some((need) => isBefore(nodes, need, other, seen));
};

const checkPlaceholders = (check: Check, node: WorkflowNode, path: Path): void => {
  const texts: readonly (readonly [Path, unknown])[] = [
    [['prompt'], node.prompt],
    [['title'], node.title],
    [['over'], node.over],
    ...(node.stages ?? []).map((stage, index) => [['stages', index, 'prompt'], stage.prompt] as const),
    ...Object.entries(node.with ?? {}).map(([key, value]) => [['with', key], value] as const),
  ];
  const inner = new Set(node.pattern ? ['item'] : node.repeat ? ['round'] : []);
  for (const [at, text] of texts)
    for (const name of typeof text === 'string' ? placeholdersOf(text) : [])
      if (!check.parameters.has(name) && !inner.has(name) && name !== 'round')
        fault(
          check,
          [...path, ...at],
          `{{${name}}} is no parameter. Parameters: ${[...check.parameters].join(', ') || 'none'}.`,
        );
};
