import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RunId } from '../../domain/ids.ts';
import type { Engine } from '../../engine/facade.ts';
import { HttpError } from './exchange.ts';

/** How often a silent stream shows that it is alive, ms. */
const KEEP_ALIVE_MS = 15_000;
const PAGE = 500;

/**
 * Events as server-sent events, each with its number as id: a client that comes back with `Last-Event-ID` (or
 * `?after=`) misses nothing, restarts of the engine included. `signal` ends the stream.
 */
export const streamEvents = async (
  engine: Engine,
  req: IncomingMessage,
  res: ServerResponse,
  query: URLSearchParams,
  signal: AbortSignal,
): Promise<void> => {
  let after = numberOf(req.headers['last-event-id'] ?? query.get('after') ?? '0');
  const run = (query.get('run') ?? undefined) as RunId | undefined;
  const gone = new AbortController();
  res.once('close', () => gone.abort());
  const ended = AbortSignal.any([signal, gone.signal]);
  res.writeHead(200, { 'Content-Type': 'text/event-stream', 'X-Accel-Buffering': 'no' });
  res.write('retry: 1000\n\n');
  while (!ended.aborted) {
    const { events, last } = await engine.events({ after, waitMs: KEEP_ALIVE_MS, limit: PAGE, run, signal: ended });
    after = last;
    let text = events.length === 0 ? ': still here\n\n' : '';
    for (const event of events) text += `id: ${event.seq}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
    if (ended.aborted) break;
    // A client that does not read is waited for: its events stay in the database.
    if (!res.write(text)) await once(res, 'drain', { signal: ended }).catch(() => {});
  }
  res.end();
};

const numberOf = (text: string | readonly string[]): number => {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new HttpError(400, 'bad-input', 'Last-Event-ID is the number of an event, 0 or above.');
};
