import { z } from 'zod';
import { defineOperation, inputObject, list } from './define.ts';
import { importedView, skillLine, skillProblem, skillRun, skillText, skillView } from './skill-views.ts';
import { startOptions } from './start-options.ts';

const name = z.string().min(1).max(64).describe('The name of a skill, such as code-review.');
const hash = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .describe('Of the content that the person has looked at.');

/** A file of more characters is refused by every check anyway. */
const MOST_TEXT = 1_000_000;

const skillList = defineOperation({
  name: 'skill_list',
  title: 'List skills',
  description:
    'Skills of this repository, of the home folder and those that come with Coppice, by name, with state, what each may do, use count and tokens; and what was imported. Ask again with "after": next for more.',
  effect: 'reads',
  idempotent: true,
  input: inputObject({
    state: skillView.shape.state.optional(),
    source: skillView.shape.source.optional(),
    after: z.string().optional().describe('Only names after this one.'),
    limit: z.int().min(1).max(2000).default(200),
  }),
  output: z.object({
    skills: list(skillView),
    total: z.int(),
    next: z.string().nullable(),
    imported: list(importedView),
  }),
  handle: async (engine, { state, source, after, limit }) => {
    const { skills, imported } = await engine.listSkills();
    const wanted = skills.filter(
      (skill) => (state ?? skill.state) === skill.state && (source ?? skill.source) === skill.source,
    );
    const rest = after === undefined ? wanted : wanted.filter((skill) => skill.name > after);
    const page = rest.slice(0, limit);
    return {
      skills: page,
      total: wanted.length,
      next: rest.length > limit ? (page.at(-1)?.name ?? null) : null,
      imported,
    };
  },
});

const skillSearch = defineOperation({
  name: 'skill_search',
  title: 'Search skills',
  description: 'Finds skills by what they are for, best first: name and one line each. Read one with skill_read.',
  effect: 'reads',
  idempotent: true,
  input: inputObject({ query: z.string().min(1).max(500), limit: z.int().min(1).max(50).default(10) }),
  output: z.object({ skills: list(skillLine) }),
  handle: async (engine, input) => ({ skills: await engine.searchSkills(input) }),
});

const skillRead = defineOperation({
  name: 'skill_read',
  title: 'Read a skill',
  description:
    'The instructions of a skill, its other files, and the schemas of its script; with "file" also the text of that file. Of a skill that needs a review only the instructions can be read.',
  effect: 'reads',
  idempotent: true,
  input: inputObject({ name, file: z.string().min(1).max(500).optional() }),
  output: skillText.extend({ text: z.string().nullable() }),
  handle: async (engine, input) => {
    const skill = await engine.readSkill(input.name);
    const text = input.file === undefined ? null : await engine.readSkillFile({ name: input.name, path: input.file });
    return { ...skill, text };
  },
});

const skillRunOperation = defineOperation({
  name: 'skill_run',
  title: 'Run a skill',
  description:
    'Runs a skill: its script with "input", or an agent that follows its instructions on "input" (a text, or an object by its schema). ' +
    'Waits up to "seconds"; when "state" is "running" then, go on with run_wait and the id in "run". Taking the call back cancels it.',
  // A trusted script may change and remove files within what it was granted.
  effect: 'destroys',
  idempotent: false,
  input: inputObject({
    name,
    input: z.union([z.string().max(100_000), z.record(z.string(), z.unknown())]).optional(),
    seconds: z.number().min(0).max(3600).default(45),
    options: startOptions.optional().describe('Of the run, for a skill of instructions.'),
    key: z.string().max(200).optional().describe('Idempotency key: the same key returns the same run.'),
  }),
  output: skillRun,
  handle: (engine, { seconds, ...input }, signal) =>
    engine.runSkill({ ...input, input: input.input, waitMs: seconds * 1000 }, signal),
});

const skillPin = defineOperation({
  name: 'skill_pin',
  title: 'Pin a skill',
  description:
    'Pins a skill: every agent of later runs is told its name and one line, and MCP clients get it as a tool of its own. "pinned": false takes that back.',
  effect: 'changes',
  idempotent: true,
  input: inputObject({ name, pinned: z.boolean().default(true) }),
  output: skillView,
  handle: (engine, input) => engine.pinSkill(input),
});

const skillTrust = defineOperation({
  name: 'skill_trust',
  title: 'Trust a skill',
  description:
    'The person grants a skill what it asks for ("may" of skill_list), for the content with this hash only. When the content changes, it needs a review again. Only after the person has said so.',
  effect: 'changes',
  idempotent: true,
  input: inputObject({
    name,
    hash,
    unconfined: z
      .boolean()
      .optional()
      .describe(
        'The person has been told that nothing on this machine holds its script ("hold" of skill_list), and agrees.',
      ),
  }),
  output: skillView,
  handle: (engine, input) => engine.trustSkill(input),
});

const skillDistrust = defineOperation({
  name: 'skill_distrust',
  title: 'Take trust back',
  description: 'Takes back what was granted to a skill; it needs a review before it can be used again.',
  effect: 'changes',
  idempotent: true,
  input: inputObject({ name }),
  output: skillView,
  handle: (engine, input) => engine.distrustSkill(input.name),
});

const skillCheck = defineOperation({
  name: 'skill_check',
  title: 'Check skills',
  description:
    'What is wrong with skills: file, zero-based line and column, and what to do; of all skills, one skill, or one file. Without a column the whole line is meant. For one file "fixed" is its whole text after the quick fix.',
  effect: 'reads',
  idempotent: true,
  input: inputObject({
    name: name.optional(),
    file: z.string().max(4096).optional().describe('Absolute.'),
    text: z.string().max(MOST_TEXT).optional().describe('With a file: what it is to hold, instead of what is saved.'),
  }),
  output: z.object({ ok: z.boolean(), problems: list(skillProblem) }),
  handle: async (engine, input) => {
    const problems = await engine.checkSkills(input);
    return { ok: !problems.some(({ severity }) => severity === 'error'), problems };
  },
});

const skillNew = defineOperation({
  name: 'skill_new',
  title: 'Make a new skill',
  description:
    'Writes the template of a skill of this repository, to be filled in: instructions, or a script with a test. "shared": below .agents/skills, where git takes it along.',
  effect: 'changes',
  idempotent: false,
  input: inputObject({
    name,
    description: z.string().min(1).max(1024).default('Say in one sentence what this skill does, and when to use it.'),
    kind: z.enum(['instructions', 'script']).default('instructions'),
    shared: z.boolean().default(false),
  }),
  output: z.object({ file: z.string() }),
  handle: (engine, input) => engine.newSkill(input),
});

export const skillOperations = [
  skillList,
  skillSearch,
  skillRead,
  skillRunOperation,
  skillPin,
  skillTrust,
  skillDistrust,
  skillCheck,
  skillNew,
];
