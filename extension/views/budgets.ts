import * as vscode from 'vscode';
import { budgetDescription, budgetIcon, budgetTooltip, isScarce, WARN_SHARE, WARNING } from '../describe.ts';
import type { EngineClient } from '../engine-client.ts';
import { oneLine } from '../format.ts';
import { COMMANDS, SCHEMES } from '../ids.ts';
import { type Change, isActive, type Model, ROOT } from '../model.ts';
import { type HierarchyContent, HierarchyTree } from './hierarchy.ts';
import { type TreeNode, themeIcon, tooltip } from './nodes.ts';

/** Granted, reserved, used and available tokens of runs and of each agent. */
export const budgetsTree = (client: EngineClient): HierarchyTree =>
  new HierarchyTree(client.model, new BudgetsContent(client));

class BudgetsContent implements HierarchyContent {
  readonly #client: EngineClient;
  readonly #model: Model;

  constructor(client: EngineClient) {
    this.#client = client;
    this.#model = client.model;
  }

  children(id: string | undefined): readonly string[] {
    return id === undefined ? this.#model.runs().map((run) => run.run) : this.#model.accountChildrenOf(id);
  }

  *changed(change: Change): Iterable<string> {
    if (change.grown.has(ROOT)) yield ROOT;
    yield* change.budgetsGrown;
    yield* change.budgets;
  }

  async open(id: string): Promise<void> {
    if (this.#model.run(id)) await this.#client.track(id);
  }

  item(node: TreeNode, item: vscode.TreeItem): void {
    const account = this.#model.account(node.id);
    const run = this.#model.run(node.id);
    item.label = run ? oneLine(run.task, 60) : (account?.name ?? node.id);
    const { Collapsed, Expanded, None } = vscode.TreeItemCollapsibleState;
    if (run) item.collapsibleState = isActive(run) ? Expanded : Collapsed;
    else item.collapsibleState = this.#model.accountChildrenOf(node.id).length > 0 ? Expanded : None;
    item.contextValue = 'account';
    if (!run) item.command = { command: COMMANDS.showTranscript, title: 'Show Transcript', arguments: [node] };
    if (!account) return;
    item.description = budgetDescription(account);
    item.iconPath = themeIcon(budgetIcon(account));
    // The decoration of this address colours the label.
    if (isScarce(account)) item.resourceUri = vscode.Uri.from({ scheme: SCHEMES.budget, path: `/${node.id}` });
  }

  tooltip(id: string): vscode.MarkdownString | undefined {
    const account = this.#model.account(id);
    return account && tooltip(budgetTooltip(account));
  }
}

/** Colours the labels of accounts that are nearly spent. */
export const budgetDecorations: vscode.FileDecorationProvider = {
  provideFileDecoration: (uri) =>
    uri.scheme === SCHEMES.budget
      ? { color: new vscode.ThemeColor(WARNING), tooltip: `More than ${WARN_SHARE * 100} % used or reserved` }
      : undefined,
};
