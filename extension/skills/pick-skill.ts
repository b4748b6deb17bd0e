import * as vscode from 'vscode';
import { oneLine } from '../format.ts';
import { themeIcon } from '../views/nodes.ts';
import type { SkillRow } from './describe-skill.ts';
import { skillDescription, skillIcon } from './describe-skill.ts';
import type { SkillDesk } from './desk.ts';

/** The element of the tree that a command was called on; from the palette there is none. */
export type SkillTarget = string | undefined;

/** Reads what menus, clicks and other commands hand over: an element of the tree, or a name. */
export const asSkillTarget = (value: unknown): SkillTarget => {
  if (typeof value === 'string') return value;
  const name = (value as { skill?: { name?: unknown } } | undefined)?.skill?.name;
  return typeof name === 'string' ? name : undefined;
};

interface SkillItem extends vscode.QuickPickItem {
  readonly row: SkillRow;
}

const itemOf = (row: SkillRow): SkillItem => ({
  label: row.skill.name,
  description: skillDescription(row),
  detail: oneLine(row.skill.description, 150),
  iconPath: themeIcon(skillIcon(row.skill)),
  row,
});

/** The skill that a command means: the element's, or the one that the person picks of those that fit. */
export const pickSkill = async (
  desk: SkillDesk,
  target: SkillTarget,
  title: string,
  fits: (row: SkillRow) => boolean,
  none: string,
): Promise<SkillRow | undefined> => {
  // What the tree showed may be a moment old, and the commands decide by it.
  await desk.list.refresh();
  if (target !== undefined) {
    // A draft may have the name of a skill; which of the two is meant, the command knows.
    const named = (desk.list.state?.rows ?? []).filter(({ skill }) => skill.name === target);
    const row = named.find(fits) ?? named[0];
    if (row) return row;
    throw new Error(`There is no skill ${target} any more.`);
  }
  const rows = (desk.list.state?.rows ?? []).filter(fits);
  if (rows.length === 0) {
    void vscode.window.showInformationMessage(none);
    return undefined;
  }
  const picked = await vscode.window.showQuickPick(rows.map(itemOf), {
    title,
    placeHolder: 'Which skill?',
    matchOnDescription: true,
    matchOnDetail: true,
  });
  return picked?.row;
};

/** Letters come one after the other: the engine is asked when they pause. */
const TYPING_MS = 150;

/** A list that a search fills while the person types. `search` gets the words; its answer to older words is dropped. */
export const pickWhileTyping = async <T extends vscode.QuickPickItem>(options: {
  readonly title: string;
  readonly placeHolder: string;
  readonly value?: string;
  search(words: string): Promise<readonly T[]>;
}): Promise<{ readonly item: T | undefined; readonly words: string } | undefined> => {
  const box = vscode.window.createQuickPick<T>();
  Object.assign(box, { title: options.title, placeholder: options.placeHolder, value: options.value ?? '' });
  let timer: NodeJS.Timeout | undefined;
  let latest = 0;
  const search = async (): Promise<void> => {
    latest += 1;
    const mine = latest;
    box.busy = true;
    try {
      const items = await options.search(box.value.trim());
      if (mine === latest) box.items = items;
    } catch (error) {
      if (mine === latest) box.placeholder = (error as Error).message;
    } finally {
      if (mine === latest) box.busy = false;
    }
  };
  try {
    return await new Promise((resolve) => {
      box.onDidChangeValue(() => {
        clearTimeout(timer);
        timer = setTimeout(() => void search(), TYPING_MS);
      });
      box.onDidAccept(() => resolve({ item: box.selectedItems[0], words: box.value.trim() }));
      box.onDidHide(() => resolve(undefined));
      box.show();
      void search();
    });
  } finally {
    clearTimeout(timer);
    latest += 1;
    box.dispose();
  }
};

interface FoundItem extends vscode.QuickPickItem {
  /** Undefined: the line that filters the view. */
  readonly skill: string | undefined;
}

const FOUND = 30;

/** Searches by meaning while the person types; opens the one that they pick, or filters the view by their words. */
export const searchSkills = async (desk: SkillDesk, open: (name: string) => Promise<void>): Promise<void> => {
  await desk.list.refresh();
  const picked = await pickWhileTyping<FoundItem>({
    title: 'Search Skills',
    placeHolder: 'What is it to do? For example: find out why a test fails',
    search: async (words) => {
      const found =
        words === ''
          ? (desk.list.state?.rows ?? []).slice(0, FOUND)
          : (await desk.editor.client.call('skill_search', { query: words, limit: FOUND })).skills.flatMap(
              ({ name }) => desk.list.find(name) ?? [],
            );
      // Words such as "bug" need not be in a name that was found by its meaning.
      const items = found.map((row): FoundItem => ({ ...itemOf(row), alwaysShow: true, skill: row.skill.name }));
      const filter: FoundItem = {
        label: `$(filter) Show only these in the view`,
        alwaysShow: true,
        skill: undefined,
      };
      return words === '' ? items : [...items, filter];
    },
  });
  if (!picked) return;
  if (picked.item?.skill !== undefined) await open(picked.item.skill);
  else await desk.tree.setFilter(picked.words);
};
