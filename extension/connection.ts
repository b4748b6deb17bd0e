import type { Readable } from 'node:stream';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import type { OperationName, Operations } from './operations.ts';

/** A program that speaks MCP on its standard input and output. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** An answer of the engine that says no; its message is written for the person. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** A whole answer may hold a thousand agents with their tasks and reports. */
const MAX_MESSAGE_BYTES = 256 * 1024 * 1024;
const CALL_TIMEOUT_MS = 10 * 60_000;

/** One pipe to the engine. It ends when either side closes it, and is never used again after that. */
export class Connection {
  readonly #client: Client;
  readonly #lastWords: () => string;
  readonly #closed = Promise.withResolvers<void>();
  #isOpen = true;

  private constructor(client: Client, lastWords: () => string, onLists: () => void) {
    this.#client = client;
    this.#lastWords = lastWords;
    // The SDK's client has a property for this, and no event target.
    // oxlint-disable-next-line unicorn/prefer-add-event-listener
    client.onclose = () => {
      this.#isOpen = false;
      this.#closed.resolve();
    };
    // Sent after every change of the skills, also when no other list has changed.
    client.setNotificationHandler('notifications/resources/list_changed', onLists);
  }

  /** Starts the program and shakes hands; `onLists` hears of changed lists of skills, tools and prompts. Rejects with the program's own last words when it ends first. */
  static async open(
    launch: Launch,
    version: string,
    log: (line: string) => void,
    onLists: () => void = () => {},
  ): Promise<Connection> {
    const transport = new StdioClientTransport({
      ...launch,
      args: [...launch.args],
      env: { ...launch.env },
      stderr: 'pipe',
      maxBufferSize: MAX_MESSAGE_BYTES,
    });
    const lastWords = readLines(transport.stderr as Readable, log);
    const connection = new Connection(new Client({ name: 'coppice-vscode', version }), lastWords, onLists);
    try {
      await connection.#client.connect(transport, { timeout: 60_000 });
      return connection;
    } catch (error) {
      await transport.close().catch(() => {});
      throw new Error(lastWords() || `The engine could not be started: ${(error as Error).message}`, { cause: error });
    }
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Resolves when the pipe has closed. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** What the program last wrote to its standard error; empty when it said nothing. */
  get lastWords(): string {
    return this.#lastWords();
  }

  /** Calls one operation. Throws RefusedError when the engine refuses, and other errors when the pipe breaks. */
  async call<N extends OperationName>(
    name: N,
    input: Operations[N]['input'],
    signal?: AbortSignal,
  ): Promise<Operations[N]['output']> {
    const result = await this.#client.callTool(
      { name, arguments: input },
      { timeout: CALL_TIMEOUT_MS, ...(signal && { signal }) },
    );
    if (result.isError) throw refusal(result);
    return result.structuredContent as Operations[N]['output'];
  }

  async close(): Promise<void> {
    await this.#client.close();
  }
}

/** Where the server names an error's code beside its text. */
const ERROR_META = 'coppice/error';

const refusal = (result: { content?: unknown; _meta?: Record<string, unknown> | undefined }): RefusedError => {
  const detail = result._meta?.[ERROR_META] as { code: string; message: string } | undefined;
  if (detail) return new RefusedError(detail.code, detail.message);
  const first = (result.content as { text?: string }[] | undefined)?.[0]?.text;
  return new RefusedError('unknown', first ?? 'The engine refused without a reason.');
};

/** Hands each line on and keeps the last few for an error message. */
const readLines = (stream: Readable, log: (line: string) => void): (() => string) => {
  let rest = '';
  const kept: string[] = [];
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines.filter((text) => text.trim() !== '')) {
      log(line);
      kept.push(line);
      if (kept.length > 5) kept.shift();
    }
  });
  return () => [...kept, rest].join('\n').trim();
};
