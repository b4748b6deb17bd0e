import * as vscode from 'vscode';
import type { Change, Model } from '../model.ts';
import { ROOT } from '../model.ts';
import { NodeTable, type TreeNode } from './nodes.ts';
import { Redraw } from './redraw.ts';

/** What a tree over runs and their agents shows; the shared part is in `HierarchyTree`. */
export interface HierarchyContent {
  /** Ids right below a node; undefined asks for the root. */
  children(id: string | undefined): readonly string[];
  item(node: TreeNode, item: vscode.TreeItem): void;
  tooltip(id: string): vscode.MarkdownString | undefined;
  /** Ids that look different, and ids whose list of children is another one. */
  changed(change: Change): Iterable<string>;
  /** A node is opened; may fetch what is below it. */
  open?(id: string): Promise<void>;
}

/** The editor waits until 200 ms pass without a change before it draws: shorter ticks would keep it waiting for ever. */
const TICK_MS = 250;

/** A tree of runs and agents that draws only what has changed, and large nodes less often. */
export class HierarchyTree implements vscode.TreeDataProvider<TreeNode>, vscode.Disposable {
  readonly #model: Model;
  readonly #content: HierarchyContent;
  readonly #nodes = new NodeTable();
  readonly #redraw: Redraw;
  readonly #emitter = new vscode.EventEmitter<TreeNode[] | undefined>();
  readonly onDidChangeTreeData = this.#emitter.event;
  /** How many elements were drawn so far; tests compare it with what has changed. */
  drawn = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(model: Model, content: HierarchyContent) {
    this.#model = model;
    this.#content = content;
    this.#redraw = new Redraw((id) => (id === ROOT ? 0 : model.descendantsOf(id)));
  }

  /** Takes note of a change; it is drawn at one of the next ticks. */
  apply(change: Change): void {
    for (const id of this.#content.changed(change)) this.#redraw.mark(id);
    if (!this.#redraw.isIdle()) this.#timer ??= setTimeout(() => this.#tick(), TICK_MS);
  }

  node(id: string): TreeNode | undefined {
    return this.#nodes.known(id) ?? (this.#model.run(id) || this.#model.agent(id) ? this.#nodeOf(id) : undefined);
  }

  getTreeItem(node: TreeNode): vscode.TreeItem {
    this.drawn += 1;
    const item = new vscode.TreeItem('');
    item.id = node.id;
    this.#content.item(node, item);
    return item;
  }

  async getChildren(node?: TreeNode): Promise<TreeNode[]> {
    if (node) await this.#content.open?.(node.id);
    return this.#content.children(node?.id).map((id) => this.#nodeOf(id));
  }

  getParent(node: TreeNode): TreeNode | undefined {
    const parent = node.kind === 'agent' ? this.#model.parentOf(node.id) : undefined;
    return parent === undefined ? undefined : this.#nodeOf(parent);
  }

  /** Asked for when the pointer rests on an element, so that a thousand elements cost no thousand texts. */
  resolveTreeItem(item: vscode.TreeItem, node: TreeNode): vscode.TreeItem {
    const text = this.#content.tooltip(node.id);
    if (text) item.tooltip = text;
    return item;
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#emitter.dispose();
  }

  #tick(): void {
    const due = this.#redraw.take(Date.now());
    this.#timer = this.#redraw.isIdle() ? undefined : setTimeout(() => this.#tick(), TICK_MS);
    if (due.includes(ROOT)) return this.#emitter.fire(undefined);
    // What was never shown needs no drawing.
    const nodes = due.map((id) => this.#nodes.known(id)).filter((node) => node !== undefined);
    if (nodes.length > 0) this.#emitter.fire(nodes);
  }

  #nodeOf(id: string): TreeNode {
    return this.#nodes.node(id, this.#model.run(id) ? 'run' : 'agent');
  }
}
