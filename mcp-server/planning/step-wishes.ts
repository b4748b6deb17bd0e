import type { PlanFault, PlanStep } from '../domain/plan.ts';
import type { Permissions } from '../domain/run.ts';
import { oneLine } from '../domain/text.ts';
import { slug } from './steps.ts';

/** What a planner wrote of a step beside its task. Null: it said nothing. */
export interface RawWishes {
  readonly files: readonly string[] | null;
  readonly capabilities: readonly string[] | null;
  readonly skills: readonly string[] | null;
  readonly commands: readonly string[] | null;
}

/** What a step may be given. */
export interface WishLimits {
  /** Names of the skills that there are; absent: none. */
  readonly skills?: readonly string[];
  /** Of the run; absent: steps are not narrowed. */
  readonly permissions?: Permissions;
}

const MOST_FILES = 40;
const MOST_CAPABILITIES = 6;
const MOST_SKILLS = 6;
const MOST_COMMANDS = 12;
const PATH_CHARS = 200;

/**
 * A path as git writes it: relative, with forward slashes, a folder with a slash at its end. Null when it leads out of
 * the repository or is no path at all.
 */
export const plainPath = (path: string): string | null => {
  const parts = path
    .trim()
    .replace(/\\/g, '/')
    .replace(/\/\*+$/, '/')
    .split('/');
  const isFolder = parts.at(-1) === '' || parts.at(-1) === '.';
  const kept = parts.filter((part, index) => part !== '.' && (part !== '' || (index === 0 && parts.length > 1)));
  if (kept[0] === '' || /^[A-Za-z]:$/.test(kept[0] ?? '') || kept.includes('..')) return null;
  if (kept.length === 0) return path.trim() === '' ? null : './';
  const plain = `${kept.join('/')}${isFolder ? '/' : ''}`;
  return plain.length > PATH_CHARS || /[\n\r\0]/.test(plain) ? null : plain;
};

const distinct = (texts: readonly string[], most: number): readonly string[] => [...new Set(texts)].slice(0, most);

const readFiles = (files: readonly string[], note: (message: string) => void): readonly string[] =>
  distinct(
    files.flatMap((file) => {
      const path = plainPath(file);
      if (path === null) note(`Names ${oneLine(file, 60)}, which is no path in the repository; left out.`);
      return path ?? [];
    }),
    MOST_FILES,
  );

const readSkills = (
  skills: readonly string[],
  known: readonly string[],
  note: (message: string) => void,
): readonly string[] => {
  const byName = new Map(known.map((name) => [name.toLowerCase(), name]));
  const found = skills.flatMap((skill) => {
    const name = byName.get(skill.trim().toLowerCase());
    if (name === undefined) note(`Wants the skill ${oneLine(skill, 40)}, which there is not; left out.`);
    return name ?? [];
  });
  return distinct(found, MOST_SKILLS);
};

/** The program that a command line begins with, without its path. */
const programIn = (command: string): string => (command.trim().split(/\s+/, 1)[0] ?? '').split('/').at(-1) ?? '';

/** Undefined: the step may run what the run may. */
const readCommands = (
  commands: readonly string[],
  run: Permissions,
  note: (message: string) => void,
): Permissions | undefined => {
  if (run.commands === 'off') return undefined;
  const most = run.commands === 'any' ? null : run.commands.allowed;
  const programs = distinct(commands.map(programIn).filter(Boolean), MOST_COMMANDS);
  const allowed = programs.filter((program) => most?.includes(program) ?? true);
  const refused = programs.filter((program) => !allowed.includes(program));
  if (refused.length > 0) note(`Wants to run ${oneLine(refused.join(', '), 80)}, which this run may not; left out.`);
  if (allowed.length === 0) return { commands: 'off' };
  return most && allowed.length === most.length ? undefined : { commands: { allowed: allowed.toSorted() } };
};

/** A step's files, capabilities, skills and permissions, as far as they are good; `faults` gets what was left out. */
export const readWishes = (
  key: string,
  raw: RawWishes,
  limits: WishLimits,
  faults: PlanFault[],
): Partial<Pick<PlanStep, 'files' | 'capabilities' | 'skills' | 'permissions'>> => {
  const note = (message: string): void => void faults.push({ step: key, message });
  const capabilities = distinct(
    (raw.capabilities ?? []).map((text) => slug(text, '')).filter(Boolean),
    MOST_CAPABILITIES,
  );
  const skills = readSkills(raw.skills ?? [], limits.skills ?? [], note);
  const permissions =
    raw.commands && limits.permissions ? readCommands(raw.commands, limits.permissions, note) : undefined;
  return {
    ...(raw.files ? { files: readFiles(raw.files, note) } : {}),
    ...(capabilities.length > 0 ? { capabilities } : {}),
    ...(skills.length > 0 ? { skills } : {}),
    ...(permissions ? { permissions } : {}),
  };
};
