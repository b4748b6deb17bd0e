import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import type { EngineClient } from '../../../extension/engine-client.ts';
import type { Plans } from '../../../extension/plans/plans.ts';
import type { SkillList } from '../../../extension/skills/skill-list.ts';
import type { HierarchyTree } from '../../../extension/views/hierarchy.ts';
import type { PlanTree } from '../../../extension/views/plan.ts';
import type { QueueTree } from '../../../extension/views/queue.ts';
import type { SkillsTree, SkillTreeNode } from '../../../extension/views/skills.ts';

/** What `activate` returns in a test. */
export interface Api {
  readonly client: EngineClient;
  readonly agents: HierarchyTree;
  readonly budgets: HierarchyTree;
  readonly queue: QueueTree;
  readonly plans: Plans;
  readonly planTree: PlanTree;
  readonly agentsView: vscode.TreeView<unknown>;
  readonly skills: SkillsTree;
  readonly skillsView: vscode.TreeView<SkillTreeNode>;
  readonly skillList: SkillList;
  readonly mcp: vscode.McpServerDefinitionProvider<vscode.McpStdioServerDefinition>;
}

/** The extension under test, activated. */
export const activated = async (): Promise<Api> => {
  const extension = vscode.extensions.getExtension<Api>('coppice.coppice');
  assert.ok(extension, 'the extension is there');
  return extension.activate();
};

/** The MCP servers that the extension offers to the editor's own agent. */
export const offeredServers = async (api: Api): Promise<vscode.McpStdioServerDefinition[]> => {
  const { token } = new vscode.CancellationTokenSource();
  return (await api.mcp.provideMcpServerDefinitions(token)) ?? [];
};

/** Waits until something is so, forty seconds at most. */
export const until = async <T>(what: string, read: () => T | undefined | false): Promise<T> => {
  for (const deadline = Date.now() + 40_000; Date.now() < deadline; ) {
    const value = read();
    if (value !== undefined && value !== false) return value;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`Not within forty seconds: ${what}.`);
};
