import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import type { Editor } from '../../.tools/editor.ts';

/** How an editor is started. */
export interface EditorOptions {
  readonly installed: Editor;
  /** A VSIX to install before the start. */
  readonly vsix?: string;
  /** False: restricted mode, until the person trusts the folder. */
  readonly trusted: boolean;
  /** For tests that the workbench is to load into the extension host. It shows no notifications then. */
  readonly driver?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** Of this machine: they hold where the person has said nothing. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

/** A running VS Code with a browser before it. */
export interface RunningEditor {
  readonly origin: string;
  readonly browser: Browser;
  /** The environment of the extension host; whoever starts a program with it meets the same engine. */
  readonly env: NodeJS.ProcessEnv;
  newPage(): Promise<Page>;
  /** Ends browser and editor and removes their files. */
  close(): Promise<void>;
}

const BROWSER_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Starts VS Code on a free port of this machine, in folders of its own. */
export const startEditor = async (options: EditorOptions): Promise<RunningEditor> => {
  const home = await mkdtemp(join(tmpdir(), 'coppice-editor-'));
  const folders = [
    '--server-data-dir',
    home,
    '--user-data-dir',
    join(home, 'ud'),
    '--extensions-dir',
    join(home, 'ext'),
  ];
  const machine = join(home, 'ud', 'Machine');
  await mkdir(machine, { recursive: true });
  await writeFile(join(machine, 'settings.json'), JSON.stringify(options.settings ?? {}));
  for (const name of ['run', 'home']) await mkdir(join(home, name), { mode: 0o700 });
  // Neither skills nor grants of whoever runs the tests, and nothing left behind for them.
  const own = { HOME: join(home, 'home'), XDG_CONFIG_HOME: join(home, 'config'), XDG_RUNTIME_DIR: join(home, 'run') };
  const env = { ...process.env, ...options.env, ...own };
  const server = [options.installed.serverMain, '--accept-server-license-terms', ...folders];
  if (options.vsix) await finished(spawnQuiet([...server, '--install-extension', options.vsix, '--force'], env));
  const port = await freePort();
  const flags = ['--host', '127.0.0.1', '--port', String(port), '--without-connection-token'];
  if (options.driver) flags.push('--enable-smoke-test-driver');
  const trust = options.trusted ? ['--disable-workspace-trust'] : [];
  const child = spawnQuiet([...server, ...flags, '--disable-telemetry', ...trust], env);
  const origin = `http://127.0.0.1:${port}`;
  try {
    await answers(origin, child);
    const browser = await chromium.launch({ executablePath: options.installed.chromium, args: BROWSER_FLAGS });
    const close = async (): Promise<void> => {
      await browser.close();
      await end(child, home);
    };
    const newPage = async (): Promise<Page> =>
      // What moves is drawn by the CPU, sixty times a second.
      browser.newPage({ viewport: { width: 1440, height: 900 }, reducedMotion: 'reduce' });
    return { origin, browser, env, newPage, close };
  } catch (error) {
    await end(child, home);
    throw error;
  }
};

/** The address that opens a folder, optionally with more instructions for the workbench. */
export const folderAddress = (
  origin: string,
  folder: string,
  payload?: readonly (readonly [string, string])[],
): string => {
  const query = new URLSearchParams({ folder });
  if (payload) query.set('payload', JSON.stringify(payload));
  return `${origin}/?${query.toString()}`;
};

/** Whatever goes wrong, nothing outlives the tests. */
const running = new Set<ChildProcess>();
process.once('exit', () => running.forEach((child) => signalGroup(child, 'SIGKILL')));

const spawnQuiet = (args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess & { said?: string } => {
  // A group of its own: the extension host and what it started end together with the server.
  const child: ChildProcess & { said?: string } = spawn(process.execPath, args, {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: process.platform !== 'win32',
  });
  const keep = (chunk: Buffer): void => {
    child.said = ((child.said ?? '') + chunk.toString()).slice(-4000);
  };
  running.add(child);
  child.once('close', () => running.delete(child));
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  return child;
};

const finished = async (child: ChildProcess & { said?: string }): Promise<void> => {
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`The extension could not be installed:\n${child.said ?? ''}`);
};

const answers = async (origin: string, child: ChildProcess & { said?: string }): Promise<void> => {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; ) {
    if (child.exitCode !== null) break;
    const isUp = await fetch(`${origin}/version`).then(
      (response) => response.ok,
      () => false,
    );
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`VS Code did not start:\n${child.said ?? ''}`);
};

const end = async (child: ChildProcess, home: string): Promise<void> => {
  const closed = child.exitCode === null ? new Promise((resolve) => child.once('close', resolve)) : undefined;
  signalGroup(child, 'SIGTERM');
  const hard = setTimeout(() => signalGroup(child, 'SIGKILL'), 5000);
  await closed;
  clearTimeout(hard);
  signalGroup(child, 'SIGKILL');
  await rm(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
};

const signalGroup = (child: ChildProcess, signal: NodeJS.Signals): void => {
  try {
    if (process.platform === 'win32') child.kill(signal);
    else if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    // Nobody of the group is left.
  }
};

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
