import { readFileSync } from 'node:fs';
import * as vscode from 'vscode';
import type { Editor } from '../editor.ts';
import { diagnosticsOf } from '../plans/plan-files.ts';
import { type JsonSchema, suggestions } from './completion.ts';

/** A file is checked when nobody has typed for this long. */
const QUIET_MS = 400;
const FILES: vscode.DocumentFilter = { scheme: 'file', pattern: '**/.coppice/workflows/*.{yaml,yml}' };

/** Checks workflow files while they are typed, and completes their keys. Nothing is checked in a workspace that is not trusted. */
export const watchWorkflows = (editor: Editor, schemaPath: string): vscode.Disposable => {
  const diagnostics = vscode.languages.createDiagnosticCollection('coppice workflows');
  const timers = new Map<string, NodeJS.Timeout>();
  const soon = (document: vscode.TextDocument): void => {
    if (vscode.languages.match(FILES, document) === 0) return;
    const key = document.uri.toString();
    clearTimeout(timers.get(key));
    timers.set(
      key,
      setTimeout(() => {
        timers.delete(key);
        void check(editor, diagnostics, document);
      }, QUIET_MS),
    );
  };
  vscode.workspace.textDocuments.forEach(soon);
  return vscode.Disposable.from(
    diagnostics,
    vscode.workspace.onDidOpenTextDocument(soon),
    vscode.workspace.onDidChangeTextDocument(({ document }) => soon(document)),
    // A sub-workflow that was saved may be named by others.
    vscode.workspace.onDidSaveTextDocument((saved) => {
      if (vscode.languages.match(FILES, saved) > 0) vscode.workspace.textDocuments.forEach(soon);
    }),
    vscode.workspace.onDidCloseTextDocument(({ uri }) => {
      clearTimeout(timers.get(uri.toString()));
      diagnostics.delete(uri);
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(() => vscode.workspace.textDocuments.forEach(soon)),
    registerCompletion(schemaPath),
    { dispose: () => timers.forEach((timer) => clearTimeout(timer)) },
  );
};

const check = async (
  editor: Editor,
  diagnostics: vscode.DiagnosticCollection,
  document: vscode.TextDocument,
): Promise<void> => {
  if (!editor.folder() || document.isClosed) return;
  const { version } = document;
  const text = document.getText();
  try {
    const { faults } = await editor.client.call('workflow_check', { text });
    if (document.version === version && !document.isClosed) diagnostics.set(document.uri, diagnosticsOf(text, faults));
  } catch (error) {
    editor.log.warn(`${document.uri.fsPath} could not be checked: ${(error as Error).message}`);
  }
};

/** The YAML extension completes from the same schema, and better; without it, this does. */
const registerCompletion = (schemaPath: string): vscode.Disposable => {
  let schema: JsonSchema | undefined;
  return vscode.languages.registerCompletionItemProvider(FILES, {
    provideCompletionItems: (document, position) => {
      if (vscode.extensions.getExtension('redhat.vscode-yaml')) return [];
      schema ??= JSON.parse(readFileSync(schemaPath, 'utf8')) as JsonSchema;
      return suggestions(schema, document.getText(), position).map(({ label, insert, description, isKey }) => {
        const kind = isKey ? vscode.CompletionItemKind.Property : vscode.CompletionItemKind.EnumMember;
        const item = new vscode.CompletionItem(label, kind);
        item.insertText = insert;
        if (description) item.documentation = description;
        return item;
      });
    },
  });
};
