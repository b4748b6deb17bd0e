import type { Step } from '../domain/plan.ts';
import { isSettled } from '../domain/transitions.ts';

/**
 * Steps that go on for nobody once a join has begun without them: they lead to it, directly or not, and to nothing else
 * that may still start. Those that need others come before these.
 */
export const unneeded = (steps: readonly Step[], joined: Pick<Step, 'key'>): readonly Step[] => {
  const byKey = new Map(steps.map((step) => [step.key, step]));
  const dependents = new Map<string, Step[]>();
  for (const step of steps)
    for (const need of step.needs) dependents.set(need, [...(dependents.get(need) ?? []), step]);
  const found = new Set<string>();
  for (const queue = [joined.key]; queue.length > 0; )
    for (const need of byKey.get(queue.pop() ?? '')?.needs ?? []) {
      const step = byKey.get(need);
      if (!step || found.has(need) || isSettled(step.state) || step.state === 'merging') continue;
      found.add(need);
      queue.push(need);
    }
  const wanted = (key: string): boolean =>
    (dependents.get(key) ?? []).some(
      ({ key: other, state }) => other !== joined.key && state === 'pending' && !found.has(other),
    );
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const key of found) if (wanted(key)) found.delete(key);
  }
  const order: Step[] = [];
  const visit = (key: string): void => {
    const step = byKey.get(key);
    if (!step || !found.delete(key)) return;
    for (const { key: other } of dependents.get(key) ?? []) visit(other);
    order.push(step);
  };
  for (const key of found) visit(key);
  return order;
};
