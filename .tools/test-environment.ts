import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const IN_MEMORY = '/dev/shm';
const ENOUGH_BYTES = 4e9;

/**
 * What tests are started with: their folders, thousands of small ones, lie in memory where there is room for them and
 * programs in them may be run. Whoever says TMPDIR decides.
 */
export const testEnvironment = (given: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  given['TMPDIR'] === undefined && canHoldTests(IN_MEMORY) ? { ...given, TMPDIR: IN_MEMORY } : given;

const canHoldTests = (folder: string): boolean => {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize >= ENOUGH_BYTES && mayRunPrograms(folder);
  } catch {
    return false;
  }
};

/** Containers often forbid it there. */
const mayRunPrograms = (folder: string): boolean => {
  const own = mkdtempSync(join(folder, 'coppice-try-'));
  try {
    const program = join(own, 'program');
    writeFileSync(program, '#!/bin/sh\n', { mode: 0o700 });
    return spawnSync(program).status === 0;
  } finally {
    rmSync(own, { recursive: true });
  }
};
