import { inOrder } from '../steps.ts';
import { type Draft, type Fragment, type Scope, together, unitsOf } from './fragment.ts';
import type { Part, SagaSpec } from './spec.ts';

/** Each part needs the one before it. */
const chained = (parts: readonly Part[]): readonly Part[] => {
  const order = inOrder(parts);
  if (!order) throw new Error('The steps need each other in a circle.');
  return order.map((part, index) => {
    const before = order[index - 1];
    return before ? { ...part, needs: [...new Set([before.key, ...part.needs])] } : part;
  });
};

/** In the saga, and undone with it. What goes on without a need of its own goes on here, too. */
const inSaga = (step: Draft, saga: string, members: ReadonlySet<string>): Draft => {
  const within = step.toleratesFailure ? [] : step.needs.filter((need) => members.has(need));
  const compensate = Object.fromEntries(within.map((need) => [need, 'compensate' as const]));
  const onFailure = { ...compensate, ...step.onFailure };
  return { ...step, saga, ...(Object.keys(onFailure).length > 0 ? { onFailure } : {}) };
};

/** One part after another, all in one saga; a failure in one of them takes back those before it. */
export const sagaFragment = (spec: SagaSpec, scope: Scope): Fragment => {
  const saga = scope.saga ?? `${scope.prefix}${spec.name ?? 'saga'}`;
  const units = unitsOf(chained(spec.parts), { ...scope, saga });
  const fragment = together(
    units.map((unit) => unit.fragment),
    'last',
  );
  const members = new Set(fragment.steps.map((step) => step.key));
  return { ...fragment, steps: fragment.steps.map((step) => inSaga(step, saga, members)) };
};
