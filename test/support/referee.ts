import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One check of the referee. */
export interface Check {
  readonly scenario: string;
  readonly id: string;
  readonly status: string;
  readonly error: string;
}

/** What the referee found. */
export interface Verdict {
  readonly status: number | null;
  readonly output: string;
  readonly checks: readonly Check[];
}

/** The official referees, by the name of the package here. */
const REFEREES = {
  stable: fileURLToPath(import.meta.resolve('@modelcontextprotocol/conformance/dist/index.js')),
  next: fileURLToPath(import.meta.resolve('conformance-next/dist/index.js')),
} as const;

/** Has a referee look at a server. */
export const judge = async (
  referee: keyof typeof REFEREES,
  url: string,
  ...args: readonly string[]
): Promise<Verdict> => {
  const folder = mkdtempSync(join(tmpdir(), 'coppice-referee-'));
  try {
    const child = spawn(process.execPath, [REFEREES[referee], 'server', '--url', url, '-o', folder, ...args], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (chunk) => (output += String(chunk)));
    child.stderr.on('data', (chunk) => (output += String(chunk)));
    const timer = setTimeout(() => child.kill('SIGKILL'), 150_000);
    const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
    clearTimeout(timer);
    return { status, output, checks: checksIn(folder) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

/** `server-ping-2026-…/checks.json` → checks. */
const checksIn = (folder: string): Check[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('checks.json'))
    .flatMap((path) => {
      const checks = JSON.parse(readFileSync(join(folder, path), 'utf8')) as {
        id: string;
        status: string;
        errorMessage?: string;
      }[];
      return checks.map(({ id, status, errorMessage }) => ({ scenario: path, id, status, error: errorMessage ?? '' }));
    });
