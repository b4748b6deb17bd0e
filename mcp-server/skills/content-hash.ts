import { createHash } from 'node:crypto';

/** One file of a skill: its path relative to the skill's folder, with slashes, and all of its bytes. */
export interface HashedFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** The order in which files are hashed: that of the code units of their paths, the same on every system. */
export const inPathOrder = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Takes the files of a skill one by one, in path order, so that not all of them must be in memory. */
export const contentHasher = (): { add(file: HashedFile): void; digest(): string } => {
  const hash = createHash('sha256');
  return {
    add: ({ path, bytes }) => void hash.update(`${path}\0${bytes.byteLength}\0`).update(bytes),
    digest: () => hash.digest('hex'),
  };
};

/** The content hash of a skill: sha256, in hex, over the relative path, the length and the bytes of every file. */
export const contentHash = (files: readonly HashedFile[]): string => {
  const hasher = contentHasher();
  for (const file of files.toSorted((a, b) => inPathOrder(a.path, b.path))) hasher.add(file);
  return hasher.digest();
};
