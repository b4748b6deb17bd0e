import * as vscode from 'vscode';
import { RefusedError } from '../connection.ts';
import type { EngineClient } from '../engine-client.ts';
import { count, oneLine } from '../format.ts';
import { SCHEMES } from '../ids.ts';
import { faultSpan, faultsIn } from './faults.ts';
import type { PlanView, TextFault } from './operations.ts';
import type { PlanChange } from './plan-rows.ts';
import type { Plans } from './plans.ts';

interface Text {
  /** The plan in the engine that the text stands for. */
  readonly yaml: string;
  readonly bytes: Uint8Array;
  readonly changedAt: number;
  readonly isReadonly: boolean;
}

const { FileSystemError } = vscode;

/** The texts as the person saved them, with comments that the engine does not know; the newest last. */
const KEPT = 'coppice.planTexts';
const MOST_KEPT = 20;

interface KeptText {
  readonly run: string;
  readonly yaml: string;
  readonly text: string;
}

/**
 * A plan as a file: opened as text, checked and taken over when it is saved. A text with faults stays in its editor,
 * unsaved. Its address is enough to find it again, so the editor opens it anew when the window was reloaded.
 */
export class PlanFiles implements vscode.FileSystemProvider, vscode.Disposable {
  readonly #client: EngineClient;
  readonly #plans: Plans;
  readonly #kept: vscode.Memento;
  readonly #onSaved: (plan: PlanView, change: PlanChange) => void;
  readonly #texts = new Map<string, Text>();
  readonly #emitter = new vscode.EventEmitter<vscode.FileChangeEvent[]>();
  readonly onDidChangeFile = this.#emitter.event;
  readonly #diagnostics = vscode.languages.createDiagnosticCollection('coppice plan');
  readonly #subscriptions: vscode.Disposable;

  constructor(
    client: EngineClient,
    plans: Plans,
    kept: vscode.Memento,
    onSaved: (plan: PlanView, change: PlanChange) => void,
  ) {
    this.#client = client;
    this.#plans = plans;
    this.#kept = kept;
    this.#onSaved = onSaved;
    this.#subscriptions = vscode.Disposable.from(
      this.#emitter,
      this.#diagnostics,
      vscode.workspace.registerFileSystemProvider(SCHEMES.plan, this, { isCaseSensitive: true }),
      plans.onChange(() => this.#follow()),
      client.onChange(() => this.#follow()),
      client.onState(({ kind }) => kind === 'ready' && this.#openAgain()),
      vscode.workspace.onDidCloseTextDocument(({ uri }) => {
        if (uri.scheme === SCHEMES.plan) this.#diagnostics.delete(uri);
      }),
    );
  }

  async stat(uri: vscode.Uri): Promise<vscode.FileStat> {
    const text = await this.#text(uri);
    const { File } = vscode.FileType;
    return {
      type: File,
      ctime: 0,
      mtime: text.changedAt,
      size: text.bytes.length,
      ...(text.isReadonly && { permissions: vscode.FilePermission.Readonly }),
    };
  }

  async readFile(uri: vscode.Uri): Promise<Uint8Array> {
    return (await this.#text(uri)).bytes;
  }

  async writeFile(uri: vscode.Uri, bytes: Uint8Array): Promise<void> {
    const run = runOf(uri);
    const before = this.#plans.plan(run) ?? (await this.#plans.load(run));
    const yaml = new TextDecoder().decode(bytes);
    try {
      const { plan, changes } = await this.#client.call('plan_edit', { run, yaml });
      this.#diagnostics.delete(uri);
      this.#texts.set(run, { yaml: plan.yaml, bytes, changedAt: Date.now(), isReadonly: false });
      const others = this.#keptTexts().filter((one) => one.run !== run);
      await this.#kept.update(KEPT, [...others, { run, yaml: plan.yaml, text: yaml }].slice(-MOST_KEPT));
      const change = { before: before.forecast, changes };
      this.#plans.changed(plan, change);
      this.#onSaved(plan, change);
    } catch (error) {
      throw this.#refusal(uri, yaml, error);
    }
  }

  watch(): vscode.Disposable {
    return new vscode.Disposable(() => {});
  }

  readDirectory(): [string, vscode.FileType][] {
    return [];
  }

  createDirectory(uri: vscode.Uri): never {
    throw FileSystemError.NoPermissions(uri);
  }

  delete(uri: vscode.Uri): never {
    throw FileSystemError.NoPermissions(uri);
  }

  rename(uri: vscode.Uri): never {
    throw FileSystemError.NoPermissions(uri);
  }

  dispose(): void {
    this.#subscriptions.dispose();
  }

  async #text(uri: vscode.Uri): Promise<Text> {
    const run = runOf(uri);
    const known = this.#texts.get(run);
    if (known) return known;
    try {
      return this.#keep(await this.#plans.load(run));
    } catch (error) {
      // Also when only the engine is missing: of all errors this is the one after which the editor tries again when it
      // is told that there is a file.
      throw FileSystemError.FileNotFound((error as Error).message);
    }
  }

  #keep(plan: PlanView): Text {
    const { run, yaml } = plan;
    const isReadonly = plan.state !== 'planned';
    const own = this.#keptTexts().find((one) => one.run === run && one.yaml === yaml)?.text;
    const text = { yaml, bytes: new TextEncoder().encode(own ?? yaml), changedAt: Date.now(), isReadonly };
    this.#texts.set(run, text);
    return text;
  }

  #keptTexts(): readonly KeptText[] {
    return this.#kept.get<readonly KeptText[]>(KEPT, []);
  }

