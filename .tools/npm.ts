import { spawn } from 'node:child_process';
import { delimiter, dirname } from 'node:path';

/** Runs npm; rejects with the end of what it printed. */
export const npm = (args: readonly string[], cwd: string): Promise<void> =>
  run(process.platform === 'win32' ? 'npm.cmd' : 'npm', args, cwd);

/** Runs a program with this very Node first on the PATH; rejects with the end of what it printed. */
export const run = (program: string, args: readonly string[], cwd: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const env: NodeJS.ProcessEnv = {
      ...process.env,
      PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}`,
    };
    // An npm script hands its own settings down; they must not steer an install elsewhere.
    for (const name of Object.keys(env))
      if (/^npm_(config_(prefix|local_prefix)|package|lifecycle)/.test(name)) delete env[name];
    const child = spawn(program, args, {
      cwd,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: program.endsWith('.cmd'),
    });
    let tail = '';
    const keep = (chunk: Buffer): void => {
      tail = (tail + chunk.toString()).slice(-4000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) =>
      reject(new Error(`${program} could not be started: ${error.message}`, { cause: error })),
    );
    child.on('close', (code) =>
      code === 0
        ? resolve()
        : reject(new Error(`${program} ${args.join(' ')} failed (exit ${code}) in ${cwd}:\n${tail.trim()}`)),
    );
  });
