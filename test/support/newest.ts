import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** When a file below the folder was last changed, ms; 0 when there is none. */
export const newest = (folder: string): number =>
  Math.max(
    0,
    ...readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs),
  );
