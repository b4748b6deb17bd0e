import * as vscode from 'vscode';
import type { EngineClient } from '../engine-client.ts';
import { count } from '../format.ts';
import { CONTEXT, SKILL_COMMANDS, VIEWS } from '../ids.ts';
import { skillOffers } from '../offers.ts';
import { type SkillRow, skillContext, skillDescription, skillIcon, skillTooltip } from '../skills/describe-skill.ts';
import type { SkillList } from '../skills/skill-list.ts';
import { filtered, filterMessage, GROUP_LABELS, groupsOf, MOST_ROWS, type SkillGroup } from '../skills/skill-rows.ts';
import { skillsHeader } from '../view-headers.ts';
import { offering, setHeader, themeIcon, tooltip } from './nodes.ts';

/** A skill in the tree. */
export interface SkillNode extends SkillRow {
  readonly kind: 'skill';
}

/** What lies in a folder that is not trusted: a file that nobody has read. */
interface FileNode {
  readonly kind: 'file';
  readonly uri: vscode.Uri;
}

interface MoreNode {
  readonly kind: 'more';
  readonly left: number;
}

export type SkillTreeNode = SkillGroup | SkillNode | FileNode | MoreNode;

/** What the view shows only; the engine has found `found` for `text`. */
interface Filter {
  readonly text: string;
  readonly found: ReadonlySet<string>;
}

const FOUND = 50;
const GROUP_ICONS = { draft: 'edit', workspace: 'repo', imported: 'cloud-download', home: 'home', bundled: 'package' };

/** Skills by source. Where the workspace is not trusted it lists the files that are there and nothing else. */
export class SkillsTree implements vscode.TreeDataProvider<SkillTreeNode>, vscode.Disposable {
  readonly #list: SkillList;
  readonly #client: EngineClient;
  readonly #emitter = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.#emitter.event;
  readonly #stop: { dispose(): void };
  #groups: readonly SkillGroup[] = [];
  #filter: Filter | undefined;
  #shown = 0;

  constructor(client: EngineClient, list: SkillList) {
    this.#client = client;
    this.#list = list;
    this.#stop = list.onChange(() => this.#draw());
  }

