import type { Socket } from 'node:net';

/** A longer line than this ends the connection. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;

/** What somebody wants to hear of a stream of JSON lines. */
export interface JsonLinesListener {
  readonly onValue: (value: unknown) => void;
  /** A line that is no JSON; the stream goes on. */
  readonly onBadLine: (error: Error) => void;
  /** The other side will send no more; what is written still arrives there. */
  readonly onEnd: () => void;
  /** The connection is gone; called once. */
  readonly onClose: () => void;
}

/** Reads one JSON value a line from the socket. Returns how to stop listening. */
export const readJsonLines = (socket: Socket, listener: JsonLinesListener): (() => void) => {
  let parts: Buffer[] = [];
  let size = 0;
  const onData = (chunk: Buffer): void => {
    let rest = chunk;
    for (let at = rest.indexOf(10); at >= 0; at = rest.indexOf(10)) {
      parts.push(rest.subarray(0, at));
      const line = Buffer.concat(parts).toString('utf8');
      parts = [];
      size = 0;
      rest = rest.subarray(at + 1);
      readLine(line, listener);
    }
    size += rest.length;
    if (rest.length > 0) parts.push(rest);
    if (size > MAX_LINE_BYTES) socket.destroy(new Error('A line is too long.'));
  };
  // Without a listener an error of the socket would end the process; 'close' follows and is enough.
  const onError = (): void => {};
  socket.on('data', onData).on('end', listener.onEnd).on('error', onError).once('close', listener.onClose);
  return () => {
    socket.off('data', onData).off('end', listener.onEnd).off('close', listener.onClose);
  };
};

/** Writes one value as one line. */
export const writeJsonLine = (socket: Socket, value: unknown): void => {
  if (socket.writable) socket.write(`${JSON.stringify(value)}\n`);
};

const readLine = (line: string, listener: JsonLinesListener): void => {
  if (line.trim() === '') return;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    return listener.onBadLine(error as Error);
  }
  listener.onValue(value);
};
