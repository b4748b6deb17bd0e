import type { EventStore, JSONRPCMessage } from '@modelcontextprotocol/server';

const MOST_MESSAGES = 500;
const MOST_BYTES = 4 * 1024 * 1024;

interface Stored {
  readonly id: string;
  readonly stream: string;
  readonly message: JSONRPCMessage;
  readonly bytes: number;
}

/** The last messages of one session, so that a client whose stream broke gets what it missed. */
export const createEventStore = (): EventStore => {
  const stored: Stored[] = [];
  let bytes = 0;
  let count = 0;
  return {
    storeEvent: async (stream, message) => {
      const one = { id: `e${++count}`, stream, message, bytes: JSON.stringify(message).length };
      stored.push(one);
      bytes += one.bytes;
      while (stored.length > MOST_MESSAGES || (bytes > MOST_BYTES && stored.length > 1))
        bytes -= stored.shift()?.bytes ?? 0;
      return one.id;
    },
    getStreamIdForEventId: async (id) => stored.find((one) => one.id === id)?.stream,
    replayEventsAfter: async (id, { send }) => {
      const at = stored.findIndex((one) => one.id === id);
      const stream = stored[at]?.stream ?? '';
      if (at >= 0)
        // What only opened a stream is no message.
        for (const one of stored.slice(at + 1))
          if (one.stream === stream && Object.keys(one.message).length > 0) await send(one.id, one.message);
      return stream;
    },
  };
};