  /** Editors that could not be filled when the window was opened get their text. */
  #openAgain(): void {
    const changes = vscode.window.tabGroups.all
      .flatMap(({ tabs }) => tabs)
      .flatMap(({ input }) => (input instanceof vscode.TabInputText ? [input.uri] : []))
      .filter((uri) => uri.scheme === SCHEMES.plan && !this.#texts.has(runOf(uri)))
      .map((uri) => ({ type: vscode.FileChangeType.Created, uri }));
    if (changes.length > 0) this.#emitter.fire(changes);
  }

  /** A plan that became another one elsewhere, or that no longer waits, shows so in its editor. */
  #follow(): void {
    const open = vscode.workspace.textDocuments.filter(({ uri }) => uri.scheme === SCHEMES.plan);
    for (const { uri } of open) {
      const run = runOf(uri);
      const text = this.#texts.get(run);
      const plan = this.#plans.plan(run);
      if (!text || !plan) continue;
      const isReadonly = plan.state !== 'planned';
      if (plan.yaml !== text.yaml) this.#keep(plan);
      else if (isReadonly !== text.isReadonly) this.#texts.set(run, { ...text, isReadonly });
      else continue;
      this.#emitter.fire([{ type: vscode.FileChangeType.Changed, uri }]);
    }
  }

  /** Words for the person; faults are shown at their lines. */
  #refusal(uri: vscode.Uri, yaml: string, error: unknown): Error {
    if (!(error instanceof RefusedError) || error.code !== 'bad-input') return error as Error;
    const faults = faultsIn(error.message);
    this.#diagnostics.set(uri, diagnosticsOf(yaml, faults));
    const [first] = faults;
    const where = first ? ` Line ${first.line + 1}: ${oneLine(first.message, 200)}` : '';
    return new FileSystemError(
      `The plan has ${count(faults.length, 'fault')}; the run keeps the plan that it had.${where}`,
    );
  }
}

/** The faults of a text as the editor underlines them. */
export const diagnosticsOf = (text: string, faults: readonly TextFault[]): vscode.Diagnostic[] => {
  const lines = text.split('\n');
  return faults.map(({ line, column, severity, message }) => {
    const [start, end] = faultSpan(lines[line] ?? '', column);
    const { Error, Warning } = vscode.DiagnosticSeverity;
    const level = severity === 'error' ? Error : Warning;
    const diagnostic = new vscode.Diagnostic(new vscode.Range(line, start, line, end), message, level);
    diagnostic.source = 'Coppice';
    return diagnostic;
  });
};

/** The address of a plan; the run is its folder, so that it is found again after the window was reloaded. */
export const planUri = (plan: Pick<PlanView, 'run' | 'task'>): vscode.Uri =>
  vscode.Uri.from({ scheme: SCHEMES.plan, path: `/${plan.run}/${planName(plan)}.yaml` });

/** What the tab of a plan says. */
export const planName = (plan: Pick<PlanView, 'task'>): string =>
  `Plan ${oneLine(plan.task.replaceAll(/[^\p{L}\p{N}._ -]+/gu, ' '), 40)
    .replace(/…$/, '')
    .trim()}`;

/** The run whose plan is at an address. */
export const runOf = (uri: vscode.Uri): string => uri.path.split('/')[1] ?? '';
