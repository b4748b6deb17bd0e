import { spawn } from 'node:child_process';
import * as vscode from 'vscode';
import type { Editor } from '../editor.ts';
import { onEngineSettingsChanged, serverUrl, storeApiKey } from '../settings.ts';

/** Opens what the check has found; it says so as well when there is no engine. */
export const checkSetup = (editor: Editor): Promise<void> => editor.documents.showSetup();

/** Shows what the extension has noted, and opens the engine's own log beside it when there is one. */
export const showLog = async (editor: Editor): Promise<void> => {
  editor.log.show(true);
  const folder = editor.folder();
  if (!folder) return;
  const path = vscode.Uri.joinPath(folder.uri, '.coppice', 'logs', 'engine.log');
  const exists = await vscode.workspace.fs.stat(path).then(
    () => true,
    () => false,
  );
  if (exists) await vscode.window.showTextDocument(path, { preview: true });
};

/** Keeps the key of the inference server in the editor's secret store. */
export const setApiKey = async (editor: Editor): Promise<void> => {
  const key = await vscode.window.showInputBox({
    title: `API key of ${serverUrl()}`,
    prompt: 'It is kept in the secret store of the editor. Leave it empty to forget the key.',
    password: true,
    ignoreFocusOut: true,
  });
  if (key === undefined) return;
  await storeApiKey(editor.secrets, key.trim());
  await offerRestart(editor, 'The engine reads the key when it starts.');
};

/** Offers to restart the engine after a setting has changed that it reads only when it starts. */
export const watchSettings = (editor: Editor): vscode.Disposable =>
  onEngineSettingsChanged(() => {
    if (editor.client.state.kind === 'ready')
      void offerRestart(editor, 'The engine reads this setting when it starts.');
  });

const offerRestart = async (editor: Editor, why: string): Promise<void> => {
  if (!editor.folder()) return;
  const answer = await vscode.window.showInformationMessage(
    `${why} Restart it now? Runs go on where they were.`,
    'Restart',
  );
  if (answer) await restartEngine(editor);
};

/** Ends the engine gracefully and starts it with the settings of this window; runs go on where they were. */
export const restartEngine = async (editor: Editor): Promise<void> => {
  const cwd = editor.folder()?.uri.fsPath;
  if (cwd === undefined) return;
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      const env = { ...process.env, ELECTRON_RUN_AS_NODE: '1' };
      const child = spawn(process.execPath, [editor.program, 'stop', '--repo', cwd], { cwd, env, stdio: 'ignore' });
      child.once('error', () => resolve());
      child.once('close', () => resolve());
    });
  const location = vscode.ProgressLocation.Notification;
  await vscode.window.withProgress({ location, title: 'Coppice: restarting the engine' }, async () => {
    await stop();
    await editor.client.restart();
  });
};

/** Tries to connect at once when there is no connection, and draws the views anew. */
export const refresh = async (editor: Editor): Promise<void> => {
  editor.client.retry();
  if (editor.client.state.kind === 'ready') await editor.client.reload();
};
