import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { stripVTControlCharacters } from 'node:util';
import { killOne, noteCommand } from './orphans.ts';

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

/** A program that reads text and writes text: what it writes to its two outputs is kept apart. */
export interface FilterRequest extends ProcessRequest {
  readonly input: string;
  /** It is bubblewrap with `--info-fd 3`: it says there which process it has made, and that one is ended with it. */
  readonly saysInner?: boolean;
}

/** How such a program ended. */
export type FilterOutcome =
  /** `cut`: standard output was longer than twice what is kept of it. */
  | {
      readonly kind: 'exited';
      readonly code: number;
      readonly stdout: string;
      readonly stderr: string;
      readonly cut: boolean;
    }
  | { readonly kind: 'killed'; readonly by: 'signal' | 'timeout' | 'abort'; readonly stderr: string }
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

  /** Something is missing in the middle. */
  get isCut(): boolean {
    return this.#cut > 0 || this.#tail.length > this.#keep;
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

const collect = (keepChars: number, streams: readonly (Readable | null)[]): Bounded => {
  const output = new Bounded(keepChars);
  for (const stream of streams) {
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
export const runProcess = async (request: ProcessRequest, signal: AbortSignal): Promise<ProcessOutcome> => {
  const child = start(request, 'ignore');
  if ('code' in child) return { kind: 'unstartable', code: child.code };
  const output = collect(request.keepChars, [child.stdout, child.stderr]);
  const end = await endOf(child, request, signal);
  return end.kind === 'unstartable' ? end : { ...end, output: stripVTControlCharacters(output.toString()) };
};

/** As `runProcess`, for a program that is given text to read. */
export const runFilter = async (request: FilterRequest, signal: AbortSignal): Promise<FilterOutcome> => {
  const child = start(request, 'pipe', request.saysInner === true ? ['pipe'] : []);
  if ('code' in child) return { kind: 'unstartable', code: child.code };
  if (request.saysInner === true) endInnerWith(child);
  const stdout = collect(request.keepChars, [child.stdout]);
  const stderr = collect(request.keepChars, [child.stderr]);
  // It may end without having read all of it.
  child.stdin?.on('error', () => {});
  child.stdin?.end(request.input);
  const end = await endOf(child, request, signal);
  if (end.kind === 'unstartable') return end;
  const said = stripVTControlCharacters(stderr.toString());
  if (end.kind === 'killed') return { ...end, stderr: said };
  return { ...end, stdout: stdout.toString(), stderr: said, cut: stdout.isCut };
};

const start = (
  request: ProcessRequest,
  stdin: 'ignore' | 'pipe',
  more: readonly 'pipe'[] = [],
): ChildProcess | { readonly code: string } => {
  const [program, ...args] = request.argv;
  try {
    return spawn(program, args, {
      cwd: request.folder,
      env: { ...request.environment },
      stdio: [stdin, 'pipe', 'pipe', ...more],
      detached: process.platform !== 'win32',
      windowsHide: true,
    });
  } catch (error) {
    return { code: (error as NodeJS.ErrnoException).code ?? 'unknown' };
  }
};

/**
 * Bubblewrap's inner process leaves the group some time before it binds itself to the outer one (0.8: both after all is
 * mounted): where the outer one is ended in between, nothing would end the inner one, and all that runs below it.
 */
const endInnerWith = (child: ChildProcess): void => {
  const said = innerPipe(child);
  let text = '';
  const end = (): void => {
    // When it has ended by itself, there is no inner process any more.
    const [, pid] = /"child-pid": (\d+)\b/.exec(text) ?? [];
    if (child.signalCode !== null && pid !== undefined) killOne(Number(pid));
  };
  said?.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
    end();
  });
  said?.on('error', () => {});
  child.on('exit', end);
};

/** Where no file could be opened any more there are no pipes at all, whatever the types say. */
const innerPipe = ({ stdio }: ChildProcess): Readable | undefined =>
  (stdio as readonly unknown[] | undefined)?.[3] as Readable | undefined;

type End =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'killed'; readonly by: 'signal' | 'timeout' | 'abort' }
  | { readonly kind: 'unstartable'; readonly code: string };

const endOf = async (child: ChildProcess, request: ProcessRequest, signal: AbortSignal): Promise<End> => {
  const { commandsDir } = request;
  const forget = commandsDir !== null && child.pid !== undefined ? noteCommand(commandsDir, child.pid) : () => {};
  const end = await new Promise<End>((resolve) => {
    watch(child, request.timeoutMs, signal, resolve);
  });
  forget();
  return end;
};

const watch = (child: ChildProcess, timeoutMs: number, signal: AbortSignal, resolve: (end: End) => void): void => {
  const timers: NodeJS.Timeout[] = [];
  let killedBy: 'timeout' | 'abort' | null = null;
  const kill = (by: 'timeout' | 'abort'): void => {
    killedBy ??= by;
    killGroup(child, 'SIGTERM');
    timers.push(setTimeout(() => killGroup(child, 'SIGKILL'), GRACE_MS));
  };
  const onAbort = (): void => kill('abort');
  const finish = (end: End): void => {
    for (const timer of timers) clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    child.stdin?.destroy();
    child.stdout?.destroy();
    child.stderr?.destroy();
    innerPipe(child)?.destroy();
    resolve(end);
  };
  const ended = (code: number | null): void => {
    if (killedBy) finish({ kind: 'killed', by: killedBy });
    else finish(code === null ? { kind: 'killed', by: 'signal' } : { kind: 'exited', code });
  };
  timers.push(setTimeout(() => kill('timeout'), timeoutMs));
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
