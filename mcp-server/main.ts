import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { homedir, tmpdir, userInfo } from 'node:os';
import { basename, join, relative, resolve } from 'node:path';
import { type ConfigSource, environmentSource, fileSource, flagSource, mergeConfig, mergePartial } from './config.ts';
import { systemClock } from './domain/clock.ts';
import { messageOf, traceOf, UserError } from './domain/errors.ts';
import { type Common, flagOf, type Invocation, parseArguments, wantsJson } from './faces/cli/arguments.ts';
import { type CliContext, EXIT } from './faces/cli/context.ts';
import { HELP } from './faces/cli/help.ts';
import type { PlanningInvocation } from './faces/cli/planning-arguments.ts';
import type { Terminal } from './faces/cli/terminal.ts';
import { ENGINE_ENVIRONMENT, ENGINE_FLAGS } from './faces/host/engine-flags.ts';
import {
  connectToEngine,
  connectToRunning,
  type EngineFinder,
  EXIT_LOCKED,
  startFailure,
} from './faces/host/find-engine.ts';
import {
  ensurePrivateFolder,
  findRepository,
  type RepositoryPlace,
  type RuntimePlace,
  runtimePlace,
} from './faces/host/place.ts';

const { argv, env, platform } = process;
const SCRIPT = resolve(argv[1] ?? '.');
const UID = process.getuid?.() ?? null;
const IDLE_SECONDS = 600;
const START_MS = 15_000;
const STOP_MS = 20_000;

const version = (): string =>
  (JSON.parse(readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8')) as { version: string }).version;

/** Called by its link, through node by its path, or by npm, which may bring a newer Node than the person's own. */
const programName = (): string => {
  if (env['npm_lifecycle_event'] === 'start') return 'npm start --';
  return /\.[cm]?[jt]s$/.test(argv[1] ?? '') ? `node ${relative(process.cwd(), SCRIPT) || SCRIPT}` : basename(SCRIPT);
};

const write = (stream: NodeJS.WriteStream, text: string): void => void stream.write(`${text}\n`);

const terminal: Terminal = {
  stdin: process.stdin,
  stdout: process.stdout,
  live: process.stdout.isTTY && env['TERM'] !== 'dumb',
  canAsk: process.stdin.isTTY,
  color: process.stdout.isTTY && !env['NO_COLOR'] && env['TERM'] !== 'dumb',
  size: () => ({ columns: process.stdout.columns || 100, rows: process.stdout.rows || 24 }),
  print: (text) => write(process.stdout, text),
  warn: (text) => write(process.stderr, text),
  onInterrupt: (listener) => {
    process.on('SIGINT', listener);
    return () => void process.off('SIGINT', listener);
  },
  onTerminate: (listener) => {
    for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, listener);
    return () => {
      for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.off(signal, listener);
    };
  },
};

const runtimeOf = (place: RepositoryPlace): RuntimePlace => {
  const base = platform === 'win32' ? tmpdir() : env['XDG_RUNTIME_DIR'] || tmpdir();
  return runtimePlace(place, { base, user: UID === null ? userInfo().username : String(UID), platform });
};

const readText = (path: string): Promise<string | null> =>
  readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw new UserError('bad-input', `${path} cannot be read: ${error.message}.`);
  });

/** Anything but a clear "no" counts as tracked. */
const isTracked = (root: string, path: string): Promise<boolean> =>
  new Promise((done) => {
    execFile('git', ['-C', root, 'ls-files', '--error-unmatch', '--', path], { env }, (error) =>
      done(error?.code !== 1),
    );
  });

/** Weakest first. With `onBad`, a source that is wrong is told there and left out; without, it is thrown. */
const configSources = async (
  root: string,
  settings: Common['settings'],
  onBad?: (error: UserError) => void,
): Promise<readonly ConfigSource[]> => {
  const sources: ConfigSource[] = [];
  for (const read of settingReaders(root, settings)) {
    try {
      const source = await read();
      mergePartial([source]);
      sources.push(source);
    } catch (error) {
      if (!onBad || !(error instanceof UserError)) throw error;
      onBad(error);
    }
  }
  return sources;
};

/** Of this user, for Coppice. */
const settingsFolder = (): string => {
  const home = platform === 'win32' ? env['APPDATA'] : env['XDG_CONFIG_HOME'];
  return join(home || join(homedir(), '.config'), 'coppice');
};

const settingReaders = (root: string, settings: Common['settings']): readonly (() => Promise<ConfigSource>)[] => {
  const userPath = join(settingsFolder(), 'config.json');
  const ownPath = join(root, '.coppice', 'config.json');
  return [
    async () => fileSource(userPath, await readText(userPath), { tracked: false }),
    async () => {
      const own = await readText(ownPath);
      return fileSource(ownPath, own, { tracked: own !== null && (await isTracked(root, ownPath)) });
    },
    async () => environmentSource(env),
    async () => flagSource(settings, flagOf),
  ];
};

