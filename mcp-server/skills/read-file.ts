import { constants } from 'node:fs';
import { type FileHandle, open, realpath } from 'node:fs/promises';

const FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/**
 * The bytes of a regular file, at most `most` of them and one more when it is longer. Undefined when it is a link, a pipe
 * or anything else; never waits for a writer. Throws what the file system throws.
 */
export const readRegular = async (path: string, most: number): Promise<Uint8Array | undefined> => {
  let handle: FileHandle;
  try {
    handle = await open(path, FLAGS);
  } catch (error) {
    if (['ELOOP', 'EMLINK', 'ENXIO'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
  try {
    const found = await handle.stat();
    return found.isFile() ? await readAll(handle, Math.min(found.size, most) + 1) : undefined;
  } finally {
    await handle.close();
  }
};

const readAll = async (handle: FileHandle, room: number): Promise<Uint8Array> => {
  const buffer = Buffer.allocUnsafe(room);
  let length = 0;
  while (length < room) {
    const { bytesRead } = await handle.read(buffer, length, room - length, length);
    length += bytesRead;
    // A regular file gives less than was asked for only at its end; there is room for one byte more than it had.
    if (bytesRead === 0 || length === room - 1) break;
  }
  return buffer.subarray(0, length);
};

/** Does the path lead where it says, without a link on its way? `path` must be below a real path. */
export const isReal = async (path: string): Promise<boolean> => (await realpath(path).catch(() => null)) === path;

/** Runs `work` for every item, at most `most` at once, and keeps their order. */
export const mapLimited = async <T, R>(
  items: readonly T[],
  most: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> => {
  const results: R[] = Array.from({ length: items.length });
  let next = 0;
  const take = async (): Promise<void> => {
    while (next < items.length) {
      const index = next;
      next += 1;
      results[index] = await work(items[index] as T, index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, take));
  return results;
};
