import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import type { Clock } from '../domain/clock.ts';
import { messageOf, type UserError } from '../domain/errors.ts';
import { type Faults, GitError, gitMissing } from './git-exec.ts';
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

/** Git asks for the time once, and writes it into the log of each ref that it moves: that is how wrong it may be, ms. */
const MOST_AGE = 10_000;

const LABEL = 'update-ref';
const DONE = 'commit: ok\n';

interface Session {
  readonly child: ChildProcessWithoutNullStreams;
  readonly since: number;
  ended: boolean;
  /** Carries out one transaction. Git ends when it refuses one, and so does the session. */
  write(commands: string): Promise<void>;
}

/** `start` begins a session of `REF_WRITER`; `faults` hear of every transaction as of a command. */
export const createRefWriter = (
  start: () => ChildProcessWithoutNullStreams,
  clock: Pick<Clock, 'now'>,
  faults: Faults = {},
): RefWriter => {
  const queue = createQueue();
  let session: Session | null = null;
  let closed = false;
  const fresh = (): Session => {
    const now = clock.now();
    if (session && !session.ended && Math.abs(now - session.since) < MOST_AGE) return session;
    session?.child.stdin.end();
    session = openSession(start(), now);
    return session;
  };
  const write = async (commands: string): Promise<void> => {
    if (closed) throw new Error('The repository is closed.');
    faults.before?.(LABEL);
    await fresh().write(commands);
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

const openSession = (child: ChildProcessWithoutNullStreams, since: number): Session => {
  let said = '';
  let stderr = '';
  let settle: ((error: GitError | UserError | null) => void) | null = null;
  const answer = (error: GitError | UserError | null): void => {
    settle?.(error);
    settle = null;
  };
  const lost = (error: GitError | UserError): void => {
    session.ended = true;
    holdProcess(child, false);
    answer(error);
  };
  const session: Session = {
    child,
    since,
    ended: false,
    write: async (commands) => {
      said = '';
      holdProcess(child, true);
      const error = await new Promise<GitError | UserError | null>((resolve) => {
        settle = resolve;
        child.stdin.write(`start\0${commands}commit\0`);
      });
      if (error) throw error;
      holdProcess(child, false);
    },
  };
  child.on('error', (error) =>
    lost('code' in error && error.code === 'ENOENT' ? gitMissing() : new GitError(LABEL, null, messageOf(error))),
  );
  child.on('close', (code: number | null) => lost(new GitError(LABEL, code, stderr || 'It ended without a word.')));
  // What git had to say comes with its end.
  child.stdin.on('error', () => undefined);
  child.stderr.on('data', (chunk: Buffer) => (stderr = (stderr + chunk.toString('utf8')).slice(-MOST_WORDS)));
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString('utf8');
    if (said.endsWith(DONE)) answer(null);
  });
  holdProcess(child, false);
  return session;
};

const MOST_WORDS = 10_000;
