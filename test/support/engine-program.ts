import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type BuildOptions, build } from 'esbuild';
import { BUNDLING } from '../../.tools/bundling.ts';
import type { Order, Verdict } from './engine-process.ts';
import { newest } from './newest.ts';

const ROOT = join(import.meta.dirname, '../..');
/** Within the project, where its native module is found. */
const CACHE = join(ROOT, '.cache');
const MADE = join(CACHE, 'engine-process');
const LIMIT_MS = 60_000;
const AN_HOUR_MS = 3_600_000;

let program: Promise<string> | undefined;

/** The program of `engine-process.ts`, bundled and started as the real one is: made once, and anew when a source is younger. */
export const engineProgram = (): Promise<string> => (program ??= make());

/** Starts an engine with the order and waits for its end. Null: it was killed, by the order's crash or otherwise. */
export const runEngine = async (order: Order): Promise<Verdict | null> => {
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [await engineProgram(), JSON.stringify(order)], {
      timeout: LIMIT_MS,
    });
    return verdictIn(stdout);
  } catch (error) {
    if ((error as { signal?: string }).signal === 'SIGKILL') return null;
    throw error;
  }
};

/** The last line of what an engine of the program has said. */
export const verdictIn = (output: string): Verdict => JSON.parse(output.trim().split('\n').at(-1) ?? '') as Verdict;

const make = async (): Promise<string> => {
  const stamp = Math.max(newest(join(ROOT, 'mcp-server')), newest(import.meta.dirname), newest(join(ROOT, '.tools')));
  const place = join(MADE, String(stamp));
  const start = join(place, 'start.js');
  if (existsSync(start)) return start;
  mkdirSync(MADE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, 'engine-process-'));
  const shared: BuildOptions = { ...BUNDLING, absWorkingDir: ROOT, external: ['better-sqlite3'] };
  const entries = { program: 'test/support/engine-process.ts', start: 'mcp-server/start.ts' };
  await build({ ...shared, entryPoints: entries, outdir: folder, logLevel: 'error' });
  writeFileSync(join(folder, 'package.json'), '{"type":"commonjs"}\n');
  cpSync(join(ROOT, 'mcp-server/store/migrations'), join(folder, 'migrations'), { recursive: true });
  // Another run of the tests, of sources as they were, may still start an old one.
  for (const old of readdirSync(MADE))
    if (statSync(join(MADE, old)).mtimeMs < Date.now() - AN_HOUR_MS)
      rmSync(join(MADE, old), { recursive: true, force: true });
  try {
    renameSync(folder, place);
  } catch (error) {
    // Another process of the tests was quicker.
    rmSync(folder, { recursive: true });
    if (!existsSync(start)) throw error;
  }
  return start;
};
