import * as vscode from 'vscode';
import {
  agentContext,
  agentDescription,
  agentIcon,
  agentTooltip,
  runContext,
  runDescription,
  runIcon,
  runTooltip,
} from '../describe.ts';
import type { EngineClient } from '../engine-client.ts';
import { oneLine } from '../format.ts';
import { COMMANDS } from '../ids.ts';
import { type Change, isActive, type Model } from '../model.ts';
import { type HierarchyContent, HierarchyTree } from './hierarchy.ts';
import { type TreeNode, themeIcon, tooltip } from './nodes.ts';

/** Runs, and below each the hierarchy of its agents. */
export const agentsTree = (client: EngineClient): HierarchyTree =>
  new HierarchyTree(client.model, new AgentsContent(client));

class AgentsContent implements HierarchyContent {
  readonly #client: EngineClient;
  readonly #model: Model;

  constructor(client: EngineClient) {
    this.#client = client;
    this.#model = client.model;
  }

  children(id: string | undefined): readonly string[] {
    return id === undefined ? this.#model.runs().map((run) => run.run) : this.#model.childrenOf(id);
  }

  *changed(change: Change): Iterable<string> {
    yield* change.grown;
    yield* change.nodes;
  }

  async open(id: string): Promise<void> {
    if (this.#model.run(id)) await this.#client.track(id);
  }

  item(node: TreeNode, item: vscode.TreeItem): void {
    if (node.kind === 'run') this.#runItem(node.id, item);
    else this.#agentItem(node, item);
  }

  tooltip(id: string): vscode.MarkdownString | undefined {
    const run = this.#model.run(id);
    if (run) return tooltip(runTooltip(run, Date.now()));
    const agent = this.#model.agent(id);
    return agent && tooltip(agentTooltip(agent, this.#model.subtreeUsed(id), Date.now()));
  }

  #runItem(id: string, item: vscode.TreeItem): void {
    const run = this.#model.run(id);
    if (!run) return;
    item.label = oneLine(run.task, 60);
    item.description = runDescription(run);
    item.iconPath = themeIcon(runIcon(run));
    item.contextValue = runContext(run);
    const { Collapsed, Expanded, None } = vscode.TreeItemCollapsibleState;
    item.collapsibleState = run.agents.total === 0 && !isActive(run) ? None : isActive(run) ? Expanded : Collapsed;
  }

  #agentItem(node: TreeNode, item: vscode.TreeItem): void {
    const agent = this.#model.agent(node.id);
    if (!agent) return;
    item.label = agent.name;
    item.description = agentDescription(agent, this.#model.subtreeUsed(node.id));
    item.iconPath = themeIcon(agentIcon(agent));
    item.contextValue = agentContext(agent);
    item.collapsibleState =
      this.#model.childrenOf(node.id).length > 0
        ? vscode.TreeItemCollapsibleState.Expanded
        : vscode.TreeItemCollapsibleState.None;
    item.command = { command: COMMANDS.showTranscript, title: 'Show Transcript', arguments: [node] };
  }
}
