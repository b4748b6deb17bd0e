import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import * as vscode from 'vscode';
import { COMMANDS, SKILL_COMMANDS, VIEWS } from '../../../extension/ids.ts';
import { planUri } from '../../../extension/plans/plan-files.ts';
import { type Api, activated, until } from './api.ts';
import { withAnswers } from './stubs.ts';

const LIMIT_MS = 10_000;

/** These ask nothing: what they do shows in a view or an editor, also when there is nothing to show. */
const SILENT: readonly string[] = [
  COMMANDS.showLog,
  COMMANDS.checkSetup,
  COMMANDS.refresh,
  COMMANDS.restartEngine,
  SKILL_COMMANDS.showAllSkills,
];

/** Runs a command as the palette does; resolves with what the person was asked or told. Rejects when it does not end. */
const runFromPalette = async (command: string): Promise<readonly string[]> => {
  const late = Promise.withResolvers<never>();
  const limit = setTimeout(() => late.reject(new Error(`it has not ended after ${LIMIT_MS / 1000} s`)), LIMIT_MS);
  const leave = setInterval(() => void vscode.commands.executeCommand('workbench.action.closeQuickOpen'), 300);
  try {
    const asked = await withAnswers({}, () => Promise.race([vscode.commands.executeCommand(command), late.promise]));
    return asked.map(({ message, detail }) => `${message} ${detail}`.trim());
  } finally {
    clearInterval(leave);
    clearTimeout(limit);
  }
};

const contributed = (): string[] => {
  const manifest: unknown = vscode.extensions.getExtension('coppice.coppice')?.packageJSON;
  const { contributes } = manifest as { contributes: { commands: { command: string }[] } };
  return contributes.commands.map(({ command }) => command);
};

/** The fake engine does not start while this file is there, and has a plan that waits when that one is. */
const noEngine = process.env['COPPICE_FAKE_FAILS'] ?? '';
const planned = process.env['COPPICE_FAKE_PLANNED'] ?? '';

/** Nothing goes on; at first there is not even an engine. */
describe('with nothing going on', () => {
  let api: Api;

  before(async () => {
    api = await activated();
  });

  const all = async (says: Readonly<Record<string, RegExp>>, otherwise: RegExp): Promise<void> => {
    const wrong: string[] = [];
    for (const command of contributed()) {
      const told = await runFromPalette(command).catch((error: Error) => [error.message]);
      const wanted = says[command] ?? (SILENT.includes(command) ? /^$/ : otherwise);
      if (!wanted.test(told.join('\n'))) wrong.push(`${command}: ${JSON.stringify(told)}`);
    }
    assert.deepEqual(wrong, []);
  };

  /** What these ask comes before they need an engine. */
  const ASKS_FIRST = {
    [COMMANDS.orchestrate]: /^Orchestrate a task \(1 of 2\)/,
    [COMMANDS.setApiKey]: /^API key of http/,
    [SKILL_COMMANDS.newSkill]: /^New Skill/,
    [SKILL_COMMANDS.importSkill]: /^Import Skill/,
    [SKILL_COMMANDS.copyMcpConfiguration]: /^Copy MCP Configuration/,
  };

  it('every command ends, and says that there is no engine and why', async () => {
    await all(ASKS_FIRST, /^Coppice: .*This folder is not a git repository\. Run "git init" there\.$/);
    assert.equal(api.client.state.kind, 'failed');
  });

  it('says the same above the agents', async () => {
    await vscode.commands.executeCommand(`${VIEWS.agents}.focus`);
    assert.match(api.agentsView.message ?? '', /not a git repository/);
  });

  it('every command ends, and says that there is nothing that it could work on', async () => {
    rmSync(noEngine);
    await vscode.commands.executeCommand(COMMANDS.refresh);
    await until('a connection', () => api.client.state.kind === 'ready');
    const asks = {
      ...ASKS_FIRST,
      [COMMANDS.newWorkflow]: /^New workflow/,
      // A list that fills while the person types.
      [SKILL_COMMANDS.searchSkills]: /^$/,
    };
    await all(asks, /\b(no|No|none)\b/);
  });

  it('opens a plan that could not be opened as soon as there is an engine', async () => {
    writeFileSync(noEngine, '');
    writeFileSync(planned, '');
    await api.client.restart();
    await until('no connection', () => api.client.state.kind === 'failed');
    const uri = planUri({ run: 'r-000000000001', task: 'Later' });
    const text = (): string | undefined =>
      vscode.workspace.textDocuments.find((document) => document.uri.toString() === uri.toString())?.getText();
    await vscode.commands.executeCommand('vscode.open', uri);
    assert.equal(text(), undefined);
    rmSync(noEngine);
    await vscode.commands.executeCommand(COMMANDS.refresh);
    await until('the text of the plan', () => text()?.startsWith('pattern: pipeline'));
  });
});
