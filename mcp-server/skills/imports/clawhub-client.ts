import type { Clock } from '../../domain/clock.ts';
import { messageOf, UserError } from '../../domain/errors.ts';
import { oneLine } from '../../domain/text.ts';

/** How the program talks to the network; the global `fetch` has this shape. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** What talking to a hub needs. */
export interface HubParts {
  /** https, or http on this machine. */
  readonly baseUrl: string;
  readonly fetch: Fetch;
  readonly clock: Clock;
  /** Bytes of a download. */
  readonly maxBytes: number;
  /** Other hosts that a download may be sent on to, `*.` before one for those below it; none unless the person has named them. */
  readonly hosts?: readonly string[];
}

/** An answer with status 200, read to its end. */
export interface HubAnswer {
  readonly type: string;
  readonly bytes: Uint8Array;
  header(name: string): string | null;
}

/** Null: 404. Throws UserError for every other answer than 200, and when there is none. */
export type HubGet = (
  path: string,
  query: Readonly<Record<string, string | null>>,
  signal: AbortSignal,
) => Promise<HubAnswer | null>;

const REQUEST_MS = 60_000;
const TRIES = 4;
const LONGEST_WAIT_MS = 60_000;
const REDIRECTS = 3;
const LONGEST_ERROR = 2_000;

/**
 * GET requests to a hub, with bounded size, time and waits. What it asks us to wait for (429, Retry-After) is waited for,
 * unless it is longer than a minute. No request goes to another host than the person named.
 */
export const createHubGet = (parts: HubParts): HubGet => {
  const base = checkBase(parts.baseUrl);
  return async (path, query, signal) => {
    const url = new URL(`${base.pathname.replace(/\/$/, '')}${path}`, base);
    for (const [key, value] of Object.entries(query)) if (value !== null) url.searchParams.set(key, value);
    for (let attempt = 1; ; attempt += 1) {
      const response = await follow(parts, base, url, signal);
      if (response.status === 429) {
        await response.body?.cancel();
        await waitAsTold(parts.clock, base, response, attempt, signal);
        continue;
      }
      return readAnswer(parts, base, response);
    }
  };
};

const checkBase = (text: string): URL => {
  const url = URL.parse(text);
  if (url && isSafe(url) && url.username === '' && url.password === '') return url;
  throw new UserError('bad-input', `The address of the hub, ${oneLine(text, 100)}, must begin with https://.`);
};

const isSafe = ({ protocol, hostname }: URL): boolean =>
  protocol === 'https:' || (protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(hostname));

/** `*.example.com` names what lies below it, and not itself. */
const isNamed = ({ host }: URL, name: string): boolean =>
  name.startsWith('*.') ? host.endsWith(name.slice(1)) : host === name;

/** Redirects within the host are followed; one to another host only if the person named that host. */
const follow = async (parts: HubParts, base: URL, first: URL, signal: AbortSignal): Promise<Response> => {
  let url = first;
  for (let hops = 0; hops <= REDIRECTS; hops += 1) {
    const response = await request(parts, base, url, signal);
    const location = response.headers.get('location');
    if (response.status < 300 || response.status > 399 || location === null) return response;
    await response.body?.cancel();
    const next = URL.parse(location, url.href);
    if (next === null) throw badAnswer(base, 'a redirect to nowhere');
    const named = isSafe(next) && (parts.hosts ?? []).some((host) => isNamed(next, host));
    if (next.origin !== base.origin && !named) {
      throw new UserError(
        'permission-denied',
        `${base.host} sends this download on to ${oneLine(next.host, 100)}, another host. Nothing was fetched from there. Add it to "skillHubHosts" in your settings if you trust it.`,
      );
    }
    url = next;
  }
  throw badAnswer(base, 'too many redirects');
};

const request = async (parts: HubParts, base: URL, url: URL, signal: AbortSignal): Promise<Response> => {
  try {
    return await parts.fetch(url.href, {
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_MS)]),
      headers: { accept: 'application/json, application/zip', 'user-agent': 'coppice' },
      credentials: 'omit',
    });
  } catch (error) {
    signal.throwIfAborted();
    const cause = error instanceof Error && error.cause ? error.cause : error;
    throw new UserError('not-found', `${base.host} did not answer: ${oneLine(messageOf(cause), 200)}.`, {
      cause: error,
    });
  }
};

const waitAsTold = async (
  clock: Clock,
  base: URL,
  response: Response,
  attempt: number,
  signal: AbortSignal,
): Promise<void> => {
  const ms = waitOf(response, clock) ?? 1000 * 2 ** (attempt - 1);
  if (attempt >= TRIES || ms > LONGEST_WAIT_MS) {
    throw new UserError('not-found', `${base.host} has had too many requests. Try again in ${Math.ceil(ms / 1000)} s.`);
  }
  await clock.sleep(ms, signal);
  signal.throwIfAborted();
};

/** Milliseconds that the hub asks for; it says so in seconds, or as a date. */
const waitOf = (response: Response, clock: Clock): number | null => {
  const after = response.headers.get('retry-after') ?? response.headers.get('ratelimit-reset');
  if (after === null) return null;
  const seconds = /^\d{1,9}$/.test(after.trim()) ? Number(after) : Number.NaN;
  const ms = Number.isNaN(seconds) ? Date.parse(after) - clock.now() : seconds * 1000;
  return Number.isFinite(ms) ? Math.max(0, ms) : null;
};

const readAnswer = async (parts: HubParts, base: URL, response: Response): Promise<HubAnswer | null> => {
  const { status } = response;
  if (status === 404) {
    await response.body?.cancel();
    return null;
  }
  const bytes = await readBody(base, response, status === 200 ? parts.maxBytes : LONGEST_ERROR, status === 200);
  if (status === 200)
    return { type: response.headers.get('content-type') ?? '', bytes, header: (name) => response.headers.get(name) };
  const said = oneLine(Buffer.from(bytes).toString('utf8'), 200);
  const code = status === 401 || status === 403 ? 'permission-denied' : 'not-found';
  throw new UserError(code, `${base.host} answered ${status}${said && `: ${said}`}`);
};

/** Reads no more than `max` bytes; more is an error when all of it is needed, and else cut off. */
const readBody = async (base: URL, response: Response, max: number, whole: boolean): Promise<Uint8Array> => {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      length += chunk.length;
      if (length > max && whole)
        throw new UserError('bad-input', `${base.host} sends more than ${max} bytes. It was not fetched.`);
      chunks.push(chunk);
      if (length > max) break;
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError('not-found', `The answer of ${base.host} broke off: ${oneLine(messageOf(error), 200)}.`, {
      cause: error,
    });
  }
  return Buffer.concat(chunks).subarray(0, max);
};

/** The hub broke its own rules. */
export const badAnswer = (base: { readonly host: string }, what: string): UserError =>
  new UserError('not-found', `${base.host} gave an answer that makes no sense: ${what}.`);
