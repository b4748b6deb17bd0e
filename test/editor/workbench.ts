import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { folderAddress, type RunningEditor } from './editor-server.ts';

const PICTURES = join(import.meta.dirname, '../../test-results/editor');

type View = 'Agents' | 'Plan' | 'Budgets' | 'Queue' | 'Skills';

/** The workbench as a person sees it: what can be clicked, typed and read. */
export class Workbench {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  static async open(editor: RunningEditor, folder: string): Promise<Workbench> {
    const page = await editor.newPage();
    page.setDefaultTimeout(30_000);
    await page.goto(folderAddress(editor.origin, folder, [['skipWelcome', 'true']]));
    await page.locator('.activitybar').waitFor();
    const workbench = new Workbench(page);
    await workbench.closeChat();
    return workbench;
  }

  /** The editor's own chat takes a third of the window when it starts for the first time. */
  async closeChat(): Promise<void> {
    const chat = this.page.locator('.part.auxiliarybar');
    await chat.waitFor({ timeout: 5000 }).catch(() => {});
    if (await chat.isVisible()) await this.page.keyboard.press('Control+Alt+B');
  }

  /** Loads the window anew, as an update or a new extension asks for. */
  async reload(): Promise<void> {
    const loaded = this.page.waitForEvent('load');
    await this.runCommand('Developer: Reload Window');
    await loaded;
    await this.page.locator('.activitybar').waitFor();
  }

  /** Opens the Coppice container from the activity bar. */
  async openCoppice(): Promise<void> {
    await this.page.locator('.activitybar .action-item a[aria-label="Coppice"]').click();
    await this.page.locator('.pane-header', { hasText: 'Agents' }).waitFor();
  }

  /** Runs a command as a person does: F1, some letters, Enter. */
  async runCommand(title: string): Promise<void> {
    await this.openPalette(title);
    await this.page.locator('.quick-input-list .monaco-list-row', { hasText: title }).first().waitFor();
    await this.page.keyboard.press('Enter');
  }

  async openPalette(text: string): Promise<void> {
    await this.page.keyboard.press('F1');
    const input = this.page.locator('.quick-input-widget input').first();
    await input.waitFor();
    await input.fill(`>${text}`);
  }

  /** Answers an input box that shows `title`. */
  async answer(title: string, text?: string): Promise<void> {
    const box = this.page.locator('.quick-input-widget', { hasText: title });
    await box.waitFor();
    if (text !== undefined) await box.locator('input').first().fill(text);
    await this.page.keyboard.press('Enter');
  }

  /** Takes a line of a list that shows `title`. */
  async choose(title: string, item: string): Promise<void> {
    const box = this.page.locator('.quick-input-widget', { hasText: title });
    await box.waitFor();
    await box.locator('.monaco-list-row', { hasText: item }).first().click();
  }

  /** Replaces a text everywhere in the editor in front, and saves. */
  async replaceAndSave(from: string, to: string): Promise<void> {
    const { page } = this;
    await page.locator('.editor-group-container.active .monaco-editor .view-lines').first().click();
    await page.keyboard.press('Control+H');
    const widget = page.locator('.find-widget.visible');
    await widget.locator('textarea[aria-label="Find"], .find-part textarea').first().fill(from);
    await widget.locator('.replace-part textarea').first().fill(to);
    await page.keyboard.press('Control+Alt+Enter');
    await page.keyboard.press('Escape');
    await page.keyboard.press('Control+S');
  }

  /** A line of one of the trees. */
  row(view: View, text: string | RegExp): Locator {
    const pane = this.page.locator('.pane', {
      has: this.page.locator('.pane-header h3', { hasText: new RegExp(`^${view}(:|$)`) }),
    });
    return pane.locator('.monaco-list-row', { hasText: text }).first();
  }

  /** Puts the mouse on a line of a tree. What the tooltip of another line covers cannot be reached until that is gone. */
  async hover(row: Locator): Promise<void> {
    await this.page.mouse.move(900, 3);
    await this.page.locator('.workbench-hover').first().waitFor({ state: 'hidden' });
    await row.hover();
  }

  /** Opens one of the views and closes the others, which would leave it too little room. */
  async showOnly(view: View): Promise<void> {
    for (const header of await this.page.locator('.pane-header').all()) {
      const isWanted = (await header.locator('h3').textContent())?.split(':')[0] === view;
      const isOpen = (await header.getAttribute('aria-expanded')) === 'true';
      if (isWanted !== isOpen) await header.click();
    }
  }

  /** A notification in the lower right corner. */
  notification(text: string | RegExp): Locator {
    return this.page.locator('.notifications-toasts .notification-list-item', { hasText: text }).first();
  }

  /** The text of the editor in front, as far as it is drawn. */
  editorText(text: string): Locator {
    return this.page.locator('.editor-instance .view-lines, .multiDiffEntry .view-lines', { hasText: text }).first();
  }

  /** Keeps a picture for whoever wants to see how it looked. */
  async picture(name: string): Promise<void> {
    await mkdir(PICTURES, { recursive: true });
    await this.page.screenshot({ path: join(PICTURES, `${name}.png`) });
  }
}
