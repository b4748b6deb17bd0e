import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** The folder in which the commands that run now are noted, each in a file named after its process. */
export const commandsDirOf = (stateDir: string): string => join(stateDir, 'commands');

/**
 * Notes a command that was just started, so that the next engine can end it should this one be killed. Returns how to
 * take the note back. Does nothing, silently, where that is not possible: a command must not fail for it.
 */
export const noteCommand = (commandsDir: string, pid: number): (() => void) => {
  const file = join(commandsDir, String(pid));
  try {
    const start = startOf(pid);
    if (start !== null) writeFileSync(file, `${pid} ${start}\n`, { mode: 0o600, flag: 'wx' });
  } catch {
    return () => {};
  }
  return () => remove(file);
};

/**
 * Ends what the commands and scripts of a killed engine have left running, and forgets them: they would write into
 * worktrees that others work in by now. Only for whoever holds the repository's lock. Returns how many were ended; never
 * throws.
 */
export const endOrphans = async (stateDir: string): Promise<number> => {
  const ended: number[] = [];
  for (const { file, pid, start } of readNotes(commandsDirOf(stateDir))) {
    if (isOurs(pid, start, stateDir) && kill(pid, 'SIGKILL')) ended.push(pid);
    remove(file);
  }
  for (let tries = 0; tries < 25 && ended.some(lives); tries += 1) await sleep(20);
  return ended.length + (await endStrays(stateDir));
};

/** Folders in which scripts of skills run; one that is there at an engine's start was left by an engine that was killed. */
const OF_SCRIPTS = /^(?:skill|inspect)-/;
const MOST_PASSES = 5;

/**
 * Ends what has such a folder for its temporary files, wherever it has gone: bubblewrap that was killed while it started
 * leaves processes that are in no noted group. The folders are removed. Returns how many were ended.
 */
const endStrays = async (stateDir: string): Promise<number> => {
  const folders = foldersOfScripts(stateDir);
  if (folders.length === 0) return 0;
  let ended = 0;
  // What is made meanwhile is found in the next pass.
  for (let pass = 0; pass < MOST_PASSES; pass += 1) {
    const strays = withTempIn(folders).filter(killOne);
    ended += strays.length;
    if (strays.length === 0) break;
    for (let tries = 0; tries < 25 && strays.some(isThere); tries += 1) await sleep(20);
  }
  for (const folder of folders) remove(folder);
  return ended;
};

const foldersOfScripts = (stateDir: string): readonly string[] => {
  try {
    const temporary = join(realpathSync(stateDir), 'tmp');
    const names = readdirSync(temporary).filter((name) => OF_SCRIPTS.test(name));
    return names.map((name) => join(temporary, name));
  } catch {
    return [];
  }
};

const withTempIn = (folders: readonly string[]): readonly number[] => {
  if (process.platform !== 'linux') return [];
  const marks = folders.map((folder) => `\0TMPDIR=${folder}${sep}`);
  return processes()
    .filter((name) => Number(name) !== process.pid)
    .filter((name) => {
      const environ = `\0${environOf(name)}`;
      return marks.some((mark) => environ.includes(mark));
    })
    .map(Number);
};

/** The numbers of all processes; none where the system does not show them. */
const processes = (): readonly string[] => {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
};

/** Empty where it is not ours to read. */
const environOf = (pid: string): string => {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8');
  } catch {
    return '';
  }
};

interface Note {
  readonly file: string;
  readonly pid: number;
  /** Null: not a note that was written to its end. */
  readonly start: string | null;
}

const readNotes = (commandsDir: string): readonly Note[] => {
  try {
    // 0 and 1 would mean our own group, and everything.
    const names = readdirSync(commandsDir).filter((name) => /^[1-9]\d{0,9}$/.test(name) && name !== '1');
    return names.map((name) => readNote(join(commandsDir, name), name));
  } catch {
    return [];
  }
};

const readNote = (file: string, name: string): Note => {
  let start: string | undefined;
  try {
    const text = readFileSync(file, 'utf8');
    if (text.startsWith(`${name} `) && text.endsWith('\n')) start = text.slice(name.length + 1, -1);
  } catch {
    // It says nothing, then.
  }
  return { file, pid: Number(name), start: start ?? null };
};

/** Numbers of processes are used again: only one that began at the same moment is the command. */
const isOurs = (pid: number, start: string | null, stateDir: string): boolean => {
  if (start === null || pid === process.pid) return false;
  const now = startOf(pid);
  if (now !== null) return now === start;
  return process.platform === 'linux' && start.startsWith(`${boot()} `) && hasMemberIn(pid, stateDir);
};

/** The command itself has ended, but something that it started works on in our worktrees. */
const hasMemberIn = (group: number, stateDir: string): boolean => {
  const inside = realpathSync(stateDir) + sep;
  return processes().some((name) => {
    if (readStat(Number(name))?.group !== group) return false;
    try {
      return readlinkSync(`/proc/${name}/cwd`).startsWith(inside);
    } catch {
      return false;
    }
  });
};

/** When a process began, in the system's own words; null when there is none, or nobody can say. */
const startOf = (pid: number): string | null => {
  if (process.platform === 'linux') {
    const stat = readStat(pid);
    return stat && `${boot()} ${stat.start}`;
  }
  if (process.platform === 'win32') return null;
  try {
    const env = { LC_ALL: 'C', TZ: 'UTC' };
    const text = execFileSync('/bin/ps', ['-o', 'lstart=', '-p', String(pid)], {
      env,
      encoding: 'utf8',
      timeout: 2000,
    });
    return text.trim() || null;
  } catch {
    return null;
  }
};

/** Ticks count from the start of the machine, so they say nothing about a process of an earlier one. */
const boot = (): string => {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return 'unknown';
  }
};

const readStat = (pid: number): { readonly state: string; readonly group: number; readonly start: string } | null => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name of the program comes before, in parentheses, and may hold anything.
    const [state = '', , group, ...fields] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state, group: Number(group), start: fields[16] ?? '' };
  } catch {
    return null;
  }
};

const kill = (group: number, signal: 'SIGKILL' | 0): boolean => {
  try {
    process.kill(-group, signal);
    return true;
  } catch {
    return false;
  }
};

/** SIGKILL for this process alone; false when it is gone already, or not ours. */
export const killOne = (pid: number): boolean => {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch {
    return false;
  }
};

const isThere = (pid: number): boolean => (readStat(pid)?.state ?? 'Z') !== 'Z';

/** One that is dead and that nobody has collected yet writes nothing any more. */
const lives = (group: number): boolean => kill(group, 0) && readStat(group)?.state !== 'Z';

/** A note or folder that stays says nothing once its process is gone. */
const remove = (path: string): void => {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // It stays, then.
  }
};
