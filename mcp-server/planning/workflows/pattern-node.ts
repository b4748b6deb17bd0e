import type { PlanStep } from '../../domain/plan.ts';
import type { Piece, Scope } from './expand-workflow.ts';
import { fillIn, itemsOf } from './placeholders.ts';
import type { WorkflowNode } from './workflow.ts';

type StepOf = (name: string, node: WorkflowNode, scope: Scope) => PlanStep;
export const patternPiece = (name: string, node: WorkflowNode, scope: Scope, stepOf: StepOf): Piece => {
  const items = node.over === undefined ? [] : itemsOf(node.over, scope.values);
  const steps = items.map((item, index) =>
    stepOf(
      `${name}-${index + 1}`,
      { ...node, title: `${node.title ?? name}: ${item}` },
      {
        ...scope,
        values: { ...scope.values, item, number: index + 1, count: items.length },
        weight: scope.weight / items.length,
      },
    ),
  );
  void fillIn;
  return { steps, entries: steps.map((s) => s.key), exits: steps.map((s) => s.key) };
};
