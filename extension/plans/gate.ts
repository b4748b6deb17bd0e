import * as vscode from 'vscode';
import type { RunView } from '../../mcp-server/operations/views.ts';
import type { Editor } from '../editor.ts';
import { oneLine } from '../format.ts';
import { COMMANDS } from '../ids.ts';
import { showRun } from '../show-run.ts';
import { changeLine, forecastLine } from './describe-plan.ts';
import type { PlanView, ShrinkHow } from './operations.ts';
import { planUri } from './plan-files.ts';
import type { PlanChange } from './plan-rows.ts';

type Choice = 'run' | 'shrink' | 'edit' | 'cancel';

/** Runs that this window asks about just now, so that no second question comes on top. */
const asking = new Set<string>();

/** Runs that are being started here: their ids are not known yet. */
let starting = 0;

/** True while this window waits for the plan of a run or asks about it. */
export const isAsking = (run: string): boolean => starting > 0 || asking.has(run);

/** Starts a run with `start`, shows it, and asks about its plan as soon as that waits. */
export const startAndAsk = async (editor: Editor, start: () => Promise<RunView>): Promise<void> => {
  starting += 1;
  let run: RunView;
  try {
    run = await start();
    asking.add(run.run);
  } finally {
    starting -= 1;
  }
  try {
    await showRun(editor, run);
    if (await planned(editor, run)) await ask(editor, run.run);
  } finally {
    asking.delete(run.run);
  }
};

/** Shows a plan that waits and asks what becomes of it. */
export const askAboutPlan = async (editor: Editor, run: string): Promise<void> => {
  if (asking.has(run)) return;
  asking.add(run);
  try {
    await ask(editor, run);
  } finally {
    asking.delete(run);
  }
};

/** Resolves with true when there is a plan that waits, with false when none will. */
const planned = async (editor: Editor, run: RunView): Promise<boolean> => {
  const { client } = editor;
  const state = (): RunView['state'] => client.model.run(run.run)?.state ?? run.state;
  if (state() !== 'planning') return state() === 'planned';
  const options = {
    location: vscode.ProgressLocation.Notification,
    title: `Coppice: making the plan for "${oneLine(run.task, 50)}"`,
    cancellable: true,
  };
  await vscode.window.withProgress(options, async (_progress, token) => {
    const done = Promise.withResolvers<void>();
    const look = client.onChange(() => state() !== 'planning' && done.resolve());
    const stop = token.onCancellationRequested(() => done.resolve());
    if (state() !== 'planning') done.resolve();
    await done.promise;
    look.dispose();
    stop.dispose();
    if (token.isCancellationRequested) await client.call('run_cancel', { run: run.run, mode: 'abort' });
  });
  return state() === 'planned';
};

/** Asks until the plan runs, is dropped, is edited, or is left to wait. */
const ask = async (editor: Editor, run: string): Promise<void> => {
  await editor.documents.showPlan(await editor.plans.load(run));
  for (let plan = await editor.plans.load(run); plan.state === 'planned'; plan = await editor.plans.load(run)) {
    await editor.planTree.reveal(run);
    const choice = await choose(editor, plan);
    if (choice === 'run') return runPlan(editor, run);
    if (choice === 'edit') return editPlan(editor, run);
    if (choice === 'cancel') return dropPlan(editor, run);
    if (choice === undefined || !(await shrinkPlan(editor, run))) return;
  }
};

const BASIS = {
  prior: 'by general experience',
  history: 'by what was observed here',
  mixed: 'partly observed here',
} as const;

