import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { dirname, isAbsolute } from 'node:path';
import type { Clock } from '../../domain/clock.ts';
import { UserError, type UserErrorCode } from '../../domain/errors.ts';
import type { Hello } from './control.ts';
import { readJsonLines, writeJsonLine } from './json-lines.ts';
import { ensurePrivateFolder, isPrivateFolder, type RuntimePlace } from './place.ts';

/** How to reach a repository's engine, and how to start one where there is none. */
export interface EngineFinder {
  readonly root: string;
  readonly runtime: RuntimePlace;
  /** `.coppice/engine.json`: where an engine that was started in another environment says how it is reached. */
  readonly stateFile: string;
  readonly uid: number | null;
  readonly version: string;
  /** The command line of `coppice engine` for this repository, detached. */
  readonly launch: {
    readonly command: string;
    /** For the command itself, before `args`; it does without them when it does not know one. */
    readonly flags: readonly string[];
    readonly args: readonly string[];
    readonly environment: Readonly<Record<string, string | undefined>>;
  };
  readonly clock: Clock;
  /** How long a start may take, ms. */
  readonly startMs: number;
  /** One line for the person that is no error. */
  warn(line: string): void;
}

/** Exit status of an engine that found the repository's lock held. */
export const EXIT_LOCKED = 75;

/** Exit status of Node when it does not know one of its flags. */
const EXIT_BAD_FLAG = 9;

/** The line by which a detached engine says why it could not start. */
export const startFailure = (pid: number, code: string, message: string): string =>
  `coppice-start-failed ${pid} ${JSON.stringify({ code, message })}`;

/** A connection to the engine, which is started when there is none. Throws UserError with the reason of a failed start. */
export const connectToEngine = async (finder: EngineFinder): Promise<Socket> => {
  await ensurePrivateFolder(finder.runtime.folder, finder.uid);
  const running = await connectToRunning(finder);
  if (running && (await keep(running, finder))) return running;
  return startEngine(finder);
};

/**
 * A connection to the engine if one runs, else null. Clients give their servers only some of their environment, so the
 * socket may lie elsewhere than one would think here.
 */
export const connectToRunning = async (
  finder: Pick<EngineFinder, 'runtime' | 'stateFile' | 'uid'>,
): Promise<Socket | null> => {
  const here = await connectIfRunning(finder.runtime.socket);
  if (here) return here;
  const named = await namedSocket(finder.stateFile);
  // The file lies in the repository: what it names is believed only in a folder that is closed to all others.
  if (named === null || named === finder.runtime.socket || !(await isPrivateFolder(dirname(named), finder.uid)))
    return null;
  return connectIfRunning(named).catch(() => null);
};

const namedSocket = async (stateFile: string): Promise<string | null> => {
  try {
    const { socket } = JSON.parse(await readFile(stateFile, 'utf8')) as { socket?: unknown };
    return typeof socket === 'string' && isAbsolute(socket) ? socket : null;
  } catch {
    return null;
  }
};

/** A connection to the engine if one listens, else null. */
export const connectIfRunning = (path: string): Promise<Socket | null> =>
  new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true });
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      const absent = ['ENOENT', 'ECONNREFUSED', 'EPIPE', 'ECONNRESET', 'ENOTSOCK'].includes(error.code ?? '');
      if (absent) resolve(null);
      else reject(new UserError('permission-denied', `Cannot reach the engine at ${path}: ${error.message}.`));
    });
  });

/** Asks the engine's host; null when the connection ends first. The socket can be used for MCP afterwards. */
export const ask = async <T>(socket: Socket, method: string, params: object, waitMs: number): Promise<T | null> => {
  let stop = (): void => {};
  let timer: NodeJS.Timeout | undefined;
  const answer = await new Promise<T | null>((resolve) => {
    stop = readJsonLines(socket, {
      onValue: (value) => {
        const { id, result } = value as { id?: unknown; result?: T };
        if (id === method) resolve(result ?? null);
      },
      onBadLine: () => resolve(null),
      onEnd: () => resolve(null),
      onClose: () => resolve(null),
    });
    timer = setTimeout(() => resolve(null), waitMs);
    writeJsonLine(socket, { jsonrpc: '2.0', id: method, method, params });
    socket.resume();
  });
  clearTimeout(timer);
  stop();
  socket.pause();
  return answer;
};

