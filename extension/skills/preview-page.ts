import { count, escapeMarkdown, oneLine, visible } from '../format.ts';
import { listed } from './describe-skill.ts';
import type { DraftTest, ImportPreview } from './operations.ts';

const bytes = (size: number): string =>
  size < 1024
    ? `${size} B`
    : size < 1024 * 1024
      ? `${(size / 1024).toFixed(1)} KiB`
      : `${(size / 1024 / 1024).toFixed(1)} MiB`;

const safe = (text: string, most = 300): string => escapeMarkdown(oneLine(text, most));

const section = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : [`## ${title}`, lines.join('\n')];

const bullets = (lines: readonly string[]): string[] => lines.map((line) => `- ${safe(line)}`);

/** The document that a person reads before an import or an update. Nothing of the skill is shown as Markdown of its own. */
export const previewPage = (preview: ImportPreview): string => {
  const { change, diagnostics, files } = preview;
  const { asks, held } = preview;
  const kind = preview.kind === 'script' ? 'It runs a script.' : 'It is instructions for an agent.';
  return (
    [
      `# ${change ? 'Update' : 'Import'} ${safe(preview.name)}`,
      safe(preview.description, 1024) || '*No description.*',
      `${kind} Pinned at ${safe(preview.pin, 100)}. Licence: ${preview.license === null ? '**not stated**' : safe(preview.license)}.`,
      '## What it asks for',
      asks.length > 0 ? bullets(asks).join('\n') : 'No permissions.',
      ...(held === null ? [] : [safe(held)]),
      ...(change ? changeSections(change) : []),
      ...section(
        `Problems (${diagnostics.length})`,
        diagnostics.map(
          ({ severity, line, message, file }) =>
            `- **${severity}** ${safe(file.split(/[\\/]/).at(-1) ?? '')}, line ${line + 1}: ${safe(message)}`,
        ),
      ),
      ...section('Remarks', bullets(preview.remarks)),
      ...section(`Files (${files.length})`, [
        '| File | Size | |',
        '|---|---:|---|',
        ...files.map((file) => `| ${safe(file.path)} | ${bytes(file.bytes)} | ${file.script ? 'script' : ''} |`),
      ]),
      ...section('Left out', bullets(preview.leftOut)),
      '---',
      'After the import only its instructions can be read. You are asked for trust before it can do anything.',
    ]
      .join('\n\n')
      .replaceAll(/\n{3,}/g, '\n\n') + '\n'
  );
};

const changeSections = (change: NonNullable<ImportPreview['change']>): string[] => [
  ...section('What is different', [
    `- Installed now: ${safe(change.pinBefore)}`,
    ...bullets(change.asksMore.map((line) => `now also asks to ${line}`)),
    ...bullets(change.asksLess.map((line) => `no longer asks to ${line}`)),
    ...bullets(change.files.added.map((path) => `added: ${path}`)),
    ...bullets(change.files.changed.map((path) => `changed: ${path}`)),
    ...bullets(change.files.removed.map((path) => `removed: ${path}`)),
  ]),
  ...section('Changed by hand, would be replaced', bullets(change.changedByHand)),
];

/** What the modal dialog says beside the document. */
export const importDetail = (preview: ImportPreview): string => {
  const scripts = preview.files.filter(({ script }) => script).map(({ path }) => path);
  const { asks, held } = preview;
  const errors = preview.diagnostics.filter(({ severity }) => severity === 'error').length;
  const { change } = preview;
  return [
    `From ${preview.pin}. Licence: ${preview.license ?? 'not stated'}.`,
    asks.length > 0 ? `It asks to ${visible(asks.join(', '))}.` : 'It asks for no permissions.',
    ...(held === null ? [] : [held]),
    `${count(preview.files.length, 'file')}${scripts.length > 0 ? `, of which can be run: ${listed(scripts, 6)}` : ', no scripts'}.`,
    ...(errors > 0 ? [`It has ${count(errors, 'error')} and cannot be used as it is.`] : []),
    ...(change && change.asksMore.length > 0
      ? [`NEW: it now also asks to ${visible(change.asksMore.join(', '))}.`]
      : []),
    ...(change && change.changedByHand.length > 0
      ? [`Changed by hand and replaced: ${listed(change.changedByHand, 6)}. Those files are kept aside.`]
      : []),
    '',
    'You are asked for trust before it can do anything.',
  ].join('\n');
};

/** What testing a draft gave. */
export const testPage = ({ name, ok, tests, problems }: DraftTest): string =>
  `${[
    `# Tests of the draft ${safe(name)}: ${ok ? 'passed' : 'not passed'}`,
    ...(tests.length === 0 ? ['It has no tests.'] : []),
    ...tests.map(
      (test) =>
        `- ${test.ok ? '✓' : '✗'} ${safe(test.file)} (${Math.round(test.ms)} ms)${test.message === '' ? '' : `: ${safe(test.message, 2000)}`}`,
    ),
    ...section(
      'Problems',
      problems.map(({ severity, line, message }) => `- **${severity}** line ${line + 1}: ${safe(message)}`),
    ),
  ].join('\n\n')}\n`;
