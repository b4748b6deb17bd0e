import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Clock, systemClock } from '../../domain/clock.ts';
import { UserError } from '../../domain/errors.ts';

const WAIT_MS = 10;
/** Whoever holds a lock has done within a moment; after this it is not waited for. */
const LONGEST_WAIT_MS = 10_000;
/** A lock whose holder cannot be told is given up after this. */
const STALE_MS = 5_000;

/** What the work under a lock may ask. */
export interface Held {
  /** Throws when somebody took the lock away, as from a process that was asleep for long. Ask before the last step. */
  check(): Promise<void>;
}

/**
 * Does `work` while no other process does work under the lock at `path`, a file that is there only meanwhile. The lock of a
 * process that has died is taken over. Throws UserError `wrong-state` when others hold it for ten seconds.
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
    if (await isMine()) await rm(path, { force: true });
  }
};

const created = async (path: string, mine: string): Promise<boolean> => {
  try {
    await writeFile(path, mine, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    // Windows says EPERM while a removed file is still open somewhere.
    if (['EEXIST', 'EPERM', 'EBUSY'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
};

const contentOf = (path: string): Promise<string | null> => readFile(path, 'utf8').catch(() => null);

/** Removes a lock whose holder is gone. It is moved first, so that of many only one does that, and looked at again. */
const takenAway = async (path: string, clock: Clock): Promise<boolean> => {
  const seen = await contentOf(path);
  if (seen === null || !(await isStale(path, seen, clock))) return false;
  const aside = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await rename(path, aside);
  } catch {
    return false;
  }
  // What was moved may be the lock of somebody who was quicker.
  if ((await contentOf(aside)) !== seen) await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
  return true;
};

const isStale = async (path: string, seen: string, clock: Clock): Promise<boolean> => {
  const pid = Number(/^(\d+) [0-9a-f]+\n$/.exec(seen)?.[1] ?? 0);
  if (pid > 0 && !isAlive(pid)) return true;
  const found = await stat(path).catch(() => null);
  return found !== null && clock.now() - found.mtimeMs > STALE_MS;
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
