import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { COMMANDS } from '../../../extension/ids.ts';
import { planUri } from '../../../extension/plans/plan-files.ts';
import type { PlanRow } from '../../../extension/plans/plan-rows.ts';
import type { RunView } from '../../../mcp-server/operations/views.ts';
import { type Api, activated, until } from './api.ts';

describe('plans in a real VS Code', () => {
  let api: Api;
  let run: RunView;
  let document: vscode.TextDocument;

  const flat = (rows: readonly PlanRow[]): PlanRow[] => rows.flatMap((row) => [row, ...flat(row.children ?? [])]);
  const steps = (): string[] =>
    flat(api.planTree.getChildren())
      .filter(({ id }) => id.startsWith('step:'))
      .map(({ label }) => label);
  const replace = async (from: string, to: string): Promise<void> => {
    const at = document.getText().indexOf(from);
    const range = new vscode.Range(document.positionAt(at), document.positionAt(at + from.length));
    const edit = new vscode.WorkspaceEdit();
    edit.replace(document.uri, range, to);
    await vscode.workspace.applyEdit(edit);
  };
  const faults = (uri = document.uri): vscode.Diagnostic[] => vscode.languages.getDiagnostics(uri);

  before(async () => {
    api = await activated();
    const options = { budget: 50_000, planning: { gate: 'ask' as const } };
    run = await api.client.call('run_start', { task: 'Plan first', options, key: 'plan' });
  });

  after(async () => {
    await api.client.call('run_cancel', { run: run.run, mode: 'abort' });
  });

  it('shows a run whose plan waits, with what it costs and actions of its own', async () => {
    await until('the plan', () => api.plans.plan(run.run));
    const node = api.agents.node(run.run);
    assert.ok(node);
    const item = api.agents.getTreeItem(node);
    assert.equal(item.description, 'plan waits for you · 2 agents · 2k to 4k tokens · 2 min to 4 min');
    assert.match(item.contextValue ?? '', /^run planned\b/);
    assert.equal(item.command?.command, COMMANDS.showPlan);
  });

  it('brings the plan that waits to the front, by levels and steps', async () => {
    await until('the rows of the plan', () => api.planTree.run === run.run && steps().length === 2);
    assert.deepEqual(steps(), ['first', 'second']);
    const second = flat(api.planTree.getChildren()).find(({ label }) => label === 'second');
    assert.equal(second?.description, '1k tokens · after first · pipeline');
  });

  it('opens the plan as a text that can be changed', async () => {
    document = await vscode.workspace.openTextDocument(planUri(run));
    assert.equal(document.languageId, 'yaml');
    assert.match(document.getText(), /^pattern: pipeline/);
    await vscode.window.showTextDocument(document);
  });

  it('refuses to save a plan with faults, shows them at their lines, and loses nothing', async () => {
    await replace('task: Do this.', 'taks: Do this.');
    assert.equal(await document.save(), false);
    const [fault] = faults();
    assert.match(fault?.message ?? '', /there is no "taks" here/);
    assert.deepEqual([fault?.range.start.line, fault?.range.start.character], [4, 4]);
    assert.equal(fault?.severity, vscode.DiagnosticSeverity.Error);
    assert.ok(document.isDirty && document.getText().includes('taks'), 'the text is still there, unsaved');
    assert.deepEqual(steps(), ['first', 'second'], 'the run keeps its plan');
  });

  it('takes a good plan over when it is saved, and says what it costs now', async () => {
    await replace('taks: Do this.', 'task: Do this. # my own words');
    await replace('title: first', 'title: the very first');
    assert.equal(await document.save(), true);
    assert.deepEqual(faults(), []);
    await until('the new title', () => steps()[0] === 'the very first');
    assert.match(document.getText(), /# my own words/, 'comments stay');
    const changed = flat(api.planTree.getChildren()).find(({ id }) => id === 'changed');
    assert.equal(changed?.children?.[0]?.label, 'The plan was changed by hand.');
  });

  it('shows in the open editor when the plan became another one elsewhere', async () => {
    await api.client.call('plan_edit', { run: run.run, shrink: 'fewer-agents' });
    await until('one step', () => steps().length === 1);
    await until('the text', () => !document.getText().includes('second'));
  });

  it('lets the agents begin, and the text of the plan cannot be changed any more', async () => {
    await vscode.commands.executeCommand(COMMANDS.runPlan, { id: run.run, kind: 'run' });
    await until('a run that goes on', () => api.client.model.run(run.run)?.state === 'running');
    await until('a plan with agents', () => (api.plans.plan(run.run)?.steps[0]?.agent ?? null) !== null);
    const { permissions } = await vscode.workspace.fs.stat(document.uri);
    assert.equal(permissions, vscode.FilePermission.Readonly);
  });

  it('shows beside each agent what its step waits for, and what befell it', async () => {
    const told = (index: number): vscode.TreeItem => {
      const agent = api.plans.plan(run.run)?.steps[index]?.agent ?? '';
      const node = api.agents.node(agent);
      assert.ok(node, agent);
      return api.agents.getTreeItem(node);
    };
    await until('the step of an agent', () => String(told(1).description).includes('after'));
    assert.match(String(told(1).description), /after join everything · pipeline$/);
    assert.match(String(told(2).description), /left out/);
    assert.equal((told(2).iconPath as vscode.ThemeIcon).id, 'debug-step-over');
    assert.match(String(told(3).description), /undone/);
    assert.equal((told(3).iconPath as vscode.ThemeIcon).id, 'discard');
  });

  it('says what is left of a run that goes on', async () => {
    const node = api.agents.node(run.run);
    assert.ok(node);
    await until('a forecast of the rest', () => api.plans.left(run.run));
    assert.match(String(api.agents.getTreeItem(node).description), /about \d+ (s|min), 40k tokens left/);
  });

  describe('a workflow file', () => {
    const folder = vscode.workspace.workspaceFolders?.[0]?.uri ?? vscode.Uri.file('/');
    const uri = vscode.Uri.joinPath(folder, '.coppice/workflows/mine.yaml');

    before(async () => {
      const text = 'name: mine\ndescription: Mine.\nnodes:\n  a:\n    promt: Do this.\n';
      await vscode.workspace.fs.writeFile(uri, new TextEncoder().encode(text));
      document = await vscode.workspace.openTextDocument(uri);
      await vscode.window.showTextDocument(document);
    });

    it('shows its faults while it is typed', async () => {
      await until('a fault', () => faults(uri).some(({ message }) => message.includes('promt')));
      assert.equal(faults(uri).find(({ message }) => message.includes('promt'))?.range.start.line, 4);
      await replace('promt', 'prompt');
      await until('no fault', () => faults(uri).length === 0);
    });

    it('completes keys from the schema', async () => {
      const at = document.positionAt(document.getText().length);
      await replace('    prompt: Do this.\n', '    prompt: Do this.\n    \n');
      const list = await vscode.commands.executeCommand<vscode.CompletionList>(
        'vscode.executeCompletionItemProvider',
        uri,
        at.with({ character: 4 }),
      );
      const labels = list.items.map(({ label }) => (typeof label === 'string' ? label : label.label));
      assert.ok(labels.includes('needs'), labels.join(', '));
    });
  });
});
