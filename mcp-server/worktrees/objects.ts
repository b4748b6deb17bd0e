import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import type { Commit } from '../domain/ids.ts';
import { holdProcess } from './hold-process.ts';

/** What git says of an object; `size` in bytes. */
export interface StoredObject {
  readonly oid: string;
  readonly type: string;
  readonly size: number;
}

/** Reads the object store through one git process, which is started when first needed and again after it died. */
export interface ObjectReader {
  /** Null when the name (an object, `refs/heads/x`, `<commit>^{tree}`) means nothing. */
  info(name: string): Promise<StoredObject | null>;
  /** The bytes of an object. Null when there is none. */
  contents(oid: string): Promise<Buffer | null>;
  close(): void;
}

interface Request {
  readonly line: string;
  readonly wantsBody: boolean;
  readonly resolve: (answer: { readonly object: StoredObject; readonly body: Buffer } | null) => void;
  readonly reject: (error: Error) => void;
  retried: boolean;
}

/** The git command that an object reader speaks with. */
export const OBJECT_READER = ['cat-file', '--batch-command'];

/** `start` begins a session of `OBJECT_READER`; close the reader to end it. */
export const createObjectReader = (start: () => ChildProcessWithoutNullStreams): ObjectReader => {
  const connection = new BatchConnection(start);
  return {
    info: async (name) => (await connection.ask('info', name))?.object ?? null,
    contents: async (oid) => (await connection.ask('contents', oid))?.body ?? null,
    close: () => {
      connection.close();
    },
  };
};

/** Owns the process, the questions that it has not answered yet, and the bytes of an answer that is not whole yet. */
class BatchConnection {
  readonly #start: () => ChildProcessWithoutNullStreams;
  #child: ChildProcessWithoutNullStreams | null = null;
  #pending: Request[] = [];
  #chunks: Buffer[] = [];
  #buffered = 0;
  /** Bytes that must be there before it is worth looking again. */
  #wanted = 1;
  #closed = false;

  constructor(start: () => ChildProcessWithoutNullStreams) {
    this.#start = start;
  }

  ask(verb: 'info' | 'contents', name: string): Promise<Parameters<Request['resolve']>[0]> {
    if (this.#closed) return Promise.reject(new Error('The repository is closed.'));
    if (/[\n\0]/.test(name)) return Promise.resolve(null);
    return new Promise((resolve, reject) => {
      this.#send({ line: `${verb} ${name}\n`, wantsBody: verb === 'contents', resolve, reject, retried: false });
    });
  }

  close(): void {
    this.#closed = true;
    const child = this.#child;
    this.#lost(child, 'The repository was closed.');
    child?.kill();
  }

  #send(request: Request): void {
    const child = this.#child ?? this.#connect();
    this.#pending.push(request);
    if (this.#pending.length === 1) holdProcess(child, true);
    child.stdin.write(request.line);
  }

  #connect(): ChildProcessWithoutNullStreams {
    const child = this.#start();
    this.#child = child;
    this.#chunks = [];
    this.#buffered = 0;
    this.#wanted = 1;
    const lost = (): void => {
      this.#lost(child, 'git cat-file ended.');
    };
    child.on('error', lost).on('close', lost);
    child.stdin.on('error', lost);
    child.stderr.resume();
    child.stdout.on('data', (chunk: Buffer) => {
      if (this.#child === child) this.#receive(chunk);
    });
    holdProcess(child, false);
    return child;
  }

  /** Each question is asked once more of a fresh process, since reading can do no harm. */
  #lost(child: ChildProcessWithoutNullStreams | null, why: string): void {
    if (child === null || this.#child !== child) return;
    this.#child = null;
    holdProcess(child, false);
    const pending = this.#pending;
    this.#pending = [];
    for (const request of pending) {
      if (request.retried || this.#closed) request.reject(new Error(why));
      else this.#send(Object.assign(request, { retried: true }));
    }
  }

  #receive(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    while (this.#buffered >= this.#wanted && this.#pending[0] && this.#answer(this.#pending[0]));
    if (this.#pending.length === 0 && this.#child) holdProcess(this.#child, false);
  }

  /** Takes one answer off the buffer; false when it is not whole yet. */
  #answer(request: Request): boolean {
    const bytes = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
    this.#chunks = [bytes];
    const lineEnd = bytes.indexOf(10);
    if (lineEnd < 0) return this.#wait(bytes.length + 1);
    const [, oid, type, size] = /^([0-9a-f]{40,64}) (\w+) (\d+)$/.exec(bytes.toString('utf8', 0, lineEnd)) ?? [];
    if (oid === undefined || type === undefined) return this.#done(request, bytes, lineEnd + 1, null);
    const object = { oid, type, size: Number(size) };
    if (!request.wantsBody) return this.#done(request, bytes, lineEnd + 1, { object, body: Buffer.alloc(0) });
    const bodyEnd = lineEnd + 1 + object.size;
    if (bytes.length < bodyEnd + 1) return this.#wait(bodyEnd + 1);
    return this.#done(request, bytes, bodyEnd + 1, { object, body: Buffer.from(bytes.subarray(lineEnd + 1, bodyEnd)) });
  }

  #wait(bytes: number): false {
    this.#wanted = bytes;
    return false;
  }

  #done(request: Request, bytes: Buffer, used: number, answer: Parameters<Request['resolve']>[0]): true {
    const rest = bytes.subarray(used);
    this.#chunks = rest.length > 0 ? [rest] : [];
    this.#buffered = rest.length;
    this.#wanted = 1;
    this.#pending.shift();
    request.resolve(answer);
    return true;
  }
}

/** Throws when this is not a full object name: a bug, since commits come from git or the database. */
export const assertCommit = (commit: string): Commit => {
  if (!/^[0-9a-f]{40}([0-9a-f]{24})?$/.test(commit)) throw new Error(`Not a commit name: ${JSON.stringify(commit)}`);
  return commit as Commit;
};
