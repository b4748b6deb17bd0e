import { readChanges } from './commits.mjs';
import { BadInput, onlyKeys, optionalText, serve, wholeNumber } from './io.mjs';

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

const lineOf = (change) => {
  const scope = change.scope === null ? '' : `${change.scope}: `;
  const breaking = change.breaking ? '**Breaking:** ' : '';
  const note = change.breakingNote === null ? '' : ` ${change.breakingNote}`;
  const request = change.request === null ? '' : ` (#${change.request})`;
  return `- ${breaking}${scope}${change.text}.${note}${request}`;
};

const itemOf = ({ text, scope, hash, type, breaking, guessed }) => ({ text, scope, hash, type, breaking, guessed });

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
  onlyKeys(input, ['commits', 'log', 'version', 'date', 'internal', 'max_items']);
  const version = optionalText(input, 'version');
  const date = optionalText(input, 'date');
  const most = wholeNumber(input, 'max_items', 100, 1, 1000);
  if (date !== null && !/^\d{4}-\d{2}-\d{2}$/.test(date)) throw new BadInput('"date" must be like 2026-01-31.');
  const { total, changes, left } = readChanges(input);
  const sections = sectionsOf(changes, input['internal'] === true);
  const named = version === null ? '[Unreleased]' : `[${version.replace(/^v(?=\d)/, '')}]`;
  const heading = `## ${named}${date === null ? '' : ` - ${date}`}`;
  const shown = sections.map(({ title, changes }) => ({ title, changes: changes.slice(0, most) }));
  const blocks = shown.map(({ title, changes }) => `### ${title}\n${changes.map(lineOf).join('\n')}`);
  const kept = new Set(sections.flatMap(({ changes }) => changes));
  const internal = changes
    .filter((change) => !kept.has(change))
    .map(({ subject }) => ({ subject, why: 'changes nothing for users' }));
  const others = [...left, ...internal];
  return {
    version,
    markdown: [heading, ...blocks].join('\n\n'),
    sections: shown.map(({ title, changes }) => ({ title, items: changes.map(itemOf) })),
    breaking: changes
      .filter(({ breaking }) => breaking)
      .map(({ text, breakingNote, hash }) => ({ text, note: breakingNote, hash })),
    commits: total,
    guessed: changes.filter((change) => change.guessed && kept.has(change)).length,
    leftOut: others.slice(0, 50),
    leftOutCount: others.length,
  };
};

await serve(changelog);
