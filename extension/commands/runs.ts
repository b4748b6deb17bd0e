import { randomUUID } from 'node:crypto';
import * as vscode from 'vscode';
import type { AgentView, RunView } from '../../mcp-server/operations/views.ts';
import type { Editor } from '../editor.ts';
import { count, oneLine, parseTokens, tokens } from '../format.ts';
import { pickAgent, type Target } from '../pick.ts';
import { defaultBudget, startOptions } from '../settings.ts';

/** Asks for a task and its budget, starts the run, and shows it. */
export const orchestrate = async (editor: Editor): Promise<void> => {
  const task = await vscode.window.showInputBox({
    title: 'Orchestrate a task (1 of 2)',
    prompt: 'What is to be done? Agents plan it, work on branches of their own, and you review the result.',
    placeHolder: 'Map this repository',
    ignoreFocusOut: true,
    validateInput: (text) => (text.trim() === '' ? 'Say what is to be done.' : undefined),
  });
  if (task === undefined) return;
  const budget = await askBudget();
  if (budget === undefined) return;
  const key = randomUUID();
  const run = await vscode.window.withProgress({ location: { viewId: 'coppice.agents' } }, () =>
    editor.client.call('run_start', { task: task.trim(), options: { ...startOptions(), budget }, key }),
  );
  await showRun(editor, run);
};

const askBudget = async (): Promise<number | undefined> => {
  const text = await vscode.window.showInputBox({
    title: 'Orchestrate a task (2 of 2)',
    prompt: 'How many tokens may the whole run spend? No agent can go beyond it.',
    value: tokens(defaultBudget()),
    placeHolder: '500k',
    ignoreFocusOut: true,
    validateInput: (value) =>
      parseTokens(value) === undefined ? 'A number of tokens, such as 200000, 200k or 1.5M.' : undefined,
  });
  return text === undefined ? undefined : parseTokens(text);
};

const showRun = async (editor: Editor, run: RunView): Promise<void> => {
  editor.client.model.applyRuns([run]);
  await editor.client.track(run.run);
  const node = editor.agents.node(run.run);
  if (node)
    await editor.agentsView.reveal(node, { select: false, focus: false, expand: true }).then(undefined, () => {});
};

type Mode = 'wrap-up' | 'abort';

const askMode = async (title: string): Promise<Mode | undefined> => {
  const items: (vscode.QuickPickItem & { mode: Mode })[] = [
    { label: '$(stop-circle) Wrap up', detail: 'Each running agent reports what it has, then ends.', mode: 'wrap-up' },
    {
      label: '$(debug-stop) Abort now',
      detail: 'Calls are cut off. What was committed stays on its branch.',
      mode: 'abort',
    },
  ];
  return (await vscode.window.showQuickPick(items, { title, placeHolder: 'How?' }))?.mode;
};

/** Ends a run, gently or at once. */
export const cancelRun = async (editor: Editor, run: RunView): Promise<void> => {
  const mode = await askMode(`Cancel "${oneLine(run.task, 60)}"`);
  if (mode) await editor.client.call('run_cancel', { run: run.run, mode });
};

/** Ends one agent and all below it. */
export const cancelAgent = async (editor: Editor, target: Target): Promise<void> => {
  const agent = await pickAgent(editor, target, true);
  const below = agent ? editor.client.model.descendantsOf(agent.agent) : 0;
  const mode =
    agent && (await askMode(`Cancel "${agent.name}"${below > 0 ? ` and ${count(below, 'agent')} below it` : ''}`));
  if (agent && mode) await editor.client.call('run_cancel', { run: agent.run, agent: agent.agent, mode });
};

/** Lets jobs that were parked after failures try again. */
export const resumeRun = async (editor: Editor, run: string): Promise<void> => {
  await editor.client.call('run_resume', { run });
  void vscode.window.showInformationMessage('Parked jobs try again.');
};

/** Steers an agent, or answers its question. */
export const answerAgent = async (editor: Editor, target: Target): Promise<void> => {
  const agent = await pickAgent(editor, target, true);
  if (agent) await askAndSend(editor, agent);
};

const askAndSend = async (editor: Editor, agent: AgentView): Promise<void> => {
  const text = await vscode.window.showInputBox({
    title: agent.question === null ? `Message to ${agent.name}` : `${agent.name} asks`,
    prompt: agent.question ?? 'It goes into the next turn of this agent, before all other messages.',
    placeHolder: agent.question === null ? 'Leave the tests alone' : 'Your answer',
    ignoreFocusOut: true,
    validateInput: (value) => (value.trim() === '' ? 'Write something.' : undefined),
  });
  if (text === undefined) return;
  const { delivery } = await editor.client.call('agent_message', { agent: agent.agent, text });
  const said = delivery === 'answer' ? `Answered ${agent.name}.` : `${agent.name} reads it in its next turn.`;
  vscode.window.setStatusBarMessage(said, 5000);
};

/** Opens the conversation of an agent. */
export const showTranscript = async (editor: Editor, target: Target): Promise<void> => {
  const agent = await pickAgent(editor, target, false);
  if (agent) await editor.documents.showTranscript(agent.agent);
};
