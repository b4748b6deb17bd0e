import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as vscode from 'vscode';
import { COMMANDS, SKILL_COMMANDS, VIEWS } from '../../../extension/ids.ts';
import { activated, offeredServers } from './api.ts';

describe('in a workspace that is not trusted', () => {
  it('the extension is active but starts nothing, whatever is asked of it', async () => {
    assert.equal(vscode.workspace.isTrusted, false);
    const api = await activated();
    await vscode.commands.executeCommand(`${VIEWS.agents}.focus`);
    void vscode.commands.executeCommand(COMMANDS.orchestrate);
    for (const id of [COMMANDS.runWorkflow, COMMANDS.newWorkflow, COMMANDS.runPlan, COMMANDS.retryFailed])
      void vscode.commands.executeCommand(id);
    void vscode.commands.executeCommand(COMMANDS.refresh);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.equal(api.client.state.kind, 'idle');
    assert.ok(!existsSync(join(vscode.workspace.workspaceFolders?.[0]?.uri.fsPath ?? '', '.coppice')));
  });

  it('skills are listed by their names, and nothing of them is read', async () => {
    const api = await activated();
    await vscode.commands.executeCommand(`${VIEWS.skills}.focus`);
    const [skill, ...others] = await api.skills.getChildren();
    assert.ok(skill);
    assert.equal(others.length, 0);
    const item = api.skills.getTreeItem(skill);
    assert.deepEqual([item.label, item.description, item.contextValue], ['of-a-stranger', '.claude/skills', 'file']);
    assert.match(api.skillsView.message ?? '', /^Listed only/);
    void vscode.commands.executeCommand(SKILL_COMMANDS.runSkill, 'of-a-stranger');
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.equal(api.client.state.kind, 'idle');
  });

  it("offers no MCP server to the editor's own agent", async () => {
    assert.deepEqual(await offeredServers(await activated()), []);
  });
});
