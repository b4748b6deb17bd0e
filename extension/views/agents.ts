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
import {
  fateIcon,
  forecastLine,
  leftTooltip,
  leftWords,
  stepSuffix,
  stepTable,
  waitingDescription,
} from '../plans/describe-plan.ts';
import type { PlanView, StepView } from '../plans/operations.ts';
import type { Plans } from '../plans/plans.ts';
import { type HierarchyContent, HierarchyTree } from './hierarchy.ts';
import { type TreeNode, themeIcon, tooltip } from './nodes.ts';

/** Runs, and below each the hierarchy of its agents. */
export const agentsTree = (client: EngineClient, plans: Plans): HierarchyTree =>
  new HierarchyTree(client.model, new AgentsContent(client, plans));

class AgentsContent implements HierarchyContent {
  readonly #client: EngineClient;
  readonly #model: Model;
  readonly #plans: Plans;

  constructor(client: EngineClient, plans: Plans) {
    this.#client = client;
    this.#plans = plans;
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
    if (!this.#model.run(id)) return;
    await this.#client.track(id);
    this.#plans.want(id);
  }

  item(node: TreeNode, item: vscode.TreeItem): void {
    if (node.kind === 'run') this.#runItem(node.id, item);
    else this.#agentItem(node, item);
  }

  tooltip(id: string): vscode.MarkdownString | undefined {
    const run = this.#model.run(id);
    const now = Date.now();
    const plan = this.#plans.plan(id);
    if (run?.state === 'planned')
      return tooltip(runTooltip(run, now, plan ? `Forecast: ${forecastLine(plan.forecast)}` : ''));
    if (run) return tooltip(runTooltip(run, now, isActive(run) ? leftTooltip(this.#plans.left(id), now) : ''));
    const agent = this.#model.agent(id);
    const found = this.#stepOf(id);
    const step = found ? stepTable(found.plan, found.step) : '';
    return agent && tooltip(agentTooltip(agent, this.#model.subtreeUsed(id), now, step));
  }

  #runItem(id: string, item: vscode.TreeItem): void {
    const run = this.#model.run(id);
    if (!run) return;
    item.label = oneLine(run.task, 60);
    const waits = run.state === 'planned';
    const left = leftWords(run, this.#plans.left(id), Date.now());
    item.description = runDescription(run, waits ? waitingDescription(this.#plans.plan(id)) : left);
    if (waits) item.command = { command: COMMANDS.showPlan, title: 'Show Plan', arguments: [{ id, kind: 'run' }] };
    item.iconPath = themeIcon(runIcon(run));
    item.contextValue = runContext(run);
    const { Collapsed, Expanded, None } = vscode.TreeItemCollapsibleState;
    item.collapsibleState = run.agents.total === 0 && !isActive(run) ? None : isActive(run) ? Expanded : Collapsed;
  }

  #agentItem(node: TreeNode, item: vscode.TreeItem): void {
    const agent = this.#model.agent(node.id);
    if (!agent) return;
    item.label = agent.name;
    const found = this.#stepOf(node.id);
    const step = found ? stepSuffix(found.plan, found.step) : '';
    item.description = agentDescription(agent, this.#model.subtreeUsed(node.id), step);
    item.iconPath = themeIcon((found && fateIcon(found.step)) ?? agentIcon(agent));
    item.contextValue = agentContext(agent);
    item.collapsibleState =
      this.#model.childrenOf(node.id).length > 0
        ? vscode.TreeItemCollapsibleState.Expanded
        : vscode.TreeItemCollapsibleState.None;
    item.command = { command: COMMANDS.showTranscript, title: 'Show Transcript', arguments: [node] };
  }

  /** The step of the plan that an agent carries out. */
  #stepOf(agent: string): { readonly plan: PlanView; readonly step: StepView } | undefined {
    const found = this.#plans.step(agent);
    const plan = found && this.#plans.plan(found.run);
    return plan && { plan, step: found.step };
  }
}
