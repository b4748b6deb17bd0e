import * as vscode from 'vscode';
import type { AgentView, RunView } from '../mcp-server/operations/views.ts';
import { agentDescription, agentIcon, hasEnded, runDescription, runIcon } from './describe.ts';
import type { Editor } from './editor.ts';
import { oneLine } from './format.ts';
import { isActive } from './model.ts';
import { type TreeNode, themeIcon } from './views/nodes.ts';

/** What a menu or a click hands to a command: the element, or nothing from the palette. */
export type Target = TreeNode | undefined;

/** The run that a command means: the element's, the only one that fits, or the one that the person picks. */
export const pickRun = async (
  editor: Editor,
  target: Target,
  fits: (run: RunView) => boolean,
  none: string,
): Promise<RunView | undefined> => {
  const { model } = editor.client;
  if (target) return model.run(target.kind === 'run' ? target.id : (model.agent(target.id)?.run ?? ''));
  // The model may be empty still, when the window was just opened.
  const runs = (await editor.client.call('run_list', { limit: 50 })).runs.filter(fits);
  if (runs.length < 2) {
    if (runs.length === 0) void vscode.window.showInformationMessage(none);
    return runs[0];
  }
  const items = runs.map((run) => ({
    label: oneLine(run.task, 70),
    description: runDescription(run),
    iconPath: themeIcon(runIcon(run)),
    run,
  }));
  return (await vscode.window.showQuickPick(items, { placeHolder: 'Which run?', matchOnDescription: true }))?.run;
};

/** The agent that a command means: the element's, or the one that the person picks; those that ask come first. */
export const pickAgent = async (editor: Editor, target: Target, isLive: boolean): Promise<AgentView | undefined> => {
  const { model } = editor.client;
  if (target?.kind === 'agent') return model.agent(target.id);
  const run = isLive
    ? await pickRun(editor, target, isActive, 'No run is going on.')
    : await pickRun(editor, target, () => true, 'There is no run yet. Start one with "Coppice: Orchestrate Task…".');
  if (!run) return undefined;
  await editor.client.track(run.run);
  const agents = allAgents(editor, run.run).filter((agent) => !isLive || !hasEnded(agent));
  if (agents.length === 0) {
    void vscode.window.showInformationMessage('No agent of this run works any more.');
    return undefined;
  }
  const items = agents
    .toSorted((a, b) => Number(b.question !== null) - Number(a.question !== null))
    .map((agent) => ({
      label: agent.name,
      description: agentDescription(agent, model.subtreeUsed(agent.agent)),
      iconPath: themeIcon(agentIcon(agent)),
      agent,
    }));
  return (await vscode.window.showQuickPick(items, { placeHolder: 'Which agent?', matchOnDescription: true }))?.agent;
};

const allAgents = (editor: Editor, id: string): AgentView[] =>
  editor.client.model.childrenOf(id).flatMap((child) => {
    const agent = editor.client.model.agent(child);
    return agent ? [agent, ...allAgents(editor, child)] : [];
  });
