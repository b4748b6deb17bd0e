import * as vscode from 'vscode';
import { maySentence, trustDetail } from './describe-skill.ts';
import type { SkillDesk } from './desk.ts';
import type { SkillView } from './operations.ts';

const decoder = new TextDecoder('utf8');

interface Looked {
  readonly skill: SkillView;
  /** All of its files, SKILL.md first. */
  readonly files: readonly string[];
}

const look = async (desk: SkillDesk, name: string): Promise<Looked> => {
  const { skill, files } = await desk.editor.client.call('skill_read', { name });
  const main = skill.file.slice(skill.folder.length + 1);
  return { skill, files: [main, ...files] };
};

/** Says exactly what a skill may do once it is trusted, and trusts it when the person agrees. Resolves with whether they did. */
export const trustSkill = async (desk: SkillDesk, name: string): Promise<boolean> => {
  const looked = await look(desk, name);
  const { skill } = looked;
  if (skill.state === 'bundled' || skill.state === 'trusted') {
    void vscode.window.showInformationMessage(`${name} may be used already. ${maySentence(skill)}`);
    return true;
  }
  if (skill.state !== 'needs-review') throw new Error(`${name} cannot be trusted as it is: ${skill.state}.`);
  const answer = await vscode.window.showWarningMessage(
    `Trust the skill ${name}?`,
    { modal: true, detail: trustDetail(skill, looked.files) },
    'Show Files',
    'Trust',
  );
  if (answer === 'Show Files') return showThenTrust(desk, looked);
  if (answer !== 'Trust') return false;
  await grant(desk, skill);
  return true;
};

/** The files are read by a person in an editor, so the question comes again where it does not hide them. */
const showThenTrust = async (desk: SkillDesk, looked: Looked): Promise<boolean> => {
  await showFiles(desk, looked);
  const { skill } = looked;
  const answer = await vscode.window.showInformationMessage(
    `Trust ${skill.name} for exactly these files? ${maySentence(skill)}`,
    'Trust',
  );
  if (answer !== 'Trust') return false;
  await grant(desk, skill);
  return true;
};

/** The engine refuses when the content is no longer that of this hash. */
const grant = async (desk: SkillDesk, { name, hash, hold }: SkillView): Promise<void> => {
  await desk.editor.client.call('skill_trust', { name, hash, unconfined: hold === 'nothing' });
  desk.list.refreshSoon(0);
  vscode.window.setStatusBarMessage(`${name} is trusted for the content that it has now.`, 5000);
};

const showFiles = async (desk: SkillDesk, { skill, files }: Looked): Promise<void> => {
  const texts = await Promise.all(
    files.map((path) => textOf(vscode.Uri.joinPath(vscode.Uri.file(skill.folder), path))),
  );
  // What is shown must be what would be trusted.
  const again = await look(desk, skill.name);
  if (again.skill.hash !== skill.hash) throw new Error(`${skill.name} has changed just now. Look again.`);
  await desk.pages.showChanges(
    `Files of ${skill.name}`,
    files.map((path, index) => ({ path: `${skill.name}/${path}`, before: null, after: texts[index] ?? '' })),
    skill.hash.slice(0, 16),
  );
};

const SHOWN_BYTES = 1_000_000;

const textOf = async (uri: vscode.Uri): Promise<string> => {
  const bytes = await vscode.workspace.fs.readFile(uri);
  if (bytes.byteLength > SHOWN_BYTES || bytes.includes(0)) return `(no text: ${bytes.byteLength} bytes)\n`;
  return decoder.decode(bytes);
};
