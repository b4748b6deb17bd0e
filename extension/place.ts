import * as vscode from 'vscode';
import type { Launch } from './connection.ts';
import { engineEnvironment, readApiKey } from './settings.ts';

/** Coppice works on the first folder, and only in a workspace that the person trusts. */
export const workingFolder = (): vscode.WorkspaceFolder | undefined =>
  vscode.workspace.isTrusted
    ? vscode.workspace.workspaceFolders?.find((folder) => folder.uri.scheme === 'file')
    : undefined;

/** Calls back when there may be another working folder, or one for the first time. */
export const onPlaceChanged = (listener: () => void): vscode.Disposable =>
  vscode.Disposable.from(
    vscode.workspace.onDidGrantWorkspaceTrust(listener),
    vscode.workspace.onDidChangeWorkspaceFolders(listener),
  );

/** True when Coppice was used in the working folder before: runs of it may go on. */
export const isUsedHere = async (): Promise<boolean> => {
  const folder = workingFolder();
  if (!folder) return false;
  const state = vscode.Uri.joinPath(folder.uri, '.coppice', 'state.db');
  return vscode.workspace.fs.stat(state).then(
    () => true,
    () => false,
  );
};

/** The command line of `coppice mcp` for the working folder; undefined where nothing may be started. */
export const launchOf = async (program: string, secrets: vscode.SecretStorage): Promise<Launch | undefined> => {
  const folder = workingFolder();
  if (!folder) return undefined;
  const key = await readApiKey(secrets);
  const inherited = Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return {
    // The editor's own Node: nothing has to be installed beside it.
    command: process.execPath,
    args: [program, 'mcp', '--repo', folder.uri.fsPath],
    env: {
      ...Object.fromEntries(inherited),
      ...engineEnvironment(),
      ELECTRON_RUN_AS_NODE: '1',
      ...(key && { COPPICE_API_KEY: key }),
    },
    cwd: folder.uri.fsPath,
  };
};

/** The same, or an error with words for the person. */
export const launchOrExplain = async (program: string, secrets: vscode.SecretStorage): Promise<Launch> => {
  const launch = await launchOf(program, secrets);
  if (!launch) throw new Error('Coppice needs an open folder that you trust.');
  return launch;
};
