import * as vscode from 'vscode';
import { setupReport } from './describe.ts';
import type { EngineClient } from './engine-client.ts';
import { SCHEMES } from './ids.ts';
import type { Change } from './model.ts';
import type { PlanView } from './plans/operations.ts';
import { planName } from './plans/plan-files.ts';
import { planPage } from './plans/plan-page.ts';
import type { Plans } from './plans/plans.ts';
import { startOptions } from './settings.ts';
import { transcriptPage } from './transcript.ts';

/** An open transcript is read again at most this often. */
const REFRESH_MS = 500;

/** The read-only documents that the extension shows: transcripts, files of a review, the setup report. */
export class Documents implements vscode.Disposable {
  readonly #client: EngineClient;
  readonly #plans: Plans;
  readonly #changed = new vscode.EventEmitter<vscode.Uri>();
  readonly #registrations: vscode.Disposable;
  readonly #stale = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(client: EngineClient, plans: Plans) {
    this.#client = client;
    this.#plans = plans;
    const provide = (read: (uri: vscode.Uri) => Promise<string>): vscode.TextDocumentContentProvider => ({
      onDidChange: this.#changed.event,
      provideTextDocumentContent: (uri) =>
        read(uri).catch((error: unknown) => `Could not be read: ${(error as Error).message}\n`),
    });
    const register = vscode.workspace.registerTextDocumentContentProvider;
    this.#registrations = vscode.Disposable.from(
      register(
        SCHEMES.transcript,
        provide((uri) => this.#transcript(uri.query)),
      ),
      register(
        SCHEMES.review,
        provide((uri) => this.#reviewFile(uri)),
      ),
      register(
        SCHEMES.setup,
        provide(() => this.#setup()),
      ),
      register(
        SCHEMES.planPage,
        provide((uri) => this.#plan(uri.query)),
      ),
      client.onChange((change) => this.#markStale(change)),
      plans.onChange((change) => this.#markStale(change)),
    );
  }

  /** Opens the transcript of an agent; it grows while it is open. */
  async showTranscript(agent: string): Promise<void> {
    const name = this.#client.model.agent(agent)?.name ?? agent;
    const path = `/${name.replaceAll(/[^\p{L}\p{N}._-]+/gu, ' ').trim()}.md`;
    await vscode.window.showTextDocument(vscode.Uri.from({ scheme: SCHEMES.transcript, path, query: agent }), {
      preview: true,
    });
  }

  /** Opens a page that tells all of a plan; it is kept in step with the run. */
  async showPlan(plan: PlanView): Promise<void> {
    const uri = vscode.Uri.from({ scheme: SCHEMES.planPage, path: `/${planName(plan)}.md`, query: plan.run });
    await vscode.window.showTextDocument(uri, { preview: true });
  }

  /** Checks the setup and opens the findings. */
  async showSetup(): Promise<void> {
    const uri = vscode.Uri.from({ scheme: SCHEMES.setup, path: '/Coppice setup.md' });
    this.#changed.fire(uri);
    await vscode.window.showTextDocument(uri, { preview: true });
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#registrations.dispose();
    this.#changed.dispose();
  }

  async #transcript(agent: string): Promise<string> {
    const { agent: view, entries } = await this.#client.call('agent_transcript', { agent });
    const subtree = Math.max(view.tokens.subtreeUsed, this.#client.model.subtreeUsed(agent));
    return transcriptPage(view, entries, subtree);
  }

  async #plan(run: string): Promise<string> {
    const plan = this.#plans.plan(run) ?? (await this.#plans.load(run));
    return planPage(plan, plan.state === 'planned' ? this.#plans.lastChange(run) : undefined);
  }

  async #reviewFile(uri: vscode.Uri): Promise<string> {
    const { run, path, side } = JSON.parse(uri.query) as { run: string; path: string; side: 'base' | 'head' };
    const { text } = await this.#client.call('review_file', { run, path, side });
    return text ?? '';
  }

  async #setup(): Promise<string> {
    try {
      const { problems } = await this.#client.call('setup_check', { options: startOptions() });
      return setupReport(problems);
    } catch (error) {
      const fix = 'Put this right and run "Coppice: Check Setup" again. "Coppice: Show Log" has the details.';
      return setupReport([{ severity: 'error', what: (error as Error).message, fix }]);
    }
  }

  #markStale(change: Change): void {
    for (const { uri } of vscode.workspace.textDocuments) {
      const isTold = uri.scheme === SCHEMES.transcript && change.nodes.has(uri.query);
      const isPlan = uri.scheme === SCHEMES.planPage && [...change.nodes].some((id) => this.#belongs(id, uri.query));
      if (isTold || isPlan) this.#stale.add(uri.toString());
    }
    if (this.#stale.size > 0) this.#timer ??= setTimeout(() => this.#refresh(), REFRESH_MS);
  }

  #belongs(id: string, run: string): boolean {
    return id === run || this.#plans.step(id)?.run === run;
  }

  #refresh(): void {
    this.#timer = undefined;
    for (const uri of this.#stale) this.#changed.fire(vscode.Uri.parse(uri));
    this.#stale.clear();
  }
}
