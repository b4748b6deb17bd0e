import * as vscode from 'vscode';
import type { EngineClient } from '../engine-client.ts';
import { oneLine } from '../format.ts';
import { COMMANDS, CONTEXT, VIEWS } from '../ids.ts';
import { isActive } from '../model.ts';
import { type PlanRow, planRows } from '../plans/plan-rows.ts';
import type { Plans } from '../plans/plans.ts';
import { type TreeNode, themeIcon, tooltip } from './nodes.ts';

/**
 * The plan of one run: the newest that waits for a word, or that of the line that was last clicked among the agents. A run
 * that begins later takes the place of one that has ended.
 */
export class PlanTree implements vscode.TreeDataProvider<PlanRow>, vscode.Disposable {
  readonly #client: EngineClient;
  readonly #plans: Plans;
  readonly #emitter = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.#emitter.event;
  readonly #view: vscode.TreeView<PlanRow>;
  readonly #subscriptions: vscode.Disposable;
  #run: string | undefined;
  #shownAt = 0;
  #rows: readonly PlanRow[] = [];
  #drawn = '';
  #drawnState: string | undefined;

  constructor(client: EngineClient, plans: Plans, agentsView: vscode.TreeView<TreeNode>) {
    this.#client = client;
    this.#plans = plans;
    this.#view = vscode.window.createTreeView(VIEWS.plan, { treeDataProvider: this, showCollapseAll: true });
    this.#subscriptions = vscode.Disposable.from(
      this.#view,
      this.#emitter,
      plans.onChange((change) => this.#look(change.nodes)),
      // Rows of runs change all the time; only another state changes what is drawn here.
      client.onChange((change) => this.#stateOf(this.#run) !== this.#drawnState && this.#look(change.nodes)),
      agentsView.onDidChangeSelection(({ selection: [node] }) => {
        const run = node?.kind === 'agent' ? client.model.agent(node.id)?.run : node?.id;
        if (run) this.show(run);
      }),
    );
  }

  /** The run whose plan is shown. */
  get run(): string | undefined {
    return this.#run;
  }

  /** Shows the plan of a run, as soon as it is known. */
  show(run: string): void {
    this.#run = run;
    this.#shownAt = Date.now();
    this.#plans.want(run);
    this.#draw();
  }

  /** Opens the view and gives it the room beside the others. */
  async reveal(run: string): Promise<void> {
    this.show(run);
    await vscode.commands.executeCommand(`${VIEWS.plan}.focus`, { preserveFocus: true });
  }

  getTreeItem(row: PlanRow): vscode.TreeItem {
    const { Collapsed, Expanded, None } = vscode.TreeItemCollapsibleState;
    const item = new vscode.TreeItem(row.label, row.children ? (row.isOpen ? Expanded : Collapsed) : None);
    item.id = `${this.#run ?? ''}:${row.id}`;
    if (row.description) item.description = row.description;
    if (row.icon) item.iconPath = themeIcon(row.icon);
    if (row.tooltip) item.tooltip = tooltip(row.tooltip);
    if (row.agent) {
      const node: TreeNode = { id: row.agent, kind: 'agent' };
      item.command = { command: COMMANDS.showTranscript, title: 'Show Transcript', arguments: [node] };
    }
    return item;
  }

  getChildren(row?: PlanRow): PlanRow[] {
    return [...(row ? (row.children ?? []) : this.#rows)];
  }

  dispose(): void {
    this.#subscriptions.dispose();
  }

  #stateOf(run: string | undefined): string | undefined {
    return run === undefined ? undefined : this.#client.model.run(run)?.state;
  }

  #look(nodes: ReadonlySet<string>): void {
    const { model } = this.#client;
    // A plan that waits comes to the front, unless another one that waits is there already.
    if (this.#run === undefined || model.run(this.#run)?.state !== 'planned') {
      const waiting = model.activeRuns().find(({ run, state }) => state === 'planned' && nodes.has(run));
      if (waiting && waiting.run !== this.#run) return this.show(waiting.run);
      const [newest] = model.activeRuns();
      if (newest && this.#isPast(newest.createdAt) && this.#plans.plan(newest.run)) return this.show(newest.run);
    }
    const isShown = [...nodes].some((id) => id === this.#run || this.#plans.step(id)?.run === this.#run);
    if (isShown) this.#draw();
  }

  /** Nothing is shown, or a run that has ended and was there before the one that was created then. */
  #isPast(createdAt: number): boolean {
    const shown = this.#run === undefined ? undefined : this.#client.model.run(this.#run);
    return !shown || (!isActive(shown) && createdAt > this.#shownAt);
  }

  #draw(): void {
    const plan = this.#run === undefined ? undefined : this.#plans.plan(this.#run);
    const waits = plan?.state === 'planned' && this.#client.model.run(plan.run)?.state === 'planned';
    void vscode.commands.executeCommand('setContext', CONTEXT.hasPlan, plan !== undefined);
    void vscode.commands.executeCommand('setContext', CONTEXT.planWaits, waits);
    this.#view.description = plan ? (waits ? 'waits for your word' : oneLine(plan.task, 60)) : '';
    const rows = plan ? planRows(plan, waits ? this.#plans.lastChange(plan.run) : undefined) : [];
    this.#drawnState = this.#stateOf(this.#run);
    const drawn = JSON.stringify(rows);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    this.#rows = rows;
    this.#emitter.fire(undefined);
  }
}
