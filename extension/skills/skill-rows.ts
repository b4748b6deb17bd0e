import type { SkillRow } from './describe-skill.ts';
import type { DraftView, ImportedView, SkillView } from './operations.ts';

/** The groups of the view, in the order that it shows them. */
export const GROUPS = ['draft', 'workspace', 'imported', 'home', 'bundled'] as const;

export type GroupName = (typeof GROUPS)[number];

/** What the view is called for each group. */
export const GROUP_LABELS: Readonly<Record<GroupName, string>> = {
  draft: 'Drafts',
  workspace: 'This Repository',
  imported: 'Imported',
  home: 'Home Folder',
  bundled: 'Bundled',
};

/** One source of skills with those that are shown. */
export interface SkillGroup {
  readonly kind: 'group';
  readonly group: GroupName;
  readonly rows: readonly SkillRow[];
}

/** Rows of one group that are shown; the search finds the others. */
export const MOST_ROWS = 500;

/** Skills with what is known of their import, and drafts. Of two with one name the nearer is a skill; a draft is one beside it. */
export const rowsOf = (
  skills: readonly SkillView[],
  imported: readonly ImportedView[],
  drafts: readonly DraftView[],
): readonly SkillRow[] => {
  const byName = new Map(imported.map((one) => [one.name, one]));
  const importOf = ({ source, root, name }: SkillView): ImportedView | undefined =>
    source === 'workspace' && isOwnFolder(root) ? byName.get(name) : undefined;
  const others = skills.filter(({ state }) => state !== 'draft');
  return [
    ...others.map((skill) => ({ skill, imported: importOf(skill), draft: undefined })),
    ...drafts.map((draft) => ({ skill: skillOf(draft), imported: undefined, draft })),
  ];
};

/** A draft in the words of the list. */
const skillOf = ({ name, description, folder, hash, kind, tokens, may, hold, held, files }: DraftView): SkillView => ({
  name,
  description,
  tags: [],
  source: 'draft',
  root: null,
  state: 'draft',
  kind,
  folder,
  file: `${folder}/${files.find((path) => /^skill\.md$/i.test(path)) ?? 'SKILL.md'}`,
  hash,
  tokens,
  pinned: false,
  uses: 0,
  permissions: { read: [], write: [], commands: [], hosts: [] },
  tools: [],
  may,
  hold,
  held,
});

/** Imports go nowhere else. */
const isOwnFolder = (root: string | null): boolean => /[\\/]\.coppice[\\/]skills$/.test(root ?? '');

const groupOf = ({ skill, imported }: SkillRow): GroupName => (imported ? 'imported' : skill.source);

/** The groups that are not empty; those that need a review come first in theirs, then by name. */
export const groupsOf = (rows: readonly SkillRow[]): readonly SkillGroup[] => {
  const groups = new Map<GroupName, SkillRow[]>(GROUPS.map((name) => [name, []]));
  for (const row of rows) groups.get(groupOf(row))?.push(row);
  return [...groups]
    .filter(([, inside]) => inside.length > 0)
    .map(([group, inside]) => ({ kind: 'group', group, rows: inside.toSorted(byNeed) }));
};

const NEED: Readonly<Record<SkillView['state'], number>> = {
  error: 0,
  'needs-review': 0,
  draft: 0,
  trusted: 1,
  bundled: 1,
};

const byNeed = (a: SkillRow, b: SkillRow): number =>
  NEED[a.skill.state] - NEED[b.skill.state] || (a.skill.name < b.skill.name ? -1 : 1);

/** Those that the words are in, and those that the engine's search has found for them. */
export const filtered = (
  rows: readonly SkillRow[],
  filter: { readonly text: string; readonly found: ReadonlySet<string> } | undefined,
): readonly SkillRow[] => {
  if (!filter) return rows;
  const text = filter.text.toLowerCase();
  return rows.filter(
    ({ skill }) =>
      filter.found.has(skill.name) ||
      [skill.name, skill.description, ...skill.tags].some((part) => part.toLowerCase().includes(text)),
  );
};

/** What the view says above its tree while a filter hides something. */
export const filterMessage = (text: string, shown: number, total: number): string =>
  `Only skills about “${text}”: ${shown} of ${total}.`;