  /** Shows only skills about `text`; undefined shows all. Search results of the engine count as well as words. */
  async setFilter(text: string | undefined): Promise<void> {
    const words = text?.trim() ?? '';
    if (words === '') this.#filter = undefined;
    else {
      const { skills } = await this.#client.call('skill_search', { query: words, limit: FOUND });
      this.#filter = { text: words, found: new Set(skills.map(({ name }) => name)) };
    }
    void vscode.commands.executeCommand('setContext', CONTEXT.skillsFiltered, this.#filter !== undefined);
    this.#draw();
  }

  /** What stands above the tree; empty while nothing is hidden. */
  get message(): string {
    if (!vscode.workspace.isTrusted)
      return 'Listed only: Coppice reads and runs nothing of a workspace that you do not trust.';
    if (this.#client.state.kind === 'failed') return this.#client.state.message;
    const total = this.#list.state?.rows.length ?? 0;
    return this.#filter ? filterMessage(this.#filter.text, this.#shown, total) : '';
  }

  getTreeItem(node: SkillTreeNode): vscode.TreeItem {
    if (node.kind === 'group') return groupItem(node);
    if (node.kind === 'skill') return skillItem(node);
    return node.kind === 'file' ? fileItem(node) : moreItem(node);
  }

  async getChildren(node?: SkillTreeNode): Promise<SkillTreeNode[]> {
    if (!node) return vscode.workspace.isTrusted ? [...this.#groups] : filesOf();
    if (node.kind !== 'group') return [];
    const rows = node.rows.slice(0, MOST_ROWS).map((row): SkillNode => ({ kind: 'skill', ...row }));
    return node.rows.length > MOST_ROWS ? [...rows, { kind: 'more', left: node.rows.length - MOST_ROWS }] : rows;
  }

  /** Only groups are asked for: the editor reveals nothing else here. */
  getParent(): undefined {
    return undefined;
  }

  resolveTreeItem(item: vscode.TreeItem, node: SkillTreeNode): vscode.TreeItem {
    if (node.kind === 'skill') item.tooltip = tooltip(skillTooltip(node));
    return item;
  }

  dispose(): void {
    this.#stop.dispose();
    this.#emitter.dispose();
  }

  #draw(): void {
    const rows = filtered(this.#list.state?.rows ?? [], this.#filter);
    this.#shown = rows.length;
    this.#groups = groupsOf(rows);
    this.#emitter.fire(undefined);
  }
}

const groupItem = ({ group, rows }: SkillGroup): vscode.TreeItem => {
  const { Collapsed, Expanded } = vscode.TreeItemCollapsibleState;
  const item = new vscode.TreeItem(GROUP_LABELS[group], rows.length > MOST_ROWS ? Collapsed : Expanded);
  item.id = `group ${group}`;
  item.description = count(rows.length, 'skill');
  item.iconPath = new vscode.ThemeIcon(GROUP_ICONS[group]);
  item.contextValue = 'group';
  return item;
};

const skillItem = (node: SkillNode): vscode.TreeItem => {
  const { skill } = node;
  const item = new vscode.TreeItem(skill.name);
  item.id = `skill ${skill.source} ${skill.name}`;
  item.description = skillDescription(node);
  item.iconPath = themeIcon(skillIcon(skill));
  item.contextValue = skillContext(node);
  const command = skill.state === 'draft' ? SKILL_COMMANDS.reviewDraft : SKILL_COMMANDS.openSkill;
  item.command = { command, title: 'Open', arguments: [node] };
  return item;
};

const fileItem = ({ uri }: FileNode): vscode.TreeItem => {
  const path = vscode.workspace.asRelativePath(uri, false);
  const item = new vscode.TreeItem(path.split('/').at(-2) ?? path);
  item.id = `file ${path}`;
  item.description = path.split('/').slice(0, -2).join('/');
  item.iconPath = new vscode.ThemeIcon('file');
  item.contextValue = 'file';
  item.command = { command: 'vscode.open', title: 'Open', arguments: [uri] };
  return item;
};

const moreItem = ({ left }: MoreNode): vscode.TreeItem => {
  const item = new vscode.TreeItem(`… and ${left} more`);
  item.command = { command: SKILL_COMMANDS.searchSkills, title: 'Search Skills…' };
  item.tooltip = 'Search finds them.';
  return item;
};

const ROOTS = '{.coppice,.agents,.github,.claude}/skills/**/{SKILL,Skill,skill}.md';

/** Files by their names alone: nothing of them is read. */
const filesOf = async (): Promise<FileNode[]> => {
  const folder = vscode.workspace.workspaceFolders?.[0];
  if (!folder) return [];
  const found = await vscode.workspace.findFiles(new vscode.RelativePattern(folder, ROOTS), null, MOST_ROWS);
  return found.toSorted((a, b) => (a.path < b.path ? -1 : 1)).map((uri): FileNode => ({ kind: 'file', uri }));
};

/** Makes the view, and keeps its message and the keys of its menus in step. `onLooked`: it is in sight. */
export const createSkillsView = (
  client: EngineClient,
  list: SkillList,
  onLooked: () => void,
): { readonly tree: SkillsTree; readonly view: vscode.TreeView<SkillTreeNode> } & vscode.Disposable => {
  const tree = new SkillsTree(client, list);
  const view = vscode.window.createTreeView(VIEWS.skills, { treeDataProvider: tree, showCollapseAll: true });
  const offer = offering();
  const draw = (): void => {
    view.message = tree.message;
    if (list.state) offer(skillOffers(list.state.rows));
    setHeader(view, 'Skills', skillsHeader(list.state?.rows));
    const waiting = list.state?.rows.filter(({ skill }) => skill.state === 'draft').length ?? 0;
    view.badge = waiting > 0 ? { value: waiting, tooltip: `${count(waiting, 'draft')} to review` } : undefined;
  };
  const look = (): void => {
    draw();
    if (!view.visible) return;
    onLooked();
    list.refreshSoon();
  };
  const registrations = vscode.Disposable.from(
    view,
    tree,
    view.onDidChangeVisibility(look),
    tree.onDidChangeTreeData(draw),
    client.onState(draw),
  );
  look();
  return { tree, view, dispose: () => registrations.dispose() };
};
