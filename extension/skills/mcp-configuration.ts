import { spawn } from 'node:child_process';
import * as vscode from 'vscode';
import type { Editor } from '../editor.ts';
import { MCP_CLIENTS } from './mcp-clients.ts';

/** Puts the configuration of another MCP client on the clipboard, as `coppice mcp --print-config` writes it. */
export const copyMcpConfiguration = async (editor: Editor): Promise<void> => {
  const folder = editor.folder();
  if (!folder) return;
  const items = MCP_CLIENTS.map(({ client, label, detail }) => ({ label, detail, client }));
  const picked = await vscode.window.showQuickPick(items, {
    title: 'Copy MCP Configuration',
    placeHolder: 'Which client is to use Coppice?',
  });
  if (!picked) return;
  const { text, where } = await printed(editor.program, picked.client, folder.uri.fsPath);
  await vscode.env.clipboard.writeText(text);
  void vscode.window.showInformationMessage(`Copied the configuration for ${picked.label}. ${where}`);
};

/** The program itself prints it, so that editor and terminal give the same text. */
const printed = (program: string, client: string, repo: string): Promise<{ text: string; where: string }> =>
  new Promise((resolve, reject) => {
    const args = [program, 'mcp', '--repo', repo, '--print-config', client];
    const child = spawn(process.execPath, args, {
      cwd: repo,
      env: { ...process.env, ELECTRON_RUN_AS_NODE: '1' },
      timeout: 20_000,
    });
    let text = '';
    let where = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (where += chunk));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve({ text, where: where.trim() });
      else reject(new Error(where.trim() || 'The configuration could not be printed.'));
    });
  });
