import { UserError } from '../domain/errors.ts';

/** Files above this are not read, bytes. */
export const MAX_TEXT_BYTES = 2_000_000;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** UTF-8 text, such that writing it again gives the same bytes. Throws UserError when it is something else. */
export const decodeText = (path: string, bytes: Buffer): string => {
  if (!bytes.includes(0)) {
    try {
      return decoder.decode(bytes);
    } catch {
      // Another encoding: decoded loosely it would be damaged by the next edit.
    }
  }
  throw new UserError('bad-input', `${path} is not a text file in UTF-8.`);
};

/** Throws UserError when a file is too large to be read. */
export const assertReadable = (path: string, size: number): void => {
  if (size > MAX_TEXT_BYTES) {
    throw new UserError(
      'bad-input',
      `${path} is too large to read: ${size} bytes, and at most ${MAX_TEXT_BYTES} are allowed.`,
    );
  }
};
