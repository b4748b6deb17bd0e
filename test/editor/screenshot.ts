// Makes media/screenshot.png: `npm run build && node test/editor/screenshot.ts`. The picture shows the real extension.
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureEditor } from '../../.tools/editor.ts';
import { currentTarget, packageFor } from '../../.tools/package.ts';
import { startRehearsal } from '../../mcp-server/rehearsal/server.ts';
import { startEditor } from './editor-server.ts';
import { Workbench } from './workbench.ts';

const ROOT = join(import.meta.dirname, '../..');
const stage = await mkdtemp(join(tmpdir(), 'coppice-picture-'));
const rehearsal = await startRehearsal({ slots: 3, latencyMs: 20 });
const vsix = await packageFor(currentTarget(), { out: stage });
const folder = join(stage, 'coppice');
execFileSync('git', ['clone', '-q', ROOT, folder]);
await mkdir(join(folder, '.vscode'), { recursive: true });
const settings = {
  'coppice.server.url': rehearsal.url,
  'coppice.planning.confirm': false,
  'workbench.startupEditor': 'none',
  'workbench.colorTheme': 'Default Dark Modern',
  'editor.minimap.enabled': false,
  'diffEditor.renderSideBySide': false,
};
await writeFile(join(folder, '.vscode/settings.json'), JSON.stringify(settings));
const editor = await startEditor({ installed: await ensureEditor(console.log), vsix, trusted: true });
try {
  const workbench = await Workbench.open(editor, folder);
  const { page } = workbench;
  await page.setViewportSize({ width: 1360, height: 820 });
  await workbench.openCoppice();
  const orchestrate = async (task: string): Promise<void> => {
    await workbench.runCommand('Coppice: Orchestrate Task');
    await workbench.answer('Orchestrate a task (1 of 2)', task);
    await workbench.answer('Orchestrate a task (2 of 2)', '2M');
  };
  await orchestrate('Map this repository');
  const done = workbench.notification(/is done/);
  await done.getByText('Review Changes').click({ timeout: 60_000 });
  await page.locator('.tab', { hasText: 'Review:' }).waitFor();
  await page.mouse.move(349, 400);
  await page.mouse.down();
  await page.mouse.move(500, 400, { steps: 10 });
  await page.mouse.up();
  const collapse = page.locator('.pane-header', { hasText: 'Agents' }).locator('[aria-label="Collapse All"]');
  await page.locator('.pane-header', { hasText: 'Agents' }).hover();
  await collapse.click();
  rehearsal.setLatency(1300);
  await orchestrate('Map the folders of this repository again');
  await workbench.row('Agents', /thinks/).waitFor();
  await page.waitForTimeout(3500);
  await page.mouse.move(900, 500);
  await page.waitForTimeout(1500);
  await page.screenshot({ path: join(ROOT, 'media/screenshot.png') });
} finally {
  execFileSync(process.execPath, [join(ROOT, 'dist/coppice.js'), 'stop', '--now', '--repo', folder], {
    env: editor.env,
    stdio: 'ignore',
  });
  await editor.close();
  await rehearsal.close();
  await rm(stage, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
