import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import type { Clock } from '../../domain/clock.ts';
import { messageOf, UserError } from '../../domain/errors.ts';
import type { Engine } from '../../engine/facade.ts';
import { type ControlHandler, type ServeHttpAnswer, type ServeHttpRequest, STOPPED } from './control.ts';
import { writeJsonLine } from './json-lines.ts';

/** What a host needs; everything is ready to use, and the repository's lock is held. */
export interface HostParts {
  readonly engine: Engine;
  readonly version: string;
  /** For the person, in words: what was not as it should be when the engine started. */
  readonly notices: readonly string[];
  readonly pid: number;
  readonly socket: string;
  readonly platform: NodeJS.Platform;
  /** `.coppice/engine.json`: tells people and doctor who serves this repository. */
  readonly stateFile: string;
  /** How long there may be no connection and no work before the engine leaves, ms. */
  readonly idleMs: number;
  /** How long a graceful stop may take, ms. */
  readonly stopMs: number;
  readonly clock: Clock;
  /** Whether the repository's state still lies where it was when the engine began: people delete and move folders. */
  present(): boolean;
  /** After the engine has stopped and before the clients hear of it: gives up the repository. */
  release(): Promise<void>;
  /** Speaks MCP on a connection until it ends; returns how to end it. */
  serve(socket: Socket, control: ControlHandler): () => void;
  /** Opens HTTP on loopback. Throws UserError. Absent: this host has none. */
  openHttp?(
    request: ServeHttpRequest,
  ): Promise<{ readonly url: string; readonly port: number; close(): Promise<void> }>;
  log(line: string): void;
}

/** An engine that listens. */
export interface Host {
  /** Ends it gracefully; idempotent. Its calls under way go on at the next start. */
  stop(reason: string): Promise<void>;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
}

/** Listens on the socket and serves every connection; leaves by itself when nobody needs it. */
export const startHost = async (parts: HostParts): Promise<Host> => {
  const host = new ListeningHost(parts);
  await host.listen();
  return host;
};

class ListeningHost implements Host {
  readonly ended: Promise<void>;
  readonly #parts: HostParts;
  readonly #server: Server;
  readonly #connections = new Map<Socket, () => void>();
  /** Connections that HTTP was opened for, with how to close it. */
  readonly #https = new Map<Socket, () => Promise<void>>();
  #resolveEnded: () => void = () => {};
  #idleSince: number | null = null;
  #timer: NodeJS.Timeout | undefined;
  #stopping: Promise<void> | undefined;

  constructor(parts: HostParts) {
    this.#parts = parts;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  async listen(): Promise<void> {
    const { socket, platform, stateFile, version, pid, idleMs } = this.#parts;
    await mkdir(dirname(stateFile), { recursive: true });
    await rm(stateFile, { force: true });
    await writeFile(stateFile, `${JSON.stringify({ pid, socket, version })}\n`, { mode: 0o600 });
    if (platform !== 'win32') await rm(socket, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen(socket, resolve);
    });
    this.#server.on('error', (error) => this.#parts.log(`socket: ${error.message}`));
    if (platform !== 'win32') await chmod(socket, 0o600);
    this.#timer = setInterval(() => void this.#leaveWhenIdle(), Math.min(5000, Math.max(20, idleMs / 4)));
    this.#parts.log(`engine ${version} listens, pid ${pid}`);
  }

  stop(reason: string): Promise<void> {
    this.#stopping ??= this.#stop(reason);
    return this.#stopping;
  }

  #accept(socket: Socket): void {
    // Whoever finds the connection closed starts an engine for what lies there now.
    this.#leaveWhenGone();
    if (this.#stopping) return void socket.destroy();
    this.#idleSince = null;
    const end = this.#parts.serve(socket, (method, params) =>
      method === 'coppice/serve' ? this.#serveHttp(socket, params) : this.#control(method, params),
    );
    this.#connections.set(socket, end);
    socket.once('close', () => this.#connections.delete(socket));
  }

  async #control(method: string, params: Record<string, unknown>): Promise<Record<string, unknown> | null> {
    const { version, pid, engine, notices } = this.#parts;
    const others = this.#connections.size - 1;
    const idle = await engine.isIdle();
    if (method === 'coppice/hello') return { version, pid, idle, others, notices };
    if (method !== 'coppice/stop') return null;
    if (params['unlessBusy'] === true && (!idle || others > 0)) return { stopping: false };
    // After the answer has gone out.
    setImmediate(() => void this.stop('asked to'));
    return { stopping: true };
  }

  /** It lives as long as the connection that asked for it: whoever wants it closed closes that. */
  async #serveHttp(socket: Socket, params: Record<string, unknown>): Promise<Record<string, unknown> | null> {
    const { openHttp } = this.#parts;
    if (!openHttp || this.#https.has(socket)) return null;
    try {
      const http = await openHttp(params as unknown as ServeHttpRequest);
      const close = (): Promise<void> => {
        this.#https.delete(socket);
        return http.close();
      };
      this.#https.set(socket, close);
      if (socket.destroyed || this.#stopping) await close();
      socket.once('close', () => void close());
      // The one who asked says nothing more; its end is the sign.
      socket.once('end', () => void close());
      return { url: http.url, port: http.port } satisfies ServeHttpAnswer;
    } catch (error) {
      if (!(error instanceof UserError)) this.#parts.log(`http: ${messageOf(error)}`);
      const code = error instanceof UserError ? error.code : 'engine-gone';
      return { refused: { code, message: messageOf(error) } } satisfies ServeHttpAnswer;
    }
  }

  #leaveWhenGone(): void {
    if (!this.#stopping && !this.#parts.present()) void this.stop('its folder .coppice was deleted or moved away');
  }

  async #leaveWhenIdle(): Promise<void> {
    this.#leaveWhenGone();
    if (this.#stopping) return;
    const { engine, clock, idleMs } = this.#parts;
    const needed = this.#connections.size > 0 || !(await engine.isIdle().catch(() => false));
    if (needed || this.#connections.size > 0) {
      this.#idleSince = null;
      return;
    }
    this.#idleSince ??= clock.now();
    if (clock.now() - this.#idleSince >= idleMs) await this.stop('nobody needs it');
  }

  async #stop(reason: string): Promise<void> {
    const { engine, stopMs, clock, stateFile } = this.#parts;
    const present = this.#parts.present();
    const log = (line: string): void => this.#parts.log(line);
    log(`engine stops: ${reason}`);
    clearInterval(this.#timer);
    this.#server.close();
    for (const [socket, close] of this.#https) {
      writeJsonLine(socket, { jsonrpc: '2.0', method: STOPPED, params: { reason } });
      await close().catch((error) => log(`http: ${messageOf(error)}`));
    }
    const waiting = new AbortController();
    const late = clock.sleep(stopMs, waiting.signal).then(() => 'late' as const);
    const stopped = engine.stop().then(
      () => 'stopped' as const,
      (error) => log(`stop: ${messageOf(error)}`),
    );
    if ((await Promise.race([stopped, late])) === 'late' && !waiting.signal.aborted) {
      log(`engine did not stop within ${stopMs} ms; what was under way goes on at the next start`);
    }
    waiting.abort();
    // Where the folder is another one, the file is that of the next engine.
    if (present) await rm(stateFile, { force: true }).catch(() => {});
    await this.#parts.release().catch((error) => log(`release: ${messageOf(error)}`));
    for (const [socket, end] of this.#connections) {
      end();
      // Whoever does not read its last answers is not waited for.
      setTimeout(() => socket.destroy(), 500).unref();
    }
    log('engine has stopped');
    this.#resolveEnded();
  }
}
