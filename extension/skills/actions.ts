import { randomUUID } from 'node:crypto';
import * as vscode from 'vscode';
import { oneLine } from '../format.ts';
import { defaultBudget, startOptions } from '../settings.ts';
import { askInput } from './ask-input.ts';
import { listed, type SkillRow } from './describe-skill.ts';
import type { SkillDesk } from './desk.ts';
import type { SkillRun, SkillText } from './operations.ts';
import { trustSkill } from './trust.ts';

/** Asks for the input of a skill and runs it: a script until its end, an agent as a run that the views follow. */
export const runSkill = async (desk: SkillDesk, { skill }: SkillRow): Promise<void> => {
  const { name, state } = skill;
  if (state === 'draft' || state === 'error')
    throw new Error(
      `${name} cannot be run: it is a ${state === 'draft' ? 'draft that nobody has approved' : 'skill with errors'}.`,
    );
  if (state === 'needs-review' && !(await trustSkill(desk, name))) return;
  const read = await desk.editor.client.call('skill_read', { name });
  const input = await askInput(read);
  if (input === undefined) return;
  const done = await started(desk, read, input);
  // A use is no change of the list that the engine would tell of.
  desk.list.refreshSoon(0);
  if (done.run !== null) await showRun(desk, done.run);
  else await showResult(desk, done);
};

/** How long a script is waited for; the manifest of the skill bounds it as well. */
const SCRIPT_SECONDS = 600;

const started = (
  desk: SkillDesk,
  { skill }: SkillText,
  input: string | Record<string, unknown>,
): Thenable<SkillRun> => {
  const { name, kind } = skill;
  const options = { location: vscode.ProgressLocation.Notification, title: `Coppice: ${name}`, cancellable: true };
  return vscode.window.withProgress(options, (_progress, token) => {
    const control = new AbortController();
    token.onCancellationRequested(() => control.abort());
    const how =
      kind === 'script'
        ? { seconds: SCRIPT_SECONDS }
        : { seconds: 0, options: { ...startOptions(), budget: defaultBudget() } };
    return desk.editor.client.call('skill_run', { name, input, key: randomUUID(), ...how }, control.signal);
  });
};

const showRun = async ({ editor }: SkillDesk, run: string): Promise<void> => {
  editor.client.model.applyRuns([await editor.client.call('run_status', { run })]);
  await editor.client.track(run);
  const node = editor.agents.node(run);
  if (node)
    await editor.agentsView.reveal(node, { select: false, focus: false, expand: true }).then(undefined, () => {});
};

const showResult = async ({ pages }: SkillDesk, done: SkillRun): Promise<void> => {
  if (!done.ok) {
    const answer = await vscode.window.showErrorMessage(
      `${done.skill} failed: ${oneLine(done.error ?? 'it gave no reason', 300)}`,
      ...(done.error !== null && done.error.length > 300 ? ['Show All'] : []),
    );
    if (answer) await pages.show(pages.put(`${done.skill} failed.txt`, done.error ?? ''));
    return;
  }
  const text = typeof done.result === 'string' ? done.result : JSON.stringify(done.result, null, 2);
  await pages.show(pages.put(`${done.skill} result.${typeof done.result === 'string' ? 'md' : 'json'}`, `${text}\n`));
};

/** Opens SKILL.md: those of the repository and the home folder to be changed, those that come with Coppice to be read. */
export const openSkill = async ({ editor, pages }: SkillDesk, { skill }: SkillRow): Promise<void> => {
  const uri = vscode.Uri.file(skill.file);
  if (skill.source !== 'bundled') {
    await vscode.window.showTextDocument(uri, { preview: true });
    return;
  }
  const { body } = await editor.client.call('skill_read', { name: skill.name });
  await pages.showRendered(pages.put(`${skill.name}/SKILL.md`, body));
};

/** Tells agents of a skill, and offers it to clients as a tool of its own; or no longer. */
export const pinSkill = async ({ editor, list }: SkillDesk, { skill }: SkillRow, pinned: boolean): Promise<void> => {
  await editor.client.call('skill_pin', { name: skill.name, pinned });
  list.refreshSoon(0);
};

/** Takes a grant back after a word from the person. */
export const distrustSkill = async ({ editor, list }: SkillDesk, { skill }: SkillRow): Promise<void> => {
  const detail = 'Only its instructions can be read then, until you trust it again.';
  const answer = await vscode.window.showWarningMessage(
    `Take the trust in ${skill.name} back?`,
    { modal: true, detail },
    'Take Back',
  );
  if (answer !== 'Take Back') return;
  await editor.client.call('skill_distrust', { name: skill.name });
  list.refreshSoon(0);
};

/** Takes an imported skill out; what was changed by hand is kept aside and its place is named. */
export const removeSkill = async ({ editor, list }: SkillDesk, { skill, imported }: SkillRow): Promise<void> => {
  if (!imported) {
    const answer = await vscode.window.showInformationMessage(
      `${skill.name} was not imported: its folder is yours. Remove it there, and it is gone from here.`,
      'Show Folder',
    );
    if (answer) await vscode.commands.executeCommand('revealInExplorer', vscode.Uri.file(skill.file));
    return;
  }
  const isChanged = imported.state === 'changed-by-hand';
  const detail = isChanged
    ? 'Its files were changed by hand since the import. They are kept aside below .coppice/removed-skills.'
    : `It can be imported again from ${oneLine(imported.from, 200)}.`;
  const answer = await vscode.window.showWarningMessage(
    `Remove the skill ${skill.name}?`,
    { modal: true, detail },
    'Remove',
  );
  if (answer !== 'Remove') return;
  const { movedTo, changes } = await editor.client.call('skill_remove', { name: skill.name, evenIfChanged: isChanged });
  list.refreshSoon(0);
  const changed = [...changes.added, ...changes.changed];
  if (isChanged && movedTo !== null)
    void vscode.window.showInformationMessage(
      `Removed. What was changed by hand (${listed(changed, 3)}) is kept in ${movedTo}.`,
    );
};
