import * as vscode from 'vscode';
import type { FileChange, LandOutcome, ReviewView } from '../mcp-server/operations/views.ts';
import type { Editor } from './editor.ts';
import { count, oneLine } from './format.ts';
import { CONTEXT, SCHEMES } from './ids.ts';

/** Titles of the review editors that were opened in this window, and the run of each. A title never changes its run. */
const titles = new Map<string, string>();

/** Runs whose review is over. */
const ended = new Set<string>();

/** The run whose review is in front, if any. */
export const activeReview = (): string | undefined => {
  // The editor adds the number of files to the title.
  const label = vscode.window.tabGroups.activeTabGroup.activeTab?.label.replace(/ \(\d+ files?\)$/, '');
  const run = label === undefined ? undefined : titles.get(label);
  return run === undefined || ended.has(run) ? undefined : run;
};

/** Shows the buttons Land and Discard in the title of a review editor. */
export const watchReviewTabs = (): vscode.Disposable =>
  vscode.Disposable.from(
    vscode.window.tabGroups.onDidChangeTabs(showButtons),
    vscode.window.tabGroups.onDidChangeTabGroups(showButtons),
  );

const showButtons = (): void => {
  void vscode.commands.executeCommand('setContext', CONTEXT.reviewing, activeReview() !== undefined);
};

/** Takes the buttons away from the reviews of a run that is landed or discarded. */
const endReview = (run: string): void => {
  ended.add(run);
  showButtons();
};

/** The buttons know a review by its title alone, so two runs of the same task must not share one. */
const titleOf = (review: ReviewView): string => {
  const title = `Review: ${oneLine(review.task, 50)}`;
  const own = (titles.get(title) ?? review.run) === review.run ? title : `${title} (${review.run})`;
  titles.set(own, review.run);
  return own;
};

/** Opens the changes of a run in the editor's own multi-file diff. */
export const reviewChanges = async (editor: Editor, run: string): Promise<void> => {
  const { review, files } = await editor.client.call('review_diff', { run });
  if (files.length === 0) {
    void vscode.window.showInformationMessage('This run has changed no file.');
    return;
  }
  await vscode.commands.executeCommand(
    'vscode.changes',
    titleOf(review),
    files.map((file) => diffEntry(review, file)),
  );
};

const diffEntry = (review: ReviewView, file: FileChange): [vscode.Uri, vscode.Uri | null, vscode.Uri | null] => {
  const before = file.status === 'added' ? null : reviewUri(review, file.oldPath ?? file.path, 'base');
  const after = file.status === 'deleted' ? null : reviewUri(review, file.path, 'head');
  return [reviewUri(review, file.path, 'head'), before, after];
};

/** The commit is part of the address, so that a later state of the run is another document. */
const reviewUri = (review: ReviewView, path: string, side: 'base' | 'head'): vscode.Uri => {
  const query = JSON.stringify({ run: review.run, path, side, commit: side === 'base' ? review.base : review.head });
  return vscode.Uri.from({ scheme: SCHEMES.review, path: `/${path}`, query });
};

/** Merges the run into the person's branch, and says what came of it. */
export const landChanges = async (editor: Editor, run: string): Promise<void> => {
  const outcome = await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: 'Coppice: landing the changes' },
    () => editor.client.call('review_land', { run }),
  );
  if (outcome.kind === 'landed') {
    endReview(run);
    void vscode.window.showInformationMessage(
      `Landed on ${outcome.branch ?? 'your branch'} as ${outcome.commit?.slice(0, 10) ?? 'a commit'}.`,
    );
    return;
  }
  const answer = await vscode.window.showWarningMessage(`Nothing was changed. ${obstacle(outcome)}`, 'Review Changes');
  if (answer) await reviewChanges(editor, run);
};

/** Why a run could not land, and what to do about it. */
const obstacle = (outcome: LandOutcome): string => {
  const files = fileList(outcome.files ?? []);
  if (outcome.kind === 'dirty')
    return `You have uncommitted changes in ${files}. Commit or stash them, then land again.`;
  if (outcome.kind === 'conflict') {
    return `The run and your branch have both changed ${files}. Merge the run's branch yourself, or discard it and run the task again.`;
  }
  const wanted = outcome.expected ?? 'the branch that the run was started from';
  return `The run belongs on ${wanted}, but ${outcome.current ?? 'no branch'} is checked out. Check out ${wanted}, then land again.`;
};

const fileList = (files: readonly string[]): string =>
  files.length <= 3 ? files.join(', ') : `${files.slice(0, 3).join(', ')} and ${count(files.length - 3, 'more file')}`;

/** Drops the result of a run after the person has read what goes. */
export const discardChanges = async (editor: Editor, run: string): Promise<void> => {
  const view = await editor.client.call('run_status', { run });
  const { review } = await editor.client.call('review_diff', { run });
  const detail =
    `${count(review.files, 'changed file')} (+${review.additions} −${review.deletions}) on the branch ${view.branch}, and ` +
    `what is left of the worktrees of its ${count(view.agents.total, 'agent')}, are removed. Your own branch and files stay as they are. ` +
    `Git still finds the result at refs/coppice/discarded/${run}.`;
  const message = `Discard the result of "${oneLine(view.task, 80)}"?`;
  const answer = await vscode.window.showWarningMessage(message, { modal: true, detail }, 'Discard');
  if (answer !== 'Discard') return;
  const { keptWorktrees } = await editor.client.call('review_discard', { run });
  endReview(run);
  const kept =
    keptWorktrees.length === 0 ? '' : ` Kept, because they hold work that is nowhere else: ${keptWorktrees.join(', ')}`;
  void vscode.window.showInformationMessage(`Discarded.${kept}`);
};
