import type { IncomingMessage, ServerResponse } from 'node:http';
import { toNodeHandler, toWebRequest } from '@modelcontextprotocol/node';
import {
  type AuthInfo,
  createMcpHandler,
  InMemoryServerEventBus,
  isLegacyRequest,
  type ServerEventBus,
} from '@modelcontextprotocol/server';
import type { Scope } from '../http/scopes.ts';
import { SCOPES } from '../http/scopes.ts';
import type { McpCore } from './core.ts';
import { createMcpServer } from './server.ts';
import { Sessions } from './sessions.ts';

/** A client that the HTTP server has recognised. */
export interface HttpClient {
  /** Of its token, opaque; no other client has it. */
  readonly id: string;
  readonly name: string;
  readonly scope: Scope;
}

/** MCP behind an HTTP server: both eras at one address. */
export interface McpHttp {
  /** `body` is the parsed body of a POST. Host, origin, token and scope have been looked at. */
  handle(req: IncomingMessage, res: ServerResponse, body: unknown, client: HttpClient): Promise<void>;
  /** The client's token is no longer good. */
  forget(client: string): void;
  close(): Promise<void>;
}

/** Opens it: the newer era without any state between requests, the older one with sessions. */
export const openMcpHttp = (core: McpCore): McpHttp => {
  const closing = new AbortController();
  const bus = new InMemoryServerEventBus((error) => core.log(`http: ${error.message}`));
  const sessions = new Sessions(core, () => Date.now());
  const handler = createMcpHandler(
    ({ authInfo }) => createMcpServer(core, { scope: scopeOf(authInfo), ending: closing.signal, followed: null }),
    { legacy: 'reject', bus: watchedBus(core, bus), onerror: (error) => core.log(`http: ${error.message}`) },
  );
  const stopLists = core.changes.onLists(() => {
    handler.notify.toolsChanged();
    handler.notify.promptsChanged();
    handler.notify.resourcesChanged();
  });
  const newer = toNodeHandler(handler, { onerror: (error) => core.log(`http: ${error.message}`) });
  return {
    handle: async (req, res, body, client) => {
      // The token itself goes no further than to where it was checked.
      const auth: AuthInfo = { token: '', clientId: client.id, scopes: [client.scope] };
      const known = Object.assign(req, { auth, method: req.method ?? 'GET', url: req.url ?? '/' });
      const older = await isLegacyRequest(await toWebRequest(known, body ?? {}), body);
      return older ? sessions.handle(known, res, body, client) : newer(known, res, body);
    },
    forget: (client) => sessions.endAll(client),
    close: async () => {
      stopLists();
      closing.abort();
      sessions.close();
      await handler.close();
    },
  };
};

const scopeOf = (auth: AuthInfo | undefined): Scope => SCOPES.find((scope) => scope === auth?.scopes[0]) ?? 'read';

/** Follows runs and agents only while a client listens. */
const watchedBus = (core: McpCore, bus: InMemoryServerEventBus): ServerEventBus => {
  let stop: (() => void) | undefined;
  const tell = (uris: ReadonlySet<string>): void => {
    for (const uri of uris) bus.publish({ kind: 'resource_updated', uri });
  };
  return {
    publish: (event) => bus.publish(event),
    subscribe: (listener) => {
      const leave = bus.subscribe(listener);
      stop ??= core.changes.onResources(tell);
      return () => {
        leave();
        if (bus.listenerCount > 0) return;
        stop?.();
        stop = undefined;
      };
    },
  };
};
