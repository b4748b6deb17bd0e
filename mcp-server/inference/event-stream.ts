import type { Readable } from 'node:stream';

/** Characters of one line; a server that sends more without a line end is broken. */
const MAX_LINE_CHARS = 4_000_000;

/** How a stream ended. `done`: with `[DONE]`. `stopped`: the taker wanted no more. `cut`: anything else. */
export type StreamEnd = 'done' | 'stopped' | 'cut' | 'line-too-long';

/**
 * Hands each `data:` payload of a server-sent event stream to `take`, until `[DONE]` or until `take` returns false.
 * Never rejects. After `[DONE]` the rest is drained, so that the connection can be used again.
 */
export const readEvents = (stream: Readable, take: (data: string) => boolean): Promise<StreamEnd> =>
  new Promise((resolve) => {
    let open = true;
    const finish = (end: StreamEnd): void => {
      open = false;
      resolve(end);
    };
    const takeLine = (line: string): void => {
      if (!line.startsWith('data:')) return;
      const data = line.slice(line[5] === ' ' ? 6 : 5).trimEnd();
      if (data === '[DONE]') finish('done');
      else if (data !== '' && !take(data)) finish('stopped');
    };
    const takeText = lineSplitter(takeLine, () => open);
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      if (open && !takeText(text)) finish('line-too-long');
    });
    stream.once('close', () => finish('cut'));
    stream.once('error', () => finish('cut'));
    stream.once('end', () => finish('cut'));
  });

/** Calls `takeLine` for each whole line while `open`. Returns false once a line is too long. */
const lineSplitter = (takeLine: (line: string) => void, open: () => boolean): ((text: string) => boolean) => {
  let rest = '';
  return (text) => {
    let from = 0;
    for (let at = text.indexOf('\n'); at >= 0 && open(); at = text.indexOf('\n', from)) {
      const line = text.slice(from, at);
      from = at + 1;
      if (rest.length + line.length > MAX_LINE_CHARS) return false;
      if (rest !== '') takeLine(rest + line);
      else if (line.length > 1) takeLine(line);
      rest = '';
    }
    rest += from === 0 ? text : text.slice(from);
    return rest.length <= MAX_LINE_CHARS;
  };
};
