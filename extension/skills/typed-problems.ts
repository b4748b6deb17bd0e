import * as vscode from 'vscode';
import type { EngineClient } from '../engine-client.ts';
import type { SkillProblem } from './operations.ts';

/** A text is checked when nobody has typed in it for this long. */
const QUIET_MS = 400;
/** Characters; a longer text is only checked when it is saved. */
const MOST_TEXT = 512 * 1024;

/** The problems of skills as they are typed, before they are saved: one check at a time for each text. */
export class TypedProblems implements vscode.Disposable {
  readonly #client: EngineClient;
  readonly #onFound: () => void;
  readonly #found = new Map<string, readonly SkillProblem[]>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #busy = new Set<string>();

  constructor(client: EngineClient, onFound: () => void) {
    this.#client = client;
    this.#onFound = onFound;
  }

  all(): readonly SkillProblem[] {
    return [...this.#found.values()].flat();
  }

  /** False: what is known of the saved file holds. */
  knows(file: string): boolean {
    return this.#found.has(file);
  }

  /** Checks the text of a document after a moment; many calls are one. */
  checkSoon(document: vscode.TextDocument): void {
    const file = document.uri.fsPath;
    clearTimeout(this.#timers.get(file));
    const check = (): void => {
      this.#timers.delete(file);
      if (this.#busy.has(file)) this.checkSoon(document);
      else void this.#check(document, file);
    };
    this.#timers.set(file, setTimeout(check, QUIET_MS));
  }

  /** Saved files were read again: they tell more than the texts of which they are. */
  followSaved(): void {
    const dirty = new Set(vscode.workspace.textDocuments.filter(({ isDirty }) => isDirty).map(({ uri }) => uri.fsPath));
    for (const file of this.#found.keys()) if (!dirty.has(file)) this.#found.delete(file);
  }

  forget(document: vscode.TextDocument): void {
    const file = document.uri.fsPath;
    clearTimeout(this.#timers.get(file));
    this.#timers.delete(file);
    this.#found.delete(file);
  }

  dispose(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  async #check(document: vscode.TextDocument, file: string): Promise<void> {
    const text = document.getText();
    if (document.isClosed || text.length > MOST_TEXT) return;
    const { version } = document;
    this.#busy.add(file);
    try {
      const { problems } = await this.#client.call('skill_check', { file, text });
      if (document.isClosed || document.version !== version) return;
      this.#found.set(file, problems);
      this.#onFound();
    } catch {
      // Without an engine what was found last stays; the next letter or the next save asks again.
    } finally {
      this.#busy.delete(file);
    }
  }
}
