import { randomUUID } from 'node:crypto';
import * as vscode from 'vscode';
import type { RunView } from '../../mcp-server/operations/views.ts';
import type { Editor } from '../editor.ts';
import { count, oneLine, parseTokens, tokens } from '../format.ts';
import { isRetryable } from '../offers.ts';
import { pickRun, type Target } from '../pick.ts';
import type { WorkflowParameter, WorkflowValue, WorkflowView } from '../plans/operations.ts';
import { showRun } from '../show-run.ts';
import { nameFault, nameFrom, templateOf, valueFault, valueOf, valueText } from '../workflows/values.ts';
import { askBudget, gated, started } from './runs.ts';

/** Asks for a workflow, its parameters and a budget, starts it, and asks about its plan. */
export const runWorkflow = async (editor: Editor): Promise<void> => {
  const { workflows } = await editor.client.call('workflow_list', {});
  if (workflows.length === 0) {
    void vscode.window.showInformationMessage('There is no workflow yet. “Coppice: New Workflow…” makes one.');
    return;
  }
  const workflow = await pickWorkflow(workflows);
  if (!workflow) return;
  if (isBroken(workflow)) {
    await vscode.window.showTextDocument(vscode.Uri.file(workflow.path));
    return;
  }
  const parameters = await askParameters(workflow);
  const budget = parameters && (await askBudget(`Run the workflow ${workflow.name}`));
  if (!parameters || budget === undefined) return;
  const input = { name: workflow.name, parameters, options: gated(budget), key: randomUUID() };
  await started(editor, () => editor.client.call('workflow_run', input));
};

const isBroken = (workflow: WorkflowView): boolean => workflow.faults.some(({ severity }) => severity === 'error');

const pickWorkflow = async (workflows: readonly WorkflowView[]): Promise<WorkflowView | undefined> => {
  const own = ({ source }: WorkflowView): boolean => source === 'repository';
  const sorted = workflows.toSorted((a, b) => Number(own(b)) - Number(own(a)));
  const items = sorted.map((workflow) => ({
    label: `$(${isBroken(workflow) ? 'error' : 'type-hierarchy-sub'}) ${workflow.name}`,
    description: `${workflow.source === 'bundled' ? 'comes with Coppice' : 'of this repository'} · ${count(workflow.nodes, 'node')}`,
    detail: isBroken(workflow) ? `Has faults: ${workflow.faults[0]?.message ?? ''}` : workflow.description,
    workflow,
  }));
  const words = { title: 'Run a workflow', placeHolder: 'Which one?', matchOnDetail: true, ignoreFocusOut: true };
  return (await vscode.window.showQuickPick(items, words))?.workflow;
};

/** One question for each parameter; undefined when the person has stopped. What is left empty is left to its default. */
const askParameters = async (workflow: WorkflowView): Promise<Record<string, WorkflowValue> | undefined> => {
  const values: Record<string, WorkflowValue> = {};
  const entries = Object.entries(workflow.parameters);
  for (const [index, [name, parameter]] of entries.entries()) {
    const title = `${workflow.name}: ${name} (${index + 1} of ${entries.length})`;
    const answer = await askParameter(title, name, parameter);
    if (answer === undefined) return undefined;
    if (answer.value !== undefined) values[name] = answer.value;
  }
  return values;
};

type Answer = { readonly value: WorkflowValue | undefined };

const askParameter = async (title: string, name: string, parameter: WorkflowParameter): Promise<Answer | undefined> => {
  const choices = parameter.choices ?? (typeof parameter.default === 'boolean' ? [true, false] : undefined);
  if (choices) {
    const items = choices.map((value) => ({
      label: String(value),
      ...(value === parameter.default && { description: 'the default' }),
      value,
    }));
    // The first line is the one that Enter takes.
    const sorted = items.toSorted(
      (a, b) => Number(b.value === parameter.default) - Number(a.value === parameter.default),
    );
    return vscode.window.showQuickPick(sorted, {
      title,
      placeHolder: parameter.description ?? name,
      ignoreFocusOut: true,
    });
  }
  const text = await vscode.window.showInputBox({
    title,
    prompt: `${parameter.description ?? name}${parameter.required ? '' : ' (may be left empty)'}`,
    value: valueText(parameter.default),
    ignoreFocusOut: true,
    validateInput: (typed) => valueFault(typed, parameter),
  });
  return text === undefined ? undefined : { value: valueOf(text, parameter) };
};

/** Writes the plan of a run as a workflow of this repository, and opens it. */
export const saveWorkflow = async (editor: Editor, target: Target): Promise<void> => {
  const fits = (run: RunView): boolean => run.state !== 'planning';
  const run = await pickRun(editor, target, fits, 'There is no run with a plan yet.');
  if (!run) return;
  const name = await askName(editor, 'Save the plan as a workflow', nameFrom(run.task));
  if (name === undefined) return;
  const { path } = await editor.client.call('workflow_save', { run: run.run, name });
  await vscode.window.showTextDocument(vscode.Uri.file(path));
};

/** Writes a workflow to start from, and opens it. */
export const newWorkflow = async (editor: Editor): Promise<void> => {
  const folder = editor.folder();
  const name = folder && (await askName(editor, 'New workflow', ''));
  if (!folder || name === undefined) return;
  const uri = vscode.Uri.joinPath(folder.uri, '.coppice', 'workflows', `${name}.yaml`);
  await vscode.workspace.fs.writeFile(uri, new TextEncoder().encode(templateOf(name)));
  await vscode.window.showTextDocument(uri);
};

const askName = async (editor: Editor, title: string, value: string): Promise<string | undefined> => {
  const { workflows } = await editor.client.call('workflow_list', {});
  const taken = workflows.filter(({ source }) => source === 'repository').map(({ name }) => name);
  return vscode.window.showInputBox({
    title,
    prompt: 'Its name. The file is .coppice/workflows/NAME.yaml in this repository.',
    value,
    placeHolder: 'release-notes',
    ignoreFocusOut: true,
    validateInput: (text) => nameFault(text, taken),
  });
};

/** Tries the failed steps of a run that has ended again, with more tokens if the person grants them. */
export const retryFailed = async (editor: Editor, target: Target): Promise<void> => {
  const run = await pickRun(editor, target, isRetryable, 'No run has ended with failed steps.');
  if (!run) return;
  const text = await vscode.window.showInputBox({
    title: `Retry the failed steps of "${oneLine(run.task, 50)}"`,
    prompt: `What was done is kept. ${tokens(run.tokens.available)} tokens are left; how many more? Empty: none.`,
    placeHolder: '100k',
    ignoreFocusOut: true,
    validateInput: (value) =>
      value.trim() === '' || parseTokens(value) !== undefined
        ? undefined
        : 'A number of tokens, such as 100k, or nothing.',
  });
  if (text === undefined) return;
  const budget = parseTokens(text);
  const view = await editor.client.call('run_retry', { run: run.run, ...(budget !== undefined && { budget }) });
  await showRun(editor, view);
};
