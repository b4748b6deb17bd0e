import * as vscode from 'vscode';
import { watchSettings } from './commands/setup.ts';
import { registerCommands } from './commands.ts';
import { Documents } from './documents.ts';
import { EngineClient } from './engine-client.ts';
import { mcpProvider, registerMcpProvider } from './mcp-provider.ts';
import { watchEvents } from './notifications.ts';
import { isUsedHere, launchOf, launchOrExplain, onPlaceChanged, workingFolder } from './place.ts';
import { watchReviewTabs } from './review.ts';
import { registerSkills } from './skills/register.ts';
import { createViews } from './views/views.ts';

/**
 * A list of registrations. Opening a folder starts nothing: the first view in sight, or the first command, asks for the
 * engine; where Coppice was used before, its runs are watched from the start.
 */
export const activate = (context: vscode.ExtensionContext): object => {
  const { secrets } = context;
  const { version } = context.extension.packageJSON as { version: string };
  const program = context.asAbsolutePath('dist/coppice.js');
  const log = vscode.window.createOutputChannel('Coppice', { log: true });
  const client = new EngineClient({
    launch: () => launchOrExplain(program, secrets),
    version,
    log: (line) => log.info(line),
  });
  const startHere = (): void => {
    if (workingFolder()) client.start();
  };
  const views = createViews(client, startHere);
  const documents = new Documents(client);
  const editor = { ...views, client, documents, log, secrets, program, folder: workingFolder };
  const skills = registerSkills(editor, startHere);
  const placeChanged = new vscode.EventEmitter<void>();
  const mcp = mcpProvider({ launch: () => launchOf(program, secrets), version, onChanged: placeChanged.event });
  context.subscriptions.push(
    log,
    views,
    documents,
    skills,
    placeChanged,
    onPlaceChanged(() => {
      placeChanged.fire();
      if (views.agentsView.visible || skills.skillsView.visible) startHere();
    }),
    registerCommands(editor),
    registerMcpProvider(mcp),
    watchEvents(editor),
    watchReviewTabs(),
    watchSettings(editor),
    { dispose: () => client.dispose() },
  );
  void isUsedHere().then((isUsed) => isUsed && startHere());
  return context.extensionMode === vscode.ExtensionMode.Test ? { client, mcp, ...views, ...skills } : {};
};
