import type { FoundSkill, SkillDesk, UsedSkill } from '../agent/skill-desk.ts';
import type { Agent } from '../domain/agent.ts';
import { UserError } from '../domain/errors.ts';
import type { Run, SkillOffer } from '../domain/run.ts';
import { permissionsOf } from '../domain/run-of-agent.ts';
import { oneLine } from '../domain/text.ts';
import { checkInput, checkOutput } from '../skills/execute/check-json.ts';
import type { Skill, SkillRegistry } from '../skills/port.ts';
import type { SkillParts } from './skill-parts.ts';
import { isUsable, requireAllowed, requireTools, requireUsable } from './skill-permissions.ts';

const FOUND = 8;
const LINE_CHARS = 140;
const OUTPUT_CHARS = 200_000;
/** Pinned skills beyond these are found by search. */
const MOST_PINNED = 20;

/** What the agents of a run that begins now are told of skills. */
export const skillOffer = (registry: SkillRegistry): SkillOffer => ({
  pinned: registry
    .pinned()
    .slice(0, MOST_PINNED)
    .map(({ name, description }) => ({ name, line: oneLine(description, LINE_CHARS) })),
});

/** The skills of one agent in one turn. `folder`: its worktree, leased at the first use. */
export const skillDesk = (
  parts: SkillParts,
  place: {
    readonly run: Run;
    readonly agent: Agent;
    readonly root: string;
    readonly now: () => number;
    readonly folder: () => Promise<string>;
    /** Runs what needs a skill; where the person's trust is missing, they are asked. */
    readonly asking: <T>(skill: string, use: () => Promise<T>) => Promise<T>;
  },
): SkillDesk => {
  const { registry } = parts;
  return {
    search: async (query) => {
      const hits = await registry.search(query, FOUND * 4);
      return hits
        .filter(({ skill }) => isUsable(skill))
        .slice(0, FOUND)
        .map(
          ({ skill }): FoundSkill => ({
            name: skill.name,
            line: oneLine(skill.description, LINE_CHARS),
            kind: skill.kind,
          }),
        );
    },
    read: async (name, file) => {
      const skill = await place.asking(name, () => usable(registry, name));
      if (file !== null) return { kind: 'file', text: await fileOf(registry, skill, file) };
      requireTools(skill, place, 'you');
      await registry.noteUse(name);
      const script = skill.kind === 'script';
      return { kind: 'read', text: skill.body, files: skill.files, script, input: skill.manifest.input };
    },
    run: async (name, input, signal) => {
      const skill = await place.asking(name, () => usable(registry, name));
      if (skill.kind !== 'script')
        throw new UserError('bad-input', `The skill ${name} has no script. Call use_skill without "input" to read it.`);
      if (skill.state !== 'bundled' || skill.manifest.permissions.commands.length > 0)
        requireAllowed(skill, permissionsOf(place.run, place.agent));
      checkInput(skill.manifest.input, input);
      // What touches no file of the repository needs no worktree.
      const root = touchesFiles(skill) ? await place.folder() : place.root;
      await registry.noteUse(name);
      const { unconfined } = skill;
      const outcome = await parts.run({ skill, input, root, outputChars: OUTPUT_CHARS, unconfined }, signal);
      signal.throwIfAborted();
      return usedOf(outcome, skill);
    },
    draft: async (draft) => {
      const author = { run: place.run.id, agent: place.agent.id, at: place.now() };
      const problems = await parts.drafts.write(draft, author);
      await registry.reload();
      return problems.filter(({ severity }) => severity !== 'hint').map(({ message }) => message);
    },
  };
};

const usable = async (registry: SkillRegistry, name: string): Promise<Skill> => {
  const skill = await registry.read(name);
  if (!skill)
    throw new UserError('not-found', `There is no skill ${oneLine(name, 64)}. Look for one with skill_search.`);
  requireUsable(skill);
  return skill;
};

const fileOf = async (registry: SkillRegistry, skill: Skill, path: string): Promise<string> => {
  const bytes = await registry.readFile(skill.name, path);
  if (bytes && !bytes.includes(0)) return Buffer.from(bytes).toString('utf8');
  const files = skill.files.length > 0 ? `Its files: ${skill.files.join(', ')}.` : 'It has no other files.';
  throw new UserError('not-found', `The skill ${skill.name} has no text ${oneLine(path, 100)}. ${oneLine(files, 500)}`);
};

const touchesFiles = ({ manifest }: Skill): boolean => {
  const { read, write, commands } = manifest.permissions;
  return read.length + write.length + commands.length > 0;
};

const usedOf = (outcome: Awaited<ReturnType<SkillParts['run']>>, skill: Skill): UsedSkill => {
  if (outcome.kind === 'failed') return { kind: 'failed', message: outcome.message, notes: outcome.notes };
  const wrong = checkOutput(skill.manifest.output, outcome.output);
  if (wrong !== null) return { kind: 'failed', message: wrong, notes: outcome.notes };
  return { kind: 'returned', output: outcome.output, notes: outcome.notes };
};
