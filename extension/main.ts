import * as vscode from 'vscode';
import { watchSettings } from './commands/setup.ts';
import { registerCommands } from './commands.ts';
import { Documents } from './documents.ts';
import type { Editor } from './editor.ts';
import { EngineClient } from './engine-client.ts';
import { mcpProvider, registerMcpProvider } from './mcp-provider.ts';
import { watchEvents } from './notifications.ts';
import { isUsedHere, launchOf, launchOrExplain, onPlaceChanged, workingFolder } from './place.ts';
import { tellSaved } from './plans/gate.ts';
import { PlanFiles } from './plans/plan-files.ts';
import { Plans } from './plans/plans.ts';
import { watchReviewTabs } from './review.ts';
import { registerSkills } from './skills/register.ts';
import { PlanTree } from './views/plan.ts';
import { createViews } from './views/views.ts';
import { watchWorkflows } from './workflows/watch.ts';

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
  const plans = new Plans(client, (line) => log.warn(line));
  const views = createViews(client, plans, startHere);
  const planTree = new PlanTree(client, plans, views.agentsView);
  const documents = new Documents(client, plans);
  const editor: Editor = { ...views, plans, planTree, client, documents, log, secrets, program, folder: workingFolder };
  const { workspaceState } = context;
  const planFiles = new PlanFiles(client, plans, workspaceState, (...saved) => void tellSaved(editor, ...saved));
  const skills = registerSkills(editor, startHere);
  const placeChanged = new vscode.EventEmitter<void>();
  const mcp = mcpProvider({ launch: () => launchOf(program, secrets), version, onChanged: placeChanged.event });
  context.subscriptions.push(
    log,
    views,
    documents,
    plans,
    planTree,
    planFiles,
    watchWorkflows(editor, context.asAbsolutePath('media/schemas/workflow.schema.json')),
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
  return context.extensionMode === vscode.ExtensionMode.Test
    ? { client, mcp, plans, planTree, ...views, ...skills }
    : {};
};
