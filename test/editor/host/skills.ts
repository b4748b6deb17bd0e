import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as vscode from 'vscode';
import { SCHEMES, SKILL_COMMANDS, VIEWS } from '../../../extension/ids.ts';
import { MCP_CLIENTS } from '../../../extension/skills/mcp-clients.ts';
import { type Api, activated, until } from './api.ts';
import { withAnswers } from './stubs.ts';

const folder = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath ?? '';
const source = join(dirname(folder), 'skills of others');

const put = async (top: string, files: Readonly<Record<string, string>>): Promise<void> => {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(top, path)), { recursive: true });
    await writeFile(join(top, path), text);
  }
};

const git = (...args: string[]): void => {
  const person = ['-c', 'user.name=A person', '-c', 'user.email=person@example.com'];
  execFileSync('git', [...person, ...args], { cwd: source, stdio: 'ignore' });
};

const GREET = {
  'SKILL.md': '---\nname: greet\ndescription: Says hello to somebody by name.\n---\n\n# Greet\n\nRun the script.\n',
  'manifest.json': JSON.stringify({
    permissions: { read: ['names/**'], write: [], commands: [], hosts: [] },
    entry: 'scripts/main.mjs',
    input: {
      type: 'object',
      properties: { name: { type: 'string' }, loud: { type: 'boolean', default: false } },
      required: ['name'],
    },
  }),
  'scripts/main.mjs':
    "import { text } from 'node:stream/consumers';\n" +
    'const { name } = JSON.parse(await text(process.stdin));\n' +
    'console.log(JSON.stringify({ greeting: `Hello, ${name}!` }));\n',
};

const below = (top: string, files: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(files).map(([path, text]) => [`${top}/${path}`, text]));

const labelOf = ({ label = '' }: vscode.TreeItem): string => (typeof label === 'string' ? label : label.label);

/** Asked again while the editor is busy, as the light bulb does. */
const quickFix = async (
  uri: vscode.Uri,
  range: vscode.Range,
  title: string,
): Promise<vscode.CodeAction | undefined> => {
  const kind = vscode.CodeActionKind.QuickFix.value;
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; ) {
    const actions = await vscode.commands.executeCommand<vscode.CodeAction[]>(
      'vscode.executeCodeActionProvider',
      uri,
      range,
      kind,
      10,
    );
    const found = actions.find((action) => action.title === title && action.edit);
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return undefined;
};

