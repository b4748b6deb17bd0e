import { readChanges } from './commits.mjs';
import { BadInput, kept, optionalText, serve, wholeNumber } from './io.mjs';

/** Sections in the order of keepachangelog.com, with the types of commits that belong to them. */
const SECTIONS = [
  { title: 'Added', types: ['feat', 'add'] },
  { title: 'Changed', types: ['change', 'perf', 'revert'] },
  { title: 'Deprecated', types: ['deprecate'] },
  { title: 'Removed', types: ['remove'] },
  { title: 'Fixed', types: ['fix'] },
  { title: 'Security', types: ['security'] },
];
const INTERNAL = { title: 'Internal', types: ['refactor', 'docs', 'test', 'build', 'ci', 'chore', 'style', 'deps'] };

const asSentence = (text) => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;

const lineOf = (change) => {
  const scope = change.scope === null ? '' : `${change.scope}: `;
  const breaking = change.breaking ? '**Breaking:** ' : '';
  const note = change.breakingNote === null ? '' : ` ${asSentence(change.breakingNote)}`;
  const request = change.request === null ? '' : ` (#${change.request})`;
  return `- ${breaking}${scope}${change.text}.${note}${request}`;
};

const sectionsOf = (changes, withInternal) => {
  const isInternal = ({ type, breaking }) => INTERNAL.types.includes(type) && !breaking;
  const sections = SECTIONS.map(({ title, types }) => {
    const own = changes.filter(
      (change) =>
        types.includes(change.type) || (title === 'Changed' && INTERNAL.types.includes(change.type) && change.breaking),
    );
    return { title, changes: own.toSorted((a, b) => Number(b.breaking) - Number(a.breaking)) };
  });
  const internal = withInternal ? [{ title: INTERNAL.title, changes: changes.filter(isInternal) }] : [];
  return [...sections, ...internal].filter(({ changes }) => changes.length > 0);
};

const changelog = (input) => {
  const version = optionalText(input, 'version');
  const date = optionalText(input, 'date');
  const most = wholeNumber(input, 'max_items', 100, 1, 1000);
  if (date !== null && !/^\d{4}-\d{2}-\d{2}$/.test(date)) throw new BadInput('"date" must be like 2026-01-31.');
  const { total, changes, left } = readChanges(input);
  const sections = sectionsOf(changes, input['internal'] === true);
  const named = version === null ? '[Unreleased]' : `[${version.replace(/^v(?=\d)/, '')}]`;
  const heading = `## ${named}${date === null ? '' : ` - ${date}`}`;
  const listed = new Set(sections.flatMap(({ changes }) => changes));
  const internal = changes.filter((change) => !listed.has(change));
  const others = [...left, ...internal.map(({ subject }) => ({ subject, why: 'changes nothing for users' }))];
  const breaking = changes.filter((change) => change.breaking);
  return (share) => {
    const shown = sections.map(({ title, changes }) => ({
      title,
      changes: changes.slice(0, kept(Math.min(changes.length, most), share)),
    }));
    const blocks = shown.map(({ title, changes }) => `### ${title}\n${changes.map(lineOf).join('\n')}`);
    const lines = shown.reduce((sum, { changes }) => sum + changes.length, 0);
    return {
      version,
      markdown: [heading, ...blocks].join('\n\n'),
      sections: sections.map(({ title, changes }) => ({ title, items: changes.length })),
      breaking: breaking
        .slice(0, kept(breaking.length, share))
        .map(({ text, breakingNote, hash }) => ({ text, note: breakingNote, hash })),
      commits: total,
      guessed: changes.filter((change) => change.guessed && listed.has(change)).length,
      leftOut: others.slice(0, kept(Math.min(others.length, 20), share)),
      leftOutCount: others.length,
      notes:
        lines < listed.size
          ? [
              `${listed.size - lines} changes are missing in the text; give fewer commits at once, or a higher max_chars.`,
            ]
          : [],
    };
  };
};

await serve(['commits', 'log', 'version', 'date', 'internal', 'max_items'], changelog);
