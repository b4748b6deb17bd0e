import * as vscode from 'vscode';
import { oneLine } from '../format.ts';
import { SKILL_COMMANDS } from '../ids.ts';
import { approveDetail } from './describe-skill.ts';
import type { SkillDesk } from './desk.ts';
import type { DraftReview } from './operations.ts';
import { testPage } from './preview-page.ts';

const execute = (command: string, name: string): Thenable<unknown> => vscode.commands.executeCommand(command, name);

/** Opens what a draft would change in the multi-file diff: against the skill of its name, or against nothing. */
export const reviewDraft = async (desk: SkillDesk, name: string): Promise<void> => {
  await showReview(desk, await desk.editor.client.call('skill_draft_review', { name }));
  const answer = await vscode.window.showInformationMessage(
    `What is to become of the draft ${name}?`,
    'Approve…',
    'Test',
    'Discard…',
  );
  if (answer === 'Approve…') await execute(SKILL_COMMANDS.approveDraft, name);
  if (answer === 'Test') await execute(SKILL_COMMANDS.testDraft, name);
  if (answer === 'Discard…') await execute(SKILL_COMMANDS.discardDraft, name);
};

const showReview = async ({ pages }: SkillDesk, { draft, files }: DraftReview): Promise<void> => {
  const changed = files.filter(({ status }) => status !== 'same');
  const shown = changed.map(({ path, status, before, after }) => ({
    path: `${draft.name}/${path}`,
    before: status === 'added' ? null : (before ?? NO_TEXT),
    after: status === 'removed' ? null : (after ?? NO_TEXT),
  }));
  await pages.showChanges(`Draft: ${draft.name}`, shown, draft.hash.slice(0, 16));
};

const NO_TEXT = '(no text)\n';

/** Runs the tests of a draft where it can reach nothing, and says what came of them. */
export const testDraft = async (desk: SkillDesk, name: string): Promise<void> => {
  const result = await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: `Coppice: testing the draft ${name}`, cancellable: true },
    (_progress, token) => {
      const control = new AbortController();
      token.onCancellationRequested(() => control.abort());
      return desk.editor.client.call('skill_draft_test', { name }, control.signal);
    },
  );
  const page = desk.pages.put(`Tests of ${name}.md`, testPage(result));
  if (!result.ok) {
    await desk.pages.showRendered(page);
    return;
  }
  const answer = await vscode.window.showInformationMessage(`The draft ${name} passes its tests.`, 'Approve…', 'Show');
  if (answer === 'Approve…') await execute(SKILL_COMMANDS.approveDraft, name);
  if (answer === 'Show') await desk.pages.showRendered(page);
};

/** Makes a draft a skill: exactly the content whose files and permissions the person is shown here. */
export const approveDraft = async (desk: SkillDesk, name: string): Promise<void> => {
  const review = await desk.editor.client.call('skill_draft_review', { name });
  const { draft, asksMore } = review;
  const detail = approveDetail(draft, asksMore);
  const answer = await vscode.window.showWarningMessage(
    `Approve the draft ${name}?`,
    { modal: true, detail },
    'Show Files',
    'Approve',
  );
  if (answer === 'Show Files') {
    await showReview(desk, review);
    const second = await vscode.window.showInformationMessage(
      `Approve the draft ${name} with exactly these files?`,
      'Approve',
    );
    if (second !== 'Approve') return;
  } else if (answer !== 'Approve') return;
  await desk.editor.client.call('skill_draft_approve', { name, hash: draft.hash });
  desk.list.refreshSoon(0);
  vscode.window.setStatusBarMessage(`${name} is a skill of this repository now.`, 5000);
};

/** Drops a draft; its files are kept aside. */
export const discardDraft = async (desk: SkillDesk, name: string): Promise<void> => {
  const detail = 'Its files are kept aside below .coppice/removed-skills.';
  const answer = await vscode.window.showWarningMessage(
    `Discard the draft ${name}?`,
    { modal: true, detail },
    'Discard',
  );
  if (answer !== 'Discard') return;
  const { movedTo } = await desk.editor.client.call('skill_draft_discard', { name });
  desk.list.refreshSoon(0);
  vscode.window.setStatusBarMessage(`Kept aside: ${oneLine(movedTo, 120)}`, 5000);
};
