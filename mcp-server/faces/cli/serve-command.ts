import type { Socket } from 'node:net';
import type { Clock } from '../../domain/clock.ts';
import { UserError, type UserErrorCode } from '../../domain/errors.ts';
import { type ServeHttpAnswer, type ServeHttpRequest, STOPPED } from '../host/control.ts';
import { ask } from '../host/find-engine.ts';
import { readJsonLines } from '../host/json-lines.ts';
import { SCOPE_WORDS, SCOPES, type Scope } from '../http/scopes.ts';
import { addToken, digestOf, ensureOwnToken, readTokens, removeToken, type TokenPlace } from '../http/tokens.ts';
import type { TokenAction } from './arguments.ts';
import { EXIT } from './context.ts';
import type { Terminal } from './terminal.ts';

/** What the composition root hands to `coppice serve token …`. */
export interface TokenContext {
  readonly terminal: Terminal;
  readonly clock: Clock;
  readonly root: string;
  readonly tokens: TokenPlace;
  /** How the person calls this program. */
  readonly program: string;
}

/** And to `coppice serve`. */
export interface ServeContext extends TokenContext {
  /** The text of a token from the environment. */
  readonly given: string | null;
  /** Starts the engine when there is none. */
  connect(): Promise<Socket>;
}

interface ServeOptions {
  readonly port: number;
  readonly origins: readonly string[];
  readonly scope: string | null;
  readonly json: boolean;
}

const SHORTEST_TOKEN = 16;
const ANSWER_MS = 10_000;
/** Between attempts to find an engine after one has gone, ms. */
const AGAIN_MS = 500;

/**
 * `coppice serve`: has the engine listen on loopback for as long as this process holds its connection. An engine that
 * crashed is started again at the same port; one that was asked to stop ends this too.
 */
export const serveCommand = async (context: ServeContext, options: ServeOptions): Promise<number> => {
  const { terminal, clock } = context;
  const request = await requestOf(context, options);
  const leaving = new AbortController();
  const stopListening = terminal.onInterrupt(() => leaving.abort());
  try {
    let { port } = options;
    for (let first = true; !leaving.signal.aborted; first = false) {
      const { socket, answer } = await open(context, { ...request, port });
      port = answer.port;
      if (first) announce(context, options, answer.url);
      const end = await ended(socket, leaving.signal);
      if (end === 'left') return EXIT.ok;
      if (end === 'stopped') {
        terminal.warn('The engine was stopped, and this with it.');
        return EXIT.ok;
      }
      terminal.warn('The engine has gone; it is started again.');
      await clock.sleep(AGAIN_MS, leaving.signal);
    }
    return EXIT.ok;
  } finally {
    stopListening();
  }
};

const scopeOf = (text: string | null): Scope => {
  const scope = SCOPES.find((one) => one === (text ?? 'run'));
  if (scope) return scope;
  const known = SCOPES.map((one) => `${one} (${SCOPE_WORDS[one]})`).join(', ');
  throw new UserError('bad-input', `There is no scope "${text}". Known: ${known}.`);
};

const requestOf = async (context: ServeContext, options: ServeOptions): Promise<ServeHttpRequest> => {
  const scope = scopeOf(options.scope);
  const { given, tokens, clock } = context;
  const request = { port: options.port, origins: options.origins, tokens: tokens.list };
  if (given === null) {
    await ensureOwnToken(tokens, scope, clock.now());
    return { ...request, given: null };
  }
  if (given.length < SHORTEST_TOKEN || /\s/.test(given))
    throw new UserError(
      'bad-input',
      `COPPICE_TOKEN wants at least ${SHORTEST_TOKEN} characters without a space; "openssl rand -hex 32" makes a good one.`,
    );
  return { ...request, given: { name: 'COPPICE_TOKEN', scope, sha256: digestOf(given) } };
};

const open = async (
  context: ServeContext,
  request: ServeHttpRequest,
): Promise<{ socket: Socket; answer: { url: string; port: number } }> => {
  const socket = await context.connect();
  const answer = await ask<ServeHttpAnswer>(socket, 'coppice/serve', request, ANSWER_MS);
  if (answer && 'url' in answer) return { socket, answer };
  socket.destroy();
  if (answer) throw new UserError(answer.refused.code as UserErrorCode, answer.refused.message);
  throw new UserError(
    'engine-busy',
    'The engine that works on this repository cannot serve HTTP: it is of another version. "coppice stop" ends it.',
  );
};

const ended = (socket: Socket, leaving: AbortSignal): Promise<'left' | 'stopped' | 'gone'> =>
  new Promise((resolve) => {
    let stopped = false;
    readJsonLines(socket, {
      onValue: (value) => {
        stopped ||= (value as { method?: unknown }).method === STOPPED;
      },
      onBadLine: () => {},
      onEnd: () => socket.end(),
      onClose: () => resolve(leaving.aborted ? 'left' : stopped ? 'stopped' : 'gone'),
    });
    socket.resume();
    if (leaving.aborted) socket.destroy();
    leaving.addEventListener('abort', () => socket.destroy(), { once: true });
  });

const announce = (context: ServeContext, options: ServeOptions, url: string): void => {
  const { terminal, tokens, given, root } = context;
  const scope = scopeOf(options.scope);
  const tokenFile = given === null ? tokens.own : null;
  if (options.json)
    return terminal.print(JSON.stringify({ type: 'serving', url, mcp: `${url}/mcp`, tokenFile, scope }));
  terminal.print(
    [
      `Coppice serves ${root} at ${url}`,
      `  MCP     ${url}/mcp`,
      `  others  /submit  /status/RUN  /events  /chat/AGENT  /metrics  /health`,
      `  token   ${tokenFile ?? 'from COPPICE_TOKEN'}, scope ${scope}`,
      'Ctrl-C ends it; runs go on.',
    ].join('\n'),
  );
};

/** `coppice serve token add | list | remove`. */
export const tokenCommand = async (
  context: TokenContext,
  action: TokenAction,
  options: { readonly scope: string | null; readonly json: boolean },
): Promise<number> => {
  const { terminal, tokens, clock } = context;
  const say = (value: object, text: string): void => terminal.print(options.json ? JSON.stringify(value) : text);
  switch (action.kind) {
    case 'add': {
      if (options.scope === null)
        throw new UserError('bad-input', `What may ${action.name} do? Add --scope read, skills, run or land.`);
      const scope = scopeOf(options.scope);
      const token = await addToken(tokens, { name: action.name, scope, now: clock.now() });
      say({ name: action.name, scope, token }, token);
      if (!options.json) terminal.warn(`This is shown once. ${action.name} may ${SCOPE_WORDS[scope]}.`);
      return EXIT.ok;
    }
    case 'remove':
      await removeToken(tokens, action.name);
      say({ removed: action.name }, `${action.name} is not let in any more.`);
      return EXIT.ok;
    case 'list':
    default: {
      const all = (await readTokens(tokens.list)).map(({ name, scope, createdAt }) => ({ name, scope, createdAt }));
      const lines = all.map(
        (one) => `${one.name}  ${one.scope}  ${new Date(one.createdAt).toISOString().slice(0, 10)}`,
      );
      say({ tokens: all }, lines.join('\n') || 'There are no tokens yet.');
      return EXIT.ok;
    }
  }
};