const choose = async (editor: Editor, plan: PlanView): Promise<Choice | undefined> => {
  const change = editor.plans.lastChange(plan.run);
  const items: (vscode.QuickPickItem & { choice: Choice })[] = [
    { label: '$(play) Run', detail: `${forecastLine(plan.forecast)}, ${BASIS[plan.forecast.basis]}`, choice: 'run' },
    { label: '$(fold) Shrink the Plan…', detail: 'Fewer agents, cheaper tiers or tighter steps', choice: 'shrink' },
    { label: '$(edit) Edit Plan', detail: 'As YAML in an editor; it is checked when you save', choice: 'edit' },
    { label: '$(close) Cancel', detail: 'Drops the plan; no agent has begun', choice: 'cancel' },
  ];
  const undoable = plan.cannotUndo.length > 0 ? ` ${plan.cannotUndo.length} of its steps cannot be undone.` : '';
  const changed = change
    ? `${changeLine(change.before, plan.forecast)}. ${oneLine(change.changes.join(' '), 150)}`
    : '';
  return asked(editor, plan.run, items, {
    title: `Plan of "${oneLine(plan.task, 60)}"`,
    placeHolder: changed || `${plan.pattern}: what becomes of the plan?${undoable} Escape lets it wait.`,
  }).then((item) => item?.choice);
};

/** A list that stays while the person reads the plan beside it, and goes when the plan no longer waits. */
const asked = async <T extends vscode.QuickPickItem>(
  editor: Editor,
  run: string,
  items: readonly T[],
  words: { readonly title: string; readonly placeHolder: string },
): Promise<T | undefined> => {
  const over = new vscode.CancellationTokenSource();
  const listener = editor.client.onChange(() => {
    if (editor.client.model.run(run)?.state !== 'planned') over.cancel();
  });
  try {
    return await vscode.window.showQuickPick(items, { ...words, ignoreFocusOut: true }, over.token);
  } finally {
    listener.dispose();
    over.dispose();
  }
};

/** Lets the agents of a plan begin. */
export const runPlan = async (editor: Editor, run: string): Promise<void> => {
  const view = await editor.client.call('plan_approve', { run });
  await showRun(editor, view);
};

/** Drops a plan that waits. No agent has begun, so nothing has to be wrapped up. */
export const dropPlan = async (editor: Editor, run: string): Promise<void> => {
  await editor.client.call('run_cancel', { run, mode: 'abort' });
};

const WAYS: readonly (vscode.QuickPickItem & { how: ShrinkHow })[] = [
  {
    label: '$(organization) Fewer agents',
    detail: 'Neighbouring steps are joined: fewer worktrees and prompts, less side by side',
    how: 'fewer-agents',
  },
  {
    label: '$(layers) Cheaper tiers',
    detail: 'Agents that only join reports are left out where the plan can do without them',
    how: 'cheaper-tiers',
  },
  {
    label: '$(watch) Tighter steps',
    detail: 'Each step gets less time, fewer tries and fewer tokens',
    how: 'tighter-steps',
  },
];

/** Makes a plan cost less, in a way that the person picks. Resolves with false when the person picked none. */
export const shrinkPlan = async (editor: Editor, run: string): Promise<boolean> => {
  const before = await editor.plans.load(run);
  const words = { title: 'Shrink the plan', placeHolder: `Now: ${forecastLine(before.forecast)}` };
  const way = await asked(editor, run, WAYS, words);
  if (!way) return false;
  const { plan, changes } = await editor.client.call('plan_edit', { run, shrink: way.how });
  const said = changes.length > 0 ? changes : ['Nothing could be given up that way: the plan is as it was.'];
  editor.plans.changed(plan, { before: before.forecast, changes: said });
  return true;
};

/** Opens a plan as YAML; saving checks it. */
export const editPlan = async (editor: Editor, run: string): Promise<void> => {
  const plan = await editor.plans.load(run);
  await vscode.window.showTextDocument(planUri(plan), { preview: false });
};

/** Says what a saved plan costs now, and offers to go on with it. */
export const tellSaved = async (editor: Editor, plan: PlanView, change: PlanChange): Promise<void> => {
  editor.planTree.show(plan.run);
  const answer = await vscode.window.showInformationMessage(
    `The plan was changed: ${changeLine(change.before, plan.forecast)}.`,
    'Run',
    'Shrink…',
  );
  if (answer === 'Run') await vscode.commands.executeCommand(COMMANDS.runPlan, { id: plan.run, kind: 'run' });
  if (answer === 'Shrink…') await vscode.commands.executeCommand(COMMANDS.shrinkPlan, { id: plan.run, kind: 'run' });
};
