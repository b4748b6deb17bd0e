import { relative } from 'node:path';
import { counted, visible } from '../../domain/text.ts';
import type {
  DraftReview,
  DraftTest,
  DraftView,
  ImportedView,
  SkillProblem,
  SkillText,
  SkillView,
} from '../../engine/skills-facade.ts';
import { displayWidth, duration, fit, human, printable } from './terminal.ts';

const STATES: Readonly<Record<SkillView['state'], string>> = {
  bundled: 'bundled',
  trusted: 'trusted',
  'needs-review': 'needs review',
  draft: 'draft',
  error: 'has errors',
};
const SECTIONS: readonly (readonly [SkillView['source'], string])[] = [
  ['workspace', 'Of this repository'],
  ['home', 'Of your home folder'],
  ['bundled', 'That come with Coppice'],
  ['draft', 'Drafts by agents'],
];

/** All skills, by where they are from, a line each; then what was imported. */
export const skillList = (
  { skills, imported }: { readonly skills: readonly SkillView[]; readonly imported: readonly ImportedView[] },
  columns: number,
): string => {
  const width = Math.max(0, ...skills.map(({ name }) => name.length));
  const sections = SECTIONS.map(([source, title]) => ({
    title,
    lines: skills.filter((skill) => skill.source === source).map((skill) => skillLine(skill, width)),
  }));
  const parts = [...sections, { title: 'Imported', lines: imported.map(importedLine) }]
    .filter(({ lines }) => lines.length > 0)
    .map(({ title, lines }) => [title, ...lines.map((line) => fit(`  ${line}`, columns))].join('\n'));
  return parts.length === 0 ? 'There are no skills.' : parts.join('\n\n');
};

const skillLine = (skill: SkillView, width: number): string => {
  const facts = [skill.kind === 'script' ? 'script' : '', skill.pinned ? 'pinned' : '', uses(skill)].filter(Boolean);
  const marks = facts.length > 0 ? `(${facts.join(', ')}) ` : '';
  const tokens = `${human(skill.tokens)} tokens`.padStart(12);
  return `${skill.name.padEnd(width)}  ${STATES[skill.state].padEnd(12)} ${tokens}  ${marks}${clean(skill.description)}`;
};

const uses = ({ uses: count }: SkillView): string =>
  count > 0 ? `used ${count === 1 ? 'once' : `${count} times`}` : '';

const importedLine = ({ name, from, pin, state }: ImportedView): string => {
  const changed = { 'as-imported': '', 'changed-by-hand': ', changed by hand', missing: ', its folder is missing' };
  return clean(`${name}  from ${from}, at ${shortPin(pin)}${changed[state]}`);
};

const shortPin = (pin: string): string => (/^[0-9a-f]{40,64}$/.test(pin) ? pin.slice(0, 12) : pin);

/** What a search found, a line each; `nothing` is said when there is none. */
export const foundLines = (
  found: readonly { readonly name: string; readonly mark: string; readonly line: string }[],
  columns: number,
  nothing: string,
): string => {
  if (found.length === 0) return nothing;
  const width = Math.max(...found.map(({ name }) => displayWidth(name)));
  return found
    .map(({ name, mark, line }) => {
      const gap = ' '.repeat(Math.max(0, width - displayWidth(name)));
      return fit(clean(`${name}${gap}  ${mark === '' ? '' : `[${mark}] `}${line}`, false), columns);
    })
    .join('\n');
};

/** How a skill that a search found stands, where that keeps it from being used. */
export const markOf = ({ state, pinned }: Pick<SkillView, 'state' | 'pinned'>): string =>
  [state === 'bundled' || state === 'trusted' ? '' : STATES[state], pinned ? 'pinned' : ''].filter(Boolean).join(', ');

/** A skill with all that is known of it, then its instructions. */
export const skillPage = (text: SkillText): string => {
  const { skill, body, input, output } = text;
  const facts = [`about ${human(skill.tokens)} tokens`, uses(skill), skill.pinned ? 'pinned' : ''].filter(Boolean);
  const lines = [
    ...aboutLines(text),
    `Instructions: ${facts.join(', ')}`,
    ...(input === null ? [] : [`Input:        ${clean(JSON.stringify(input))}`]),
    ...(output === null ? [] : [`Output:       ${clean(JSON.stringify(output))}`]),
  ];
  return `${lines.join('\n')}\n\n${shown(body).trim()}`;
};

/** What a person looks at before they trust a skill. */
export const trustPage = (text: SkillText): string =>
  [
    ...aboutLines(text),
    'Your trust is for this content only: when a file changes, you are asked again. Look at the files in its folder first.',
  ].join('\n');

