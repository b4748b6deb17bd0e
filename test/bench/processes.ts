import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { ENGINE_ENVIRONMENT, ENGINE_FLAGS } from '../../mcp-server/faces/host/engine-flags.ts';
import { bundled } from './bundle.ts';
import type { ServerJob } from './server-child.ts';

const start = async (file: string, job: object): Promise<ChildProcess> => {
  // The bare client runs as Node comes, an engine as the program starts it.
  const isBare = file === 'bare-child.ts';
  const child = fork(await bundled(file), [], {
    execArgv: isBare ? [] : [...ENGINE_FLAGS],
    env: isBare ? process.env : { ...ENGINE_ENVIRONMENT, ...process.env },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  child.send(job);
  return child;
};

const answerOf = async (child: ChildProcess, file: string): Promise<unknown> => {
  const [kind, value] = await Promise.race([
    once(child, 'message').then(([message]) => ['message', message] as const),
    once(child, 'exit').then(([code]) => ['exit', code] as const),
  ]);
  if (kind === 'exit') throw new Error(`${file} ended with ${String(value)} and no answer.`);
  return value;
};

/** Runs a file of this folder in a fresh process, gives it the job, and returns its one answer. */
export const inChild = async (file: string, job: object): Promise<unknown> => {
  const child = await start(file, job);
  const gone = once(child, 'exit');
  try {
    return await answerOf(child, file);
  } finally {
    child.kill('SIGKILL');
    await gone;
  }
};

/** The same, but the process stays until `stop`. */
const keepChild = async (file: string, job: object): Promise<{ readonly answer: unknown; stop(): Promise<void> }> => {
  const child = await start(file, job);
  const gone = once(child, 'exit');
  const answer = await answerOf(child, file);
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await gone;
  };
  return { answer, stop };
};

/** The scripted server in a process of its own. */
export const startServer = async (job: ServerJob = {}): Promise<{ readonly url: string; stop(): Promise<void> }> => {
  const { answer, stop } = await keepChild('server-child.ts', job);
  return { ...(answer as { readonly url: string }), stop };
};
