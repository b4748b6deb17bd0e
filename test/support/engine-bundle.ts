import { cpSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

/** As the built program is started: what Node compiles is kept for the next start. */
const START = `import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
enableCompileCache(join(import.meta.dirname, 'compiled'));
await import('./engine-process.mjs');
`;

/**
 * Makes one program of `engine-process.ts`, so that it starts quickly. It lies in a folder of its own, which the caller
 * removes, within the project, where its native module is found. Returns its path.
 */
export const bundleEngineProcess = async (): Promise<string> => {
  const root = join(import.meta.dirname, '../..');
  mkdirSync(join(root, '.cache'), { recursive: true });
  const folder = mkdtempSync(join(root, '.cache', 'kill-'));
  const program = join(folder, 'start.mjs');
  writeFileSync(program, START);
  await build({
    entryPoints: [join(root, 'test/support/engine-process.ts')],
    outfile: join(folder, 'engine-process.mjs'),
    minify: true,
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['better-sqlite3'],
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    logLevel: 'error',
  });
  cpSync(join(root, 'mcp-server/store/migrations'), join(folder, 'migrations'), { recursive: true });
  return program;
};
