// npm run package [-- --target darwin-arm64]: an installable VSIX with the SQLite binary of that one platform.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const ROOT = join(import.meta.dirname, '..');

const VSCE = join(ROOT, 'node_modules/@vscode/vsce/vsce');

/** The editor's name of a platform → the name of its SQLite binary. */
const BINARIES: Readonly<Record<string, string>> = {
  'linux-x64': 'linux-x64',
  'linux-arm64': 'linux-arm64',
  'alpine-x64': 'linuxmusl-x64',
  'alpine-arm64': 'linuxmusl-arm64',
  'darwin-x64': 'darwin-x64',
  'darwin-arm64': 'darwin-arm64',
  'win32-x64': 'win32-x64',
  'win32-arm64': 'win32-arm64',
};

/** What this machine made for itself; and a tenth of the package would be a picture that the repository shows too. */
const NOT_SHIPPED = /\.(?:map|vsix|compiled)$|[\\/]media[\\/]screenshot\.png$/;

/** Keys of package.json that only matter while the project is being worked on. */
const DEVELOPMENT_KEYS = ['scripts', 'devDependencies', 'allowScripts', 'private'];

type Manifest = Record<string, unknown> & { version: string };

/** The target of the machine that this runs on. */
export const currentTarget = (): string => {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  const isMusl = process.platform === 'linux' && header.glibcVersionRuntime === undefined;
  return `${isMusl ? 'alpine' : process.platform}-${process.arch}`;
};

/**
 * Packs what `npm run build` has made for one target, and returns the path of the VSIX. `program` takes the place of
 * dist/coppice.js, for tests of the editor alone.
 */
export const packageFor = async (target: string, options: { out: string; program?: string }): Promise<string> => {
  const binary = BINARIES[target];
  if (!binary)
    throw new Error(`There is no SQLite binary for "${target}". Known: ${Object.keys(BINARIES).join(', ')}.`);
  const stage = await mkdtemp(join(tmpdir(), 'coppice-package-'));
  try {
    const manifest = await stageFiles(stage, binary);
    if (options.program) await cp(options.program, join(stage, 'dist/coppice.js'));
    await mkdir(options.out, { recursive: true });
    const path = join(options.out, `coppice-${target}-${manifest.version}.vsix`);
    const links = ['--allow-missing-repository', '--no-rewrite-relative-links'];
    await vsce(stage, ['package', '--target', target, '--out', path, ...links]);
    return path;
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
};

/** Runs vsce; it talks a lot, so its words are shown only when it fails. */
const vsce = (cwd: string, args: readonly string[]): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [VSCE, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`vsce ${args.join(' ')} failed:\n${said}`)),
    );
  });

/** A folder with nothing in it but what a person needs: no ignore list can forget a file. */
const stageFiles = async (stage: string, binary: string): Promise<Manifest> => {
  for (const path of ['dist', 'media', 'skills', 'LICENSE', 'README.md', 'CHANGELOG.md']) {
    if (!existsSync(join(ROOT, path))) continue;
    await cp(join(ROOT, path), join(stage, path), { recursive: true, filter: (from) => !NOT_SHIPPED.test(from) });
  }
  await leaveOutPictures(join(stage, 'README.md'));
  const sqlite = join(ROOT, 'node_modules/better-sqlite3');
  const staged = join(stage, 'node_modules/better-sqlite3');
  for (const path of ['lib', 'LICENSE', `prebuilds/${binary}.node`]) {
    await cp(join(sqlite, path), join(staged, path), { recursive: true });
  }
  // The stage holds nothing else; this only says so to vsce.
  await writeFile(join(stage, '.vscodeignore'), '');
  // It needs its C++ headers only to be compiled.
  await copyManifest(sqlite, staged, [...DEVELOPMENT_KEYS, 'dependencies']);
  const manifest = await copyManifest(ROOT, stage, [...DEVELOPMENT_KEYS, 'dependencies']);
  // Everything else is in the bundles.
  const { version } = JSON.parse(await readFile(join(sqlite, 'package.json'), 'utf8')) as Manifest;
  const shipped = { ...manifest, dependencies: { 'better-sqlite3': version } };
  await writeFile(join(stage, 'package.json'), `${JSON.stringify(shipped, null, 2)}\n`);
  return shipped;
};

/** Pictures that are not in the package, and the empty line after each. */
const leaveOutPictures = async (readme: string): Promise<void> => {
  const text = await readFile(readme, 'utf8');
  await writeFile(readme, text.replace(/^!\[[^\]]*\]\(media\/screenshot\.png\)\n\n?/gm, ''));
};

const copyManifest = async (from: string, to: string, without: readonly string[]): Promise<Manifest> => {
  const manifest = JSON.parse(await readFile(join(from, 'package.json'), 'utf8')) as Manifest;
  for (const key of without) delete manifest[key];
  await writeFile(join(to, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
};

if (import.meta.main) {
  const { values } = parseArgs({ options: { target: { type: 'string' } } });
  const build = spawnSync(process.execPath, [join(import.meta.dirname, 'build.ts'), '--quiet'], { stdio: 'inherit' });
  if (build.status !== 0) process.exit(build.status ?? 1);
  try {
    const path = await packageFor(values.target ?? currentTarget(), { out: join(ROOT, 'dist') });
    console.log(`${path} (${((await stat(path)).size / 1e6).toFixed(1)} MB)`);
  } catch (error) {
    console.error((error as Error).message);
    process.exit(1);
  }
}
