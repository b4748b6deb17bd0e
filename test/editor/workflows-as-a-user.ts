import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Script } from '../../mcp-server/rehearsal/script.ts';
import type { Rehearsal } from '../../mcp-server/rehearsal/server.ts';
import { finish } from '../support/scripted-server.ts';
import type { Workbench } from './workbench.ts';

/** The agents of the new workflow report at once; the one that checks is content only with `isGood`. */
const agents =
  (isGood: boolean): Script =>
  ({ firstUser }) => {
    const name = /You are "([^"]+)"/.exec(firstUser)?.[1] ?? '';
    if (name.startsWith('check') && !isGood) return finish('There is nothing to check yet.', 'blocked');
    return finish(`Report of ${name}.`);
  };

/** Makes a workflow, runs it, tries again what failed, and keeps the run as another workflow. */
export const workflowsPath = async (
  workbench: Workbench,
  folder: string,
  step: (done: string) => Promise<void>,
  rehearsal: Rehearsal,
): Promise<void> => {
  const { page } = workbench;
  const file = (name: string): string => join(folder, '.coppice/workflows', `${name}.yaml`);
  await workbench.runCommand('Coppice: New Workflow');
  const name = page.locator('.quick-input-widget', { hasText: 'New workflow' });
  await name.locator('input').first().fill('Not A Name');
  await name.getByText('Lower-case letters, digits and hyphens').waitFor();
  await workbench.answer('New workflow', 'spring-clean');
  await workbench.editorText('What this workflow is for').waitFor();
  assert.match(await readFile(file('spring-clean'), 'utf8'), /^name: spring-clean\n/);
  await step('makes a new workflow and is shown an example to change');

  rehearsal.script(agents(false));
  await workbench.runCommand('Coppice: Run Workflow');
  await workbench.choose('Run a workflow', 'spring-clean');
  await workbench.answer('spring-clean: goal (1 of 1)', 'no loose ends');
  await workbench.answer('Run the workflow spring-clean', '300k');
  await workbench.choose('Plan of "spring-clean: ', 'Run');
  await workbench.notification(/"spring-clean: .*is partly done/).waitFor({ timeout: 60_000 });
  await step('runs it with its parameter, and hears that a step has failed');

  rehearsal.script(agents(true));
  await workbench.showOnly('Agents');
  const row = workbench.row('Agents', /^\s*spring-clean: /);
  await workbench.hover(row);
  await row.locator('[aria-label^="Retry Failed Steps"]').click();
  await workbench.answer('Retry the failed steps', '50k');
  await workbench.notification(/"spring-clean: .*is answered: Report of check the change/).waitFor({ timeout: 60_000 });
  await step('tries the failed step again with more tokens');

  await row.click({ button: 'right' });
  await page.locator('.context-view .action-label', { hasText: 'Save Run as Workflow' }).hover();
  await page.keyboard.press('Enter');
  await workbench.answer('Save the plan as a workflow', 'cleaner-still');
  await workbench.editorText('name: cleaner-still').waitFor();
  assert.ok(existsSync(file('cleaner-still')));
  rehearsal.script(null);
  await step('saves the run as a workflow of the repository');
};
