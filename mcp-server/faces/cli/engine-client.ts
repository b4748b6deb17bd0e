import type { Socket } from 'node:net';
import { Client, type JSONRPCMessage, parseJSONRPCMessage, type Transport } from '@modelcontextprotocol/client';
import { UserError, type UserErrorCode } from '../../domain/errors.ts';
import { ERROR_META } from '../host/control.ts';
import { readJsonLines, writeJsonLine } from '../host/json-lines.ts';

/** An engine, asked by the names of its operations. */
export interface EngineClient {
  /**
   * Throws UserError as the engine said it, and `engine-gone` when the connection is lost. `timeoutMs`: how long the
   * answer may take, five minutes without it.
   */
  call<T>(operation: string, input: Record<string, unknown>, timeoutMs?: number): Promise<T>;
  close(): Promise<void>;
}

const CALL_TIMEOUT_MS = 300_000;

/** Speaks MCP over a connection to an engine. */
export const openClient = async (socket: Socket, version: string): Promise<EngineClient> => {
  const client = new Client({ name: 'coppice-cli', version });
  let gone = false;
  // oxlint-disable-next-line unicorn/prefer-add-event-listener -- the SDK's client is no event target
  client.onclose = () => {
    gone = true;
  };
  await client.connect(new SocketTransport(socket)).catch((error) => {
    throw lost(error);
  });
  return {
    call: async <T>(operation: string, input: Record<string, unknown>, timeoutMs = CALL_TIMEOUT_MS): Promise<T> => {
      const result = await client
        .callTool({ name: operation, arguments: input }, { timeout: timeoutMs })
        .catch((error) => {
          throw gone ? lost(error) : error;
        });
      if (result.isError) throw errorOf(result);
      return result.structuredContent as T;
    },
    close: () => client.close(),
  };
};

const lost = (cause: unknown): UserError =>
  new UserError(
    'engine-gone',
    'The connection to the engine was lost. It goes on where it was when it is asked again.',
    {
      cause,
    },
  );

const errorOf = (result: { _meta?: Record<string, unknown> | undefined; content: readonly unknown[] }): Error => {
  const error = result._meta?.[ERROR_META] as { code: UserErrorCode | 'internal'; message: string } | undefined;
  if (error && error.code !== 'internal') return new UserError(error.code, error.message);
  if (error) return new Error(error.message);
  const first = result.content[0] as { text?: string } | undefined;
  return new UserError('bad-input', first?.text ?? 'The engine refused without a reason.');
};

/** Newline-delimited MCP on a socket, from the client's side. */
class SocketTransport implements Transport {
  onclose?: (() => void) | undefined;
  onerror?: ((error: Error) => void) | undefined;
  onmessage?: Transport['onmessage'];
  readonly #socket: Socket;
  #closed = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  async start(): Promise<void> {
    readJsonLines(this.#socket, {
      onValue: (value) => this.#receive(value),
      onBadLine: (error) => this.onerror?.(error),
      onEnd: () => void this.close(),
      onClose: () => void this.close(),
    });
    this.#socket.resume();
  }

  async send(message: JSONRPCMessage): Promise<void> {
    if (this.#closed) throw new Error('The connection is closed.');
    writeJsonLine(this.#socket, message);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.destroy();
    this.onclose?.();
  }

  #receive(value: unknown): void {
    try {
      this.onmessage?.(parseJSONRPCMessage(value));
    } catch (error) {
      this.onerror?.(error as Error);
    }
  }
}
