import { chmod, cp, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BuildOptions, build, type Metafile } from 'esbuild';
import { BUNDLING } from './bundling.ts';
import { noticesOf } from './notices.ts';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
const quiet = process.argv.includes('--quiet');

const shared: BuildOptions = {
  ...BUNDLING,
  absWorkingDir: root,
  // The maps are not shipped, so nothing in the program points at them.
  sourcemap: 'external',
  sourcesContent: false,
  metafile: true,
  logLevel: quiet ? 'error' : 'warning',
};

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

const copyFolder = async (from: string, to: string): Promise<void> => {
  await rm(join(dist, to), { recursive: true, force: true });
  if (await exists(join(root, from))) await cp(join(root, from), join(dist, to), { recursive: true });
};

const bundles: Metafile[] = [];
const bundle = async (options: BuildOptions): Promise<void> => {
  const { metafile } = await build({ ...shared, ...options });
  if (metafile) bundles.push(metafile);
};

const started = Date.now();
await mkdir(dist, { recursive: true });
await bundle({
  entryPoints: ['mcp-server/main.ts'],
  outfile: 'dist/program.js',
  external: ['better-sqlite3'],
});
await bundle({
  sourcemap: false,
  entryPoints: ['mcp-server/start.ts'],
  outfile: 'dist/coppice.js',
  banner: { js: '#!/usr/bin/env node' },
});
await chmod(join(dist, 'coppice.js'), 0o755);
if (await exists(join(root, 'extension/main.ts'))) {
  await bundle({ entryPoints: ['extension/main.ts'], outfile: 'dist/extension.js', external: ['vscode'] });
}
await copyFolder('mcp-server/store/migrations', 'migrations');
await writeFile(join(dist, 'THIRD-PARTY.txt'), await noticesOf(root, bundles));
await writeFile(join(dist, 'package.json'), '{"type":"commonjs"}\n');
if (!quiet) console.log(`dist/ built in ${Date.now() - started} ms`);
