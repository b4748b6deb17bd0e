import type { Socket } from 'node:net';
import { type JSONRPCMessage, parseJSONRPCMessage, type Transport } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import type { ControlHandler } from '../host/control.ts';
import { readJsonLines, writeJsonLine } from '../host/json-lines.ts';
import type { McpCore } from './core.ts';
import { Followed } from './resources.ts';
import { createMcpServer } from './server.ts';

/**
 * Serves MCP on one connection until the client leaves. Returns how to end it. Whoever can open the private socket is
 * the person: every operation is offered.
 */
export const serveConnection = (socket: Socket, core: McpCore, control: ControlHandler): (() => void) => {
  const ending = new AbortController();
  // The newer era's servers do not hear which resources a client listens for; here it passes by.
  const newer = new Followed();
  const transport = new ConnectionTransport(socket, control, {
    ending: () => ending.abort(),
    listens: (uris) => {
      for (const uri of uris) newer.add(uri);
    },
  });
  const serverFor = ({ era }: { era: 'legacy' | 'modern' }) => {
    const followed = era === 'modern' ? newer : new Followed();
    return createMcpServer(core, { scope: 'land', ending: ending.signal, followed });
  };
  const handle = serveStdio(serverFor, {
    transport,
    onerror: (error) => core.log(`connection: ${error.message}`),
  });
  return () => void handle.close().catch(() => {});
};

interface ConnectionListener {
  /** The client will ask nothing more. Called at least once. */
  ending(): void;
  /** The client listens for changes of these resources. */
  listens(uris: readonly string[]): void;
}

const listenedIn = (params: unknown): readonly string[] => {
  const { notifications } = (params ?? {}) as { notifications?: { resourceSubscriptions?: unknown } };
  const uris = notifications?.resourceSubscriptions;
  return Array.isArray(uris) ? uris.filter((uri): uri is string => typeof uri === 'string') : [];
};

/**
 * Newline-delimited MCP on a socket that the client may half-close: what was asked before is still answered. Requests
 * of the host's own protocol (`coppice/…`) are answered here and never reach MCP.
 */
class ConnectionTransport implements Transport {
  onclose?: (() => void) | undefined;
  onerror?: ((error: Error) => void) | undefined;
  onmessage?: Transport['onmessage'];
  readonly #socket: Socket;
  readonly #control: ControlHandler;
  readonly #on: ConnectionListener;
  readonly #unanswered = new Set<string | number>();
  #ended = false;
  #closed = false;

  constructor(socket: Socket, control: ControlHandler, on: ConnectionListener) {
    this.#socket = socket;
    this.#control = control;
    this.#on = on;
  }

  async start(): Promise<void> {
    readJsonLines(this.#socket, {
      onValue: (value) => this.#receive(value),
      onBadLine: (error) => this.onerror?.(error),
      onEnd: () => this.#end(),
      onClose: () => void this.close(),
    });
  }

  async send(message: JSONRPCMessage): Promise<void> {
    if (this.#closed) return;
    writeJsonLine(this.#socket, message);
    if (!('method' in message) && message.id !== undefined) this.#settle(message.id);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#on.ending();
    // Whatever was written is flushed before the stream ends.
    this.#socket.end();
    this.onclose?.();
  }

  #receive(value: unknown): void {
    if (this.#closed) return;
    let message: JSONRPCMessage;
    try {
      message = parseJSONRPCMessage(value);
    } catch (error) {
      return this.onerror?.(error as Error);
    }
    if ('method' in message && 'id' in message) {
      this.#unanswered.add(message.id);
      if (message.method.startsWith('coppice/')) return void this.#answer(message.id, message.method, message.params);
    }
    if ('method' in message && message.method === 'subscriptions/listen') this.#on.listens(listenedIn(message.params));
    this.onmessage?.(message);
    // A cancelled request gets no answer.
    if ('method' in message && message.method === 'notifications/cancelled') {
      const id = message.params?.['requestId'] as string | number | undefined;
      if (id !== undefined) this.#settle(id);
    }
  }

  async #answer(id: string | number, method: string, params: Record<string, unknown> = {}): Promise<void> {
    const result = await this.#control(method, params).catch(() => null);
    const body = result ? { result } : { error: { code: -32601, message: `There is no ${method}.` } };
    await this.send({ jsonrpc: '2.0', id, ...body });
  }

  #settle(id: string | number): void {
    this.#unanswered.delete(id);
    this.#leaveWhenDone();
  }

  #end(): void {
    this.#ended = true;
    this.#on.ending();
    this.#leaveWhenDone();
  }

  #leaveWhenDone(): void {
    if (this.#ended && this.#unanswered.size === 0) void this.close();
  }
}
