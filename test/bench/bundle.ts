import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { BUNDLING } from '../../.tools/bundling.ts';

const root = join(import.meta.dirname, '..', '..');
const folder = join(root, '.cache', 'bench');
const built = new Map<string, Promise<string>>();

/** A file of this folder bundled as the program is, so that its memory and its start are the program's. */
export const bundled = (file: string): Promise<string> => {
  const known = built.get(file);
  if (known) return known;
  const made = bundle(file);
  built.set(file, made);
  return made;
};

const bundle = async (file: string): Promise<string> => {
  const outfile = join(folder, file.replace(/\.ts$/, '.cjs'));
  mkdirSync(folder, { recursive: true });
  cpSync(join(root, 'mcp-server/store/migrations'), join(folder, 'migrations'), { recursive: true });
  await build({
    ...BUNDLING,
    absWorkingDir: root,
    entryPoints: [join(import.meta.dirname, file)],
    outfile,
    external: ['better-sqlite3'],
    logLevel: 'error',
  });
  return outfile;
};
