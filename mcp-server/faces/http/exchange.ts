import type { IncomingMessage, ServerResponse } from 'node:http';
import { type UserErrorCode } from '../../domain/errors.ts';

/** Bytes of a request's body. */
export const MOST_BODY = 1024 * 1024;

/** Levels of lists and objects in it; what is nested deeper ends programs that walk through it. */
const DEEPEST = 200;

/** A refusal with its status. `headers` go with it. */
export class HttpError extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;
  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/** What a person can put right, as a status. */
export const STATUS_OF: Readonly<Record<UserErrorCode, number>> = {
  'bad-input': 400,
  'not-found': 404,
  'wrong-state': 409,
  'not-a-repository': 409,
  'unsupported-repository': 409,
  'dirty-overlap': 409,
  'merge-conflict': 409,
  'model-unreachable': 502,
  'model-refused': 502,
  'budget-too-small': 422,
  'permission-denied': 403,
  'engine-busy': 503,
  'engine-gone': 503,
  'database-newer': 500,
  'database-corrupt': 500,
  'inbox-full': 429,
};

/** The body as JSON. Throws HttpError 415, 413 or 400. */
export const readJson = async (req: IncomingMessage): Promise<unknown> => {
  const type = (req.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json') throw new HttpError(415, 'bad-input', 'Send application/json.');
  if (Number(req.headers['content-length'] ?? 0) > MOST_BODY) throw tooLarge();
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of req) {
    size += (part as Buffer).length;
    if (size > MOST_BODY) throw tooLarge();
    parts.push(part as Buffer);
  }
  const text = Buffer.concat(parts).toString('utf8');
  if (isTooDeep(text)) throw new HttpError(400, 'bad-json', `The body is nested more than ${DEEPEST} levels deep.`);
  try {
    return JSON.parse(text);
  } catch {
    throw new HttpError(400, 'bad-json', 'The body is no JSON.');
  }
};

const isTooDeep = (json: string): boolean => {
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < json.length; at += 1) {
    const char = json[at];
    if (quoted && char === '\\') at += 1;
    else if (char === '"') quoted = !quoted;
    else if (!quoted && (char === '[' || char === '{')) depth += 1;
    else if (!quoted && (char === ']' || char === '}')) depth -= 1;
    if (depth > DEEPEST) return true;
  }
  return false;
};

const tooLarge = (): HttpError =>
  new HttpError(413, 'bad-input', `A body has at most ${MOST_BODY} bytes.`, { Connection: 'close' });

export const sendJson = (
  res: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void => {
  res.writeHead(status, { 'Content-Type': 'application/json', ...headers });
  res.end(JSON.stringify(body));
};

/** Tells a refusal; MCP clients read it in the words of JSON-RPC. */
export const sendError = (res: ServerResponse, error: HttpError, rpc: boolean): void => {
  if (res.headersSent) return void res.destroy();
  const code = error.code === 'bad-json' ? -32_700 : -32_000;
  const body = rpc
    ? { jsonrpc: '2.0', error: { code, message: error.message }, id: null }
    : { error: { code: error.code === 'bad-json' ? 'bad-input' : error.code, message: error.message } };
  sendJson(res, error.status, body, error.headers);
};
