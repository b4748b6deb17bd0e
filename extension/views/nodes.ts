import * as vscode from 'vscode';
import type { Icon } from '../describe.ts';
import type { Offers } from '../offers.ts';

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

/** Says in the header of a view what is in it. The editor hides the grey text of a closed one, so its title says it then. */
export const setHeader = (view: vscode.TreeView<unknown>, name: string, text: string): void => {
  const title = view.visible || text === '' ? name : `${name}: ${text}`;
  const description = view.visible ? text : '';
  // Each of them is a message to the window.
  if (view.title !== title) view.title = title;
  if ((view.description ?? '') !== description) view.description = description;
};

/** Tells menus what there is; only what has changed is told. */
export const offering = (): ((offers: Offers) => void) => {
  const told = new Map<string, boolean>();
  return (offers) => {
    for (const [key, value] of Object.entries(offers)) {
      if (told.get(key) === value) continue;
      told.set(key, value);
      void vscode.commands.executeCommand('setContext', key, value);
    }
  };
};
