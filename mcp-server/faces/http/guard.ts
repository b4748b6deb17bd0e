import type { IncomingMessage } from 'node:http';
import type { Operation } from '../../operations/define.ts';
import { HttpError } from './exchange.ts';
import { includes, refusalOf, type Scope } from './scopes.ts';
import type { TokenBook, TokenHolder } from './tokens.ts';

/** A page in a browser that has rebound a name to this machine shows a foreign Host. Throws HttpError 403. */
export const checkHost = (req: IncomingMessage, port: number): void => {
  const [named = '', ...others] = req.headersDistinct['host'] ?? [];
  const host = named.toLowerCase();
  if (others.length > 0 || (host !== `127.0.0.1:${port}` && host !== `localhost:${port}`))
    throw new HttpError(403, 'permission-denied', 'This server answers only to its own address.');
};

/** Pages of other origins are refused, whatever token they may have got hold of. Throws HttpError 403. */
export const checkOrigin = (req: IncomingMessage, port: number, allowed: readonly string[]): void => {
  const { origin } = req.headers;
  if (origin === undefined) return;
  const own = [`http://127.0.0.1:${port}`, `http://localhost:${port}`];
  if (![...own, ...allowed].includes(origin))
    throw new HttpError(403, 'permission-denied', 'Pages of this origin may not ask. "--allow-origin" lets one in.');
};

/** Who asks, by the bearer token of the header and by nothing else. Throws HttpError 401. */
export const authenticate = async (req: IncomingMessage, tokens: TokenBook): Promise<TokenHolder> => {
  const header = req.headers.authorization;
  if (header === undefined)
    throw new HttpError(401, 'permission-denied', 'A bearer token is wanted.', {
      'WWW-Authenticate': 'Bearer realm="coppice"',
    });
  const text = /^Bearer +(\S+) *$/i.exec(header)?.[1];
  const holder = text === undefined ? null : await tokens.find(text);
  if (holder) return holder;
  throw new HttpError(401, 'permission-denied', 'This token is not known.', {
    'WWW-Authenticate': 'Bearer realm="coppice", error="invalid_token"',
  });
};

const insufficient = (needs: Scope, message: string): HttpError =>
  new HttpError(403, 'permission-denied', message, {
    'WWW-Authenticate': `Bearer realm="coppice", error="insufficient_scope", scope="${needs}"`,
  });

/** Throws HttpError 403 when the scope does not hold the other. */
export const demand = (held: Scope, needs: Scope): void => {
  if (!includes(held, needs))
    throw insufficient(needs, `This needs a token of the scope "${needs}"; this one has "${held}".`);
};

/** Throws HttpError 403 when the scope may not call the operation with this input. */
export const demandOperation = (held: Scope, operation: Operation, input: unknown): void => {
  const refusal = refusalOf(held, operation, input);
  if (refusal) throw insufficient(refusal.needs, refusal.message);
};

/** The same for calls of tools in the body of an MCP request. */
export const demandCalls = (held: Scope, operations: readonly Operation[], body: unknown): void => {
  for (const message of Array.isArray(body) ? body : [body]) {
    const { method, params } = (message ?? {}) as {
      method?: unknown;
      params?: { name?: unknown; arguments?: unknown };
    };
    if (method !== 'tools/call') continue;
    const operation = operations.find(({ name }) => name === params?.name);
    if (operation) demandOperation(held, operation, params?.arguments);
    else if (String(params?.name).startsWith('skill_')) demand(held, 'skills');
  }
};