/** The real engine, on skills that are made here. */
describe('skills in a real VS Code', () => {
  let api: Api;

  const state = (name: string): string | undefined => api.skillList.find(name)?.skill.state;
  const has = (name: string, wanted: string): Promise<unknown> =>
    until(`${name}: ${wanted}`, () => state(name) === wanted);
  const run = (command: string, name?: string): Thenable<unknown> => vscode.commands.executeCommand(command, name);
  const tabs = (): readonly vscode.Tab[] => vscode.window.tabGroups.all.flatMap((group) => group.tabs);
  const page = (path: RegExp): vscode.TextDocument | undefined =>
    vscode.workspace.textDocuments.find(({ uri }) => uri.scheme === SCHEMES.skill && path.test(uri.path));
  const groups = async (): Promise<Map<string, { readonly label: string; readonly description: string }[]>> => {
    const shown = new Map<string, { readonly label: string; readonly description: string }[]>();
    for (const group of await api.skills.getChildren()) {
      const items = (await api.skills.getChildren(group)).map((node) => api.skills.getTreeItem(node));
      const label = labelOf(api.skills.getTreeItem(group));
      shown.set(
        label,
        items.map((item) => ({ label: labelOf(item), description: String(item.description) })),
      );
    }
    return shown;
  };

  before(async () => {
    await put(folder, {
      ...below('.agents/skills/greet', GREET),
      '.agents/skills/tidy-up/SKILL.md': '---\nname: other-name\ndescription: Fix: the imports\n---\n\nTidy up.\n',
      '.coppice/drafts/fresh-idea/SKILL.md':
        '---\nname: fresh-idea\ndescription: An idea of an agent.\n---\n\nDo it.\n',
    });
    await put(
      source,
      below('skills/count-words', { ...GREET, 'SKILL.md': GREET['SKILL.md'].replaceAll('greet', 'count-words') }),
    );
    git('init', '-q', '-b', 'main');
    git('add', '.');
    git('commit', '-q', '-m', 'A skill');
    api = await activated();
  });

  it('lists skills by source, with state, tokens and what is wrong', async () => {
    await vscode.commands.executeCommand(`${VIEWS.skills}.focus`);
    await until('a connection', () => {
      if (api.client.state.kind === 'failed') throw new Error(api.client.state.message);
      return api.client.state.kind === 'ready';
    });
    await has('greet', 'needs-review');
    await has('fresh-idea', 'draft');
    const shown = await groups();
    assert.deepEqual([...shown.keys()], ['Drafts', 'This Repository', 'Bundled']);
    assert.match(shown.get('This Repository')?.[0]?.description ?? '', /^needs review · script · \d+ tokens$/);
    assert.ok((shown.get('Bundled')?.length ?? 0) >= 12);
    assert.equal(api.skillsView.badge?.value, 1);
  });

  it('says under the pointer what a skill asks to be allowed', async () => {
    const [group] = (await api.skills.getChildren()).slice(1);
    assert.ok(group);
    const node = (await api.skills.getChildren(group)).find(
      (one) => one.kind === 'skill' && one.skill.name === 'greet',
    );
    assert.ok(node);
    const item = api.skills.resolveTreeItem(api.skills.getTreeItem(node), node);
    assert.match((item.tooltip as vscode.MarkdownString).value, /It asks to run its script .*, read names/);
    assert.match(item.contextValue ?? '', /\bskill\b.*\bneeds-review\b/);
  });

  it('shows only skills about some words, and all again', async () => {
    await api.skills.setFilter('find out why a test fails');
    const shown = await groups();
    assert.ok([...shown.values()].flat().some(({ label }) => label === 'bug-hunt'));
    assert.ok(![...shown.values()].flat().some(({ label }) => label === 'greet'));
    assert.match(api.skillsView.message ?? '', /^Only skills about “find out why a test fails”: \d+ of \d+\.$/);
    await run(SKILL_COMMANDS.showAllSkills);
    assert.equal(api.skillsView.message ?? '', '');
    assert.equal((await groups()).size, 3);
  });

  it('underlines what is wrong, and a quick fix repairs it', async () => {
    const uri = vscode.Uri.file(join(folder, '.agents/skills/tidy-up/SKILL.md'));
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.window.showTextDocument(document);
    const problems = (): vscode.Diagnostic[] => vscode.languages.getDiagnostics(uri);
    const name = await until('the problem', () => problems().find(({ code }) => code === 'name-mismatch'));
    assert.equal(document.getText(name.range), 'other-name');
    assert.equal(name.source, 'Coppice');
    const fix = await quickFix(uri, name.range, 'Use the name of the folder');
    assert.ok(fix?.edit);
    assert.ok(await vscode.workspace.applyEdit(fix.edit));
    assert.match(document.getText(), /^---\nname: tidy-up\ndescription/);
    assert.ok(await document.save());
    await until('no such problem', () => !problems().some(({ code }) => code === 'name-mismatch'));
    const other = problems().find(({ code }) => code === 'unquoted-value');
    assert.equal(other && document.getText(other.range), 'Fix: the imports', 'the other one is still there');
  });

  it('does the same for what is typed and not saved yet', async () => {
    const uri = vscode.Uri.file(join(folder, '.agents/skills/tidy-up/SKILL.md'));
    const document = await vscode.workspace.openTextDocument(uri);
    const problem = (wanted: string): vscode.Diagnostic | undefined =>
      vscode.languages.getDiagnostics(uri).find(({ code }) => code === wanted);
    const replace = async (from: string, to: string): Promise<void> => {
      const edit = new vscode.WorkspaceEdit();
      const at = document.getText().indexOf(from);
      edit.replace(uri, new vscode.Range(document.positionAt(at), document.positionAt(at + from.length)), to);
      assert.ok(await vscode.workspace.applyEdit(edit));
    };
    await replace('---\nname: tidy-up\n', '---\ncolour: red\nname: tidy-down\n');
    const wrong = await until('the problem of the text', () => problem('name-mismatch'));
    assert.equal(document.getText(wrong.range), 'tidy-down');
    assert.equal(problem('unknown-key')?.range.end.character, 'colour'.length);
    const fix = await quickFix(uri, new vscode.Range(2, 0, 2, 0), 'Use the name of the folder');
    assert.ok(fix?.edit, 'also from the start of its line');
    assert.ok(await vscode.workspace.applyEdit(fix.edit));
    assert.match(document.getText(), /^---\ncolour: red\nname: tidy-up\n/);
    assert.ok(document.isDirty, 'nothing is saved');
    await until('no such problem', () => problem('name-mismatch') === undefined);
    await vscode.window.showTextDocument(document);
    await vscode.commands.executeCommand('workbench.action.files.revert');
    await until('the problems of the file', () => problem('unknown-key') === undefined);
    assert.ok(problem('unquoted-value'));
  });

  it('does nothing when the person does not trust', async () => {
    const asked = await withAnswers(
      { message: () => undefined },
      () => run(SKILL_COMMANDS.trustSkill, 'greet') as Promise<unknown>,
    );
    assert.match(asked[0]?.message ?? '', /^Trust the skill greet\?$/);
    assert.match(asked[0]?.detail ?? '', /•\s+run its script scripts\/main\.mjs\n\s+•\s+read names\/\*\*/);
    assert.match(asked[0]?.detail ?? '', /3 files: SKILL\.md, manifest\.json, scripts\/main\.mjs/);
    assert.equal(state('greet'), 'needs-review');
  });

  it('shows all files before it trusts exactly them', async () => {
    const asked = await withAnswers(
      { message: (text) => (text === 'Trust the skill greet?' ? 'Show Files' : undefined) },
      async () => {
        await run(SKILL_COMMANDS.trustSkill, 'greet');
      },
    );
    assert.match(asked.at(-1)?.message ?? '', /^Trust greet for exactly these files\?/);
    assert.ok(tabs().some(({ label }) => label.startsWith('Files of greet')));
    await until('the script', () =>
      page(/greet\/scripts\/main\.mjs$/)
        ?.getText()
        .includes('Hello'),
    );
    assert.equal(state('greet'), 'needs-review');
    await withAnswers({ message: () => 'Trust' }, async () => {
      await run(SKILL_COMMANDS.trustSkill, 'greet');
    });
    await has('greet', 'trusted');
  });

  it('runs a script with the input that it asks for by its schema', async () => {
    const input = (title: string): string | undefined => (title === 'Run greet' ? 'Ada' : undefined);
    const asked = await withAnswers(
      { input, pick: () => [] },
      () => run(SKILL_COMMANDS.runSkill, 'greet') as Promise<unknown>,
    );
    assert.ok(
      asked.some(({ detail }) => detail.startsWith('name')),
      'the name is asked for',
    );
    const result = await until('the result', () => page(/greet result\.json$/));
    assert.deepEqual(JSON.parse(result.getText()), { greeting: 'Hello, Ada!' });
    await until('the use is counted', () => api.skillList.find('greet')?.skill.uses === 1);
  });

  it("offers pinned skills to the editor's own agent as tools", async () => {
    await run(SKILL_COMMANDS.pinSkill, 'greet');
    await until('a pin', () => api.skillList.find('greet')?.skill.pinned);
    await vscode.commands.executeCommand('workbench.mcp.startServer', '*').then(undefined, () => {});
    const tool = await until('the tool', () => vscode.lm.tools.find(({ name }) => name.endsWith('skill_greet')));
    assert.match(tool.description, /Says hello to somebody/);
    assert.ok(JSON.stringify(tool.inputSchema).includes('"loud"'), 'with its own schema');
    const { token } = new vscode.CancellationTokenSource();
    const answer = await vscode.lm.invokeTool(
      tool.name,
      { input: { name: 'Grace' }, toolInvocationToken: undefined },
      token,
    );
    assert.match(JSON.stringify(answer.content), /Hello, Grace!/);
    await run(SKILL_COMMANDS.unpinSkill, 'greet');
    await until('no tool', () => !vscode.lm.tools.some(({ name }) => name.endsWith('skill_greet')));
  });

  it('asks again when a trusted skill has changed', async () => {
    await writeFile(join(folder, '.agents/skills/greet/scripts/more.mjs'), 'export {};\n');
    await has('greet', 'needs-review');
  });

  it('takes trust back', async () => {
    await withAnswers({ message: (text) => (text.startsWith('Trust') ? 'Trust' : 'Take Back') }, async () => {
      await run(SKILL_COMMANDS.trustSkill, 'greet');
      await has('greet', 'trusted');
      await run(SKILL_COMMANDS.distrustSkill, 'greet');
    });
    await has('greet', 'needs-review');
  });

  it('shows what an import brings, and brings it from a local repository', async () => {
    const asked = await withAnswers(
      {
        pick: (_title, labels) => labels.find((label) => label.includes('Local folder')),
        open: () => vscode.Uri.file(source),
        message: (text) => (text.startsWith('Import the skill') ? 'Import' : undefined),
      },
      () => run(SKILL_COMMANDS.importSkill) as Promise<unknown>,
    );
    const question = asked.find(({ message }) => message === 'Import the skill count-words?');
    assert.match(question?.detail ?? '', /It asks to read names\/\*\*\./);
    assert.match(question?.detail ?? '', /can be run: scripts\/main\.mjs/);
    const shown = await vscode.workspace.openTextDocument(
      vscode.Uri.from({ scheme: SCHEMES.skill, path: '/Import count-words.md' }),
    );
    assert.match(shown.getText(), /Licence: \*\*not stated\*\*/);
    assert.match(shown.getText(), /## What it asks for\n\n- read names/);
    await has('count-words', 'needs-review');
    assert.deepEqual(
      (await groups()).get('Imported')?.map(({ label }) => label),
      ['count-words'],
    );
    assert.ok(existsSync(join(folder, '.coppice/skills.lock.json')));
  });

  it('says what an update changes, and removes an import', async () => {
    const same = await withAnswers({}, () => run(SKILL_COMMANDS.updateSkill, 'count-words') as Promise<unknown>);
    assert.match(same.at(-1)?.message ?? '', /count-words is up to date/);
    const wider = GREET['manifest.json'].replace('"hosts":[]', '"hosts":["example.com"]');
    await put(source, { 'skills/count-words/manifest.json': wider });
    git('commit', '-q', '-a', '-m', 'Ask for more');
    const asked = await withAnswers(
      { message: (text) => (text.startsWith('Update the skill') ? 'Update' : undefined) },
      () => run(SKILL_COMMANDS.updateSkill, 'count-words') as Promise<unknown>,
    );
    assert.match(asked[0]?.detail ?? '', /NEW: it now also asks to talk to example\.com/);
    await withAnswers(
      { message: () => 'Remove' },
      () => run(SKILL_COMMANDS.removeSkill, 'count-words') as Promise<unknown>,
    );
    await until('it is gone', () => api.skillList.find('count-words') === undefined);
  });

  it('reviews, tests and approves a draft', async () => {
    await withAnswers({}, () => run(SKILL_COMMANDS.reviewDraft, 'fresh-idea') as Promise<unknown>);
    assert.ok(tabs().some(({ label }) => label.startsWith('Draft: fresh-idea')));
    const passed = await withAnswers({}, () => run(SKILL_COMMANDS.testDraft, 'fresh-idea') as Promise<unknown>);
    assert.match(passed.at(-1)?.message ?? '', /passes its tests/);
    const asked = await withAnswers(
      { message: () => 'Approve' },
      () => run(SKILL_COMMANDS.approveDraft, 'fresh-idea') as Promise<unknown>,
    );
    assert.match(asked[0]?.detail ?? '', /instruct agents, and nothing else/);
    await has('fresh-idea', 'trusted');
    assert.ok(existsSync(join(folder, '.coppice/skills/fresh-idea/SKILL.md')));
  });

  it('makes a new skill from a template and opens it', async () => {
    const shared = (title: string, labels: readonly string[]): string | undefined =>
      labels.find((label) => label.includes(title.includes('Who') ? 'Shared' : 'A script'));
    const input = (_title: string, prompt: string): string =>
      prompt.startsWith('Its name') ? 'brand-new' : 'Does what nobody did before.';
    await withAnswers({ pick: shared, input }, () => run(SKILL_COMMANDS.newSkill) as Promise<unknown>);
    const file = join(folder, '.agents/skills/brand-new/SKILL.md');
    assert.equal(vscode.window.activeTextEditor?.document.uri.fsPath, file);
    assert.match(await readFile(file, 'utf8'), /description: Does what nobody did before\./);
    await has('brand-new', 'needs-review');
  });

  it('opens a bundled skill to be read', async () => {
    await run(SKILL_COMMANDS.openSkill, 'code-review');
    const tab = await until('a preview', () =>
      tabs().find(({ label }) => label.includes('SKILL.md') && label.startsWith('Preview')),
    );
    assert.ok(tab.input instanceof vscode.TabInputWebview);
  });

  it('puts the configuration of another client on the clipboard', async () => {
    for (const { client, label } of MCP_CLIENTS.filter((one) => one.client === 'cursor' || one.client === 'codex')) {
      const asked = await withAnswers(
        { pick: () => label },
        () => run(SKILL_COMMANDS.copyMcpConfiguration) as Promise<unknown>,
      );
      assert.match(asked.at(-1)?.message ?? '', /^Copied the configuration for .* Add this to /);
      const text = await vscode.env.clipboard.readText();
      if (client === 'codex') assert.match(text, /^\[mcp_servers\.coppice\]/);
      else assert.ok(JSON.stringify(JSON.parse(text)).includes(JSON.stringify(folder)));
    }
  });
});
