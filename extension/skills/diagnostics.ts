import * as vscode from 'vscode';
import type { EngineClient } from '../engine-client.ts';
import { workingFolder } from '../place.ts';
import type { SkillProblem } from './operations.ts';
import { ProblemDiagnostic, SkillFixes } from './quick-fixes.ts';
import type { SkillList, SkillState } from './skill-list.ts';
import { TypedProblems } from './typed-problems.ts';

/** The files of skills that can have problems, wherever skills lie. */
const FILES = /[\\/]\.(?:coppice|agents|github|claude)[\\/](?:skills|drafts)[\\/].*[\\/](?:skill\.md|manifest\.json)$/i;

/** What the editor has no own word for in its Problems panel is information: hints are not listed there. */
const SEVERITIES: Readonly<Record<SkillProblem['severity'], vscode.DiagnosticSeverity>> = {
  error: vscode.DiagnosticSeverity.Error,
  warning: vscode.DiagnosticSeverity.Warning,
  hint: vscode.DiagnosticSeverity.Information,
};

/** Shows the problems of skills at their places. They follow the list, which follows saved files, and what is typed. */
export const registerProblems = (client: EngineClient, list: SkillList, start: () => void): vscode.Disposable => {
  const collection = vscode.languages.createDiagnosticCollection('coppice-skills');
  const draw = (): void => drawInto(collection, list.state, typed);
  const typed = new TypedProblems(client, draw);
  // A skill that is opened or saved shows its problems, also when Coppice was not used in this window yet.
  const look = (document: vscode.TextDocument): void => {
    if (!isSkillFile(document)) return;
    start();
    list.refreshSoon(SETTLE_MS);
  };
  const lookAtText = (document: vscode.TextDocument): void => {
    look(document);
    if (isSkillFile(document) && document.isDirty) typed.checkSoon(document);
  };
  for (const document of vscode.workspace.textDocuments) lookAtText(document);
  return vscode.Disposable.from(
    collection,
    typed,
    list.onChange(() => {
      typed.followSaved();
      draw();
    }),
    vscode.workspace.onDidOpenTextDocument((document) => {
      lookAtText(document);
      draw();
    }),
    vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
      if (contentChanges.length > 0 && isSkillFile(document)) typed.checkSoon(document);
    }),
    vscode.workspace.onDidSaveTextDocument(look),
    vscode.workspace.onDidCloseTextDocument((document) => {
      typed.forget(document);
      if (isSkillFile(document)) draw();
    }),
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

const drawInto = (
  collection: vscode.DiagnosticCollection,
  state: SkillState | undefined,
  typed: TypedProblems,
): void => {
  const byFile = new Map<string, SkillProblem[]>();
  const saved = (state?.problems ?? []).filter(({ file }) => isShown(file) && !typed.knows(file));
  for (const problem of [...typed.all(), ...saved])
    byFile.set(problem.file, [...(byFile.get(problem.file) ?? []), problem]);
  collection.clear();
  for (const [file, problems] of byFile)
    collection.set(
      vscode.Uri.file(file),
      problems.map((problem) => new ProblemDiagnostic(problem, SEVERITIES[problem.severity])),
    );
};

/** Hundreds of skills of the home folder are nobody's work here: theirs are shown while the file is open. */
const isShown = (file: string): boolean => {
  const folder = workingFolder()?.uri.fsPath;
  if (folder !== undefined && (file.startsWith(`${folder}/`) || file.startsWith(`${folder}\\`))) return true;
  return vscode.workspace.textDocuments.some(({ uri }) => uri.scheme === 'file' && uri.fsPath === file);
};
