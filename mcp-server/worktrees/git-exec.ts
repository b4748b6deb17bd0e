import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { type SimpleGitOptions, simpleGit } from 'simple-git';
import { messageOf, UserError } from '../domain/errors.ts';
import { gitVariables, inheritedEnvironment, OVERRULED, type Place, settingsVariables } from './git-environment.ts';

/** Called around every git command, with its name (`worktree add`), so that a test can end the process there. */
export interface Faults {
  before?(label: string): void;
  after?(label: string): void;
}

export interface GitOptions {
  readonly input?: string | Buffer;
  /** Names and dates of a commit, or an index file. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Exit statuses that are an answer and not a failure; 0 if not given. */
  readonly accept?: readonly number[];
  /** Ends the command once it has written more than this; `cut` then says so. */
  readonly maxBytes?: number;
  /** Ends the command; it then rejects. */
  readonly signal?: AbortSignal;
}

export interface GitResult {
  readonly stdout: Buffer;
  readonly exitCode: number;
  readonly cut: boolean;
}

/** Git said no. Its message has the command and what git wrote. */
export class GitError extends Error {
  override readonly name = 'GitError';
  readonly exitCode: number | null;
  readonly stderr: string;
  constructor(label: string, exitCode: number | null, stderr: string) {
    super(`git ${label} failed (${exitCode ?? 'ended by a signal'}): ${stderr.trim()}`);
    this.exitCode = exitCode;
    this.stderr = stderr;
  }
}

/** The only way to git. Nothing that an agent can write decides which program it starts. */
export interface Git {
  /** Rejects with a GitError on an exit status that is not accepted. */
  exec(place: Place, args: readonly string[], options?: GitOptions): Promise<GitResult>;
  /** As `exec`, but the output is text. */
  text(place: Place, args: readonly string[], options?: GitOptions): Promise<string>;
  /** For the one command that finds the repository: git searches upwards from the folder. */
  discover(folder: string, args: readonly string[], options?: GitOptions): Promise<string>;
  /** A command that answers for as long as it is asked; simple-git waits for a command to end, so it is started without it. */
  session(place: Place, args: readonly string[]): ChildProcessWithoutNullStreams;
  /** From now on these settings hold in every place that trusts only the agent. */
  setAgentSettings(settings: readonly (readonly [string, string])[]): void;
}

/** A way to git with what it needs of this environment; `faults` hear of every command but the sessions. */
export const createGit = (environment: Readonly<Record<string, string | undefined>>, faults: Faults = {}): Git => {
  const inherited = inheritedEnvironment(environment);
  let agentSettings: Readonly<Record<string, string>> = {};
  const variablesFor = (place: Place | null, more: Readonly<Record<string, string>> = {}) => ({
    ...inherited,
    ...gitVariables(place),
    ...(place?.trust === 'agent' && agentSettings),
    ...more,
  });
  const exec = async (place: Place, args: readonly string[], options: GitOptions = {}): Promise<GitResult> => {
    const label = labelOf(args);
    faults.before?.(label);
    const result = await run(place.workTree, args, variablesFor(place, options.variables), options);
    faults.after?.(label);
    return result;
  };
  return {
    exec,
    text: async (place, args, options) => (await exec(place, args, options)).stdout.toString('utf8'),
    discover: async (folder, args, options = {}) =>
      (await run(folder, args, variablesFor(null, options.variables), options)).stdout.toString('utf8'),
    session: (place, args) =>
      spawn('git', [...settingsArguments(), ...args], {
        cwd: place.workTree,
        env: variablesFor(place),
        windowsHide: true,
      }),
    setAgentSettings: (settings) => {
      agentSettings = settingsVariables(settings);
    },
  };
};

const labelOf = (args: readonly string[]): string => args.slice(0, args[0] === 'worktree' ? 2 : 1).join(' ');

const settingsArguments = (): string[] => ['--no-optional-locks', ...OVERRULED.flatMap((setting) => ['-c', setting])];

/** One command through simple-git, whose guards against settings that start programs are lifted: ours switch them off. */
const run = async (
  folder: string,
  args: readonly string[],
  variables: Record<string, string>,
  options: GitOptions,
): Promise<GitResult> => {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  const limit = options.maxBytes ?? Number.POSITIVE_INFINITY;
  const stop = new AbortController();
  let size = 0;
  let exitCode: number | null = null;
  const settings: Partial<SimpleGitOptions> = {
    allowEnvironment: Object.keys(variables),
    unsafe: {
      allowUnsafeHooksPath: true,
      allowUnsafeFsMonitor: true,
      allowUnsafeFilter: true,
      allowUnsafeConfigEnvCount: true,
    },
    completion: { onClose: true, onExit: false },
    abort: options.signal ? AbortSignal.any([stop.signal, options.signal]) : stop.signal,
    errors: (_error, result) => {
      exitCode = result.exitCode;
      return undefined;
    },
    // Also when there is none: a command that reads must not wait for ever.
    input: () => Buffer.from(options.input ?? ''),
  };
  const collect = (_command: string, out: NodeJS.ReadableStream, err: NodeJS.ReadableStream): void => {
    out.on('data', (chunk: Buffer) => {
      if (size <= limit) stdout.push(chunk);
      size += chunk.length;
      if (size > limit) stop.abort();
    });
    // simple-git waits another 50 ms for a command that wrote nothing; an empty chunk tells it that there is no more.
    out.once('end', () => out.emit('data', Buffer.alloc(0)));
    err.on('data', (chunk: Buffer) => stderr.push(chunk));
  };
  try {
    await simpleGit(folder, settings)
      .env(variables)
      .outputHandler(collect)
      .raw([...settingsArguments(), ...args]);
  } catch (error) {
    if (!existsSync(folder)) throw new UserError('not-found', `The folder ${folder} does not exist.`, { cause: error });
    if (size <= limit) throw new GitError(labelOf(args), exitCode, messageOf(error));
  }
  if (size > limit) return { stdout: Buffer.concat(stdout).subarray(0, limit), exitCode: 0, cut: true };
  return finish(args, exitCode, Buffer.concat(stdout), Buffer.concat(stderr).toString('utf8'), options.accept ?? [0]);
};

/** There is no git on the PATH. */
export const gitMissing = (): UserError =>
  new UserError('unsupported-repository', 'git was not found. Install git 2.38 or newer and put it on the PATH.');

const finish = (
  args: readonly string[],
  exitCode: number | null,
  stdout: Buffer,
  stderr: string,
  accept: readonly number[],
): GitResult => {
  if (exitCode === null || !accept.includes(exitCode)) {
    if (exitCode !== null && exitCode < 0) {
      throw gitMissing();
    }
    throw new GitError(labelOf(args), exitCode, stderr);
  }
  return { stdout, exitCode, cut: false };
};
