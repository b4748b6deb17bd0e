import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { messageOf } from '../domain/errors.ts';
import { type Faults, GitError } from './git-exec.ts';
import { holdProcess } from './hold-process.ts';
import { createQueue } from './queue.ts';

/** Moves refs through one git process, which is started when first needed and again after it died. */
export interface RefWriter {
  /**
   * Carries out commands of `git update-ref -z --stdin`, all of them or none, one call after the other. Rejects with a
   * GitError that has git's words.
   */
  write(commands: string): Promise<void>;
  /** Resolves when the process has been told to end; what was asked before is done. */
  close(): Promise<void>;
}

/** The git command that a ref writer speaks with. */
export const REF_WRITER = ['update-ref', '--no-deref', '-m', 'coppice', '-z', '--stdin'];

const LABEL = 'update-ref';
const DONE = 'commit: ok\n';

interface Session {
  readonly child: ChildProcessWithoutNullStreams;
  /** Carries out one transaction. Git ends when it refuses one, and so does the session. */
  write(commands: string): Promise<void>;
}

/** `start` begins a session of `REF_WRITER`; `faults` hear of every transaction as of a command. */
export const createRefWriter = (start: () => ChildProcessWithoutNullStreams, faults: Faults = {}): RefWriter => {
  const queue = createQueue();
  let session: Session | null = null;
  let closed = false;
  const write = async (commands: string): Promise<void> => {
    if (closed) throw new Error('The repository is closed.');
    faults.before?.(LABEL);
    session ??= openSession(start(), () => {
      session = null;
    });
    await session.write(commands);
    faults.after?.(LABEL);
  };
  return {
    write: (commands) => queue.run(() => write(commands)),
    close: () =>
      queue.run(async () => {
        closed = true;
        session?.child.stdin.end();
      }),
  };
};

const openSession = (child: ChildProcessWithoutNullStreams, ended: () => void): Session => {
  let said = '';
  let stderr = '';
  let settle: ((error: GitError | null) => void) | null = null;
  const answer = (error: GitError | null): void => {
    settle?.(error);
    settle = null;
  };
  const lost = (code: number | null, why: string): void => {
    ended();
    holdProcess(child, false);
    answer(new GitError(LABEL, code, why));
  };
  child.on('error', (error) => lost(null, messageOf(error)));
  child.on('close', (code: number | null) => lost(code, stderr));
  // What git had to say comes with its end.
  child.stdin.on('error', () => undefined);
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString('utf8');
    if (said.endsWith(DONE)) answer(null);
  });
  holdProcess(child, false);
  return {
    child,
    write: async (commands) => {
      said = '';
      holdProcess(child, true);
      const error = await new Promise<GitError | null>((resolve) => {
        settle = resolve;
        child.stdin.write(`start\0${commands}commit\0`);
      });
      if (error) throw error;
      holdProcess(child, false);
    },
  };
};
