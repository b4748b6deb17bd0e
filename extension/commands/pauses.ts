import * as vscode from 'vscode';
import type { RunView } from '../../mcp-server/operations/views.ts';
import { hasEnded } from '../describe.ts';
import type { Editor } from '../editor.ts';
import { isActive } from '../model.ts';
import { isPausedOrStuck } from '../offers.ts';
import { pickRun, type Target } from '../pick.ts';

/** Pauses the run, or the agent with all below it, that the command means: a turn under way still ends. */
export const pauseAgents = async (editor: Editor, target: Target): Promise<void> => {
  const asked = await askedOf(editor, target, 'Every run is paused, or none is going on.', false);
  if (!asked) return;
  await editor.client.call('agent_pause', asked);
  vscode.window.setStatusBarMessage('Paused: turns that are under way still end.', 5000);
};

/** Lets the run, or the agent with all below it, go on where it was. */
export const continueAgents = async (editor: Editor, target: Target): Promise<void> => {
  const asked = await askedOf(editor, target, 'No run is paused.', true);
  if (asked) await editor.client.call('agent_continue', asked);
};

const isPausable = (run: RunView): boolean => isActive(run) && run.paused !== true;

const askedOf = async (
  editor: Editor,
  target: Target,
  none: string,
  paused: boolean,
): Promise<{ run: string; agent?: string } | undefined> => {
  const agent = target?.kind === 'agent' ? editor.client.model.agent(target.id) : undefined;
  if (agent) return hasEnded(agent) ? undefined : { run: agent.run, agent: agent.agent };
  const fits = paused ? isPausedOrStuck : isPausable;
  const run = await pickRun(editor, target, fits, none);
  return run && { run: run.run };
};
