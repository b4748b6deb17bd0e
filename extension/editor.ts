import type * as vscode from 'vscode';
import type { Documents } from './documents.ts';
import type { EngineClient } from './engine-client.ts';
import type { Plans } from './plans/plans.ts';
import type { HierarchyTree } from './views/hierarchy.ts';
import type { TreeNode } from './views/nodes.ts';
import type { PlanTree } from './views/plan.ts';

/** What commands, notifications and documents share; made once, in `activate`. */
export interface Editor {
  readonly client: EngineClient;
  readonly documents: Documents;
  readonly agentsView: vscode.TreeView<TreeNode>;
  readonly agents: HierarchyTree;
  readonly plans: Plans;
  readonly planTree: PlanTree;
  readonly log: vscode.LogOutputChannel;
  readonly secrets: vscode.SecretStorage;
  /** The program `dist/coppice.js` of this extension. */
  readonly program: string;
  /** The folder that Coppice works on; undefined while none is open or the workspace is not trusted. */
  folder(): vscode.WorkspaceFolder | undefined;
}
