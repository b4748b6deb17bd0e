import { randomUUID } from 'node:crypto';
import * as vscode from 'vscode';
import type { AgentView, RunView } from '../../mcp-server/operations/views.ts';
import type { Editor } from '../editor.ts';
import { count, oneLine, parseTokens, tokens } from '../format.ts';
import { VIEWS } from '../ids.ts';
import type { StartOptions } from '../operations.ts';
import { pickAgent, type Target } from '../pick.ts';
import { startAndAsk } from '../plans/gate.ts';
import { confirmsPlans, defaultBudget, startOptions } from '../settings.ts';
import { showRun } from '../show-run.ts';

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
  const budget = await askBudget('Orchestrate a task (2 of 2)');
  if (budget === undefined) return;
  const input = { task: task.trim(), options: gated(budget), key: randomUUID() };
  await started(editor, () => editor.client.call('run_start', input));
};

/** What the person has set for runs; the plan waits for a word first, unless the person wants no question. */
export const gated = (budget: number): StartOptions => {
  const options = startOptions();
  return {
    ...options,
    budget,
    ...(confirmsPlans() && { planning: { ...options.planning, gate: 'ask' as const } }),
  };
};

/** Shows a run that `start` begins, and asks about its plan when that waits. */
export const started = async (editor: Editor, start: () => Promise<RunView>): Promise<void> => {
  const begin = (): Thenable<RunView> => vscode.window.withProgress({ location: { viewId: VIEWS.agents } }, start);
  if (confirmsPlans()) await startAndAsk(editor, async () => begin());
  else await showRun(editor, await begin());
};

/** Tokens that the whole run may spend; undefined when the person has stopped. */
export const askBudget = async (title: string): Promise<number | undefined> => {
  const text = await vscode.window.showInputBox({
    title,
    prompt: 'How many tokens may the whole run spend? No agent can go beyond it.',
    value: tokens(defaultBudget()),
    placeHolder: '500k',
    ignoreFocusOut: true,
    validateInput: (value) =>
      parseTokens(value) === undefined ? 'A number of tokens, such as 200000, 200k or 1.5M.' : undefined,
  });
  return text === undefined ? undefined : parseTokens(text);
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
