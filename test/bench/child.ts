import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** What a measuring process used for its job, warm-up left out. */
export interface Used {
  readonly wallMs: number;
  readonly cpuMs: number;
  /** The most memory that the process ever held, MB. */
  readonly peakMb: number;
}

const start = (file: string, job: object): ChildProcess => {
  const child = fork(join(import.meta.dirname, file), [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
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
  const child = start(file, job);
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
  const child = start(file, job);
  const gone = once(child, 'exit');
  const answer = await answerOf(child, file);
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await gone;
  };
  return { answer, stop };
};

/** In the child: does the job and answers. The parent ends the process. */
export const serve = (work: (job: unknown) => Promise<object>): void => {
  process.once('disconnect', () => process.exit(1));
  process.once('message', (job) => {
    void work(job).then(
      (answer) => process.send?.(answer),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
};

/** Wall time and CPU of the work, in this process; garbage of what came before it does not count. */
export const measure = async (work: () => Promise<void>): Promise<Used> => {
  const wall = performance.now();
  const cpu = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(cpu);
  return {
    wallMs: performance.now() - wall,
    cpuMs: (user + system) / 1000,
    peakMb: process.resourceUsage().maxRSS / 1024,
  };
};

/** The scripted server in a process of its own, with as many slots. */
export const startServer = async (slots?: number): Promise<{ readonly url: string; stop(): Promise<void> }> => {
  const { answer, stop } = await keepChild('server-child.ts', slots === undefined ? {} : { slots });
  return { ...(answer as { readonly url: string }), stop };
};
