import * as vscode from 'vscode';
import { runGuarded } from '../commands.ts';
import type { Editor } from '../editor.ts';
import { SKILL_COMMANDS, type SkillCommandId } from '../ids.ts';
import { createSkillsView, type SkillsTree, type SkillTreeNode } from '../views/skills.ts';
import { distrustSkill, openSkill, pinSkill, removeSkill, runSkill } from './actions.ts';
import type { SkillRow } from './describe-skill.ts';
import type { SkillDesk } from './desk.ts';
import { registerProblems } from './diagnostics.ts';
import { approveDraft, discardDraft, reviewDraft, testDraft } from './drafts.ts';
import { importSkill, updateSkill } from './imports.ts';
import { copyMcpConfiguration } from './mcp-configuration.ts';
import { newSkill } from './new-skill.ts';
import { SkillPages } from './pages.ts';
import { asSkillTarget, pickSkill, type SkillTarget, searchSkills } from './pick-skill.ts';
import { SkillList } from './skill-list.ts';
import { trustSkill } from './trust.ts';

/** What tests look at. */
export interface Skills extends vscode.Disposable {
  readonly skills: SkillsTree;
  readonly skillsView: vscode.TreeView<SkillTreeNode>;
  readonly skillList: SkillList;
}

/** The view Skills, its commands, and the problems of skills. `start` asks for the engine. */
export const registerSkills = (editor: Editor, start: () => void): Skills => {
  const list = new SkillList(editor.client, (line) => editor.log.warn(line));
  const pages = new SkillPages();
  const made = createSkillsView(editor.client, list, start);
  const desk: SkillDesk = { editor, list, pages, tree: made.tree };
  const commands = Object.entries(COMMANDS).map(([id, command]) =>
    vscode.commands.registerCommand(id, (target: unknown) =>
      runGuarded(editor, () => command(desk, asSkillTarget(target))),
    ),
  );
  const all = vscode.Disposable.from(made, list, pages, registerProblems(editor.client, list, start), ...commands);
  return { skills: made.tree, skillsView: made.view, skillList: list, dispose: () => all.dispose() };
};

type Command = (desk: SkillDesk, target: SkillTarget) => Promise<void>;

/** A command on one skill: the one that it was called on, or one that the person picks. */
const onSkill =
  (
    title: string,
    fits: (row: SkillRow) => boolean,
    none: string,
    action: (desk: SkillDesk, row: SkillRow) => Promise<unknown>,
  ): Command =>
  async (desk, target) => {
    const row = await pickSkill(desk, target, title, fits, none);
    if (row) await action(desk, row);
  };

const isUsable = ({ skill }: SkillRow): boolean => skill.state === 'bundled' || skill.state === 'trusted';
const isDraft = ({ skill }: SkillRow): boolean => skill.state === 'draft';
const isImported = ({ imported }: SkillRow): boolean => imported !== undefined;

const NONE = 'There are no skills yet. “Coppice: New Skill…” makes one, “Coppice: Import Skill…” brings one.';
const NO_DRAFT = 'There is no draft. Agents write them; you find them in the view Skills.';
const NO_IMPORT = 'No skill was imported into this repository.';

const onDraft = (title: string, action: (desk: SkillDesk, name: string) => Promise<void>): Command =>
  onSkill(title, isDraft, NO_DRAFT, (desk, { skill }) => action(desk, skill.name));

const open = onSkill('Open Skill', ({ skill }) => skill.state !== 'draft', NONE, openSkill);

const COMMANDS: Readonly<Record<SkillCommandId, Command>> = {
  [SKILL_COMMANDS.searchSkills]: (desk) => searchSkills(desk, (name) => open(desk, name)),
  [SKILL_COMMANDS.showAllSkills]: (desk) => desk.tree.setFilter(undefined),
  [SKILL_COMMANDS.runSkill]: onSkill(
    'Run Skill',
    ({ skill }) => skill.state !== 'draft' && skill.state !== 'error',
    NONE,
    runSkill,
  ),
  [SKILL_COMMANDS.openSkill]: open,
  [SKILL_COMMANDS.pinSkill]: onSkill(
    'Pin Skill',
    (row) => isUsable(row) && !row.skill.pinned,
    NONE,
    (desk, row) => pinSkill(desk, row, true),
  ),
  [SKILL_COMMANDS.unpinSkill]: onSkill(
    'Unpin Skill',
    ({ skill }) => skill.pinned,
    'No skill is pinned.',
    (desk, row) => pinSkill(desk, row, false),
  ),
  [SKILL_COMMANDS.trustSkill]: onSkill(
    'Trust Skill',
    ({ skill }) => skill.state === 'needs-review',
    'No skill needs a review.',
    (desk, { skill }) => trustSkill(desk, skill.name),
  ),
  [SKILL_COMMANDS.distrustSkill]: onSkill(
    'Take Trust Back',
    ({ skill }) => skill.state === 'trusted',
    'You have trusted no skill.',
    distrustSkill,
  ),
  [SKILL_COMMANDS.newSkill]: (desk) => newSkill(desk),
  [SKILL_COMMANDS.importSkill]: (desk) => importSkill(desk),
  [SKILL_COMMANDS.updateSkill]: onSkill('Update Skill', isImported, NO_IMPORT, updateSkill),
  [SKILL_COMMANDS.removeSkill]: onSkill('Remove Skill', isImported, NO_IMPORT, removeSkill),
  [SKILL_COMMANDS.reviewDraft]: onDraft('Review Draft', reviewDraft),
  [SKILL_COMMANDS.testDraft]: onDraft('Test Draft', testDraft),
  [SKILL_COMMANDS.approveDraft]: onDraft('Approve Draft', approveDraft),
  [SKILL_COMMANDS.discardDraft]: onDraft('Discard Draft', discardDraft),
  [SKILL_COMMANDS.copyMcpConfiguration]: ({ editor }) => copyMcpConfiguration(editor),
};
