import * as vscode from 'vscode';

/** Answers that a person would give, for the dialogs that are stubbed; what they were asked is kept. */
export interface Answers {
  readonly asked: { readonly message: string; readonly detail: string }[];
  restore(): void;
}

type Window = Record<string, (...args: unknown[]) => unknown>;

/** For messages: the button to press by what is asked, or undefined to leave. */
type Press = (message: string, detail: string) => string | undefined;

export interface Stubs {
  readonly message?: Press;
  /** Labels to pick by the title or placeholder of the list; a list without an answer is left. */
  readonly pick?: (title: string, labels: readonly string[]) => string | readonly string[] | undefined;
  readonly input?: (title: string, prompt: string) => string | undefined;
  readonly open?: () => vscode.Uri | undefined;
}

/** Takes the place of dialogs until `restore`. */
export const answering = (stubs: Stubs): Answers => {
  const asked: Answers['asked'] = [];
  const window = vscode.window as unknown as Window;
  const names = [
    'showWarningMessage',
    'showInformationMessage',
    'showErrorMessage',
    'showQuickPick',
    'showInputBox',
    'showOpenDialog',
  ];
  const before = names.map((name) => window[name]);
  const message = async (text: unknown, ...rest: unknown[]): Promise<unknown> => {
    const options = rest[0] as { detail?: string } | string | undefined;
    const detail = typeof options === 'object' ? (options.detail ?? '') : '';
    asked.push({ message: String(text), detail });
    return stubs.message?.(String(text), detail);
  };
  window['showWarningMessage'] = message;
  window['showInformationMessage'] = message;
  window['showErrorMessage'] = message;
  window['showQuickPick'] = async (items, options) => pickOf(stubs, items, options, asked);
  window['showInputBox'] = async (options) => {
    const { title = '', prompt = '' } = (options ?? {}) as vscode.InputBoxOptions;
    asked.push({ message: title, detail: prompt });
    return stubs.input?.(title, prompt);
  };
  window['showOpenDialog'] = async () => {
    const uri = stubs.open?.();
    return uri && [uri];
  };
  return {
    asked,
    restore: () => {
      for (const [index, name] of names.entries()) {
        const original = before[index];
        if (original) window[name] = original;
      }
    },
  };
};

const pickOf = async (stubs: Stubs, given: unknown, options: unknown, asked: Answers['asked']): Promise<unknown> => {
  const items = (await given) as readonly (string | vscode.QuickPickItem)[];
  const { title = '', placeHolder = '', canPickMany = false } = (options ?? {}) as vscode.QuickPickOptions;
  const label = (item: string | vscode.QuickPickItem): string => (typeof item === 'string' ? item : item.label);
  asked.push({ message: title, detail: placeHolder });
  const wanted = stubs.pick?.(`${title} ${placeHolder}`, items.map(label));
  if (wanted === undefined) return undefined;
  if (canPickMany) return items.filter((item) => wanted.includes(label(item)));
  return items.find((item) => label(item) === wanted);
};

/** Does something with the answers in place, whatever becomes of it. */
export const withAnswers = async (stubs: Stubs, work: () => Promise<unknown>): Promise<Answers['asked']> => {
  const answers = answering(stubs);
  try {
    await work();
    return answers.asked;
  } finally {
    answers.restore();
  }
};
