import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as vscode from 'vscode';
import { COMMANDS, SKILL_COMMANDS, VIEWS } from '../../../extension/ids.ts';
import { activated, offeredServers } from './api.ts';
import { withAnswers } from './stubs.ts';

describe('in a workspace that is not trusted', () => {
  it('the extension is active but starts nothing, whatever is asked of it', async () => {
    assert.equal(vscode.workspace.isTrusted, false);
    const api = await activated();
    await vscode.commands.executeCommand(`${VIEWS.agents}.focus`);
    const says = async (command: string): Promise<string> => {
      const told = await withAnswers({}, async () => vscode.commands.executeCommand(command));
      return told.map(({ message }) => message).join();
    };
    const { showLog, setApiKey, ...others } = { ...COMMANDS, ...SKILL_COMMANDS };
    for (const command of Object.values(others))
      assert.equal(await says(command), 'Coppice starts nothing in a workspace that is not trusted.', command);
    assert.equal(await says(showLog), '');
    assert.match(await says(setApiKey), /^API key of /);
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
    await withAnswers({}, async () => vscode.commands.executeCommand(SKILL_COMMANDS.runSkill, 'of-a-stranger'));
    assert.equal(api.client.state.kind, 'idle');
  });

  it("offers no MCP server to the editor's own agent", async () => {
    assert.deepEqual(await offeredServers(await activated()), []);
  });
});
