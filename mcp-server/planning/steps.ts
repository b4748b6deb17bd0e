import type { PlanStep } from '../domain/plan.ts';
import type { Permissions } from '../domain/run.ts';
import { oneLine } from '../domain/text.ts';

/** A piece of work before a pattern gives it a place in the hierarchy. */
export type PlannedStep = Pick<PlanStep, 'key' | 'title' | 'task' | 'role' | 'needs'> &
  Partial<Omit<PlanStep, 'parent' | 'tier'>>;

/** Lower-case letters, digits and single hyphens, at most 32 characters; `otherwise` when nothing is left. */
export const slug = (text: string, otherwise: string): string =>
  text
    .slice(0, 200)
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-/, '')
    .slice(0, 32)
    .replace(/-$/, '') || otherwise;

/** `wanted`, or `wanted-2`, `wanted-3` … when it is taken. */
export const distinctKey = (wanted: string, taken: { has(key: string): boolean }): string => {
  let key = wanted;
  for (let n = 2; taken.has(key); n += 1) key = `${wanted}-${n}`;
  return key;
};

/** Every step after all that it needs, else in the given order. Null when there is a cycle. Unknown needs are ignored. */
export const inOrder = <S extends Pick<PlannedStep, 'key' | 'needs'>>(steps: readonly S[]): readonly S[] | null => {
  const byKey = new Map(steps.map((step) => [step.key, step]));
  const state = new Map<string, 'open' | 'done'>();
  const order: S[] = [];
  const visit = (step: S): boolean => {
    if (state.has(step.key)) return state.get(step.key) === 'done';
    state.set(step.key, 'open');
    for (const need of step.needs) {
      const needed = byKey.get(need);
      if (needed && !visit(needed)) return false;
    }
    state.set(step.key, 'done');
    order.push(step);
    return true;
  };
  return steps.every(visit) ? order : null;
};

/** Paragraphs that all texts begin with. */
const commonStart = (texts: readonly string[]): string => {
  const [first = [], ...others] = texts.map((text) => text.split('\n\n'));
  const differs = first.findIndex((paragraph, index) => others.some((other) => other[index] !== paragraph));
  const shared = differs < 0 ? first.length - 1 : differs;
  return first
    .slice(0, shared)
    .map((paragraph) => `${paragraph}\n\n`)
    .join('');
};

const joinGroup = (group: readonly PlannedStep[], keyOf: ReadonlyMap<string, string>): PlannedStep => {
  const [first] = group;
  if (!first) throw new Error('An empty group of steps.');
  const needs = [...new Set(group.flatMap((step) => step.needs).map((need) => keyOf.get(need) ?? need))];
  const rest = needs.filter((need) => need !== first.key);
  if (group.length === 1) return { ...first, needs: rest };
  const start = commonStart(group.map((step) => step.task));
  const parts = group.map((step, index) => `${index + 1}. ${step.title}: ${step.task.slice(start.length)}`);
  return {
    key: first.key,
    title: oneLine(group.map((step) => step.title).join(' + '), 60),
    task: `${start}Do these ${group.length} parts, one after another:\n${parts.join('\n')}`,
    role: same(group, (step) => step.role) ?? 'worker',
    needs: rest,
    parts: sum(group.map((step) => step.parts ?? 1)),
    ...joinedWishes(group),
  };
};

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

/** What all of them say; undefined where they differ. */
const same = <T>(group: readonly PlannedStep[], of: (step: PlannedStep) => T): T | undefined => {
  const [first, ...others] = group.map(of);
  return others.every((other) => other === first) ? first : undefined;
};

const union = (lists: readonly (readonly string[] | undefined)[]): readonly string[] => [
  ...new Set(lists.flatMap((list) => list ?? [])),
];

/** What is not named may be anything, so one step that does not name its files or programs leaves the whole open. */
const joinedPermissions = (group: readonly PlannedStep[]): Permissions | undefined => {
  const allowed: string[] = [];
  for (const { permissions } of group) {
    if (!permissions) return undefined;
    if (permissions.commands === 'any') return permissions;
    if (permissions.commands !== 'off') allowed.push(...permissions.commands.allowed);
  }
  return { commands: allowed.length > 0 ? { allowed: union([allowed]) } : 'off' };
};

/** What a joined step takes over from its parts beside their tasks: all that they want, and what they agree on. */
export const joinedWishes = (group: readonly PlannedStep[]): Partial<PlannedStep> => {
  const permissions = joinedPermissions(group);
  const skills = union(group.map((step) => step.skills));
  const capabilities = union(group.map((step) => step.capabilities));
  const weights = group.flatMap((step) => step.weight ?? []);
  const server = same(group, (step) => step.server);
  const model = same(group, (step) => step.model);
  const temperature = same(group, (step) => step.temperature);
  const pattern = same(group, (step) => step.pattern);
  return {
    ...(group.every((step) => step.files) ? { files: union(group.map((step) => step.files)) } : {}),
    ...(skills.length > 0 ? { skills } : {}),
    ...(capabilities.length > 0 ? { capabilities } : {}),
    ...(permissions ? { permissions } : {}),
    ...(weights.length === group.length ? { weight: sum(weights) } : {}),
    ...(server === undefined ? {} : { server }),
    ...(model === undefined ? {} : { model }),
    ...(temperature === undefined ? {} : { temperature }),
    ...(pattern === undefined ? {} : { pattern }),
  };
};

/** Each group becomes one step. Groups are runs of neighbours in an order that respects the needs, so that no cycle can arise. */
export const joinNeighbours = (groups: readonly (readonly PlannedStep[])[]): readonly PlannedStep[] => {
  const keyOf = new Map(groups.flatMap((group) => group.map((step) => [step.key, group[0]?.key ?? step.key])));
  return groups.map((group) => joinGroup(group, keyOf));
};

const ordered = (steps: readonly PlannedStep[]): readonly PlannedStep[] => {
  const order = inOrder(steps);
  if (!order) throw new Error('The steps need each other in a circle.');
  return order;
};

/** At most `most` steps: what is beyond them becomes part of the last one. Throws on a cycle. */
export const joinTail = (steps: readonly PlannedStep[], most: number): readonly PlannedStep[] => {
  if (steps.length <= most) return steps;
  const order = ordered(steps);
  const keep = Math.max(0, most - 1);
  return joinNeighbours([...order.slice(0, keep).map((step) => [step]), order.slice(keep)]);
};
