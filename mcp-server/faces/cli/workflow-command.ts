import { readFile } from 'node:fs/promises';
import { messageOf, UserError } from '../../domain/errors.ts';
import { counted } from '../../domain/text.ts';
import type { WorkflowView } from '../../engine/planning-facade.ts';
import type { RunView } from '../../operations/views.ts';
import { type CliContext, EXIT } from './context.ts';
import type { EngineClient } from './engine-client.ts';
import type { WorkflowAction } from './planning-arguments.ts';
import { startAndFollow } from './run-command.ts';
import { SteadyClient } from './run-events.ts';
import { fit, printable } from './terminal.ts';

type Fault = WorkflowView['faults'][number];

/** `coppice workflow …`: lists, shows, checks, runs and saves workflows. Resolves with the exit status. */
export const workflowCommand = async (context: CliContext, action: WorkflowAction, json: boolean): Promise<number> => {
  if (action.kind === 'run') {
    const { name, parameters } = action;
    return startAndFollow(context, { ...action, json }, (client, options) =>
      client.call<RunView>('workflow_run', { name, parameters, options, key: context.newKey() }),
    );
  }
  const client = new SteadyClient(context);
  try {
    return await carryOut(context, client, action, json);
  } finally {
    await client.close();
  }
};

const carryOut = async (
  context: CliContext,
  client: EngineClient,
  action: Exclude<WorkflowAction, { kind: 'run' }>,
  json: boolean,
): Promise<number> => {
  const { terminal, program, repoFlag } = context;
  switch (action.kind) {
    case 'list': {
      const { workflows } = await client.call<{ workflows: WorkflowView[] }>('workflow_list', {});
      terminal.print(json ? JSON.stringify(workflows) : listOf(workflows, terminal.size().columns));
      return EXIT.ok;
    }
    case 'show': {
      const shown = await client.call<{ workflow: WorkflowView; text: string }>('workflow_show', { name: action.name });
      terminal.print(json ? JSON.stringify(shown) : `# ${shown.workflow.path}\n${printable(shown.text).trimEnd()}`);
      return EXIT.ok;
    }
    case 'check':
      return check(context, client, action.target, json);
    case 'save': {
      const { run, name } = action;
      const saved = await client.call<{ path: string }>('workflow_save', { run, name });
      const next = `Look it through, then: ${program} workflow run ${name}${repoFlag}`;
      terminal.print(json ? JSON.stringify(saved) : `Saved as ${saved.path}. ${next}`);
      return EXIT.ok;
    }
  }
};

/** A line for each workflow: name, how many nodes, parameters, description. */
export const listOf = (workflows: readonly WorkflowView[], columns: number): string => {
  if (workflows.length === 0) return 'There are no workflows.';
  const width = Math.max(...workflows.map(({ name }) => name.length));
  return workflows
    .map((workflow) => {
      const own = workflow.source === 'repository' ? '  (this repository)' : '';
      const broken = workflow.faults.filter(({ severity }) => severity === 'error').length;
      const what =
        broken > 0
          ? `${counted(broken, 'error')}: workflow check ${workflow.name}`
          : `${counted(workflow.nodes, 'node')}  ${parametersOf(workflow)}${workflow.description}`;
      return fit(printable(`${workflow.name.padEnd(width)}${own}  ${what}`.replace(/\s*\n\s*/g, ' ')), columns);
    })
    .join('\n');
};

const parametersOf = ({ parameters }: WorkflowView): string => {
  const names = Object.entries(parameters).map(([name, { required }]) => (required ? name : `[${name}]`));
  return names.length > 0 ? `${names.join(' ')}  ` : '';
};

interface Checked {
  readonly path: string;
  readonly faults: readonly Fault[];
}

/** Ends with 1 when there is an error; warnings are only said. */
const check = async (
  context: CliContext,
  client: EngineClient,
  target: string | null,
  json: boolean,
): Promise<number> => {
  const checked = await checkedOf(client, target);
  const faults = checked.flatMap((one) => one.faults);
  const isGood = !faults.some(({ severity }) => severity === 'error');
  if (json) context.terminal.print(JSON.stringify({ ok: isGood, files: checked }));
  else {
    for (const line of checked.flatMap(faultLines)) context.terminal.print(line);
    if (isGood) context.terminal.print(`${counted(checked.length, 'workflow')} checked, no error.`);
  }
  return isGood ? EXIT.ok : EXIT.failed;
};

/** `file:line:column: error: message`, lines and columns from 1. */
export const faultLines = ({ path, faults }: Checked): string[] =>
  faults.map(({ line, column, severity, message }) =>
    printable(`${path}:${line + 1}:${column + 1}: ${severity}: ${message.replace(/\s*\n\s*/g, ' ')}`),
  );

const checkedOf = async (client: EngineClient, target: string | null): Promise<Checked[]> => {
  if (target === null) {
    const { workflows } = await client.call<{ workflows: WorkflowView[] }>('workflow_list', {});
    return workflows.map(({ path, faults }) => ({ path, faults }));
  }
  if (/[/\\]|\.ya?ml$/.test(target)) {
    const text = await readFile(target, 'utf8').catch((error: unknown) => {
      throw new UserError('bad-input', `${target} cannot be read: ${messageOf(error)}.`);
    });
    const { faults } = await client.call<{ faults: Fault[] }>('workflow_check', { text });
    return [{ path: target, faults }];
  }
  const { workflow } = await client.call<{ workflow: WorkflowView }>('workflow_show', { name: target });
  return [{ path: workflow.path, faults: workflow.faults }];
};
