import { extname } from 'node:path';
import type { ToolFacts } from '../agent/tool.ts';
import { checkAllowed } from '../agent/tools/command.ts';
import { offeredTools, tools } from '../agent/tools/tools.ts';
import { ApprovalNeeded } from '../domain/approval.ts';
import { UserError } from '../domain/errors.ts';
import type { Permissions } from '../domain/run.ts';
import { commonPermissions } from '../domain/run-of-agent.ts';
import { oneLine, visible } from '../domain/text.ts';
import { isJavaScript } from '../skills/execute/hold.ts';
import { heldLine, mayLines } from '../skills/may-lines.ts';
import type { SkillSummary } from '../skills/port.ts';

/** Bundled, or trusted by the person for the content that it has now. */
export const isUsable = ({ state }: Pick<SkillSummary, 'state'>): boolean => state === 'bundled' || state === 'trusted';

/** Names the approval of a skill's content; one where nothing holds the script is another than one where something does. */
export const trustId = ({ name, hash, hold }: Pick<SkillSummary, 'name' | 'hash' | 'hold'>): string =>
  `${hold === 'nothing' ? 'skill-trust-all' : 'skill-trust'}:${name}:${hash}`;

const APPROVAL = /^skill-trust(-all)?:([^:]+):([0-9a-f]{64})$/;

/** Throws what keeps a skill from being used: ApprovalNeeded where the person's trust is all that is missing. */
export const requireUsable = (skill: SkillSummary): void => {
  if (isUsable(skill)) return;
  const { name, state, hash, hold } = skill;
  if (state === 'draft')
    throw new UserError('permission-denied', `${name} is a draft. Nobody can use it before a person approves it.`);
  if (state === 'error')
    throw new UserError('wrong-state', `The skill ${name} has errors and cannot be used. "skill_check" names them.`);
  const may = mayLines(skill);
  throw new ApprovalNeeded({
    id: trustId(skill),
    question:
      `The skill ${name} (${visible(skill.folder)}) needs your trust for the content that it has now. ` +
      `It may then ${may.length > 0 ? may.join(', ') : 'instruct agents, and nothing else'}. ${sentence(heldLine(hold))}Trust it?`,
    where: `trust it in the Skills view, with "coppice skill trust ${name}", or with skill_trust and its hash ${hash}${hold === 'nothing' ? ' and "unconfined": true' : ''}`,
  });
};

const sentence = (text: string | null): string => (text === null ? '' : `${text} `);

/** What an approval of trust is about. */
export interface TrustAsked {
  readonly name: string;
  readonly hash: string;
  /** The person was told that nothing holds the script. */
  readonly unconfined: boolean;
}

/** The skill and the content that an approval is about; null: it is about something else. */
export const trustedBy = (approval: string): TrustAsked | null => {
  const [, all, name, hash] = APPROVAL.exec(approval) ?? [];
  return name === undefined || hash === undefined ? null : { name, hash, unconfined: all !== undefined };
};

const INTERPRETERS: Readonly<Record<string, string>> = { '.py': 'python3', '.sh': 'sh' };

/** Programs that a script needs to be allowed: those it declares, and what runs it where nothing holds it to them. */
export const programsOf = ({ manifest, hold }: Pick<SkillSummary, 'manifest' | 'hold'>): readonly string[] => {
  const { entry, permissions } = manifest;
  if (entry === null || hold !== 'nothing') return permissions.commands;
  const interpreter = isJavaScript(entry) ? 'node' : INTERPRETERS[extname(entry).toLowerCase()];
  return [interpreter ?? `./${entry}`, ...permissions.commands];
};

/** Throws UserError unless an agent with these permissions may run the script. */
export const requireAllowed = (skill: SkillSummary, permissions: Permissions): void => {
  for (const program of programsOf(skill)) {
    try {
      checkAllowed(permissions.commands, program);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      throw new UserError('permission-denied', `The skill ${skill.name} needs to run ${program}. ${error.message}`);
    }
  }
};

/**
 * Throws UserError unless an agent of these facts has all tools that the skill cannot do without. `whose`: "its agent", or
 * "you" where the agent itself is told.
 */
export const requireTools = (
  { name, manifest }: Pick<SkillSummary, 'name' | 'manifest'>,
  facts: ToolFacts,
  whose: string,
): void => {
  const unknown = manifest.tools.filter((tool) => !tools.some((known) => known.name === tool));
  if (unknown.length > 0)
    throw new UserError(
      'wrong-state',
      `The skill ${name} needs ${listed(unknown)}: Coppice has no such tool. Mend "tools" in its manifest.json.`,
    );
  const offered = offeredTools(facts);
  const missing = manifest.tools.filter((tool) => !offered.some((one) => one.name === tool));
  if (missing.length === 0) return;
  const programs = missing.includes('run_command')
    ? ' Running programs is off here: the run must allow them, and "permissions.commands" in its manifest.json must name them.'
    : '';
  throw new UserError(
    'permission-denied',
    `The skill ${name} needs ${listed(missing)}, which ${whose} may not use.${programs}`,
  );
};

const listed = (names: readonly string[]): string => names.map((name) => oneLine(name, 60)).join(', ');

/** What an agent may do that carries a skill out: never more than the run, nor than what the person granted to the skill. */
export const permissionsFor = (skill: SkillSummary, most: Permissions): Permissions => {
  if (skill.state === 'bundled') return most;
  const { commands } = skill.manifest.permissions;
  return commands.length === 0
    ? { commands: 'off' }
    : commonPermissions(most, { commands: { allowed: [...commands].sort() } });
};
