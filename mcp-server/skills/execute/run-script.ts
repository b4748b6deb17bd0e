import { lstat, mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { Clock } from '../../domain/clock.ts';
import { UserError } from '../../domain/errors.ts';
import { oneLine, truncate } from '../../domain/text.ts';
import { copySkill } from '../copy-skill.ts';
import { NO_SANDBOX } from '../may-lines.ts';
import type { SkillPermissions, SkillSummary } from '../port.ts';
import { readRegular } from '../read-file.ts';
import { type BoundedOutcome, cleanEnvironment, type NodeProgram, type SpawnBounded } from './bounded-process.ts';
import { confine } from './confine.ts';
import { heldPermissions, holdOf, isJavaScript } from './hold.ts';
import { PACKAGES, permissionArguments, readPlaces } from './node-permissions.ts';
import { outcomeInside, type Sandbox } from './sandbox.ts';

/** What running scripts needs. */
export interface ScriptParts {
  readonly spawn: SpawnBounded;
  readonly node: NodeProgram;
  /** Absent or null: this machine has none. */
  readonly sandbox?: Sandbox | null;
  readonly clock: Clock;
  /** Each execution gets a folder of its own in it, which is removed at its end. */
  readonly tempDir: string;
  /** The person's repository, whose node_modules scripts may ask for wherever they work. */
  readonly repository: string;
  /** PATH and the language are taken from it; the rest never reaches a script. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** One execution. */
export interface ScriptRequest {
  readonly skill: Pick<SkillSummary, 'name' | 'folder' | 'source' | 'hash' | 'manifest'>;
  /** Anything that JSON can say. */
  readonly input: unknown;
  /** The folder that the skill's paths are relative to: the repository, or an agent's copy of it. */
  readonly root: string;
  /** Characters of output that are accepted. */
  readonly outputChars: number;
  /** The person has granted this content all that they can do themselves. Absent: no. */
  readonly unconfined?: boolean;
}

/** How an execution ended. */
export type ScriptOutcome =
  /** `output` is what it wrote, as JSON; null when it wrote nothing. Not yet held against the skill's output schema. */
  | {
      readonly kind: 'returned';
      readonly output: unknown /** What it wrote to its standard error. */;
      readonly notes: string;
    }
  | {
      readonly kind: 'failed';
      readonly reason: 'exit' | 'signal' | 'timeout' | 'abort' | 'output' | 'unstartable';
      /** For people and for models. */
      readonly message: string;
      readonly notes: string;
    };

const NOTE_CHARS = 4_000;

/**
 * Runs a script skill once: no shell, JSON in on standard input, JSON out on standard output, within the time of its
 * manifest, in an empty folder of its own. What runs is a private copy of the content that `skill.hash` names. Throws
 * UserError when there is no script that could be run, when the content is no longer that, and when nothing on this
 * machine would hold the script to its permissions, unless the person has granted just that or it came with Coppice.
 *
 * What holds it is what `holdOf` says. Where there is a sandbox, JavaScript that Node holds runs in it as well: Node's
 * permission model is no wall against code that looks for holes in it. Call it only for a skill that the person trusts
 * for its present content, and only where their settings allow commands.
 */
export const runScript = async (
  parts: ScriptParts,
  request: ScriptRequest,
  signal: AbortSignal,
): Promise<ScriptOutcome> => {
  requireHold(parts, request);
  await mkdir(parts.tempDir, { recursive: true, mode: 0o700 });
  const temp = await realpath(await mkdtemp(join(parts.tempDir, 'skill-')));
  try {
    const places = await makePlaces(parts, request, temp);
    const program = await programFor(parts.node, request, places);
    const environment = { ...environmentFor(parts, request, places), ...program.environment };
    const rest = {
      folder: places.work,
      input: JSON.stringify(request.input ?? null),
      timeoutMs: request.skill.manifest.timeoutMs,
      keepChars: request.outputChars,
    };
    const outcome = await runHeld(parts, request, { ...places, temp }, { ...program, environment }, rest, signal);
    return outcomeOf(outcome, request, program.argv[0]);
  } finally {
    await rm(temp, { recursive: true, force: true, maxRetries: 3 });
  }
};

const requireHold = (parts: ScriptParts, { skill, unconfined }: ScriptRequest): void => {
  const hold = holdOf(skill.manifest, holdsOf(parts));
  if (hold !== 'nothing' || unconfined === true || skill.source.kind === 'bundled') return;
  throw new UserError(
    'permission-denied',
    `Nothing on this machine holds the script of ${skill.name} to what it declares, and that was not granted: it was not run. ${NO_SANDBOX}`,
  );
};

const holdsOf = ({ node, sandbox }: ScriptParts) => ({
  permissionModel: node.permissionModel,
  sandbox: sandbox !== null && sandbox !== undefined,
});

const runHeld = async (
  parts: ScriptParts,
  { skill }: ScriptRequest,
  places: Places & { readonly temp: string },
  program: Program,
  rest: Omit<Parameters<SpawnBounded>[0], 'argv' | 'environment'>,
  signal: AbortSignal,
): Promise<BoundedOutcome> => {
  const { sandbox, spawn } = parts;
  const { argv, environment } = program;
  if (!sandbox) return spawn({ ...rest, argv, environment }, signal);
  const { hosts } = heldPermissions(skill.manifest.permissions, holdOf(skill.manifest, holdsOf(parts)));
  const own = {
    read: [places.skill, ...(await sharedPackages(skill.manifest.permissions, places))],
    write: [places.work],
  };
  const held = await confine({ spawn, node: parts.node, sandbox }, program, {
    permissions: skill.manifest.permissions,
    network: hosts.length > 0,
    root: places.root,
    closed: [places.repository],
    own,
    temp: places.temp,
  });
  try {
    return outcomeInside(await spawn({ ...rest, ...held.program }, signal));
  } finally {
    await held.tidy();
  }
};

/** All of them real paths. */
interface Places {
  /** The copy of the skill. */
  readonly skill: string;
  readonly entry: string;
  /** Where the script starts, and what it may always write to. */
  readonly work: string;
  readonly root: string;
  readonly repository: string;
}

const makePlaces = async (parts: ScriptParts, request: ScriptRequest, temp: string): Promise<Places> => {
  const { name, manifest } = request.skill;
  // Folders of their own: no name of a skill is that of another place here.
  const [around, work] = [join(temp, 'skill'), join(temp, 'work')];
  if (manifest.entry === null)
    throw new UserError('wrong-state', `The skill ${name} has no script; it is used by reading it.`);
  const skill = join(around, name);
  await mkdir(skill, { recursive: true, mode: 0o700 });
  if ((await copySkill(request.skill, skill, parts.clock)) === null)
    throw new UserError('wrong-state', `The skill ${name} has changed since it was read. Look at it again.`);
  const entry = join(skill, manifest.entry);
  const stat = await lstat(entry).catch(() => null);
  if (!stat?.isFile() || (await realpath(entry)) !== entry)
    throw new UserError('wrong-state', `The skill ${name} has no file ${oneLine(manifest.entry, 100)} to run.`);
  await mkdir(work, { mode: 0o700 });
  return { skill, entry, work, root: await realpath(request.root), repository: await realpath(parts.repository) };
};

const environmentFor = (parts: ScriptParts, request: ScriptRequest, places: Places): Record<string, string> => ({
  ...cleanEnvironment(parts.environment, places.work),
  COPPICE_SKILL: request.skill.name,
  COPPICE_SKILL_FOLDER: places.skill,
  COPPICE_SKILL_PERMISSIONS: JSON.stringify(request.skill.manifest.permissions),
  COPPICE_ROOT: places.root,
  COPPICE_REPOSITORY: places.repository,
});

interface Program {
  readonly argv: readonly [string, ...string[]];
  readonly environment: Readonly<Record<string, string>>;
  /** Of the programs that it needs, as PATH finds them. */
  readonly needs: readonly string[];
}

const programFor = async (node: NodeProgram, request: ScriptRequest, places: Places): Promise<Program> => {
  const { entry } = places;
  const { permissions } = request.skill.manifest;
  const program = (argv: readonly [string, ...string[]], ...needs: readonly string[]): Program => ({
    argv,
    environment: {},
    needs: [...needs, ...permissions.commands],
  });
  if (isJavaScript(entry)) {
    const held = node.permissionModel ? await heldBy(permissions, places) : [];
    return { ...program([node.path, ...held, entry]), environment: node.environment };
  }
  const ending = extname(entry).toLowerCase();
  if (ending === '.py') return program(['python3', entry], 'python3');
  if (ending === '.sh') return program(['sh', entry]);
  const start = await startOf(entry);
  if (isProgram(start)) return program([entry], ...interpreterOf(start));
  throw new UserError(
    'wrong-state',
    `Coppice does not know how to run ${oneLine(request.skill.manifest.entry ?? '', 100)}: name it .mjs, .js, .ts, .py or .sh, or let it begin with #!.`,
  );
};

const heldBy = async (permissions: SkillPermissions, places: Places): Promise<readonly string[]> => {
  const { skill, work, root } = places;
  const shared = await sharedPackages(permissions, places);
  return permissionArguments(permissions, root, { read: [skill, ...shared], write: [work] });
};

/** Packages of the repository stay within reach of a script that works on an agent's copy of it. */
const sharedPackages = async (
  { read }: SkillPermissions,
  { root, repository }: Pick<Places, 'root' | 'repository'>,
): Promise<readonly string[]> => {
  const packages = read.filter((glob) => PACKAGES.test(glob));
  return root === repository ? [] : readPlaces(packages, repository);
};

const startOf = async (file: string): Promise<string> =>
  Buffer.from((await readRegular(file, 200)) ?? []).toString('latin1');

/** Without a known ending the file itself must say what runs it, or be a program. */
const isProgram = (start: string): boolean =>
  start.startsWith('#!') || ['\x7fELF', '\xcf\xfa\xed\xfe', '\xca\xfe\xba\xbe'].includes(start.slice(0, 4));

/** `#!/usr/bin/env NAME`: what is looked for on PATH. */
const interpreterOf = (start: string): readonly string[] => {
  const [, name] = /^#!\s*\S*\/env\s+(?:-S\s+)?([\w.+-]+)/.exec(start) ?? [];
  return name === undefined ? [] : [name];
};

const outcomeOf = (outcome: BoundedOutcome, request: ScriptRequest, program: string): ScriptOutcome => {
  if (outcome.kind === 'unstartable') {
    const why = outcome.code === 'ENOENT' ? `there is no program ${program}` : outcome.code;
    return { kind: 'failed', reason: 'unstartable', message: `The script could not be started: ${why}.`, notes: '' };
  }
  const notes = truncate(outcome.stderr.trimEnd(), NOTE_CHARS);
  if (outcome.kind === 'killed')
    return { kind: 'failed', reason: outcome.by, message: endedBy(outcome.by, request), notes };
  if (outcome.code !== 0) {
    const why = saidError(outcome.stdout) ?? lastLine(notes);
    const message = `The script failed with exit code ${outcome.code}${why === '' ? '.' : `: ${why}`}`;
    // A test says on its standard output what is wrong.
    const said = notes || truncate(outcome.stdout.trim(), NOTE_CHARS);
    return { kind: 'failed', reason: 'exit', message, notes: said };
  }
  if (outcome.cut) {
    const message = `The script wrote more than ${request.outputChars} characters.`;
    return { kind: 'failed', reason: 'output', message, notes };
  }
  const text = outcome.stdout.trim();
  if (text === '') return { kind: 'returned', output: null, notes };
  try {
    return { kind: 'returned', output: JSON.parse(text) as unknown, notes };
  } catch {
    const message = `The script must write one JSON value and nothing else; it wrote: ${oneLine(text, 200)}`;
    return { kind: 'failed', reason: 'output', message, notes };
  }
};

const endedBy = (by: 'signal' | 'timeout' | 'abort', request: ScriptRequest): string => {
  if (by === 'timeout')
    return `The script was ended because it ran longer than ${request.skill.manifest.timeoutMs} ms.`;
  return by === 'abort' ? 'The script was ended because it is no longer wanted.' : 'The script was ended by a signal.';
};

/** A script may say in JSON why it failed: {"error": "…"}. */
const saidError = (stdout: string): string | null => {
  try {
    const { error } = JSON.parse(stdout) as { readonly error?: unknown };
    return typeof error === 'string' ? oneLine(error, 500) : null;
  } catch {
    return null;
  }
};

const lastLine = (text: string): string => oneLine(text.trim().split('\n').at(-1) ?? '', 300);