const finderFor = (
  place: RepositoryPlace,
  flags: readonly string[] = [],
  extra: Readonly<Record<string, string>> = {},
): EngineFinder => {
  const args = [...process.execArgv, SCRIPT, 'engine', '--repo', place.root, '--detached', ...flags];
  return {
    root: place.root,
    runtime: runtimeOf(place),
    stateFile: join(place.root, '.coppice', 'engine.json'),
    uid: UID,
    version: version(),
    // A token is for clients; the engine, and what it starts, never see one.
    launch: {
      command: process.execPath,
      flags: ENGINE_FLAGS,
      args,
      environment: { ...ENGINE_ENVIRONMENT, ...env, COPPICE_TOKEN: undefined, ...extra },
    },
    clock: systemClock,
    startMs: START_MS,
    warn: (line) => terminal.warn(line),
  };
};

const settingFlags = (settings: Common['settings']): string[] =>
  Object.entries(settings).flatMap(([key, text]) => (text === undefined ? [] : [`${flagOf(key)}=${text}`]));

/** An engine that had to leave settings out makes room soon for one with all of them. */
const LENIENT = ['--lenient', '--idle-seconds', '5'];

const openContext = async (
  common: Common,
  needs: { readonly settings: boolean },
  extra: Readonly<Record<string, string>> = {},
): Promise<CliContext> => {
  const place = await findRepository(common.repo);
  const bad: string[] = [];
  const sources = await configSources(
    place.root,
    common.settings,
    needs.settings ? undefined : (error) => bad.push(error.message),
  );
  for (const message of bad) terminal.warn(`coppice: warning: ${message}`);
  // What this command was told goes with what it asks for: an engine serves everybody, and outlives the command.
  const finder = finderFor(place, bad.length > 0 ? LENIENT : [], extra);
  const here = await findRepository('.').catch(() => null);
  const { openClient } = await import('./faces/cli/engine-client.ts');
  return {
    terminal,
    clock: systemClock,
    version: finder.version,
    place,
    runtime: finder.runtime,
    settings: mergePartial(sources),
    program: programName(),
    repoFlag: here?.root === place.root ? '' : ` --repo ${shellWord(place.root)}`,
    connect: async () => openClient(await connectToEngine(finder), finder.version),
    connectIfRunning: () => connectToRunning(finder),
    newKey: () => randomUUID(),
    edit: async (text, name) => {
      const { editText } = await import('./faces/cli/edit-text.ts');
      const command = env['VISUAL'] || env['EDITOR'] || (platform === 'win32' ? 'notepad' : 'vi');
      return editText({ command, temporary: tmpdir(), platform }, text, name);
    },
  };
};

const shellWord = (text: string): string =>
  /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

const kill = (pid: number): void => void process.kill(pid, 'SIGKILL');

const runInvocation = async (invocation: Invocation): Promise<number> => {
  switch (invocation.command) {
    case 'help':
      terminal.print(HELP);
      return EXIT.ok;
    case 'version':
      terminal.print(version());
      return EXIT.ok;
    case 'demo':
      return runDemo();
    case 'engine':
      return runEngine(invocation);
    case 'serve':
      return runServe(invocation);
    case 'mcp': {
      if (invocation.printConfig !== null) return printConfig(invocation, invocation.printConfig);
      const { runPipe } = await import('./faces/mcp/pipe.ts');
      const socket = await connectToEngine(
        finderFor(await findRepository(invocation.repo), settingFlags(invocation.settings)),
      );
      return runPipe(socket, { stdin: process.stdin, stdout: process.stdout, warn: (line) => terminal.warn(line) });
    }
    case 'doctor': {
      const { doctorCommand } = await import('./faces/cli/doctor-command.ts');
      return doctorCommand(
        terminal,
        [checkNode, checkGit],
        () => openContext(invocation, { settings: true }),
        invocation.json,
      );
    }
    case 'run':
    case 'status':
    case 'events':
    case 'review':
    case 'stop':
    case 'pause':
    case 'continue':
      return runCommandOn(invocation, await openContext(invocation, { settings: invocation.command === 'run' }));
    case 'skill': {
      const { action, json } = invocation;
      const { checkPath, isPathOfSkill, skillCommand } = await import('./faces/cli/skill-command.ts');
      if (action.kind === 'check' && action.target !== null && isPathOfSkill(action.target)) {
        const { checkSkillFolder } = await import('./skills/check-folder.ts');
        const checkFolder = (path: string) => checkSkillFolder(path, systemClock);
        return checkPath({ terminal, checkFolder }, action.target, json);
      }
      return skillCommand(await openContext(invocation, { settings: action.kind === 'run' }), action, json);
    }
    case 'plan':
    case 'workflow':
    case 'forecast':
    case 'recommend':
    case 'retry':
    default:
      return runPlanning(invocation, await openContext(invocation, { settings: startsRun(invocation) }));
  }
};

