import { stringify } from 'yaml';
import { UserError } from '../domain/errors.ts';
import { oneLine } from '../domain/text.ts';
import { isSkillName } from './skill-name.ts';

/** What somebody writes a skill from. */
export interface SkillParts {
  readonly name: string;
  readonly description: string;
  /** Markdown below the front matter. */
  readonly instructions: string;
  readonly script: string | null;
  readonly tests: string | null;
  readonly read: readonly string[];
}

export const ENTRY = 'scripts/main.mjs';
export const TESTS = 'tests/main.test.mjs';
const MOST_CHARS = 200_000;
const DESCRIPTION_CHARS = 1024;

/** The files of a new skill by their path: SKILL.md, and manifest.json, script and tests where it has them. Throws UserError. */
export const skillFiles = (parts: SkillParts): ReadonlyMap<string, string> => {
  checkName(parts.name);
  const { name, instructions, script, tests, read } = parts;
  const total = [instructions, script ?? '', tests ?? ''].reduce((sum, { length }) => sum + length, 0);
  if (total > MOST_CHARS) throw new UserError('bad-input', `A skill may have ${MOST_CHARS} characters, not ${total}.`);
  const front = stringify({ name, description: oneLine(parts.description, DESCRIPTION_CHARS) }, { lineWidth: 0 });
  const files = new Map([['SKILL.md', `---\n${front}---\n\n${withoutFrontMatter(instructions).trim()}\n`]]);
  if (script !== null && script.trim() !== '') {
    files.set(ENTRY, withEnd(script));
    files.set('manifest.json', manifestText(read));
  }
  if (tests !== null && tests.trim() !== '') files.set(TESTS, withEnd(tests));
  return files;
};

/** Throws UserError `bad-input` with what a name may be. */
export const checkName = (name: string): void => {
  if (isSkillName(name)) return;
  const shown = oneLine(JSON.stringify(name), 80);
  throw new UserError(
    'bad-input',
    `${shown} is no name of a skill: use a-z, 0-9 and hyphens, such as fix-flaky-tests.`,
  );
};

/** Models like to write it, although nobody has asked for it. */
const withoutFrontMatter = (text: string): string => text.trimStart().replace(/^---\n[\s\S]*?\n---\n/, '');

const withEnd = (text: string): string => `${text.trimEnd()}\n`;

const manifestText = (read: readonly string[]): string => {
  const permissions = { read, write: [], commands: [], hosts: [] };
  return `${JSON.stringify({ tools: [], permissions, entry: ENTRY, timeoutMs: 20_000 }, null, 2)}\n`;
};

/** The files of a skill to begin with. */
export const templateFiles = (
  name: string,
  description: string,
  kind: 'instructions' | 'script',
): ReadonlyMap<string, string> => {
  const script = kind === 'script' ? SCRIPT : null;
  const tests = kind === 'script' ? TEST : null;
  const instructions = kind === 'script' ? SCRIPT_INSTRUCTIONS : INSTRUCTIONS;
  return skillFiles({ name, description, instructions: `# ${name}\n\n${instructions}`, script, tests, read: [] });
};

const INSTRUCTIONS = `Say in one sentence what this is for.

## Steps

1. Look: which files, which tools.
2. Do one thing after the other; name the tool of each step.
3. Call \`finish\` with the report.

## Output

What the report holds, and in which form.

## Before you finish, check

- Something that can be seen to be true or not.
`;

const SCRIPT_INSTRUCTIONS = `Say in one sentence what this is for.

## With the script

Input: \`{"text": "…"}\`. The result holds \`words\`.

## Steps

1. Run the script with the text.
2. Call \`finish\` with what it counted.
`;

// Line by line, so that nobody takes what they import for imports of this file.
const SCRIPT = [
  "import { argv, stdin, stdout } from 'node:process';",
  '',
  '// Reads one JSON value from standard input and writes one to standard output.',
  '// COPPICE_ROOT in the environment is the folder that the paths of manifest.json are relative to.',
  'export const count = (text) => text.split(/\\s+/).filter(Boolean).length;',
  '',
  'if (argv[1] === import.meta.filename) {',
  "  let input = '';",
  '  for await (const chunk of stdin) input += chunk;',
  "  const { text = '' } = JSON.parse(input) ?? {};",
  '  stdout.write(JSON.stringify({ words: count(text) }));',
  '}',
].join('\n');

const TEST = [
  "import assert from 'node:assert/strict';",
  "import { count } from '../scripts/main.mjs';",
  '',
  "assert.equal(count('one two'), 2);",
  "assert.equal(count(''), 0);",
].join('\n');
