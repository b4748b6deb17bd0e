import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as vscode from 'vscode';
import { COMMANDS, VIEWS } from '../../../extension/ids.ts';
import { activated, offeredServers } from './api.ts';

describe('in a workspace that is not trusted', () => {
  it('the extension is active but starts nothing, whatever is asked of it', async () => {
    assert.equal(vscode.workspace.isTrusted, false);
    const api = await activated();
    await vscode.commands.executeCommand(`${VIEWS.agents}.focus`);
    void vscode.commands.executeCommand(COMMANDS.orchestrate);
    void vscode.commands.executeCommand(COMMANDS.refresh);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.equal(api.client.state.kind, 'idle');
    assert.ok(!existsSync(join(vscode.workspace.workspaceFolders?.[0]?.uri.fsPath ?? '', '.coppice')));
  });

  it("offers no MCP server to the editor's own agent", async () => {
    assert.deepEqual(await offeredServers(await activated()), []);
  });
});
