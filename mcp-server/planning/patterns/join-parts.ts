import type { Condition, EdgePolicy, Join, Undo } from '../../domain/plan.ts';
import { inWords, renamedCondition, stepsAsked } from '../conditions.ts';
import { inOrder, joinNeighbours, type PlannedStep } from '../steps.ts';
import type { Item, Part } from './spec.ts';

type KeyOf = (key: string) => string;

const STRICTNESS: readonly EdgePolicy[] = ['continue', 'fail', 'compensate'];

/** By need; where several say something of one need, the strictest holds. */
const joinedEdges = (
  group: readonly Pick<Part, 'onFailure'>[],
  keyOf: KeyOf,
  own: string,
): Record<string, EdgePolicy> => {
  const edges: Record<string, EdgePolicy> = {};
  for (const { onFailure } of group)
    for (const [need, policy] of Object.entries(onFailure ?? {})) {
      const key = keyOf(need);
      const before = edges[key];
      if (key !== own && (!before || STRICTNESS.indexOf(policy) > STRICTNESS.indexOf(before))) edges[key] = policy;
    }
  return edges;
};

/** A condition that all of the group share, and that none of them decides. */
const sharedCondition = (group: readonly PlannedStep[]): Condition | null => {
  const [first, ...others] = group;
  const when = first?.when;
  if (!when || others.some((other) => JSON.stringify(other.when) !== JSON.stringify(when))) return null;
  return stepsAsked(when).some((key) => group.some((step) => step.key === key)) ? null : when;
};

/** What only an executor could have done is told to the agent that does it all. */
const inOwnWords = (step: PlannedStep, shared: Condition | null, nameOf: KeyOf): PlannedStep => {
  const said = [
    step.task,
    ...(step.when && !shared ? [`Do this only if ${inWords(step.when, nameOf)}; else say that you left it out.`] : []),
    ...(step.work?.kind === 'compute' ? [`What "${step.work.processor}" gives of the results so far.`] : []),
  ];
  return said.length === 1 ? step : { ...step, task: said.join(' ') };
};

const undoInWords = (step: PlannedStep): string => {
  const { undo } = step;
  if (undo?.kind === 'command') return `${step.title}: run ${undo.argv.join(' ')}`;
  if (undo?.kind === 'agent') return `${step.title}: ${undo.task}`;
  return `${step.title}: take its changes back`;
};

/** One way to undo all of them: what one of them cannot undo, the whole cannot. */
const joinedUndo = (group: readonly PlannedStep[]): Undo | undefined => {
  const impossible = group.flatMap((step) =>
    step.undo?.kind === 'none' ? [`${step.title}: ${step.undo.reason}`] : [],
  );
  if (impossible.length > 0) return { kind: 'none', reason: impossible.join('; ') };
  if (group.every((step) => !step.undo || step.undo.kind === 'revert')) return undefined;
  const steps = group.toReversed().map((step, index) => `${index + 1}. ${undoInWords(step)}`);
  return { kind: 'agent', task: `Undo these, in this order:\n${steps.join('\n')}` };
};

const most = (numbers: readonly number[]): number | undefined =>
  numbers.length > 0 ? Math.max(...numbers) : undefined;

const defined = (fields: { readonly [K in keyof PlannedStep]?: PlannedStep[K] | undefined }): Partial<PlannedStep> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

/** How a joined step is treated: what its parts ask for, as strictly as the strictest of them. */
const joinedRules = (group: readonly PlannedStep[], keyOf: KeyOf, shared: Condition | null): Partial<PlannedStep> => {
  const own = group[0]?.key ?? '';
  const edges = joinedEdges(group, keyOf, own);
  const times = group.flatMap((step) => step.timeoutMs ?? []);
  return defined({
    toleratesFailure: group.every((step) => step.toleratesFailure === true) || undefined,
    onFailure: Object.keys(edges).length > 0 ? edges : undefined,
    when: shared ? renamedCondition(shared, (key) => [keyOf(key)]) : undefined,
    retries: most(group.flatMap((step) => step.retries ?? [])),
    timeoutMs: times.length === group.length ? times.reduce((sum, time) => sum + time, 0) : undefined,
    urgency: most(group.flatMap((step) => step.urgency ?? [])),
    saga: group.find((step) => step.saga !== undefined)?.saga,
    undo: joinedUndo(group),
  });
};

/** No more can be done than there are. */
const withinReach = (join: Join, needs: number): Join => ({
  ...join,
  quorum: join.quorum === null ? null : Math.max(1, Math.min(join.quorum, needs)),
});

/** A part of its own: only the names of what it needs change. */
const renamed = (part: Part, keyOf: KeyOf): Part => {
  const edges = joinedEdges([part], keyOf, part.key);
  const { onFailure: _edges, when, ...rest } = part;
  const needs = [...new Set(part.needs.map(keyOf))];
  return {
    ...rest,
    needs,
    ...('join' in rest && rest.join ? { join: withinReach(rest.join, needs.length) } : {}),
    ...(Object.keys(edges).length > 0 ? { onFailure: edges } : {}),
    ...(when ? { when: renamedCondition(when, (key) => [keyOf(key)]) } : {}),
  };
};

const joinedStep = (group: readonly PlannedStep[], keyOf: KeyOf): PlannedStep => {
  const shared = sharedCondition(group);
  const titles = new Map(group.map((step) => [step.key, step.title]));
  const nameOf = (key: string): string => titles.get(key) ?? key;
  const [joined] = joinNeighbours([group.map((step) => inOwnWords(step, shared, nameOf))]);
  if (!joined) throw new Error('An empty group of steps.');
  const needs = [...new Set(joined.needs.map(keyOf))].filter((need) => need !== joined.key);
  return { ...joined, needs, ...joinedRules(group, keyOf, shared) };
};

/** Even groups of neighbours. */
const evenly = <T>(all: readonly T[], groups: number): readonly (readonly T[])[] => {
  const at = (group: number): number => Math.floor((group * all.length) / groups);
  return Array.from({ length: groups }, (_, group) => all.slice(at(group), at(group + 1)));
};

/**
 * At most `most` parts of about the same size, each of neighbours in an order that respects the needs. `asStep` makes one
 * step of a pattern that is joined with others. Nothing is lost: a joined step's task holds those of its parts. Throws on
 * a cycle.
 */
export const joinParts = (
  parts: readonly Part[],
  most: number,
  asStep: (part: Part) => PlannedStep,
): readonly Part[] => {
  if (parts.length <= most) return parts;
  const order = inOrder(parts);
  if (!order) throw new Error('The steps need each other in a circle.');
  const groups = evenly(order, Math.max(1, most));
  const keys = new Map(groups.flatMap((group) => group.map((part) => [part.key, group[0]?.key ?? part.key])));
  const keyOf = (key: string): string => keys.get(key) ?? key;
  return groups.map((group) => {
    const [only] = group;
    return only && group.length === 1 ? renamed(only, keyOf) : joinedStep(group.map(asStep), keyOf);
  });
};

/** At most `most` items, each of neighbours. */
export const joinItems = (items: readonly Item[], most: number): readonly Item[] =>
  items.length <= most
    ? items
    : evenly(items, Math.max(1, most)).map((group) => {
        const [first] = group;
        if (!first) throw new Error('An empty group of items.');
        if (group.length === 1) return first;
        return {
          key: first.key,
          title: group.map((item) => item.title).join(' + '),
          text: `each of these, one after another:\n${group.map((item, index) => `${index + 1}. ${item.text}`).join('\n')}`,
          parts: group.reduce((sum, item) => sum + (item.parts ?? 1), 0),
        };
      });
