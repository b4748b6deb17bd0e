import { type Icon, WARNING } from '../describe.ts';
import { count, escapeMarkdown, oneLine, tokens, visible } from '../format.ts';
import type { DraftView, ImportedView, SkillProblem, SkillView } from './operations.ts';

const GREEN = 'testing.iconPassed';
const RED = 'testing.iconFailed';

const ICONS: Readonly<Record<SkillView['state'], Icon>> = {
  bundled: { name: 'package' },
  trusted: { name: 'verified-filled', color: GREEN },
  'needs-review': { name: 'shield', color: WARNING },
  draft: { name: 'edit', color: WARNING },
  error: { name: 'error', color: RED },
};

const STATE_WORDS: Readonly<Record<SkillView['state'], string>> = {
  bundled: 'bundled',
  trusted: 'trusted',
  'needs-review': 'needs review',
  draft: 'draft',
  error: 'error',
};

const STATE_SENTENCES: Readonly<Record<SkillView['state'], string>> = {
  bundled: 'It comes with Coppice and may be used.',
  trusted: 'You trust it for the content that it has now.',
  'needs-review': 'Only its instructions can be read until you trust it.',
  draft: 'An agent wrote it. Nobody can use it before you approve it.',
  error: 'It cannot be used before its errors are repaired.',
};

/** The state as people say it. */
export const stateWord = (state: SkillView['state']): string => STATE_WORDS[state];

export const skillIcon = ({ state }: Pick<SkillView, 'state'>): Icon => ICONS[state];

/** Used, pinned, imported: what the grey text, the tooltip and the menus look at. */
export interface SkillRow {
  readonly skill: SkillView;
  readonly imported: ImportedView | undefined;
  /** Of a draft only. A skill of the same name may be there as well. */
  readonly draft: DraftView | undefined;
}

/** Grey text beside a skill: state, pin, uses and tokens. What is bundled stands in a group of that name. */
export const skillDescription = ({ skill, imported, draft }: SkillRow): string =>
  [
    ...(skill.state === 'bundled' ? [] : [stateWord(skill.state)]),
    ...(draft && draft.replaces !== null ? ['would replace a skill'] : []),
    ...(skill.pinned ? ['pinned'] : []),
    ...(imported?.state === 'changed-by-hand' ? ['changed by hand'] : []),
    ...(skill.kind === 'script' ? ['script'] : []),
    ...(skill.uses > 0 ? [`used ${skill.uses}×`] : []),
    `${tokens(skill.tokens)} tokens`,
  ].join(' · ');

/** What a skill may do, or would be allowed to do, as one sentence. */
export const maySentence = ({ state, may, kind, held }: Pick<SkillView, 'state' | 'may' | 'kind' | 'held'>): string => {
  const allowed = state === 'bundled' || state === 'trusted';
  if (may.length === 0)
    return kind === 'script'
      ? 'It runs its script and asks for nothing more.'
      : 'It instructs agents, and asks for no permissions.';
  const end = held === null ? '' : ` ${held}`;
  return `${allowed ? 'It may' : 'It asks to'} ${may.map((line) => oneLine(line, 120)).join(', ')}.${end}`;
};

/** Markdown for the pointer: everything that is known of a skill without its text. */
export const skillTooltip = (row: SkillRow): string => {
  const { skill, imported } = row;
  const rows: [string, string][] = [
    ['State', stateWord(skill.state)],
    ['Kind', skill.kind === 'script' ? 'a script' : 'instructions for an agent'],
    ['Text', `about ${tokens(skill.tokens)} tokens, read only when it is used`],
    ['Used', skill.uses === 0 ? 'not yet' : count(skill.uses, 'time')],
    ['Pinned', skill.pinned ? 'yes: agents are told of it, and clients get it as a tool' : 'no'],
    ...(skill.tools.length > 0 ? [['Needs', skill.tools.map(escapeMarkdown).join(', ')] as [string, string]] : []),
    ...(imported
      ? [
          [
            'From',
            `${escapeMarkdown(oneLine(imported.from, 120))} at ${escapeMarkdown(imported.pin.slice(0, 40))}`,
          ] as [string, string],
        ]
      : []),
    ['Folder', escapeMarkdown(visible(skill.folder))],
  ];
  return [
    `**${escapeMarkdown(skill.name)}**`,
    escapeMarkdown(oneLine(skill.description, 500)),
    `$(${skillIcon(skill).name}) ${STATE_SENTENCES[skill.state]}`,
    escapeMarkdown(maySentence(skill)),
    ['| | |', '|---|---|', ...rows.map(([name, value]) => `| ${name}&nbsp;&nbsp; | ${value} |`)].join('\n'),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
};

/** Words that `when` clauses of menus look for. */
export const skillContext = ({ skill, imported }: SkillRow): string =>
  [
    'skill',
    skill.state,
    ...(skill.state === 'bundled' || skill.state === 'trusted' ? ['usable', skill.pinned ? 'pinned' : 'unpinned'] : []),
    ...(imported ? ['imported'] : []),
  ].join(' ');

/** Short names of problems, for people who filter: `2 errors, 1 warning`. Empty: none. */
export const problemCounts = (problems: readonly Pick<SkillProblem, 'severity'>[]): string => {
  const of = (severity: SkillProblem['severity']): number => problems.filter((one) => one.severity === severity).length;
  return [
    [of('error'), 'error'],
    [of('warning'), 'warning'],
    [of('hint'), 'hint'],
  ]
    .filter(([n]) => n !== 0)
    .map(([n, noun]) => count(Number(n), String(noun)))
    .join(', ');
};

/** What the modal dialog says before a skill is trusted: all it may do, and its files by name. */
export const trustDetail = (skill: SkillView, files: readonly string[]): string => {
  const may = skill.may.length > 0 ? skill.may : ['instruct agents, and nothing else'];
  return [
    'Once trusted it may:',
    ...may.map((line) => `  •  ${oneLine(line, 120)}`),
    ...(skill.held === null ? [] : [skill.held]),
    ...(skill.tools.length > 0 ? [`It needs the tools ${skill.tools.join(', ')}.`] : []),
    '',
    `${count(files.length, 'file')}: ${listed(files, 12)}`,
    `In ${visible(skill.folder)}`,
    '',
    'This holds for the content that it has now. When any of its files changes, you are asked again.',
  ].join('\n');
};

/** The first names, and how many more there are. */
export const listed = (names: readonly string[], most: number): string => {
  const first = names.slice(0, most).map(visible).join(', ');
  return names.length <= most ? first : `${first} and ${names.length - most} more`;
};

/** What the modal dialog says before a draft becomes a skill. */
export const approveDetail = (draft: DraftView, asksMore: readonly string[]): string =>
  [
    ...(draft.replaces === null
      ? []
      : [`It takes the place of the skill ${draft.name} that is there (${draft.replaces}).`]),
    'As a skill of this repository it may:',
    ...(draft.may.length > 0 ? draft.may : ['instruct agents, and nothing else']).map(
      (line) => `  •  ${oneLine(line, 120)}${asksMore.includes(line) && draft.replaces !== null ? ' (new)' : ''}`,
    ),
    ...(draft.held === null ? [] : [draft.held]),
    '',
    `${count(draft.files.length, 'file')}: ${listed(draft.files, 12)}`,
    ...(draft.problems.length > 0 ? [`${problemCounts(draft.problems)} found in it.`] : []),
    '',
    draft.hold === 'nothing'
      ? 'You are asked for trust before its script can be run.'
      : 'It is trusted for exactly the content of the review.',
  ].join('\n');
