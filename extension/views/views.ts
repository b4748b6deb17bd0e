import * as vscode from 'vscode';
import type { EngineClient } from '../engine-client.ts';
import { CONTEXT, VIEWS } from '../ids.ts';
import { runOffers } from '../offers.ts';
import type { Plans } from '../plans/plans.ts';
import { budgetsHeader, queueHeader } from '../view-headers.ts';
import { agentsTree } from './agents.ts';
import { budgetDecorations, budgetsTree } from './budgets.ts';
import type { HierarchyTree } from './hierarchy.ts';
import { offering, setHeader, type TreeNode } from './nodes.ts';
import { QueueTree } from './queue.ts';
import { statusBar } from './status-bar.ts';

/** The three trees and the view that commands reveal things in. */
export interface Views extends vscode.Disposable {
  readonly agents: HierarchyTree;
  readonly budgets: HierarchyTree;
  readonly queue: QueueTree;
  readonly agentsView: vscode.TreeView<TreeNode>;
}

/** Makes the views. `onLooked` is called when one of them is in sight, now or later. */
export const createViews = (client: EngineClient, plans: Plans, onLooked: () => void): Views => {
  const agents = agentsTree(client, plans);
  const budgets = budgetsTree(client);
  const queue = new QueueTree(client.model);
  const agentsView = vscode.window.createTreeView(VIEWS.agents, { treeDataProvider: agents, showCollapseAll: true });
  const budgetsView = vscode.window.createTreeView(VIEWS.budgets, { treeDataProvider: budgets, showCollapseAll: true });
  const queueView = vscode.window.createTreeView(VIEWS.queue, { treeDataProvider: queue });
  const all = [agentsView, budgetsView, queueView];
  const look = (): void => {
    client.setNeeds({ budgets: budgetsView.visible, queue: queueView.visible });
    if (all.some((view) => view.visible)) onLooked();
  };
  const apply = client.onChange((change) => {
    for (const tree of [agents, budgets, queue]) tree.apply(change);
  });
  const registrations = vscode.Disposable.from(
    apply,
    plans.onChange((change) => agents.apply(change)),
    ...all.map((view) => view.onDidChangeVisibility(look)),
    ...all,
    agents,
    budgets,
    queue,
    vscode.window.registerFileDecorationProvider(budgetDecorations),
    showState(client, agentsView),
    showSums(client, budgetsView, queueView),
    statusBar(client),
  );
  look();
  return { agents, budgets, queue, agentsView, dispose: () => registrations.dispose() };
};

/** A closed view still tells what is in it: that costs a line, not a tree. */
const showSums = (
  client: EngineClient,
  budgets: vscode.TreeView<unknown>,
  queue: vscode.TreeView<unknown>,
): vscode.Disposable => {
  const draw = (): void => {
    const active = client.model.activeRuns();
    setHeader(budgets, 'Budgets', budgetsHeader(active));
    // The queue of a closed view is read only while there is work.
    setHeader(queue, 'Queue', active.length > 0 || queue.visible ? queueHeader(client.model.queue()) : '');
  };
  draw();
  return vscode.Disposable.from(
    client.onChange(draw),
    budgets.onDidChangeVisibility(draw),
    queue.onDidChangeVisibility(draw),
  );
};

/** Sets the keys that empty views and menus look at, and says above the agents why there is no engine. */
const showState = (client: EngineClient, view: vscode.TreeView<unknown>): vscode.Disposable => {
  const offer = offering();
  const drawOffers = (): void => offer(runOffers(client.model.runs()));
  const draw = (): void => {
    void vscode.commands.executeCommand('setContext', CONTEXT.engine, client.state.kind);
    drawOffers();
    view.message = client.state.kind === 'failed' ? client.state.message : '';
  };
  draw();
  return vscode.Disposable.from(client.onState(draw), client.onChange(drawOffers));
};
