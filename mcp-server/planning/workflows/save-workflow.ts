import { stringify } from 'yaml';
import type { Condition, Plan, PlanStep } from '../../domain/plan.ts';
import { slug } from '../steps.ts';

/**
 * A workflow made from a plan that went well: its task becomes the parameter `task` wherever it stands in a prompt, and
 * weights become percent of the tokens.
 */
export const workflowFromPlan = (plan: Plan, run: { readonly task: string; readonly name: string }): string => {
  const keys = nodeNames(plan.steps);
  const total = plan.steps.reduce((sum, step) => sum + step.weight, 0);
  const nodes = Object.fromEntries(
    plan.steps.map((step) => [keys.get(step.key), nodeOf(step, keys, run.task, (100 * step.weight) / total)]),
  );
  const file = {
    name: slug(run.name, 'workflow'),
    description: `Made from a run: ${firstLine(run.task)}`,
    parameters: { task: { description: 'The whole task', default: run.task } },
    nodes,
  };
  return stringify(file, { lineWidth: 0, aliasDuplicateObjects: false });
};

const nodeNames = (steps: readonly PlanStep[]): ReadonlyMap<string, string> => {
  const taken = new Set<string>();
  return new Map(
    steps.map(({ key }) => {
      const wanted = key.replace(/[^a-z0-9-]+/g, '-').slice(0, 36);
      let name = wanted;
      for (let n = 2; taken.has(name); n += 1) name = `${wanted}-${n}`;
      taken.add(name);
      return [key, name];
    }),
  );
};

const nodeOf = (
  step: PlanStep,
  keys: ReadonlyMap<string, string>,
  task: string,
  percent: number,
): Record<string, unknown> => {
  const node: Record<string, unknown> = {
    title: step.title,
    role: step.role,
    tier: step.tier === 'worker' ? undefined : step.tier,
    needs: step.needs.length > 0 ? step.needs.map((need) => keys.get(need) ?? need) : undefined,
    budget: Math.floor(percent * 10) / 10 || undefined,
    temperature: step.temperature,
    onFailure: step.onFailure
      ? Object.fromEntries(Object.entries(step.onFailure).map(([need, policy]) => [keys.get(need) ?? need, policy]))
      : step.toleratesFailure
        ? 'continue'
        : undefined,
    when: step.when && renamed(step.when, keys),
    quorum: step.join?.quorum ?? undefined,
    within: step.join?.withinMs ? step.join.withinMs / 1000 : undefined,
    retries: step.retries,
    timeout: step.timeoutMs === undefined ? undefined : step.timeoutMs / 1000,
    saga: step.saga && slug(step.saga, 'saga'),
    undo: step.undo && undoOf(step.undo),
    skills: step.skills,
    capabilities: step.capabilities,
    files: step.files,
    commands: commandsOf(step.permissions),
    urgency: step.urgency,
    server: step.server,
    model: step.model,
    ...(step.work?.kind === 'compute'
      ? { processor: step.work.processor, options: step.work.options }
      : { prompt: escaped(step.task).replaceAll(escaped(task), '{{task}}') }),
  };
  return Object.fromEntries(Object.entries(node).filter(([, value]) => value !== undefined));
};

/** Any program is what a node may run that says nothing. */
const commandsOf = (permissions: PlanStep['permissions']): 'off' | readonly string[] | undefined => {
  if (!permissions || permissions.commands === 'any') return undefined;
  return permissions.commands === 'off' ? 'off' : permissions.commands.allowed;
};

const renamed = (condition: Condition, keys: ReadonlyMap<string, string>): Condition => {
  if ('step' in condition) return { ...condition, step: keys.get(condition.step) ?? condition.step };
  if ('not' in condition) return { not: renamed(condition.not, keys) };
  if ('all' in condition) return { all: condition.all.map((one) => renamed(one, keys)) };
  return { any: condition.any.map((one) => renamed(one, keys)) };
};

/** What looks like a placeholder and is none. */
const escaped = (text: string): string => text.replaceAll('{{', '{ {');

const undoOf = (undo: NonNullable<PlanStep['undo']>): Record<string, unknown> => {
  if (undo.kind === 'revert') return { revert: true };
  if (undo.kind === 'command') return { command: undo.argv };
  return undo.kind === 'agent' ? { agent: undo.task } : { none: undo.reason };
};

const firstLine = (text: string): string => (text.trim().split('\n')[0] ?? '').slice(0, 200);
