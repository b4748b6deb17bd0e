import * as vscode from 'vscode';
import { SCHEMES } from '../ids.ts';

/** Pages are small, and those of closed editors are of no use to anybody. */
const MOST_PAGES = 2000;

/** Read-only documents about skills: files of bundled ones, previews, reviews, results. They live as long as the window. */
export class SkillPages implements vscode.Disposable {
  readonly #texts = new Map<string, string>();
  readonly #changed = new vscode.EventEmitter<vscode.Uri>();
  readonly #registration: vscode.Disposable;

  constructor() {
    this.#registration = vscode.workspace.registerTextDocumentContentProvider(SCHEMES.skill, {
      onDidChange: this.#changed.event,
      provideTextDocumentContent: (uri) =>
        this.#texts.get(uri.toString()) ?? 'This page is no longer kept. Open it again.\n',
    });
  }

  /** The address of a text. The same path and key is the same page, whose text is then replaced. */
  put(path: string, text: string, key = ''): vscode.Uri {
    const uri = vscode.Uri.from({ scheme: SCHEMES.skill, path: `/${path}`, query: key });
    const id = uri.toString();
    this.#texts.delete(id);
    this.#texts.set(id, text);
    for (const oldest of this.#texts.keys()) {
      if (this.#texts.size <= MOST_PAGES) break;
      this.#texts.delete(oldest);
    }
    this.#changed.fire(uri);
    return uri;
  }

  /** Opens a page as text. */
  async show(uri: vscode.Uri): Promise<void> {
    await vscode.window.showTextDocument(uri, { preview: true });
  }

  /** Opens a Markdown page as people read it. */
  async showRendered(uri: vscode.Uri): Promise<void> {
    await vscode.commands.executeCommand('markdown.showPreview', uri);
  }

  /** Opens texts side by side with what they were; null: there is none on that side. */
  async showChanges(
    title: string,
    files: readonly { readonly path: string; readonly before: string | null; readonly after: string | null }[],
    key: string,
  ): Promise<void> {
    const side = (path: string, text: string | null, which: string): vscode.Uri | null =>
      text === null ? null : this.put(path, text, `${key} ${which}`);
    const entries = files.map(({ path, before, after }) => {
      const [left, right] = [side(path, before, 'before'), side(path, after, 'after')];
      return [vscode.Uri.from({ scheme: SCHEMES.skill, path: `/${path}`, query: `${key} after` }), left, right];
    });
    await vscode.commands.executeCommand('vscode.changes', title, entries);
  }

  dispose(): void {
    this.#registration.dispose();
    this.#changed.dispose();
  }
}
