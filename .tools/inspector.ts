// The official inspector for the tests, with every version pinned; it is no dependency, because only the tests want it.
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { npm } from './npm.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
/** Its package.json and lock file: what is installed is what they name. */
const PINNED = join(ROOT, 'test', 'mcp', 'inspector');

/**
 * Installs the inspector once (a few seconds, 80 MB below `.cache/`); later calls return at once. Resolves with the program
 * to run with `process.execPath`. Throws with what to do.
 */
export const ensureInspector = async (say: (line: string) => void = () => {}): Promise<string> => {
  const lock = await readFile(join(PINNED, 'package-lock.json'), 'utf8');
  const { packages } = JSON.parse(lock) as { packages: Readonly<Record<string, { readonly version?: string }>> };
  const version = packages['node_modules/@modelcontextprotocol/inspector']?.version ?? '';
  const folder = join(ROOT, '.cache', `inspector-${version}`);
  const ready = join(folder, '.ready');
  const program = join(folder, 'node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js');
  if (existsSync(program) && (await readFile(ready, 'utf8').catch(() => '')) === lock) return program;
  say(`installing the inspector ${version} for the tests into .cache/, once; this takes a few seconds`);
  await mkdir(folder, { recursive: true });
  await rm(ready, { force: true });
  for (const name of ['package.json', 'package-lock.json']) await copyFile(join(PINNED, name), join(folder, name));
  try {
    await npm(['ci', '--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], folder);
  } catch (cause) {
    throw new Error(
      `The inspector ${version} could not be installed, which the tests of MCP need once. Connect to the network and run: node .tools/inspector.ts`,
      { cause },
    );
  }
  if (!existsSync(program))
    throw new Error(`The inspector ${version} has no ${program}; delete ${folder} and try again.`);
  await writeFile(ready, lock);
  return program;
};

if (import.meta.main) console.log(await ensureInspector((line) => console.log(line)));
