import assert from 'node:assert/strict';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import * as vscode from 'vscode';
import { COMMANDS, SCHEMES, SETTINGS, VIEWS } from '../../../extension/ids.ts';
import type { RunView } from '../../../mcp-server/operations/views.ts';
import { MARK } from '../mark.ts';
import { type Api, activated, offeredServers, until } from './api.ts';

const WORKERS = Number(process.env['COPPICE_FAKE_WORKERS']);
const AGENTS = WORKERS + WORKERS / 5 + 1;

describe('the extension in a real VS Code', () => {
  let api: Api;
  let run: RunView;

  before(async () => {
    api = await activated();
  });

  const label = (item: vscode.TreeItem): string => (typeof item.label === 'string' ? item.label : '');
  const transcript = (): vscode.TextDocument | undefined =>
    vscode.workspace.textDocuments.find((document) => document.uri.scheme === SCHEMES.transcript);

  it('registers every command', async () => {
    const known = await vscode.commands.getCommands(true);
    for (const id of Object.values(COMMANDS)) assert.ok(known.includes(id), id);
  });

  it('starts no engine before a view is open or a command is called', () => {
    assert.equal(api.client.state.kind, 'idle');
  });

  it("offers the editor's own agent the same program as an MCP server", async () => {
    const [server, ...others] = await offeredServers(api);
    assert.equal(others.length, 0);
    assert.equal(server?.command, process.execPath);
    assert.equal(server.env['ELECTRON_RUN_AS_NODE'], '1');
    const folder = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath;
    assert.deepEqual(server.args.slice(1), ['mcp', '--repo', folder]);
    assert.match(server.args[0] ?? '', /dist.coppice\.js$/);
  });

  it('connects when the view is opened', async () => {
    await vscode.commands.executeCommand(`${VIEWS.agents}.focus`);
    await until('a connection', () => api.client.state.kind === 'ready');
  });

  it('shows a run with the hierarchy of its agents', async () => {
    run = await api.client.call('run_start', { task: 'Map this repository', options: { budget: 2_000_000 }, key: '1' });
    await until('all agents', () => api.client.model.descendantsOf(run.run) === AGENTS);
    const [root] = await api.agents.getChildren();
    assert.ok(root);
    const item = api.agents.getTreeItem(root);
    assert.equal(label(item), 'Map this repository');
    assert.match(String(item.description), /^0\/\d+ done · .* of 2M tokens$/);
    const [executive] = await api.agents.getChildren(root);
    assert.ok(executive);
    const synthesizers = await api.agents.getChildren(executive);
    assert.equal(synthesizers.length, WORKERS / 5);
    const first = synthesizers[0];
    assert.ok(first);
    assert.equal((await api.agents.getChildren(first)).length, 5);
    assert.equal(api.agents.getParent(first), executive);
    assert.equal(api.agents.getParent(executive), root);
  });

  it('gives the same element for the same agent, with a stable id', async () => {
    const [first] = await api.agents.getChildren();
    const [again] = await api.agents.getChildren();
    assert.equal(first, again);
    assert.equal(first && api.agents.getTreeItem(first).id, run.run);
  });

  it('draws only what has changed while a thousand agents work', async () => {
    await api.agentsView.reveal(api.agents.node(run.run), { expand: 3 });
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const pauses = monitorEventLoopDelay({ resolution: 10 });
    pauses.enable();
    const [drawn, used] = [api.agents.drawn, api.client.model.run(run.run)?.tokens.used ?? 0];
    let moments = 0;
    for (let half = 0; half < 8; half += 1) {
      const before = api.agents.drawn;
      await new Promise((resolve) => setTimeout(resolve, 500));
      if (api.agents.drawn > before) moments += 1;
    }
    const turns = ((api.client.model.run(run.run)?.tokens.used ?? 0) - used) / 100;
    const draws = api.agents.drawn - drawn;
    const longest = Math.round(pauses.max / 1e6);
    console.log(
      `${MARK}      ${turns} turns of ${AGENTS} agents in 4 s: ${draws} elements drawn in ${moments} of 8 half seconds, longest pause ${longest} ms`,
    );
    assert.ok(turns > 50, `only ${turns} turns`);
    assert.ok(moments >= 5, `the tree moved in only ${moments} of 8 half seconds`);
    assert.ok(longest < 1000, `the extension host stood still for ${longest} ms`);
    // Drawing everything at each of the 16 ticks would be 16 times the tree.
    assert.ok(draws < 6 * AGENTS, `${draws} elements were drawn`);
  });

  it('explains an agent when the pointer rests on it', async () => {
    const agent = api.client.model.childrenOf(run.run)[0] ?? '';
    const node = api.agents.node(agent);
    assert.ok(node);
    const item = api.agents.resolveTreeItem(api.agents.getTreeItem(node), node);
    assert.match((item.tooltip as vscode.MarkdownString).value, /With all below/);
  });

  it('shows granted, used and available tokens of each agent once somebody looks', async () => {
    await vscode.commands.executeCommand(`${VIEWS.budgets}.focus`);
    await until('accounts', () => api.client.model.accountChildrenOf(run.run).length > 0);
    const [root] = await api.budgets.getChildren();
    assert.ok(root);
    assert.match(String(api.budgets.getTreeItem(root).description), /% · .* of 2M · .* available$/);
  });

  it('warns in colour when more than 80 % of a budget is spent', async () => {
    const agent = api.client.model.childrenOf(run.run)[0] ?? '';
    await until('an executive that has spent most', () => (api.client.model.account(agent)?.tokens.used ?? 0) >= 100);
    const node = api.budgets.node(agent);
    assert.ok(node);
    const item = api.budgets.getTreeItem(node);
    assert.equal((item.iconPath as vscode.ThemeIcon).id, 'warning');
    assert.equal(item.resourceUri?.scheme, SCHEMES.budget);
  });

  it('shows slots and waiting jobs', async () => {
    await vscode.commands.executeCommand(`${VIEWS.queue}.focus`);
    await until('the queue', () => api.client.model.queue());
    const [server] = api.queue.getChildren();
    assert.ok(server);
    assert.match(String(api.queue.getTreeItem(server).description), /of 4 slots busy/);
  });

  it('opens a transcript that grows while it is open', async () => {
    const agent = api.client.model.childrenOf(run.run)[0] ?? '';
    await vscode.commands.executeCommand(COMMANDS.showTranscript, { id: agent, kind: 'agent' });
    const document = await until('a document', transcript);
    assert.equal(document.languageId, 'markdown');
    assert.match(document.getText(), /# join everything[\s\S]*## Task/);
    await api.client.call('agent_message', { agent, text: 'Leave the tests alone.' });
    await until('the message', () => document.getText().includes('Leave the tests alone.'));
  });

  it('opens the changes of an ended run in the multi-file diff editor', async () => {
    await api.client.call('run_cancel', { run: run.run, mode: 'wrap-up' });
    await until('the end', () => api.client.model.run(run.run)?.review === 'open');
    await vscode.commands.executeCommand(COMMANDS.reviewChanges, { id: run.run, kind: 'run' });
    const tab = await until('a tab', () =>
      vscode.window.tabGroups.all.flatMap((group) => group.tabs).find((found) => found.label.startsWith('Review:')),
    );
    assert.match(tab.label, /^Review: Map this repository/);
    await until('both sides of a changed file', () => {
      const open = vscode.workspace.textDocuments.filter((document) => document.uri.path === '/README.md');
      return open.length === 2 && open.some((document) => document.getText().includes('See docs/map.'));
    });
  });

  it('lands the changes', async () => {
    await vscode.commands.executeCommand(COMMANDS.landChanges, { id: run.run, kind: 'run' });
    await until('landed', () => api.client.model.run(run.run)?.review === 'landed');
  });

  it('shows the findings of the setup check', async () => {
    await vscode.commands.executeCommand(COMMANDS.checkSetup);
    const document = vscode.workspace.textDocuments.find((found) => found.uri.scheme === SCHEMES.setup);
    assert.match(document?.getText() ?? '', /fake engine of the tests/);
  });

  it('hands the settings of the person to an engine that it starts', async () => {
    const settings = vscode.workspace.getConfiguration('coppice');
    await settings.update(SETTINGS.commands, ['npm', 'cargo'], vscode.ConfigurationTarget.Global);
    await settings.update(SETTINGS.serverUrl, 'rehearsal', vscode.ConfigurationTarget.Global);
    const [server] = await offeredServers(api);
    assert.equal(server?.env['COPPICE_COMMANDS'], 'npm,cargo');
    assert.equal(server.env['COPPICE_SERVER'], 'rehearsal');
  });
});