/** What starts a run takes no settings that are wrong. */
const startsRun = (invocation: PlanningInvocation): boolean =>
  (invocation.command === 'plan' && invocation.action.kind === 'create') ||
  (invocation.command === 'workflow' && invocation.action.kind === 'run');

const runPlanning = async (invocation: PlanningInvocation, context: CliContext): Promise<number> => {
  const { json } = invocation;
  switch (invocation.command) {
    case 'plan':
      return (await import('./faces/cli/plan-command.ts')).planCommand(context, invocation.action, json);
    case 'workflow':
      return (await import('./faces/cli/workflow-command.ts')).workflowCommand(context, invocation.action, json);
    case 'forecast':
      return (await import('./faces/cli/forecast-command.ts')).forecastCommand(context, invocation.run, json);
    case 'recommend':
      return (await import('./faces/cli/forecast-command.ts')).recommendCommand(context, invocation.of, json);
    case 'retry':
    default:
      return (await import('./faces/cli/forecast-command.ts')).retryCommand(context, invocation.run, invocation);
  }
};

type ContextCommand = Extract<
  Invocation,
  {
    command: 'run' | 'status' | 'events' | 'review' | 'stop' | 'pause' | 'continue';
  }
>;

const runCommandOn = async (invocation: ContextCommand, context: CliContext): Promise<number> => {
  switch (invocation.command) {
    case 'run':
      return (await import('./faces/cli/run-command.ts')).runCommand(context, invocation);
    case 'status':
      return (await import('./faces/cli/status-command.ts')).statusCommand(context, invocation.run, invocation.json);
    case 'events':
      return (await import('./faces/cli/status-command.ts')).eventsCommand(context, invocation);
    case 'review': {
      const { run, action, json } = invocation;
      return (await import('./faces/cli/review-command.ts')).reviewCommand(context, run, action, json);
    }
    case 'pause':
    case 'continue':
      return (await import('./faces/cli/pause-command.ts')).pauseCommand(context, invocation.command, invocation);
    case 'stop':
    default: {
      const { stopEngine, stopRun } = await import('./faces/cli/stop-command.ts');
      return invocation.run === null
        ? stopEngine(context, { ...invocation, kill })
        : stopRun(context, invocation.run, invocation);
    }
  }
};

const printConfig = async (common: Common, client: string): Promise<number> => {
  const { printClientConfig } = await import('./faces/cli/print-config.ts');
  const { root } = await findRepository(common.repo);
  const args = [...process.execArgv, SCRIPT, 'mcp', '--repo', root];
  // The editor's own Node has to be told that it is one.
  const environment = env['ELECTRON_RUN_AS_NODE'] ? { ELECTRON_RUN_AS_NODE: '1' } : {};
  return printClientConfig(terminal, client, { command: process.execPath, args, env: environment });
};

const runServe = async (invocation: Extract<Invocation, { command: 'serve' }>): Promise<number> => {
  const { serveCommand, tokenCommand } = await import('./faces/cli/serve-command.ts');
  const { tokenPlace } = await import('./faces/http/tokens.ts');
  const place = await findRepository(invocation.repo);
  const tokens = tokenPlace(settingsFolder(), place.root);
  const finder = finderFor(place);
  const context = { terminal, clock: systemClock, root: place.root, tokens, program: programName() };
  if (invocation.token) return tokenCommand(context, invocation.token, invocation);
  return serveCommand(
    { ...context, given: env['COPPICE_TOKEN'] || null, connect: () => connectToEngine(finder) },
    invocation,
  );
};

const runDemo = async (): Promise<number> => {
  const { demoCommand, makeDemoRepository } = await import('./faces/cli/demo-command.ts');
  const { path, what } = await makeDemoRepository(SCRIPT, tmpdir());
  // Rules answer at once; who looks on a screen is given time to see the tree at work.
  const pace: Record<string, string> = terminal.live ? { COPPICE_REHEARSAL_LATENCY_MS: '250' } : {};
  const context = await openContext({ repo: path, json: false, settings: {} }, { settings: true }, pace);
  return demoCommand(context, what, kill);
};

const checkNode = async () => ({
  severity: 'ok' as const,
  what: `Node ${process.version}, Coppice ${version()}`,
  fix: '',
});

