import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock } from '../../domain/clock.ts';

/** A log of at most twice `maxBytes`: a full one becomes `<path>.1`, over the one before. Never throws. */
export const openLog = (
  path: string,
  options: { readonly clock: Clock; readonly maxBytes: number },
): ((line: string) => void) => {
  let size = -1;
  return (line) => {
    const text = `${new Date(options.clock.now()).toISOString()} ${line.trimEnd()}\n`;
    try {
      if (size < 0) size = openSize(path);
      if (size + text.length > options.maxBytes && size > 0) {
        renameSync(path, `${path}.1`);
        size = 0;
      }
      appendFileSync(path, text, { mode: 0o600 });
      size += Buffer.byteLength(text);
    } catch {
      // A full disk must not stop the engine because of its log.
      size = -1;
    }
  };
};

const openSize = (path: string): number => {
  mkdirSync(dirname(path), { recursive: true });
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
};
