import * as vscode from 'vscode';
import type { EngineEvent, RunView } from '../mcp-server/operations/views.ts';
import type { Editor } from './editor.ts';
import { count, oneLine } from './format.ts';
import { COMMANDS, SKILL_COMMANDS } from './ids.ts';
import { isAsking } from './plans/gate.ts';
import type { TreeNode } from './views/nodes.ts';

/** One word about parked jobs for each run in this time: a server that is down parks many at once. */
const PARKED_QUIET_MS = 60_000;

/** Tells the person what they would want to know while they look elsewhere. */
export const watchEvents = (editor: Editor): vscode.Disposable => {
  // A plan that was changed is held again.
  const held = new Set<string>();
  const parkedAt = new Map<string, number>();
  return editor.client.onEvents((events) => {
    for (const event of events) {
      if (event.type === 'run.ended' && event.run) void runEnded(editor, event.run);
      if (event.type === 'agent.asked' && event.agent) void agentAsked(editor, event.agent);
      if (event.type === 'skill.wanted') void skillWanted(event);
      if (event.type === 'run.held' && event.run && !held.has(event.run)) {
        held.add(event.run);
        if (!isAsking(event.run)) void planHeld(editor, event.run, event['reason']);
      }
      if (event.type === 'job.parked' && event.run) {
        const now = Date.now();
        if (now - (parkedAt.get(event.run) ?? 0) < PARKED_QUIET_MS) continue;
        parkedAt.set(event.run, now);
        void jobParked(event);
      }
    }
  });
};

const runEnded = async (editor: Editor, id: string): Promise<void> => {
  const run = editor.client.model.run(id);
  if (!run) return;
  const text = `"${oneLine(run.task, 60)}" ${ENDINGS[run.state](run)}`;
  const isBad = run.state === 'failed' || run.state === 'partial';
  const buttons = run.review === 'open' ? ['Review Changes'] : isBad ? ['Show Log'] : [];
  const show = isBad ? vscode.window.showWarningMessage : vscode.window.showInformationMessage;
  const answer = await show(text, ...buttons);
  if (answer === 'Review Changes') await execute(COMMANDS.reviewChanges, { id, kind: 'run' });
  if (answer === 'Show Log') await execute(COMMANDS.showLog);
};

const ENDINGS: Readonly<Record<RunView['state'], (run: RunView) => string>> = {
  planning: () => 'goes on.',
  planned: () => 'waits for your word on its plan.',
  running: () => 'goes on.',
  completed: (run) => `is done: ${count(run.filesChanged ?? 0, 'file')} changed.`,
  partial: (run) => `is partly done: ${count(run.filesChanged ?? 0, 'file')} changed. ${run.error ?? ''}`,
  answered: (run) => `is answered: ${oneLine(run.report ?? '', 200)}`,
  nothing: () => 'ended without a result.',
  cancelled: () => 'was cancelled.',
  failed: (run) => `failed: ${run.error ?? 'see the transcripts of its agents.'}`,
};

const planHeld = async (editor: Editor, id: string, reason: unknown): Promise<void> => {
  const run = editor.client.model.run(id);
  if (run?.state !== 'planned') return;
  const why = typeof reason === 'string' && reason !== 'asked for' ? `: ${oneLine(reason, 200)}` : '';
  const answer = await vscode.window.showInformationMessage(
    `"${oneLine(run.task, 60)}" waits for your word on its plan${why}.`,
    'Show Plan',
  );
  if (answer) await execute(COMMANDS.showPlan, { id, kind: 'run' });
};

const skillWanted = async (event: EngineEvent): Promise<void> => {
  const name = String(event['skill']);
  const text = `An agent wants the skill ${oneLine(name, 64)}, which needs your trust. It is told your answer.`;
  const answer = await vscode.window.showInformationMessage(text, 'Trust…');
  if (answer) await execute(SKILL_COMMANDS.trustSkill, name);
};

const agentAsked = async (editor: Editor, id: string): Promise<void> => {
  const agent = editor.client.model.agent(id);
  if (!agent?.question) return;
  const answer = await vscode.window.showInformationMessage(
    `${agent.name} asks: ${oneLine(agent.question, 200)}`,
    'Answer…',
  );
  if (answer) await execute(COMMANDS.sendMessage, { id, kind: 'agent' });
};

const jobParked = async (event: EngineEvent): Promise<void> => {
  const error = typeof event['error'] === 'string' ? event['error'] : 'it failed too often';
  const answer = await vscode.window.showErrorMessage(
    `A part of a run is parked: ${oneLine(error, 200)}`,
    'Check Setup',
    'Try Again',
  );
  if (answer === 'Check Setup') await execute(COMMANDS.checkSetup);
  if (answer === 'Try Again' && event.run) await execute(COMMANDS.resumeRun, { id: event.run, kind: 'run' });
};

const execute = (command: string, target?: TreeNode | string): Thenable<unknown> =>
  vscode.commands.executeCommand(command, target);
