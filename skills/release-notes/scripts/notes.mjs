import { readChanges } from './commits.mjs';
import { kept, optionalText, serve, wholeNumber } from './io.mjs';

const SECTIONS = [
  { title: 'New', types: ['feat', 'add'] },
  { title: 'Better', types: ['perf', 'change', 'revert', 'deprecate'] },
  { title: 'Fixed', types: ['fix'] },
  { title: 'Security', types: ['security'] },
  { title: 'Removed', types: ['remove'] },
];
const BEHIND_THE_SCENES = new Set(['refactor', 'docs', 'test', 'build', 'ci', 'chore', 'style', 'deps']);
const RANK = ['security', 'feat', 'add', 'perf', 'remove', 'deprecate', 'fix', 'change'];

/** What the changes ask of the next version number; below 1.0.0 a break raises the minor one. */
const bumpOf = (changes, previous) => {
  const early = /^v?0\./.test(previous ?? '');
  if (changes.some(({ breaking }) => breaking)) return early ? 'minor' : 'major';
  if (changes.some(({ type }) => type === 'feat' || type === 'add')) return early ? 'patch' : 'minor';
  return changes.some(({ type }) => !BEHIND_THE_SCENES.has(type)) ? 'patch' : 'none';
};

const nextVersion = (previous, bump) => {
  const found = /^(v?)(\d+)\.(\d+)\.(\d+)/.exec(previous ?? '');
  if (!found || bump === 'none') return null;
  const [major, minor, patch] = found.slice(2, 5).map(Number);
  if (bump === 'major') return `${found[1]}${major + 1}.0.0`;
  return bump === 'minor' ? `${found[1]}${major}.${minor + 1}.0` : `${found[1]}${major}.${minor}.${patch + 1}`;
};

/** What probably matters most: breaks first, then by type; a part of the program that many commits touch counts more. */
const highlightsOf = (changes, most) => {
  const touches = new Map();
  for (const { scope } of changes) if (scope !== null) touches.set(scope, (touches.get(scope) ?? 0) + 1);
  const rank = ({ breaking, type, scope, request }) =>
    (breaking ? 0 : 100) + RANK.indexOf(type) * 10 - Math.min(5, touches.get(scope) ?? 0) - (request === null ? 0 : 1);
  const candidates = changes.filter(({ type, breaking }) => breaking || RANK.includes(type));
  return candidates
    .toSorted((a, b) => rank(a) - rank(b))
    .slice(0, most)
    .map(({ text, type, scope, hash, breaking }) => ({ text, type, scope, hash, breaking }));
};

const contributorsOf = (changes) => {
  const counts = new Map();
  for (const { author } of changes) {
    const name = author.replace(/\s*<.*$/, '').trim();
    if (name !== '' && !/\[bot\]|dependabot|renovate/i.test(name)) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts]
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    .slice(0, 30)
    .map(([name, commits]) => ({ name, commits }));
};

const lineOf = ({ scope, text, request }) =>
  `- ${scope === null ? '' : `**${scope}:** `}${text}${request === null ? '' : ` (#${request})`}`;

const breakingBlock = (changes) => {
  const breaking = changes.filter((change) => change.breaking);
  if (breaking.length === 0) return [];
  return [
    `## Before you update\n\n${breaking.map((change) => `${lineOf(change)}\n  What to do: ${change.breakingNote ?? 'TODO'}`).join('\n')}`,
  ];
};

const blockOf = ({ title, changes }, most) => {
  const more = changes.length > most ? `\n- and ${changes.length - most} more` : '';
  return `## ${title}\n\n${changes.slice(0, most).map(lineOf).join('\n')}${more}`;
};

const countsOf = (sections) =>
  Object.fromEntries(sections.map(({ title, changes }) => [title.toLowerCase(), changes.length]));

const notes = (input) => {
  const [version, previous, name] = ['version', 'previous', 'name'].map((key) => optionalText(input, key));
  const most = wholeNumber(input, 'max_items', 30, 1, 500);
  const { total, changes, left } = readChanges(input);
  const bump = bumpOf(changes, previous);
  const next = version ?? nextVersion(previous, bump);
  const sections = SECTIONS.map(({ title, types }) => ({
    title,
    changes: changes.filter(({ type, breaking }) => types.includes(type) && !breaking),
  }));
  const full = sections.filter(({ changes }) => changes.length > 0);
  const behind = changes.filter(({ type, breaking }) => BEHIND_THE_SCENES.has(type) && !breaking);
  const title = `# ${[name, next ?? 'TODO: version'].filter(Boolean).join(' ')}`;
  const breaking = changes.filter((change) => change.breaking);
  const contributors = contributorsOf(changes);
  const counts = { commits: total, ...countsOf(full), behindTheScenes: behind.length };
  return (share) => {
    const blocks = full.map((section) => blockOf(section, kept(Math.min(section.changes.length, most), share)));
    const lead = 'TODO: two sentences on what is new, for users.';
    return {
      version: next,
      bump,
      markdown: [title, lead, ...breakingBlock(changes), ...blocks].join('\n\n'),
      highlights: highlightsOf(changes, kept(5, share)),
      breaking: breaking
        .slice(0, kept(breaking.length, share))
        .map(({ text, breakingNote, hash }) => ({ text, note: breakingNote, hash })),
      counts,
      contributors: contributors.slice(0, kept(contributors.length, share)),
      leftOutCount: left.length,
      guessed: changes.filter(({ guessed }) => guessed).length,
    };
  };
};

await serve(['commits', 'log', 'version', 'previous', 'name', 'max_items'], notes);
