import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newest } from './newest.ts';
import { makeRepository, type TestRepository } from './repository.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/** What a command has said and how it ended. */
export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs. */
export interface Running {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly ended: Promise<Ended>;
  /** Resolves when stdout or stderr holds the text. */
  says(text: string | RegExp): Promise<void>;
}

/** A repository and a private world for the built program in it; close() leaves no process behind. */
export interface Stage {
  readonly repo: TestRepository;
  readonly environment: Record<string, string>;
  readonly script: string;
  start(...args: readonly string[]): Running;
  run(...args: readonly string[]): Promise<Ended>;
  /** Process id of the engine of this repository; null when none has said that it serves it. */
  enginePid(): number | null;
  /** What the engine has logged. */
  log(): string;
  close(): Promise<void>;
}

/** Sets the stage with the bundle, which is built anew when a source is younger. */
export const openStage = (
  options: { repo?: TestRepository; script?: string; environment?: Record<string, string> } = {},
): Stage => {
  const script = options.script ?? bundle();
  const repo = options.repo ?? makeRepository();
  const runtime = mkdtempSync(join(tmpdir(), 'cop-run-'));
  const environment: Record<string, string> = {
    PATH: process.env['PATH'] ?? '',
    HOME: runtime,
    XDG_RUNTIME_DIR: runtime,
    XDG_CONFIG_HOME: join(runtime, 'config'),
    TMPDIR: tmpdir(),
    ...options.environment,
  };
  const started: Running[] = [];
  const start = (...args: readonly string[]): Running => {
    const running = launch(script, args, { cwd: repo.root, env: environment });
    started.push(running);
    return running;
  };
  return {
    repo,
    environment,
    script,
    start,
    run: (...args) => start(...args).ended,
    enginePid: () => {
      try {
        return (JSON.parse(readFileSync(join(repo.root, '.coppice', 'engine.json'), 'utf8')) as { pid: number }).pid;
      } catch {
        return null;
      }
    },
    log: () => {
      try {
        return readFileSync(join(repo.root, '.coppice', 'logs', 'engine.log'), 'utf8');
      } catch {
        return '';
      }
    },
    close: async () => {
      for (const { child } of started) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await Promise.all(started.map((running) => running.ended));
      for (const pid of processesOf(repo.root)) await killAndWait(pid);
      repo.remove();
      rmSync(runtime, { recursive: true, force: true });
    },
  };
};

/** True while the process exists and has not been reaped. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

/** Resolves when the probe holds; fails after so many ms. */
export const until = async (what: string, probe: () => boolean | Promise<boolean>, ms = 8000): Promise<void> => {
  const deadline = Date.now() + ms;
  while (!(await probe())) {
    if (Date.now() > deadline) throw new Error(`Waited in vain: ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

/** SIGKILL, and no return before it is gone. */
export const killAndWait = async (pid: number): Promise<void> => {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    return;
  }
  await until(`process ${pid} ends`, () => !isAlive(pid));
};

let built: string | undefined;

/** dist/coppice.js, up to date. */
export const bundle = (): string => {
  if (built) return built;
  const path = join(ROOT, 'dist', 'coppice.js');
  const age = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (age < newest(join(ROOT, 'mcp-server')))
    execFileSync(process.execPath, [join(ROOT, '.tools', 'build.ts'), '--quiet']);
  built = path;
  return path;
};

/** Detached engines of this repository, by their command line. */
const processesOf = (root: string): number[] => processesThat((line) => line.split('\0').includes(root));

/** Processes of this machine that have the text in their command line. */
export const processesWith = (text: string): number[] => processesThat((line) => line.includes(text));

/** `is` is given the command line, with \0 after each argument. */
const processesThat = (is: (line: string) => boolean): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return is(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
      } catch {
        return false;
      }
    });

const launch = (
  script: string,
  args: readonly string[],
  options: { cwd: string; env: Record<string, string> },
): Running => {
  const child = spawn(process.execPath, [script, ...args], { ...options, stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  const listeners = new Set<() => void>();
  const notify = (): void => {
    for (const listener of listeners) listener();
  };
  child.stdout.on('data', (chunk) => {
    stdout += String(chunk);
    notify();
  });
  child.stderr.on('data', (chunk) => {
    stderr += String(chunk);
    notify();
  });
  child.stdin.on('error', () => {});
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (status) => {
      resolve({ status, stdout, stderr });
      notify();
    });
  });
  const says = (text: string | RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const all = stdout + stderr;
        if (typeof text === 'string' ? all.includes(text) : text.test(all)) resolve();
        else if (child.exitCode !== null) reject(new Error(`It ended without saying ${String(text)}: ${all}`));
        else return;
        listeners.delete(look);
      };
      listeners.add(look);
      look();
    });
  return { child, stdout: () => stdout, stderr: () => stderr, ended, says };
};
