import { type ChildProcess, spawn } from 'node:child_process';
import { StringDecoder } from 'node:string_decoder';
import { stripVTControlCharacters } from 'node:util';
import { noteCommand } from './orphans.ts';

export interface ProcessRequest {
  readonly argv: readonly [string, ...string[]];
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Characters of output that are kept: the first and the last ones. */
  readonly keepChars: number;
  /** Where it is noted while it runs; null: nowhere. */
  readonly commandsDir: string | null;
}

export type ProcessOutcome =
  | { readonly kind: 'exited'; readonly code: number; readonly output: string }
  | { readonly kind: 'killed'; readonly by: 'signal' | 'timeout' | 'abort'; readonly output: string }
  /** `code` is the system's: ENOENT, EACCES. */
  | { readonly kind: 'unstartable'; readonly code: string };

/** Time between asking a process to end and ending it, and for its last output to arrive, ms. */
const GRACE_MS = 500;

/** The beginning and the end of a stream of text, however long it is. */
class Bounded {
  readonly #keep: number;
  #head = '';
  #tail = '';
  #cut = 0;

  constructor(keep: number) {
    this.#keep = keep;
  }

  add(text: string): void {
    const room = Math.max(0, this.#keep - this.#head.length);
    this.#head += text.slice(0, room);
    this.#tail += text.slice(room);
    const over = this.#tail.length - this.#keep;
    // Cutting in big pieces keeps the cost per character constant.
    if (over > this.#keep) this.#shorten(over);
  }

  #shorten(over: number): void {
    this.#tail = this.#tail.slice(over);
    this.#cut += over;
  }

  toString(): string {
    const over = this.#tail.length - this.#keep;
    if (over > 0) this.#shorten(over);
    return this.#cut > 0 ? `${this.#head}\n[… ${this.#cut} characters cut …]\n${this.#tail}` : this.#head + this.#tail;
  }
}

/** Ends the process and all that it has started. */
const killGroup = (child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): void => {
  if (child.pid === undefined) return;
  try {
    if (process.platform === 'win32')
      spawn('taskkill', ['/pid', String(child.pid), '/T', '/F'], { stdio: 'ignore' }).unref();
    else process.kill(-child.pid, signal);
  } catch {
    // The group is gone already.
  }
};

const collect = (child: ChildProcess, keepChars: number): Bounded => {
  const output = new Bounded(keepChars);
  for (const stream of [child.stdout, child.stderr]) {
    const decoder = new StringDecoder('utf8');
    stream?.on('data', (chunk: Buffer) => output.add(decoder.write(chunk)));
    stream?.on('error', () => {});
  }
  return output;
};

/**
 * Runs one program without a shell, in a process group of its own, with nothing to read. The whole group is ended on
 * timeout, on abort, and when the program itself has ended. Never throws.
 */
export const runProcess = (request: ProcessRequest, signal: AbortSignal): Promise<ProcessOutcome> =>
  new Promise((resolve) => {
    const [program, ...args] = request.argv;
    let child: ChildProcess;
    try {
      child = spawn(program, args, {
        cwd: request.folder,
        env: { ...request.environment },
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: process.platform !== 'win32',
        windowsHide: true,
      });
    } catch (error) {
      return resolve({ kind: 'unstartable', code: (error as NodeJS.ErrnoException).code ?? 'unknown' });
    }
    const { commandsDir } = request;
    const forget = commandsDir !== null && child.pid !== undefined ? noteCommand(commandsDir, child.pid) : () => {};
    watch(child, request, signal, (outcome) => {
      forget();
      resolve(outcome);
    });
  });

const watch = (
  child: ChildProcess,
  request: ProcessRequest,
  signal: AbortSignal,
  resolve: (outcome: ProcessOutcome) => void,
): void => {
  const output = collect(child, request.keepChars);
  const timers: NodeJS.Timeout[] = [];
  let killedBy: 'timeout' | 'abort' | null = null;
  const kill = (by: 'timeout' | 'abort'): void => {
    killedBy ??= by;
    killGroup(child, 'SIGTERM');
    timers.push(setTimeout(() => killGroup(child, 'SIGKILL'), GRACE_MS));
  };
  const onAbort = (): void => kill('abort');
  const finish = (outcome: ProcessOutcome): void => {
    for (const timer of timers) clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    child.stdout?.destroy();
    child.stderr?.destroy();
    resolve(outcome);
  };
  const ended = (code: number | null): void => {
    const text = stripVTControlCharacters(output.toString());
    if (killedBy) finish({ kind: 'killed', by: killedBy, output: text });
    else if (code === null) finish({ kind: 'killed', by: 'signal', output: text });
    else finish({ kind: 'exited', code, output: text });
  };
  timers.push(setTimeout(() => kill('timeout'), request.timeoutMs));
  signal.addEventListener('abort', onAbort);
  if (signal.aborted) onAbort();
  child.on('error', (error: NodeJS.ErrnoException) => {
    if (child.pid === undefined) finish({ kind: 'unstartable', code: error.code ?? 'unknown' });
  });
  child.on('exit', (code) => {
    killGroup(child, 'SIGKILL');
    // Something that left the group may hold the pipes open for ever.
    timers.push(setTimeout(() => ended(code), GRACE_MS));
  });
  child.on('close', ended);
};
