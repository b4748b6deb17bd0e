import * as vscode from 'vscode';
import { continueAgents, pauseAgents } from './commands/pauses.ts';
import {
  dropPlanCommand,
  editPlanCommand,
  runPlanCommand,
  showPlanCommand,
  shrinkPlanCommand,
} from './commands/plans.ts';
import { answerAgent, cancelAgent, cancelRun, orchestrate, resumeRun, showTranscript } from './commands/runs.ts';
import { checkSetup, refresh, restartEngine, setApiKey, showLog } from './commands/setup.ts';
import { newWorkflow, retryFailed, runWorkflow, saveWorkflow } from './commands/workflows.ts';
import { RefusedError } from './connection.ts';
import type { Editor } from './editor.ts';
import { COMMANDS, type CommandId } from './ids.ts';
import { isActive, isReviewable } from './model.ts';
import { pickRun, type Target } from './pick.ts';
import { activeReview, discardChanges, landChanges, reviewChanges } from './review.ts';
import type { TreeNode } from './views/nodes.ts';

type Command = (editor: Editor, target: Target) => Promise<void>;

const NO_REVIEW = 'No run is waiting for a review.';

/** Runs `action` on the run that the command means. */
const onReview =
  (action: (editor: Editor, run: string) => Promise<void>): Command =>
  async (editor, target) => {
    const run = target ? undefined : activeReview();
    const picked = run ?? (await pickRun(editor, target, isReviewable, NO_REVIEW))?.run;
    if (picked) await action(editor, picked);
  };

const commands: Readonly<Record<CommandId, Command>> = {
  [COMMANDS.orchestrate]: (editor) => orchestrate(editor),
  [COMMANDS.runWorkflow]: (editor) => runWorkflow(editor),
  [COMMANDS.saveWorkflow]: saveWorkflow,
  [COMMANDS.newWorkflow]: (editor) => newWorkflow(editor),
  [COMMANDS.showPlan]: showPlanCommand,
  [COMMANDS.runPlan]: runPlanCommand,
  [COMMANDS.shrinkPlan]: shrinkPlanCommand,
  [COMMANDS.editPlan]: editPlanCommand,
  [COMMANDS.cancelPlan]: dropPlanCommand,
  [COMMANDS.retryFailed]: retryFailed,
  [COMMANDS.cancelRun]: async (editor, target) => {
    const run = await pickRun(editor, target, isActive, 'No run is going on.');
    if (run) await cancelRun(editor, run);
  },
  [COMMANDS.cancelAgent]: cancelAgent,
  [COMMANDS.pauseAgents]: pauseAgents,
  [COMMANDS.continueAgents]: continueAgents,
  [COMMANDS.resumeRun]: async (editor, target) => {
    const run = await pickRun(editor, target, isActive, 'No run is going on.');
    if (run) await resumeRun(editor, run.run);
  },
  [COMMANDS.sendMessage]: answerAgent,
  [COMMANDS.showTranscript]: showTranscript,
  [COMMANDS.reviewChanges]: onReview(reviewChanges),
  [COMMANDS.landChanges]: onReview(landChanges),
  [COMMANDS.discardChanges]: onReview(discardChanges),
  [COMMANDS.showLog]: (editor) => showLog(editor),
  [COMMANDS.checkSetup]: (editor) => checkSetup(editor),
  [COMMANDS.restartEngine]: (editor) => restartEngine(editor),
  [COMMANDS.setApiKey]: (editor) => setApiKey(editor),
  [COMMANDS.refresh]: (editor) => refresh(editor),
};

/** These explain a workspace in which nothing can run, so they work there as well. */
const WORKS_ANYWHERE: readonly string[] = [COMMANDS.showLog, COMMANDS.setApiKey];

/** Registers every command; whatever one throws is shown to the person. */
export const registerCommands = (editor: Editor): vscode.Disposable =>
  vscode.Disposable.from(
    ...Object.entries(commands).map(([id, command]) =>
      vscode.commands.registerCommand(id, (target: unknown) => guarded(editor, id, command, asTarget(target))),
    ),
  );

const guarded = (editor: Editor, id: string, command: Command, target: Target): Promise<void> =>
  runGuarded(editor, () => command(editor, target), WORKS_ANYWHERE.includes(id));

/** Runs what a command does where Coppice may work; what it throws is shown to the person. */
export const runGuarded = async (editor: Editor, action: () => Promise<void>, worksAnywhere = false): Promise<void> => {
  try {
    if (!editor.folder() && !worksAnywhere) await explainIdle();
    else await action();
  } catch (error) {
    await showError(editor, error);
  }
};

/** Shows an error with what can be done about it. */
const showError = async (editor: Editor, error: unknown): Promise<void> => {
  const { message } = error as Error;
  editor.log.error(error as Error);
  // An engine that was started elsewhere may not know what the person has allowed here since.
  const isOld = error instanceof RefusedError && error.code === 'permission-denied';
  const remedy = isOld ? 'Restart Engine' : 'Check Setup';
  const answer = await vscode.window.showErrorMessage(`Coppice: ${message}`, remedy, 'Show Log');
  if (answer === 'Restart Engine') await restartEngine(editor);
  if (answer === 'Check Setup') await checkSetup(editor);
  if (answer === 'Show Log') await showLog(editor);
};

const explainIdle = async (): Promise<void> => {
  if (!vscode.workspace.isTrusted) {
    const answer = await vscode.window.showWarningMessage(
      'Coppice starts nothing in a workspace that is not trusted.',
      'Manage Trust',
    );
    if (answer) await vscode.commands.executeCommand('workbench.trust.manage');
    return;
  }
  const answer = await vscode.window.showInformationMessage(
    'Coppice works on a git repository. Open its folder first.',
    'Open Folder',
  );
  if (answer) await vscode.commands.executeCommand('vscode.openFolder');
};

const asTarget = (value: unknown): Target => {
  const node = value as Partial<TreeNode> | undefined;
  const isNode = typeof node?.id === 'string' && (node.kind === 'run' || node.kind === 'agent');
  return isNode ? (node as TreeNode) : undefined;
};
