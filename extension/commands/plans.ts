import * as vscode from 'vscode';
import type { RunView } from '../../mcp-server/operations/views.ts';
import type { Editor } from '../editor.ts';
import { SCHEMES } from '../ids.ts';
import { pickRun, type Target } from '../pick.ts';
import { askAboutPlan, dropPlan, editPlan, runPlan, shrinkPlan } from '../plans/gate.ts';
import { runOf } from '../plans/plan-files.ts';

const waits = (run: RunView): boolean => run.state === 'planned';
const hasPlan = (run: RunView): boolean => run.state !== 'planning';

/** The plan that a command means: that of the element, of the editor in front, of the Plan view, or the one that is picked. */
const planOf = async (editor: Editor, target: Target, fits: (run: RunView) => boolean): Promise<string | undefined> => {
  const { model } = editor.client;
  const uri = vscode.window.activeTextEditor?.document.uri;
  const shown = uri?.scheme === SCHEMES.plan ? runOf(uri) : editor.planTree.run;
  const run = shown === undefined || target ? undefined : model.run(shown);
  if (run && fits(run)) return run.run;
  return (await pickRun(editor, target, fits, 'No plan waits for you.'))?.run;
};

type Command = (editor: Editor, target: Target) => Promise<void>;

const onWaiting =
  (action: (editor: Editor, run: string) => Promise<unknown>): Command =>
  async (editor, target) => {
    const run = await planOf(editor, target, waits);
    if (run) await action(editor, run);
  };

/** Lets the agents of a plan that waits begin. */
export const runPlanCommand = onWaiting(runPlan);

/** Opens a plan that waits as YAML. */
export const editPlanCommand = onWaiting(editPlan);

/** Drops a plan that waits. */
export const dropPlanCommand = onWaiting(dropPlan);

/** Makes a plan that waits cost less, then asks what becomes of it. */
export const shrinkPlanCommand = onWaiting(async (editor, run) => {
  if (await shrinkPlan(editor, run)) await askAboutPlan(editor, run);
});

/** Shows the plan of a run; for one that waits, asks what becomes of it. */
export const showPlanCommand: Command = async (editor, target) => {
  const run = await planOf(editor, target, hasPlan);
  if (!run) return;
  const plan = await editor.plans.load(run);
  if (plan.state === 'planned') return askAboutPlan(editor, run);
  await editor.planTree.reveal(run);
  await editor.documents.showPlan(plan);
};
