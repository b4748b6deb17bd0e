import { z } from 'zod';
import { UserError } from '../../domain/errors.ts';
import { oneLine, truncate } from '../../domain/text.ts';
import type { SkillDesk, UsedSkill } from '../skill-desk.ts';
import { defineTool, type ToolContext, type ToolFacts, type ToolResult } from '../tool.ts';

const text = z.string().trim().min(1);
const NOTE_CHARS = 1000;
const FILES_SHOWN = 20;

/** Whether an agent is told of skills: decided when its run begins, so that its prompt stays the same. */
export const hasSkills = ({ agent, run }: ToolFacts): boolean =>
  run.options.skills !== undefined && agent.tier !== 'planner' && agent.role !== 'resolver';

const deskOf = (context: ToolContext): SkillDesk => {
  if (context.skills) return context.skills;
  throw new UserError('not-found', 'There are no skills here.');
};

export const skillSearch = defineTool({
  name: 'skill_search',
  harmless: true,
  description: 'Find skills (tried instructions for a kind of work) by what they are for: names and one line each.',
  input: z.object({ query: text.describe('the kind of work, in a few words') }),
  offered: hasSkills,
  action: (input) => `look for skills: ${oneLine(input.query, 40)}`,
  run: async (context, input) => {
    const found = await deskOf(context).search(input.query);
    if (found.length === 0) return { ok: true, output: 'No skill fits. Work without one.' };
    const lines = found.map(
      ({ name, line, kind }) => `- ${name}${kind === 'script' ? ' (has a script)' : ''}: ${line}`,
    );
    return { ok: true, output: `${lines.join('\n')}\nRead one with use_skill.` };
  },
});

export const useSkill = defineTool({
  name: 'use_skill',
  description:
    'Read a skill before you do work of its kind. With "file": read another file of it. With "input": run its script with that JSON object.',
  input: z.object({
    name: text,
    file: z.string().optional().describe('a file of the skill'),
    from_line: z.int().min(1).optional().describe('first line to show'),
    input: z.record(z.string(), z.unknown()).optional().describe('for its script, as the skill says'),
  }),
  offered: hasSkills,
  action: (input) => `${input.input === undefined ? 'use' : 'run'} skill ${oneLine(input.name, 40)}`,
  run: async (context, { name, file, from_line: fromLine = 1, input }, signal) => {
    const desk = deskOf(context);
    const used = input === undefined ? await desk.read(name, file ?? null) : await desk.run(name, input, signal);
    return resultOf(used, name, fromLine, context.limits.outputChars);
  },
});

const resultOf = (used: UsedSkill, name: string, fromLine: number, mostChars: number): ToolResult => {
  if (used.kind === 'failed')
    return { ok: false, output: `The skill ${name} failed: ${used.message}${notesOf(used.notes)}` };
  if (used.kind === 'returned') {
    const output = truncate(JSON.stringify(used.output), mostChars, 'ask for less');
    return { ok: true, output: `The skill ${name} returned:\n${output}${notesOf(used.notes)}` };
  }
  const shown = truncate(fromTheLine(used.text, fromLine), mostChars, 'use from_line to see the rest');
  if (used.kind === 'file') return { ok: true, output: shown };
  const files = used.files.slice(0, FILES_SHOWN).join(', ');
  return {
    ok: true,
    output: [
      `Instructions of the skill ${name}, for you to follow as far as they serve your task:`,
      shown,
      ...(files ? [`Other files of this skill, to be read with "file": ${files}`] : []),
      ...(used.script ? [scriptLine(used.input)] : []),
    ].join('\n'),
  };
};

const SCHEMA_CHARS = 2000;

const scriptLine = (input: Readonly<Record<string, unknown>> | null): string => {
  const schema = input === null ? '' : `; its JSON schema: ${truncate(JSON.stringify(input), SCHEMA_CHARS)}`;
  return `To run its script, call use_skill again with "input"${schema}`;
};

const notesOf = (notes: string): string =>
  notes.trim() ? `\nIt also said:\n${truncate(notes.trim(), NOTE_CHARS)}` : '';

const fromTheLine = (whole: string, line: number): string =>
  line <= 1
    ? whole
    : whole
        .split('\n')
        .slice(line - 1)
        .join('\n');

export const draftSkill = defineTool({
  name: 'draft_skill',
  description:
    'Write down, as a draft of a new skill, how a kind of work is done that will come up again. A person looks at it; until then nobody can use it.',
  input: z.object({
    name: text.describe('lower case with hyphens: fix-flaky-tests'),
    description: text.describe('one sentence: what it does and when to use it'),
    instructions: text.describe('Markdown: numbered steps, short, with a check at the end'),
    script: z.string().optional().describe('JavaScript module that reads JSON from stdin and writes JSON to stdout'),
    tests: z.string().optional().describe('JavaScript module for tests/; imports ../scripts/main.mjs or runs checks'),
    read: z.array(z.string()).optional().describe('globs of files that the script reads'),
  }),
  offered: hasSkills,
  action: (input) => `draft the skill ${oneLine(input.name, 40)}`,
  run: async (context, input) => {
    const { name, description, instructions, script = null, tests = null, read = [] } = input;
    const problems = await deskOf(context).draft({ name, description, instructions, script, tests, read });
    if (problems.length === 0) return { ok: true, output: `The draft ${name} waits for a person's look.` };
    return {
      ok: true,
      output: `The draft ${name} is written, with problems; write it again to put them right:\n- ${problems.join('\n- ')}`,
    };
  },
});
