import * as vscode from 'vscode';
import type { SkillDesk } from './desk.ts';

const title = 'New Skill';
const NAME = /^[a-z0-9]+(-[a-z0-9]+)*$/;

const MADE_OF = [
  { label: '$(book) Instructions', detail: 'An agent follows them.', made: 'instructions' },
  {
    label: '$(terminal) A script',
    detail: 'With its test, its permissions, and instructions when to use it.',
    made: 'script',
  },
] as const;

const PLACES = [
  { label: '$(person) For me', detail: 'Below .coppice/skills, which git does not see.', shared: false },
  {
    label: '$(organization) Shared',
    detail: 'Below .agents/skills: commit it, and other programs find it too.',
    shared: true,
  },
] as const;

/** Makes a skill from a template and opens it. */
export const newSkill = async ({ editor, list }: SkillDesk): Promise<void> => {
  const name = await vscode.window.showInputBox({
    title,
    prompt: 'Its name, which is that of its folder.',
    placeHolder: 'fix-flaky-tests',
    ignoreFocusOut: true,
    validateInput: (text) =>
      NAME.test(text) && text.length <= 64 ? undefined : 'Small letters, digits and hyphens, such as fix-flaky-tests.',
  });
  if (name === undefined) return;
  const description = await vscode.window.showInputBox({
    title,
    prompt: 'What does it do, and when is it to be used? Agents find it by this sentence.',
    ignoreFocusOut: true,
    validateInput: (text) => (text.trim() === '' ? 'One sentence is enough.' : undefined),
  });
  if (description === undefined) return;
  const how = { title, ignoreFocusOut: true };
  const kind = await vscode.window.showQuickPick(MADE_OF, { ...how, placeHolder: 'What is it made of?' });
  if (!kind) return;
  const place = await vscode.window.showQuickPick(PLACES, { ...how, placeHolder: 'Who is it for?' });
  if (!place) return;
  const { file } = await editor.client.call('skill_new', { name, description, kind: kind.made, shared: place.shared });
  list.refreshSoon(0);
  await vscode.window.showTextDocument(vscode.Uri.file(file), { preview: false });
};
