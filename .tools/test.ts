import { spawn } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { testEnvironment } from './test-environment.ts';

/**
 * Every test: build, static checks, unit tests, the engine, MCP, the editor. `-- NAME…` keeps only the parts that are
 * named. The static checks take what the others leave of the processors.
 */
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const mocha = join(root, 'node_modules', '.bin', 'mocha');
const node = process.execPath;
const env = testEnvironment(process.env);
const check = join(root, '.tools/check.ts');

const parts: Record<string, readonly string[]> = {
  static: [node, check, 'static'],
  unit: [node, check, 'unit'],
  build: [node, join(root, '.tools/build.ts'), '--quiet'],
  engine: [mocha, '--parallel', '--jobs', '4', 'test/{engine,scripts}/**/*.test.ts'],
  mcp: [mocha, '--parallel', '--jobs', '4', 'test/mcp/**/*.test.ts'],
  editor: [node, join(root, 'test/editor/main.ts')],
};
const ASIDE = 'static';

const named = process.argv.slice(2);
const unknown = named.filter((name) => !(name in parts));
if (unknown.length > 0) {
  console.error(`Unknown part ${unknown.join(', ')}. Parts: ${Object.keys(parts).join(', ')}.`);
  process.exit(2);
}

const run = (name: string): Promise<boolean> =>
  new Promise((resolve) => {
    const started = performance.now();
    const [command = '', ...args] = parts[name] ?? [];
    const child = spawn(command, args, { cwd: root, env, stdio: 'inherit' });
    if (name === ASIDE && child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW);
    child.on('error', (error) => console.error(error));
    child.on('close', (code) => {
      console.log(`${code === 0 ? 'ok' : 'FAILED'}: ${name} (${((performance.now() - started) / 1000).toFixed(0)} s)`);
      resolve(code === 0);
    });
  });

const runInTurn = async (names: readonly string[]): Promise<readonly boolean[]> => {
  const outcomes: boolean[] = [];
  for (const name of names) outcomes.push(await run(name));
  return outcomes;
};

const wanted = Object.keys(parts).filter((name) => named.length === 0 || named.includes(name));
const aside = wanted.filter((name) => name === ASIDE);
const inTurn = wanted.filter((name) => name !== ASIDE);
const outcomes = (await Promise.all([runInTurn(aside), runInTurn(inTurn)])).flat();
const failed = outcomes.filter((good) => !good).length;
console.log(`parts: ${outcomes.length - failed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
