import * as vscode from 'vscode';
import type { Icon } from '../describe.ts';

/** An element of the trees Agents and Budgets; there is one object for each id, for as long as the window lives. */
export interface TreeNode {
  readonly id: string;
  readonly kind: 'run' | 'agent';
}

/** Hands out the same object for the same id: the editor finds elements by identity. */
export class NodeTable {
  readonly #nodes = new Map<string, TreeNode>();

  node(id: string, kind: TreeNode['kind']): TreeNode {
    const known = this.#nodes.get(id);
    if (known) return known;
    const node: TreeNode = { id, kind };
    this.#nodes.set(id, node);
    return node;
  }

  known(id: string): TreeNode | undefined {
    return this.#nodes.get(id);
  }
}

export const themeIcon = ({ name, color }: Icon): vscode.ThemeIcon =>
  new vscode.ThemeIcon(name, color === undefined ? undefined : new vscode.ThemeColor(color));

/** Markdown with codicons and nothing else that could run: no commands, no HTML. */
export const tooltip = (text: string): vscode.MarkdownString => new vscode.MarkdownString(text, true);

/** Grey text in the header of a view; the editor is told only when it is another one. */
export const setDescription = (view: vscode.TreeView<unknown>, text: string): void => {
  if ((view.description ?? '') !== text) view.description = text;
};