const checkGit = () =>
  new Promise<{ severity: 'ok' | 'error'; what: string; fix: string }>((done) => {
    execFile('git', ['--version'], { env }, (error, stdout) =>
      done(
        error
          ? {
              severity: 'error',
              what: 'git cannot be started.',
              fix: 'Install git 2.38 or newer and put it on the PATH.',
            }
          : { severity: 'ok', what: stdout.trim(), fix: '' },
      ),
    );
  });

/** What programs that agents run may see of this process's environment. */
const COMMAND_VARIABLES =
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_\w+|TZ|TMPDIR|TEMP|TMP|SYSTEMROOT|COMSPEC|PATHEXT|USERPROFILE)$/i;

const runEngine = async (invocation: Extract<Invocation, { command: 'engine' }>): Promise<number> => {
  try {
    const place = await findRepository(invocation.repo);
    const runtime = runtimeOf(place);
    await ensurePrivateFolder(runtime.folder, UID);
    const warnings: string[] = [];
    const leaveOut = (error: UserError): void =>
      void warnings.push(`The engine works without some settings until "coppice stop": ${error.message}`);
    const config = mergeConfig(
      await configSources(place.root, invocation.settings, invocation.lenient ? leaveOut : undefined),
    );
    const { serveRepository } = await import('./serve-repository.ts');
    return await serveRepository({
      place,
      socket: runtime.socket,
      platform,
      pid: process.pid,
      idleMs: 1000 * (invocation.idleSeconds ?? wholeNumber('COPPICE_IDLE_SECONDS') ?? IDLE_SECONDS),
      stopMs: STOP_MS,
      config,
      warnings,
      version: version(),
      clock: systemClock,
      random: Math.random,
      environment: env,
      commandEnvironment: Object.fromEntries(
        Object.entries(env).filter(
          (pair): pair is [string, string] => COMMAND_VARIABLES.test(pair[0]) && pair[1] !== undefined,
        ),
      ),
      bundledWorkflows: join(import.meta.dirname, '..', 'media', 'workflows'),
      skills: {
        home: homedir(),
        bundled: join(import.meta.dirname, '..', 'skills'),
        grants: join(settingsFolder(), 'skills.json'),
        node: ownNode(),
      },
      crashPoint: crashPointOf(env['COPPICE_CRASH_AT']),
      crash: () => kill(process.pid),
      rehearsalLatencyMs: wholeNumber('COPPICE_REHEARSAL_LATENCY_MS') ?? 0,
      onSignal: (listener) => {
        for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => listener(signal));
      },
      onBug: (listener) => {
        process.on('uncaughtException', listener).on('unhandledRejection', listener);
      },
      echo: invocation.detached ? null : (line) => terminal.warn(line),
    });
  } catch (error) {
    if (!invocation.detached) throw error;
    const code = error instanceof UserError ? error.code : 'engine-gone';
    const text = error instanceof UserError ? error.message : `The engine could not start: ${traceOf(error)}`;
    terminal.warn(startFailure(process.pid, code, text));
    return code === 'engine-busy' ? EXIT_LOCKED : EXIT.usage;
  }
};

/** For scripts of skills. The editor's own Node has to be told that it is one. */
const ownNode = () => ({
  path: process.execPath,
  environment: env['ELECTRON_RUN_AS_NODE'] ? { ELECTRON_RUN_AS_NODE: '1' } : ({} as Record<string, string>),
  permissionModel: process.allowedNodeEnvironmentFlags.has('--permission'),
});

const wholeNumber = (variable: string): number | null => {
  const text = env[variable];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : null;
};

const crashPointOf = (text: string | undefined): { where: 'store' | 'git'; at: number } | null => {
  const match = /^(store|git):(\d+)$/.exec(text ?? '');
  return match ? { where: match[1] as 'store' | 'git', at: Number(match[2]) } : null;
};

/** The database's binary ends an older Node without a word, so it is said here. */
const requireNode = (): void => {
  if (Number(process.versions.node.split('.')[0]) >= 22) return;
  throw new UserError('bad-input', `Coppice needs Node 22 or newer; ${process.execPath} is ${process.version}.`);
};

const main = async (): Promise<number> => {
  try {
    requireNode();
    return await runInvocation(parseArguments(argv.slice(2)));
  } catch (error) {
    const known = error instanceof UserError;
    terminal.warn(known ? `coppice: ${error.message}` : `coppice: this is a bug: ${traceOf(error)}`);
    if (wantsJson(argv.slice(2)))
      terminal.print(
        JSON.stringify({ type: 'error', code: known ? error.code : 'internal', message: messageOf(error) }),
      );
    return known ? EXIT.usage : EXIT.failed;
  }
};

// Whoever reads our output may stop reading: that is no error of ours.
process.stdout.on('error', () => process.exit(EXIT.ok));
void main().then((status) => {
  process.exitCode = status;
  process.stdout.write('', () => process.exit(status));
});
