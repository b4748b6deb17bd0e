import { UserError } from '../domain/errors.ts';
import type { Plan } from '../domain/plan.ts';
import { planningOf, type Run } from '../domain/run.ts';
import { notPlaced } from '../planning/distribute-steps.ts';
import { processorOf } from '../planning/processors.ts';
import { asPlanned } from '../planning/sub-plan.ts';
import { expandWorkflow } from '../planning/workflows/expand-workflow.ts';
import type { Values } from '../planning/workflows/placeholders.ts';
import { noProcessor, planFromYaml, processorsIn, processorsInYaml } from '../planning/workflows/plan-yaml.ts';
import { workflowFromPlan } from '../planning/workflows/save-workflow.ts';
import { mostSteps } from './conversation.ts';
import type { Core } from './core.ts';
import type { StartOptions } from './facade.ts';
import { noPlan } from './gate.ts';
import { complexityOf, distribute, patternOptions } from './make-plan.ts';
import { startRun } from './start-run.ts';
import type { WorkflowLibrary } from './workflow-library.ts';

/** Starts a run that a workflow plans. */
export const runWorkflow = async (
  core: Core,
  library: WorkflowLibrary,
  input: {
    readonly name: string;
    readonly parameters: Values;
    readonly options: StartOptions;
    readonly key?: string | undefined;
  },
): Promise<Run> => {
  const { workflow, library: others } = await library.load(input.name);
  const plan = async (draft: Run): Promise<Plan> => {
    const expanded = expandWorkflow(workflow, input.parameters, others, patternOptions(draft));
    if (!expanded.ok) throw new UserError('bad-input', `The workflow ${input.name}: ${expanded.problems.join(' ')}`);
    refuseForeignServers(core, draft, input.name, expanded.plan);
    await refuseUnknownProcessors(core, input.name, expanded.plan);
    const because = `${workflow.description} ${expanded.plan.because ?? ''}`.trim();
    return distribute(core, draft, { ...expanded.plan, because, complexity: await complexityOf(core, draft) });
  };
  const task = `${input.name}: ${taskOf(workflow.description, input.parameters)}`;
  return startRun(core, { task, options: input.options, key: input.key, plan });
};

/** A clone brings workflows along: they must not send code to where the person has not said that it may go. */
const refuseForeignServers = (core: Core, draft: Run, name: string, plan: Pick<Plan, 'steps'>): void => {
  const known = new Set(['rehearsal']);
  for (const options of [core.parts.settings, draft.options])
    for (const server of [options.server, ...planningOf(options).servers.map((one) => one.server)]) known.add(server);
  const foreign = plan.steps.find(({ server }) => server !== undefined && !known.has(server));
  if (foreign === undefined) return;
  throw new UserError(
    'permission-denied',
    `The workflow ${name} names the server ${foreign.server}, which your settings do not know. ` +
      'If your code may go there, add it to planning.servers in .coppice/config.json or in your own settings file.',
  );
};

/** Else the run would find it out when all before that step has been paid for. */
const refuseUnknownProcessors = async (core: Core, name: string, { steps }: Pick<Plan, 'steps'>): Promise<void> => {
  const names = processorsIn(steps);
  const own = await ownAmong(core, names);
  const unknown = names.find((one) => !processorOf(one) && !own.has(one));
  if (unknown !== undefined)
    throw new UserError('bad-input', `The workflow ${name} cannot be run: ${noProcessor(unknown, own)}`);
};

/** Those of the names that are processors of the person's own. */
const ownAmong = async (core: Core, names: readonly string[]): Promise<ReadonlySet<string>> => {
  const own = new Set<string>();
  for (const name of names) if (await core.parts.processors?.(name)) own.add(name);
  return own;
};

/** What the person gave says what it is about; the rest is as in every run of the workflow. */
const taskOf = (description: string, parameters: Values): string => {
  const given = Object.entries(parameters).map(
    ([name, value]) => `${name}: ${Array.isArray(value) ? value.join(', ') : value}`,
  );
  return [description, ...given].join('\n');
};

/** The plan of a text that a person has changed. Throws UserError with the faults and their lines. */
export const editedPlan = async (core: Core, run: Run, yaml: string): Promise<Plan> => {
  const limits = { ...run.options, maxAgents: mostSteps(run) };
  const read = planFromYaml(yaml, limits, await ownAmong(core, processorsInYaml(yaml)));
  if (read.ok) return read.plan;
  const faults = read.faults.map(({ line, column, message }) => `${line + 1}:${column + 1}: ${message}`);
  throw new UserError('bad-input', `The plan has faults and was left as it is:\n${faults.join('\n')}`);
};

/** Writes the plan of a run as a workflow; returns its path. */
export const saveWorkflow = async (core: Core, library: WorkflowLibrary, run: Run, name: string): Promise<string> => {
  const plan = await core.parts.store.plan(run.id);
  if (!plan) throw noPlan(run);
  return library.save(name, workflowFromPlan(notPlaced(asPlanned(plan)), { task: run.task, name }));
};
