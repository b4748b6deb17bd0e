import * as vscode from 'vscode';
import type { EngineClient } from '../engine-client.ts';
import { workingFolder } from '../place.ts';
import { changedPart } from './changed-part.ts';
import type { SkillProblem } from './operations.ts';
import type { SkillList, SkillState } from './skill-list.ts';

const SOURCE = 'Coppice';
/** The files of skills that can have problems, wherever skills lie. */
const FILES = /[\\/]\.(?:coppice|agents|github|claude)[\\/](?:skills|drafts)[\\/].*[\\/](?:skill\.md|manifest\.json)$/i;

/** What the editor has no own word for in its Problems panel is information: hints are not listed there. */
const SEVERITIES: Readonly<Record<SkillProblem['severity'], vscode.DiagnosticSeverity>> = {
  error: vscode.DiagnosticSeverity.Error,
  warning: vscode.DiagnosticSeverity.Warning,
  hint: vscode.DiagnosticSeverity.Information,
};

/** A diagnostic that still knows whether there is a quick fix. */
class ProblemDiagnostic extends vscode.Diagnostic {
  readonly problem: SkillProblem;
  constructor(problem: SkillProblem) {
    super(new vscode.Range(problem.line, 0, problem.line, 10_000), problem.message, SEVERITIES[problem.severity]);
    this.problem = problem;
    this.source = SOURCE;
    this.code = problem.code;
  }
}

/** Shows the problems of skills at their lines. They follow the list, which follows saved files. */
export const registerProblems = (client: EngineClient, list: SkillList, start: () => void): vscode.Disposable => {
  const collection = vscode.languages.createDiagnosticCollection('coppice-skills');
  const draw = (): void => drawInto(collection, list.state);
  // A skill that is opened or saved shows its problems, also when Coppice was not used in this window yet.
  const look = (document: vscode.TextDocument): void => {
    if (!isSkillFile(document)) return;
    start();
    list.refreshSoon(SETTLE_MS);
  };
  for (const document of vscode.workspace.textDocuments) look(document);
  return vscode.Disposable.from(
    collection,
    list.onChange(draw),
    vscode.workspace.onDidOpenTextDocument((document) => {
      look(document);
      draw();
    }),
    vscode.workspace.onDidSaveTextDocument(look),
    vscode.languages.registerCodeActionsProvider(
      [
        { scheme: 'file', pattern: '**/{SKILL,Skill,skill}.md' },
        { scheme: 'file', pattern: '**/manifest.json' },
      ],
      new SkillFixes(client, collection),
      { providedCodeActionKinds: [vscode.CodeActionKind.QuickFix] },
    ),
  );
};

/** The engine watches the files as well; this is for where it cannot. */
const SETTLE_MS = 600;

const isSkillFile = ({ uri }: vscode.TextDocument): boolean =>
  uri.scheme === 'file' && workingFolder() !== undefined && FILES.test(uri.fsPath);

const drawInto = (collection: vscode.DiagnosticCollection, state: SkillState | undefined): void => {
  const byFile = new Map<string, SkillProblem[]>();
  for (const problem of state?.problems ?? []) {
    if (!isShown(problem.file)) continue;
    byFile.set(problem.file, [...(byFile.get(problem.file) ?? []), problem]);
  }
  collection.clear();
  for (const [file, problems] of byFile)
    collection.set(
      vscode.Uri.file(file),
      problems.map((problem) => new ProblemDiagnostic(problem)),
    );
};

/** Hundreds of skills of the home folder are nobody's work here: theirs are shown while the file is open. */
const isShown = (file: string): boolean => {
  const folder = workingFolder()?.uri.fsPath;
  if (folder !== undefined && (file.startsWith(`${folder}/`) || file.startsWith(`${folder}\\`))) return true;
  return vscode.workspace.textDocuments.some(({ uri }) => uri.scheme === 'file' && uri.fsPath === file);
};

class FixAction extends vscode.CodeAction {
  readonly problem: SkillProblem;
  readonly document: vscode.TextDocument;
  constructor(title: string, document: vscode.TextDocument, diagnostic: vscode.Diagnostic, problem: SkillProblem) {
    super(title, vscode.CodeActionKind.QuickFix);
    this.document = document;
    this.problem = problem;
    this.diagnostics = [diagnostic];
    this.isPreferred = true;
  }
}

/**
 * Quick fixes. The engine makes the new text (`skill_check` with a file): the rules live in one place, the extension stays
 * without a YAML parser, and a fix is only worked out when somebody looks at it.
 */
class SkillFixes implements vscode.CodeActionProvider {
  readonly #client: EngineClient;
  readonly #collection: vscode.DiagnosticCollection;

  constructor(client: EngineClient, collection: vscode.DiagnosticCollection) {
    this.#client = client;
    this.#collection = collection;
  }

  provideCodeActions(document: vscode.TextDocument, range: vscode.Range): vscode.CodeAction[] {
    // Problems are those of the saved file: what was typed since has moved their lines.
    if (document.isDirty) return [];
    return (this.#collection.get(document.uri) ?? [])
      .filter(
        (one): one is ProblemDiagnostic =>
          one instanceof ProblemDiagnostic && one.range.intersection(range) !== undefined,
      )
      .flatMap((one) => (one.problem.fix === null ? [] : [new FixAction(one.problem.fix, document, one, one.problem)]));
  }

  async resolveCodeAction(action: vscode.CodeAction): Promise<vscode.CodeAction> {
    if (!(action instanceof FixAction)) return action;
    const { document, problem } = action;
    const { problems } = await this.#client.call('skill_check', { file: problem.file });
    const now = problems.find(({ code, line }) => code === problem.code && line === problem.line);
    if (typeof now?.fixed === 'string') action.edit = editOf(document, problem, now.fixed);
    return action;
  }
}

/** Marks at the start of a file and ends of lines are the editor's own business, so it is asked to change those. */
const editOf = (document: vscode.TextDocument, { code }: SkillProblem, fixed: string): vscode.WorkspaceEdit => {
  const edit = new vscode.WorkspaceEdit();
  if (code === 'bom') {
    const contents = new TextEncoder().encode(fixed);
    edit.createFile(document.uri, { overwrite: true, contents });
    return edit;
  }
  if (code === 'crlf') {
    edit.set(document.uri, [vscode.TextEdit.setEndOfLine(vscode.EndOfLine.LF)]);
    return edit;
  }
  const { start, end, text } = changedPart(document.getText(), fixed.replace(/^\uFEFF+/, ''));
  edit.replace(document.uri, new vscode.Range(document.positionAt(start), document.positionAt(end)), text);
  return edit;
};
