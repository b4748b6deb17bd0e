import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Editor } from '../../.tools/editor.ts';
import { currentTarget, packageFor } from '../../.tools/package.ts';
import { type Rehearsal, startRehearsal } from '../../mcp-server/rehearsal/server.ts';
import { type RunningEditor, startEditor } from './editor-server.ts';
import { skillsPath } from './skills-as-a-user.ts';
import { Workbench } from './workbench.ts';
import { workflowsPath } from './workflows-as-a-user.ts';

const PROGRAM = join(import.meta.dirname, '../../dist/coppice.js');

/** Packs the extension, installs it into a real VS Code, and does what a person does, by clicking and typing. */
export const walkThrough = async (installed: Editor, say: (line: string) => void): Promise<void> => {
  const stage = await mkdtemp(join(tmpdir(), 'coppice-user-'));
  const rehearsal = await startRehearsal({ slots: 2, latencyMs: 150 });
  try {
    const vsix = await packageFor(currentTarget(), { out: stage });
    const folder = await makeRepository(join(stage, 'Bücher App'), rehearsal);
    await inEditor({ installed, vsix, trusted: true }, folder, say, async (...all) => {
      await trustedPath(...all);
      await discardPath(...all);
      await workflowsPath(...all, rehearsal);
      await skillsPath(...all);
    });
    const untouched = await makeRepository(join(stage, 'untrusted'), rehearsal);
    await inEditor({ installed, vsix, trusted: false }, untouched, say, untrustedPath);
  } finally {
    await rehearsal.close();
    await rm(stage, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
};

type Path = (workbench: Workbench, folder: string, step: (done: string) => Promise<void>) => Promise<void>;

const inEditor = async (
  options: { installed: Editor; vsix: string; trusted: boolean },
  folder: string,
  say: (line: string) => void,
  path: Path,
): Promise<void> => {
  const editor = await startEditor(options);
  const label = options.trusted ? 'user' : 'untrusted';
  let number = 0;
  let workbench: Workbench | undefined;
  try {
    workbench = await Workbench.open(editor, folder);
    const opened = workbench;
    await path(opened, folder, async (done) => {
      number += 1;
      await opened.picture(`${label}-${String(number).padStart(2, '0')}-${done.replaceAll(/\W+/g, '-')}`);
      say(`    ✔ ${done}`);
    });
  } catch (error) {
    await workbench?.picture(`${label}-failed`);
    throw error;
  } finally {
    stopEngine(folder, editor);
    await editor.close();
  }
};

/** Orchestrate → watch → steer → review → land. */
const trustedPath: Path = async (workbench, folder, step) => {
  const { page } = workbench;
  await workbench.openCoppice();
  await page.getByText('One task grows into many agents').waitFor();
  await step('opens Coppice and reads what it is');

  await workbench.runCommand('Coppice: Orchestrate Task');
  await workbench.answer('Orchestrate a task (1 of 2)', 'Map this repository');
  await workbench.answer('Orchestrate a task (2 of 2)', '400k');
  await gatePath(workbench, step);
  await workbench.row('Agents', 'Map this repository').waitFor();
  await workbench.row('Agents', /Chart/).waitFor();
  await page.waitForTimeout(500);
  await step('runs the plan and watches the agents at work');

  await workbench.row('Agents', /^\s*Chart/).click();
  await page.locator('.tab.active', { hasText: 'Chart' }).waitFor();
  await workbench.editorText('## Task').waitFor();
  await step('clicks an agent and reads along');

  const done = workbench.notification(/is done: \d+ files changed/);
  await done.waitFor({ timeout: 60_000 });
  await step('hears that the run is done');

  await done.getByText('Review Changes').click();
  await page.locator('.tab', { hasText: 'Review: Map this repository' }).waitFor();
  await workbench.editorText('exported name').waitFor();
  await step('reviews every file in the multi-file diff editor');

  await page.locator('.editor-actions [aria-label^="Land Changes"]').first().click();
  await workbench.notification(/Landed on main/).waitFor();
  await workbench.row('Agents', /landed/).waitFor();
  await step('lands the changes with the button in the title');

  assert.match(git(folder, 'log', '--format=%s', 'main'), /Chart src|Map src/);
  assert.ok(existsSync(join(folder, 'docs/map/src.md')), 'the files are in the working tree');
  assert.equal(git(folder, 'status', '--porcelain').trim(), '', 'the working tree is clean');
};

/** The plan is shown with its forecast, made smaller, edited (badly first), and let go. */
const gatePath = async (workbench: Workbench, step: (done: string) => Promise<void>): Promise<void> => {
  const { page } = workbench;
  const question = 'Plan of "Map this repository"';
  await page.locator('.quick-input-widget', { hasText: question }).waitFor();
  await workbench.row('Plan', 'Forecast').waitFor();
  await workbench.row('Plan', /Level 1/).waitFor();
  await workbench.editorText('Past error').waitFor();
  await workbench.row('Agents', /plan waits for you/).waitFor();
  await step('is shown the plan and its forecast before any agent begins');

  await workbench.choose(question, 'Shrink the Plan');
  await page.locator('.quick-input-widget', { hasText: 'Fewer agents' }).waitFor();
  await step('is asked how the plan is to shrink');
  await workbench.choose('Shrink the plan', 'Fewer agents');
  await workbench.row('Plan', /Changed.*→/).waitFor();
  await step('shrinks the plan and sees old and new numbers');

  await workbench.choose(question, 'Edit Plan');
  await workbench.editorText('steps:').waitFor();
  await workbench.replaceAndSave('task:', 'taks:');
  await page.locator('.squiggly-error').first().waitFor();
  await step('breaks the plan and is shown where, with nothing lost');

  await workbench.replaceAndSave('taks:', 'task:');
  await workbench.replaceAndSave('title: Map ./ + ', '# My own words.\n    title: Chart ./ + ');
  await workbench.notification(/The plan was changed/).waitFor();
  await workbench.row('Plan', /Chart/).waitFor();
  await step('mends the plan, gives a step another title and saves');

  await workbench.reload();
  await workbench.editorText('# My own words.').waitFor();
  await workbench.row('Plan', /Chart/).waitFor();
  await step('finds the text of the plan again after the window was reloaded');

  await page.locator('.editor-actions [aria-label^="Run Plan"]').first().click();
};

/** A second run, whose result nobody wants. */
const discardPath: Path = async (workbench, folder, step) => {
  const { page } = workbench;
  await workbench.runCommand('Coppice: Orchestrate Task');
  await workbench.answer('Orchestrate a task (1 of 2)', 'Map this repository once more');
  await workbench.answer('Orchestrate a task (2 of 2)');
  await workbench.choose('Plan of "Map this repository once more"', 'Run');
  await workbench.notification(/once more" is done/).waitFor({ timeout: 60_000 });
  const before = git(folder, 'rev-parse', 'main');
  await workbench.runCommand('Coppice: Discard Changes');
  const dialog = page.locator('.monaco-dialog-box');
  await dialog.getByText('Your own branch and files stay as they are').waitFor();
  await step('reads what a discard would remove');

  await dialog.getByRole('button', { name: 'Discard' }).click();
  await workbench.row('Agents', /discarded/).waitFor();
  assert.equal(git(folder, 'rev-parse', 'main'), before);
  await step('discards the changes of another run');
};

/** Restricted mode: the palette and the views offer nothing, and nothing is started. */
const untrustedPath: Path = async (workbench, folder, step) => {
  const { page } = workbench;
  await workbench.openCoppice();
  await page.getByText('Coppice starts nothing in a workspace that you do not trust').waitFor();
  await workbench.openPalette('Coppice: ');
  await page.locator('.quick-input-list .monaco-list-row', { hasText: 'Coppice: Show Log' }).waitFor();
  assert.equal(await page.locator('.quick-input-list .monaco-list-row', { hasText: 'Orchestrate' }).count(), 0);
  await step('is told why nothing starts without trust');
  assert.ok(!existsSync(join(folder, '.coppice')), 'nothing was written');
};

/** Seven small folders on main, with the settings of the person. */
const makeRepository = async (folder: string, rehearsal: Rehearsal): Promise<string> => {
  const settings = {
    'coppice.server.url': rehearsal.url,
    'workbench.startupEditor': 'none',
    'workbench.secondarySideBar.defaultVisibility': 'hidden',
  };
  const files: Record<string, string> = {
    'README.md': '# Bücher\n\nA small shop.\n',
    '.vscode/settings.json': JSON.stringify(settings),
  };
  for (const name of ['src', 'lib', 'docs', 'test', 'scripts', 'config', 'web']) {
    for (const file of ['one', 'two', 'three'])
      files[`${name}/${file}.ts`] = `// ${file} of ${name}\nexport const ${file} = 1;\n`;
  }
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  git(folder, 'init', '-q', '-b', 'main');
  git(folder, 'config', 'user.name', 'A person');
  git(folder, 'config', 'user.email', 'person@example.com');
  git(folder, 'add', '.');
  git(folder, 'commit', '-q', '-m', 'Start');
  return folder;
};

const git = (folder: string, ...args: string[]): string => execFileSync('git', args, { cwd: folder, encoding: 'utf8' });

/** The engine outlives the window, so the test has to end it. */
const stopEngine = (folder: string, editor: RunningEditor): void => {
  if (!existsSync(join(folder, '.coppice'))) return;
  execFileSync(process.execPath, [PROGRAM, 'stop', '--now', '--repo', folder], { env: editor.env, stdio: 'ignore' });
};
