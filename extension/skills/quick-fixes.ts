import * as vscode from 'vscode';
import type { EngineClient } from '../engine-client.ts';
import { changedPart } from './changed-part.ts';
import type { SkillProblem } from './operations.ts';

/** A diagnostic that still knows whether there is a quick fix. */
export class ProblemDiagnostic extends vscode.Diagnostic {
  readonly problem: SkillProblem;
  constructor(problem: SkillProblem, severity: vscode.DiagnosticSeverity) {
    const { line, column = 0, endLine = line, endColumn = WHOLE_LINE } = problem;
    super(new vscode.Range(line, column, endLine, endColumn), problem.message, severity);
    this.problem = problem;
    this.source = 'Coppice';
    this.code = problem.code;
  }
}

const WHOLE_LINE = 10_000;

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
 * Quick fixes. The engine makes the new text (`skill_check` with the text of the editor): the rules live in one place, the
 * extension stays without a YAML parser, and a fix is only worked out when somebody looks at it.
 */
export class SkillFixes implements vscode.CodeActionProvider {
  readonly #client: EngineClient;
  readonly #collection: vscode.DiagnosticCollection;

  constructor(client: EngineClient, collection: vscode.DiagnosticCollection) {
    this.#client = client;
    this.#collection = collection;
  }

  /** Those of the lines of `range`: nobody has to hit the very word that is underlined. */
  provideCodeActions(document: vscode.TextDocument, { start, end }: vscode.Range): vscode.CodeAction[] {
    return (this.#collection.get(document.uri) ?? [])
      .filter(
        (one): one is ProblemDiagnostic =>
          one instanceof ProblemDiagnostic && one.range.start.line <= end.line && one.range.end.line >= start.line,
      )
      .filter(({ problem }) => !(isOfBytes(problem) && document.isDirty))
      .flatMap((one) => (one.problem.fix === null ? [] : [new FixAction(one.problem.fix, document, one, one.problem)]));
  }

  async resolveCodeAction(action: vscode.CodeAction): Promise<vscode.CodeAction> {
    if (!(action instanceof FixAction)) return action;
    const { document, problem } = action;
    const { version } = document;
    const text = document.getText();
    const { file } = problem;
    const { problems } = await this.#client.call('skill_check', isOfBytes(problem) ? { file } : { file, text });
    const fixed = nearest(problems, problem)?.fixed;
    if (typeof fixed === 'string' && document.version === version) action.edit = editOf(document, problem, fixed);
    return action;
  }
}

/** The editor does not show it in the text, so only the saved file can be put right. */
const isOfBytes = ({ code }: SkillProblem): boolean => code === 'bom';

/** What was typed since may have moved its line. */
const nearest = (problems: readonly SkillProblem[], { code, line }: SkillProblem): SkillProblem | undefined =>
  problems.filter((one) => one.code === code).toSorted((a, b) => Math.abs(a.line - line) - Math.abs(b.line - line))[0];

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
  const { start, end, text } = changedPart(document.getText(), fixed);
  edit.replace(document.uri, new vscode.Range(document.positionAt(start), document.positionAt(end)), text);
  return edit;
};