/** Whether this engine will do. One of another version is asked to leave when nobody uses it. */
const keep = async (socket: Socket, finder: EngineFinder): Promise<boolean> => {
  const hello = await ask<Hello>(socket, 'coppice/hello', {}, 10_000);
  if (!hello) {
    socket.destroy();
    return false;
  }
  if (hello.version === finder.version) return true;
  const answer = await ask<{ stopping: boolean }>(socket, 'coppice/stop', { unlessBusy: true }, 10_000);
  if (answer?.stopping === false) {
    finder.warn(
      `An engine of version ${hello.version} works on this repository; this is version ${finder.version}. ` +
        'It goes on with the older one until that is idle; "coppice stop" ends it now.',
    );
    return true;
  }
  socket.destroy();
  return false;
};

const startEngine = async (finder: EngineFinder): Promise<Socket> => {
  const deadline = finder.clock.now() + finder.startMs;
  let { flags } = finder.launch;
  let attempt = await spawnEngine(finder, flags);
  for (;;) {
    const socket = await connectToRunning(finder);
    if (socket && (await keep(socket, finder))) return socket;
    const exit = attempt.exit();
    // Locked: another engine starts, or one is just leaving. Whichever it is, its end or its socket will show.
    const isRefused = exit === EXIT_BAD_FLAG && flags.length > 0;
    if (exit !== null && exit !== EXIT_LOCKED && !isRefused) throw await startError(finder, attempt);
    if (finder.clock.now() > deadline) throw await lateError(finder, attempt);
    await finder.clock.sleep(exit === null ? 25 : 200);
    if (isRefused) flags = [];
    if (exit !== null) attempt = await spawnEngine(finder, flags);
  }
};

interface Attempt {
  readonly child: ChildProcess;
  /** Of the log before this start. */
  readonly logSize: number;
  /** Exit status, or null while it runs. */
  exit(): number | null;
}

const spawnEngine = async (finder: EngineFinder, flags: readonly string[]): Promise<Attempt> => {
  const { startLog } = finder.runtime;
  const size = (await stat(startLog).catch(() => null))?.size ?? 0;
  const log = openSync(startLog, size > 1_000_000 ? 'w' : 'a', 0o600);
  try {
    const child = spawn(finder.launch.command, [...flags, ...finder.launch.args], {
      cwd: finder.root,
      env: finder.launch.environment,
      detached: true,
      stdio: ['ignore', log, log],
      windowsHide: true,
    });
    let failed = false;
    child.once('error', () => {
      failed = true;
    });
    child.unref();
    return {
      child,
      logSize: size > 1_000_000 ? 0 : size,
      exit: () => (failed ? 1 : (child.exitCode ?? (child.signalCode ? 1 : null))),
    };
  } finally {
    closeSync(log);
  }
};

const wordsOf = async (finder: EngineFinder, attempt: Attempt): Promise<string> =>
  (await readFile(finder.runtime.startLog).catch(() => Buffer.alloc(0))).subarray(attempt.logSize).toString('utf8');

const startError = async (finder: EngineFinder, attempt: Attempt): Promise<UserError> => {
  const words = await wordsOf(finder, attempt);
  const mark = `coppice-start-failed ${attempt.child.pid} `;
  const line = words.split('\n').find((text) => text.startsWith(mark));
  if (line) {
    const { code, message } = JSON.parse(line.slice(mark.length)) as { code: UserErrorCode; message: string };
    return new UserError(code, message);
  }
  const end = attempt.child.signalCode ?? `exit status ${attempt.exit()}`;
  return new UserError('engine-gone', `The engine could not start (${end}): ${words.trim().slice(-2000) || 'no word'}`);
};

const lateError = async (finder: EngineFinder, attempt: Attempt): Promise<UserError> => {
  const locked = attempt.exit() === EXIT_LOCKED;
  const words = locked ? '' : (await wordsOf(finder, attempt)).trim().slice(-2000);
  return new UserError(
    locked ? 'engine-busy' : 'engine-gone',
    locked
      ? 'Another engine holds this repository but does not answer. End it ("coppice doctor" names it), then try again.'
      : `The engine did not answer within ${Math.round(finder.startMs / 1000)} s. ${words}`,
  );
};
