import * as vscode from 'vscode';
import { oneLine } from '../format.ts';
import { enteredValue, type Field, fieldsOf, initialText } from './json-fields.ts';
import type { SkillText } from './operations.ts';

type Input = string | Record<string, unknown>;

/** Asks for what a skill works on; undefined: the person has left. */
export const askInput = async ({ skill, input }: Pick<SkillText, 'skill' | 'input'>): Promise<Input | undefined> => {
  const title = `Run ${skill.name}`;
  if (input === null) return skill.kind === 'script' ? askJson(title) : askTask(title, skill.description);
  const fields = fieldsOf(input);
  return fields ? askFields(title, fields) : askJson(title);
};

const askTask = async (title: string, description: string): Promise<string | undefined> =>
  vscode.window.showInputBox({
    title,
    prompt: `${oneLine(description, 200)} What is it to be applied to? Empty: this repository.`,
    placeHolder: 'The changes of the last commit',
    ignoreFocusOut: true,
  });

const askJson = async (title: string): Promise<Record<string, unknown> | undefined> => {
  const object = (text: string): Record<string, unknown> | undefined => {
    const entered = enteredValue({ kind: 'json', name: 'input', required: true }, text);
    const value = 'value' in entered ? entered.value : undefined;
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  };
  const text = await vscode.window.showInputBox({
    title,
    prompt: 'The input as a JSON object.',
    value: '{}',
    ignoreFocusOut: true,
    validateInput: (value) => (object(value) ? undefined : 'A JSON object, such as {"path": "src"}.'),
  });
  return text === undefined ? undefined : object(text);
};

const askFields = async (title: string, fields: readonly Field[]): Promise<Record<string, unknown> | undefined> => {
  const wanted = await wantedFields(title, fields);
  if (!wanted) return undefined;
  const values: Record<string, unknown> = {};
  for (const [index, field] of wanted.entries()) {
    const step = wanted.length > 1 ? `${title} (${index + 1} of ${wanted.length})` : title;
    const answer = await askField(step, field);
    if (answer === undefined) return undefined;
    if ('value' in answer) values[field.name] = answer.value;
  }
  return values;
};

/** All that are needed, and those others that the person wants to set: nobody likes ten questions with one answer. */
const wantedFields = async (title: string, fields: readonly Field[]): Promise<readonly Field[] | undefined> => {
  const needed = fields.filter((field) => field.required);
  const others = fields.filter((field) => !field.required);
  if (others.length === 0) return needed;
  const items = others.map((field) => ({
    label: field.name,
    description: field.byDefault === undefined ? '' : `default ${initialText(field)}`,
    detail: oneLine(field.description, 150),
    field,
  }));
  const placeHolder = 'Which of these do you want to set? None is fine.';
  const picked = await vscode.window.showQuickPick(items, {
    title,
    placeHolder,
    canPickMany: true,
    ignoreFocusOut: true,
  });
  return picked && [...needed, ...picked.map(({ field }) => field)];
};

type Answer = { readonly value: unknown } | { readonly absent: true } | undefined;

const askField = async (title: string, field: Field): Promise<Answer> => {
  const prompt = `${field.name}${field.description === '' ? '' : `: ${oneLine(field.description, 200)}`}`;
  if (field.kind === 'choice' || field.kind === 'boolean') {
    const values = field.kind === 'boolean' ? [true, false] : field.choices;
    const items = values.map((value) => ({
      label: String(value),
      description: value === field.byDefault ? 'default' : '',
      value,
    }));
    return vscode.window.showQuickPick(items, { title, placeHolder: prompt, ignoreFocusOut: true });
  }
  const text = await vscode.window.showInputBox({
    title,
    prompt,
    value: initialText(field),
    ignoreFocusOut: true,
    validateInput: (value) => {
      const entered = enteredValue(field, value);
      return 'problem' in entered ? entered.problem : undefined;
    },
  });
  if (text === undefined) return undefined;
  const entered = enteredValue(field, text);
  return 'problem' in entered ? undefined : entered;
};
