import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { testEnvironment } from './test-environment.ts';

/** Every test: build, the quick gate, the engine, MCP, the editor. `-- NAME…` keeps only the parts that are named. */
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const mocha = join(root, 'node_modules', '.bin', 'mocha');
const node = process.execPath;
const env = testEnvironment(process.env);

const parts: Record<string, readonly (readonly string[])[]> = {
  check: [[node, join(root, '.tools/check.ts')]],
  build: [[node, join(root, '.tools/build.ts'), '--quiet']],
  engine: [[mocha, '--parallel', '--jobs', '3', 'test/{engine,scripts}/**/*.test.ts']],
  mcp: [[mocha, '--parallel', '--jobs', '3', 'test/mcp/**/*.test.ts']],
  editor: [[node, join(root, 'test/editor/main.ts')]],
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in parts));
if (unknown.length > 0) {
  console.error(`Unknown part ${unknown.join(', ')}. Parts: ${Object.keys(parts).join(', ')}.`);
  process.exit(2);
}
let passed = 0;
let failed = 0;
for (const [name, commands] of Object.entries(parts)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const started = performance.now();
  const good = commands.every(
    ([command = '', ...args]) => spawnSync(command, args, { cwd: root, env, stdio: 'inherit' }).status === 0,
  );
  console.log(`${good ? 'ok' : 'FAILED'}: ${name} (${((performance.now() - started) / 1000).toFixed(0)} s)`);
  if (good) passed += 1;
  else failed += 1;
}
console.log(`parts: ${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
