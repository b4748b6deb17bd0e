import { createHash, randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Clock, systemClock } from './clock.ts';
import { UserError } from './errors.ts';

const WAIT_MS = 10;
/** Whoever holds a lock has done within a moment; after this it is not waited for. */
const LONGEST_WAIT_MS = 10_000;
/** Not even a process that lives is waited for longer: it may be asleep, or another one that got the number of a dead one. */
const STALE_MS = 5_000;

/** What the work under a lock may ask. */
export interface Held {
  /** Throws when somebody took the lock away, as from a process that was asleep for long. Ask before the last step. */
  check(): Promise<void>;
}

/**
 * Does `work` while no other process does work under the lock at `path`, a file that is there only meanwhile. The lock of a
 * process that has died is taken over. Throws UserError `wrong-state` when others hold it for ten seconds.
 *
 * It stands in `domain/`, though it touches files, as the system's clock does: faces keep tokens with it and skills keep
 * grants, and this is the only folder that both import from. To hand it in would mean that each caller could hand in
 * another one, and two locks on one file are none.
 */
export const withFileLock = async <T>(
  path: string,
  work: (held: Held) => Promise<T>,
  clock: Clock = systemClock,
): Promise<T> => {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const mine = `${process.pid} ${randomBytes(9).toString('hex')}\n`;
  const before = clock.now() + LONGEST_WAIT_MS;
  while (!(await created(path, mine))) {
    if (clock.now() > before)
      throw new UserError('wrong-state', `${path} is held by another process. Delete it if there is none.`);
    if (!(await takenAway(path, clock))) await clock.sleep(WAIT_MS);
  }
  const isMine = async (): Promise<boolean> => (await contentOf(path)) === mine;
  try {
    return await work({
      check: async () => {
        if (!(await isMine())) throw new UserError('wrong-state', `${path} was taken away meanwhile. Try again.`);
      },
    });
  } finally {
    if (await isMine()) await drop(path);
  }
};

const created = async (path: string, mine: string): Promise<boolean> => {
  try {
    await writeFile(path, mine, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    // Windows says EPERM while a removed file is still open somewhere.
    if (code === 'EEXIST' || (process.platform === 'win32' && ['EPERM', 'EBUSY'].includes(code))) return false;
    throw error;
  }
};

/**
 * By another name first: whoever comes late to an old file must not meet a new one. A file that Windows does not let go of
 * grows old; work that was done is not undone by it.
 */
const drop = async (path: string): Promise<void> => {
  const gone = `${path}.${randomBytes(6).toString('hex')}`;
  await rename(path, gone)
    .then(() => rm(gone, { force: true }))
    .catch(() => {});
};

const contentOf = (path: string): Promise<string | null> => readFile(path, 'utf8').catch(() => null);

/**
 * Removes a lock whose holder is gone. Only one may do that, by a second file that is named after what the first one holds:
 * whoever saw the same but comes later finds another lock there, and leaves it.
 */
const takenAway = async (path: string, clock: Clock): Promise<boolean> => {
  const seen = await contentOf(path);
  if (seen === null || !(await isStale(path, seen, clock))) return false;
  const aside = `${path}.${createHash('sha256').update(seen).digest('hex').slice(0, 16)}`;
  if (!(await created(aside, seen))) {
    // Whoever made it has died within a moment that is shorter than most.
    if (await isOld(aside, clock)) await drop(aside);
    return false;
  }
  try {
    if ((await contentOf(path)) !== seen) return false;
    await rename(path, aside);
    // Its holder was only asleep, woke up and removed it, and somebody was quick: that one gets it back.
    if ((await contentOf(aside)) !== seen) await link(aside, path);
    return true;
  } catch {
    return false;
  } finally {
    await drop(aside);
  }
};

const isOld = async (path: string, clock: Clock): Promise<boolean> => {
  const found = await stat(path).catch(() => null);
  return found !== null && clock.now() - found.mtimeMs > STALE_MS;
};

const isStale = async (path: string, seen: string, clock: Clock): Promise<boolean> => {
  const pid = Number(/^(\d+) [0-9a-f]+\n$/.exec(seen)?.[1] ?? 0);
  return (pid > 0 && !isAlive(pid)) || isOld(path, clock);
};

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Anything else means that it is there, of another user.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
};
