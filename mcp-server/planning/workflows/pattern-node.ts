import { mappersFor } from '../patterns/map-reduce.ts';
import { askEach } from '../patterns/scatter-gather.ts';
import type { Item, PatternSpec } from '../patterns/spec.ts';
import { distinctKey, type PlannedStep, slug } from '../steps.ts';
import { fillIn, itemsOf, type Values } from './placeholders.ts';
import type { WorkflowNode } from './workflow.ts';

const VOICES = 3;

/** The pattern that a node names; `step` has what the node says of each of its agents. Null: there are no items. */
export const patternOf = (name: string, node: WorkflowNode, values: Values, step: PlannedStep): PatternSpec | null => {
  const { weight: _weight, ...work } = step;
  if (node.pattern === 'scatter-gather') return scattered(name, node, work);
  const items = named(node.over === undefined ? [] : itemsOf(node.over, values));
  if (items.length === 0) return null;
  if (node.pattern === 'pipeline')
    return { pattern: 'pipeline', items, stages: stagesOf(node, values, work), gather: null };
  const parts = mappersFor(items, work);
  if (node.pattern === 'fork-join') return { pattern: 'fork-join', parts };
  return { pattern: 'map-reduce', mappers: parts, reduce: { by: node.reduce ?? 'concat' } };
};

const named = (items: readonly string[]): readonly Item[] => {
  const taken = new Set<string>();
  return items.map((text, index) => {
    const key = distinctKey(slug(text, `item-${index + 1}`), taken);
    taken.add(key);
    return { key, title: text, text };
  });
};

const scattered = (name: string, node: WorkflowNode, work: PlannedStep): PatternSpec => ({
  pattern: 'scatter-gather',
  voices: askEach(
    { ...work, key: name, needs: [] },
    Array.from({ length: node.agents ?? VOICES }, () => ({})),
  ),
  gather: { by: node.gather ?? 'best-of' },
  quorum: node.quorum ?? null,
  withinMs: node.within === undefined ? null : Math.round(node.within * 1000),
});

const stagesOf = (node: WorkflowNode, values: Values, work: PlannedStep): readonly PlannedStep[] =>
  (node.stages ?? []).map((stage): PlannedStep => {
    const { join: _join, ...common } = work;
    return {
      ...common,
      key: stage.name,
      title: stage.name,
      task: fillIn(stage.prompt ?? `Work out ${stage.processor ?? 'nothing'}.`, values),
      role: stage.role ?? work.role,
      needs: [],
      ...(stage.processor
        ? { work: { kind: 'compute' as const, processor: stage.processor, options: stage.options ?? {} } }
        : {}),
    };
  });
