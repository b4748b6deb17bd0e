import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const IN_MEMORY = '/dev/shm';
const ENOUGH_BYTES = 4e9;

/**
 * What tests are started with: their folders, thousands of small ones, lie in memory where there is room for them and
 * programs in them may be run; all of it goes with this process. Whoever says TMPDIR decides.
 */
export const testEnvironment = (given: NodeJS.ProcessEnv): NodeJS.ProcessEnv => {
  if (given['TMPDIR'] !== undefined) return given;
  const folder = folderInMemory();
  if (folder === null) return given;
  process.once('exit', () => remove(folder));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  return { ...given, TMPDIR: folder };
};

/** What cannot be removed, since something still writes there, is no fault of the tests. */
const remove = (folder: string): void => {
  try {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  } catch {
    console.error(`${folder} could not be removed.`);
  }
};

/** Null where there is none, or it is too small, or no program may be run in it, as containers often have it. */
const folderInMemory = (): string | null => {
  try {
    const { bavail, bsize } = statfsSync(IN_MEMORY);
    if (bavail * bsize < ENOUGH_BYTES) return null;
    // Short, since names of sockets have at most a hundred characters.
    const folder = mkdtempSync(join(IN_MEMORY, 'cop-'));
    const program = join(folder, 'try');
    writeFileSync(program, '#!/bin/sh\n', { mode: 0o700 });
    const mayRun = spawnSync(program).status === 0;
    rmSync(mayRun ? program : folder, { recursive: true });
    return mayRun ? folder : null;
  } catch {
    return null;
  }
};