const aboutLines = ({ skill, files }: SkillText): string[] => [
  `${skill.name}: ${clean(skill.description) || '(no description)'}`,
  `State:        ${STATES[skill.state]}, ${skill.kind === 'script' ? 'runs a script' : 'instructions'}`,
  `Folder:       ${clean(skill.folder)}`,
  `Files:        ${[baseOf(skill.file), ...files].map((path) => clean(path)).join(', ')}`,
  `It may:       ${maySay(skill.may)}`,
  ...(skill.held === null ? [] : [`Held:         ${clean(skill.held)}`]),
  ...(skill.tools.length > 0 ? [`Needs tools:  ${skill.tools.map((tool) => clean(tool)).join(', ')}`] : []),
  `Hash:         ${skill.hash || 'none: not all of its files could be read'}`,
];

const shown = (text: string): string => printable(visible(text));

const baseOf = (file: string): string => file.split(/[/\\]/).at(-1) ?? file;

/** What a skill may do, in one line. */
export const maySay = (may: readonly string[]): string =>
  may.length > 0 ? may.map((line) => clean(line)).join('; ') : 'instruct agents, and nothing else';

/**
 * `file:line:column: severity: message (code)`, lines and columns from one. Files below `folder` are named from there.
 */
export const problemLine = (
  problem: Pick<SkillProblem, 'file' | 'line' | 'column' | 'severity' | 'code' | 'message'>,
  folder: string,
): string => {
  const near = relative(folder, problem.file);
  const file = near === '' || near.startsWith('..') ? problem.file : near;
  const place = `${clean(file, false)}:${problem.line + 1}:${(problem.column ?? 0) + 1}`;
  return `${place}: ${problem.severity}: ${clean(problem.message)} (${problem.code})`;
};

/** The last line of a check: `2 skills checked: 1 error, 3 warnings.` */
export const checkedLine = (problems: readonly Pick<SkillProblem, 'severity'>[], skills: number | null): string => {
  const counts = (['error', 'warning', 'hint'] as const).flatMap((severity) => {
    const count = problems.filter((one) => one.severity === severity).length;
    return count > 0 ? [counted(count, severity)] : [];
  });
  const what = skills === null ? 'Checked' : `${counted(skills, 'skill')} checked`;
  return `${what}: ${counts.length > 0 ? counts.join(', ') : 'no problems'}.`;
};

/** Drafts, a few lines each. */
export const draftList = (drafts: readonly DraftView[], columns: number): string =>
  drafts.length === 0
    ? 'There are no drafts.'
    : drafts
        .flatMap((draft) => [
          `${draft.name}: ${clean(draft.description)}`,
          `  by ${authorOf(draft)}${draft.replaces === null ? '' : '; would take the place of the skill that is there'}`,
          `  would be allowed to ${maySay(draft.may)}; ${checkedLine(draft.problems, null).toLowerCase().slice(9, -1)}`,
        ])
        .map((line) => fit(line, columns))
        .join('\n');

const authorOf = ({ run, agent }: DraftView): string =>
  agent === null ? 'somebody unknown' : `agent ${clean(agent)}${run === null ? '' : ` of run ${clean(run)}`}`;

/** A draft as a person reviews it: what it would be, its problems, its diff. */
export const draftPage = ({ draft, files, patch, asksMore }: DraftReview): string =>
  [
    `${draft.name}: ${clean(draft.description) || '(no description)'}`,
    `Draft:        by ${authorOf(draft)}, in ${clean(draft.folder)}`,
    `Files:        ${files.map(({ path, status }) => `${clean(path)} (${status})`).join(', ')}`,
    `It would be allowed to: ${maySay(draft.may)}`,
    ...(draft.held === null ? [] : [clean(draft.held)]),
    ...(draft.replaces !== null && asksMore.length > 0 ? [`More than the skill of its name: ${maySay(asksMore)}`] : []),
    `Hash:         ${draft.hash}`,
    ...draft.problems.map((problem) => problemLine(problem, draft.folder)),
    '',
    shown(patch).trimEnd(),
  ].join('\n');

/** How the tests of a draft went. */
export const draftTestLines = ({ name, ok, tests, problems }: DraftTest, folder: string): string => {
  const lines = tests.map(({ file, ok: passed, message, ms }) => {
    const said = passed || message === '' ? '' : `\n    ${printable(message).trim().replace(/\n/g, '\n    ')}`;
    return `${passed ? '✓' : '✗'} ${clean(file)} (${duration(ms)})${said}`;
  });
  const none = tests.length === 0 ? ['It has no tests.'] : [];
  const end = ok ? `The draft ${name} passes.` : `The draft ${name} does not pass.`;
  return [...problems.map((problem) => problemLine(problem, folder)), ...lines, ...none, end].join('\n');
};

/** What a skill returned, for a person: a text as it is, also when it is all that there is; else JSON. */
export const resultText = (result: unknown): string => {
  if (typeof result === 'string') return printable(result);
  const [value, ...others] = typeof result === 'object' && result !== null ? Object.values(result) : [];
  return typeof value === 'string' && others.length === 0
    ? printable(value)
    : printable(JSON.stringify(result, null, 2));
};

/** What cannot be seen is written out: a person decides by this. */
const clean = (text: string, flat = true): string =>
  shown(flat ? text.replace(/\s+/g, ' ').trim() : text.replace(/[\r\n\t]+/g, ' '));
