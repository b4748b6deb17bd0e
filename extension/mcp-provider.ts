import * as vscode from 'vscode';
import type { Launch } from './connection.ts';
import { MCP_PROVIDER } from './ids.ts';

/** Offers Coppice to the editor's own agent. */
export const registerMcpProvider = (provider: vscode.McpServerDefinitionProvider): vscode.Disposable =>
  vscode.lm.registerMcpServerDefinitionProvider(MCP_PROVIDER, provider);

/** The same command that this extension uses, as an MCP server; none as long as no trusted folder is open. */
export const mcpProvider = (parts: {
  readonly launch: () => Promise<Launch | undefined>;
  readonly version: string;
  readonly onChanged: vscode.Event<void>;
}): vscode.McpServerDefinitionProvider<vscode.McpStdioServerDefinition> => ({
  onDidChangeMcpServerDefinitions: parts.onChanged,
  provideMcpServerDefinitions: async () => {
    const launch = await parts.launch();
    if (!launch) return [];
    const { command, args, cwd, env } = launch;
    const definition = new vscode.McpStdioServerDefinition(
      'Coppice',
      command,
      [...args],
      ownVariables(env),
      parts.version,
    );
    definition.cwd = vscode.Uri.file(cwd);
    return [definition];
  },
  resolveMcpServerDefinition: async (definition) => {
    const launch = await parts.launch();
    const key = launch?.env['COPPICE_API_KEY'];
    if (key) definition.env = { ...definition.env, COPPICE_API_KEY: key };
    return definition;
  },
});

/** Without the key: that is handed over only when the server is about to start. */
const ownVariables = (env: Launch['env']): Record<string, string> =>
  Object.fromEntries(
    Object.entries(env).filter(
      ([name]) => /^(ELECTRON_RUN_AS_NODE|COPPICE_.*)$/.test(name) && name !== 'COPPICE_API_KEY',
    ),
  );
