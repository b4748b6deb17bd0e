import * as vscode from 'vscode';
import { oneLine } from '../format.ts';
import { SKILL_COMMANDS } from '../ids.ts';
import type { SkillRow } from './describe-skill.ts';
import type { SkillDesk } from './desk.ts';
import type { ImportInput, ImportResult } from './operations.ts';
import { pickWhileTyping } from './pick-skill.ts';
import { importDetail, previewPage } from './preview-page.ts';

/** What may be said when the source is asked once more. */
interface Said {
  readonly agreed?: boolean;
  readonly path?: string;
  readonly spec?: string;
  readonly hash?: string;
  readonly replaceChanged?: boolean;
}

type Ask = (said: Said, signal: AbortSignal) => Promise<ImportResult>;

/** Asks where from, shows what would come, and installs it when the person agrees. */
export const importSkill = async (desk: SkillDesk): Promise<void> => {
  const input = await askSource(desk);
  if (input)
    await bring(desk, (said, signal) => desk.editor.client.call('skill_import', { ...input, ...said }, signal));
};

/** The same for an imported skill that its source may have changed. */
export const updateSkill = async (desk: SkillDesk, { skill, imported }: SkillRow): Promise<void> => {
  if (!imported) throw new Error(`${skill.name} was not imported, so there is nothing to fetch it from.`);
  const { name } = skill;
  await bring(desk, ({ agreed, hash, replaceChanged }, signal) => {
    const said = { ...(agreed && { agreed }), ...(hash && { hash }), ...(replaceChanged && { replaceChanged }) };
    return desk.editor.client.call('skill_update', { name, ...said }, signal);
  });
};

const bring = async (desk: SkillDesk, ask: Ask): Promise<void> => {
  let said: Said = {};
  for (;;) {
    const result = await waitingFor('looking at the skill', (signal) => ask(said, signal));
    const more = await answerTo(desk, result);
    if (!more) return;
    said = { ...said, ...more };
    if (said.hash !== undefined) break;
  }
  const { skill } = await waitingFor('installing the skill', (signal) => ask(said, signal));
  desk.list.refreshSoon(0);
  if (!skill) return;
  const answer = await vscode.window.showInformationMessage(
    `${skill.name} is here. Until you trust it, only its instructions can be read.`,
    'Trust…',
    'Open',
  );
  if (answer === 'Trust…') await vscode.commands.executeCommand(SKILL_COMMANDS.trustSkill, skill.name);
  if (answer === 'Open') await vscode.commands.executeCommand(SKILL_COMMANDS.openSkill, skill.name);
};

/** What the person says to a preview or a question; undefined: they have left. */
const answerTo = async (desk: SkillDesk, result: ImportResult): Promise<Said | undefined> => {
  if (result.kind === 'agree') {
    const question = result.question ?? 'Go on?';
    const answer = await vscode.window.showWarningMessage(question, { modal: true }, 'Go On');
    return answer === 'Go On' ? { agreed: true } : undefined;
  }
  if (result.kind === 'choose') {
    const placeHolder = 'Several are there. Which one?';
    const choice = await vscode.window.showQuickPick([...result.choices], { placeHolder, ignoreFocusOut: true });
    if (choice === undefined) return undefined;
    return result.of === 'spec' ? { spec: choice } : { path: choice };
  }
  return result.preview ? agreeTo(desk, result.preview) : undefined;
};

const agreeTo = async (
  { pages }: SkillDesk,
  preview: NonNullable<ImportResult['preview']>,
): Promise<Said | undefined> => {
  const { change, name, hash } = preview;
  if (
    change &&
    [change.files.added, change.files.changed, change.files.removed].every(({ length }) => length === 0) &&
    change.changedByHand.length === 0
  ) {
    void vscode.window.showInformationMessage(`${name} is up to date.`);
    return undefined;
  }
  await pages.showRendered(pages.put(`${change ? 'Update' : 'Import'} ${name}.md`, previewPage(preview)));
  const verb = change ? 'Update' : 'Import';
  const message = `${verb} the skill ${name}?`;
  const answer = await vscode.window.showWarningMessage(message, { modal: true, detail: importDetail(preview) }, verb);
  if (answer !== verb) return undefined;
  return { hash, ...(change && change.changedByHand.length > 0 && { replaceChanged: true }) };
};

const waitingFor = <T>(what: string, work: (signal: AbortSignal) => Promise<T>): Thenable<T> =>
  vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: `Coppice: ${what}`, cancellable: true },
    (_progress, token) => {
      const control = new AbortController();
      token.onCancellationRequested(() => control.abort());
      return work(control.signal);
    },
  );

const title = 'Import Skill';

const askSource = async (desk: SkillDesk): Promise<ImportInput | undefined> => {
  const sources = [
    { label: '$(repo) Git repository…', detail: 'An address, at a branch, tag or commit', ask: askGit },
    { label: '$(folder) Local folder…', detail: 'A git repository on this machine', ask: askFolder },
    { label: '$(cloud) ClawHub…', detail: 'Search the public registry', ask: () => askHub(desk) },
    { label: '$(package) LangChain tool…', detail: 'Of a package that is installed in this repository', ask: askTool },
  ];
  const picked = await vscode.window.showQuickPick(sources, { title, placeHolder: 'Where does it come from?' });
  return picked?.ask();
};

const askGit = async (): Promise<ImportInput | undefined> => {
  const url = await vscode.window.showInputBox({
    title,
    prompt: 'Address of the git repository: https, ssh, or a path.',
    placeHolder: 'https://github.com/owner/skills',
    ignoreFocusOut: true,
    validateInput: (text) => (text.trim() === '' ? 'An address.' : undefined),
  });
  if (url === undefined) return undefined;
  const ref = await vscode.window.showInputBox({
    title,
    prompt: 'Branch, tag or commit. Empty: the default branch as it is now.',
    ignoreFocusOut: true,
  });
  if (ref === undefined) return undefined;
  return { kind: 'git', url: url.trim(), ...(ref.trim() !== '' && { ref: ref.trim() }) };
};

const askFolder = async (): Promise<ImportInput | undefined> => {
  const [folder] =
    (await vscode.window.showOpenDialog({ title, canSelectFolders: true, canSelectFiles: false, openLabel: 'Look' })) ??
    [];
  return folder && { kind: 'git', url: folder.fsPath };
};

interface HubItem extends vscode.QuickPickItem {
  readonly slug: string;
}

const askHub = async ({ editor }: SkillDesk): Promise<ImportInput | undefined> => {
  const picked = await pickWhileTyping<HubItem>({
    title: `${title}: ClawHub`,
    placeHolder: 'What is it to do?',
    search: async (words) => {
      if (words === '') return [];
      const { skills } = await editor.client.call('skill_hub', { query: words, limit: 30 });
      return skills.map(({ slug, title: label, summary, version }) => ({
        label: oneLine(label, 80),
        description: `${slug}${version === null ? '' : ` ${version}`}`,
        detail: oneLine(summary, 150),
        alwaysShow: true,
        slug,
      }));
    },
  });
  return picked?.item && { kind: 'clawhub', slug: picked.item.slug };
};

const askTool = async (): Promise<ImportInput | undefined> => {
  const spec = await vscode.window.showInputBox({
    title,
    prompt: 'The module of the tool, and the name of its export.',
    placeHolder: '@langchain/community/tools/calculator#Calculator',
    ignoreFocusOut: true,
    validateInput: (text) => (text.trim() === '' ? 'A module, such as the one that is shown.' : undefined),
  });
  return spec === undefined ? undefined : { kind: 'langchain', spec: spec.trim() };
};
